//! A front end of its own in fifty lines: runs a configuration through the library and prints its progress.
//!
//! `cargo run --release -p albumen-run --example front_end -- configs/smoke.toml runs/smoke`

use std::path::Path;
use std::sync::Arc;

use albumen_run::{Failure, News, Observer, Options, Outcome, Runner, Stage};
use albumen_schema::Config;

/// Prints a line for each piece of news.
struct Lines;

impl Observer for Lines {
    #[expect(clippy::print_stdout, reason = "an example that prints")]
    fn tell(&self, news: News<'_>) {
        match news {
            News::Started { work } => println!("[ ] {work}"),
            News::Progress { work, share, .. } => println!("[{:3.0}%] {work}", 100.0 * share),
            News::Finished { work, words } => println!("[x] {work} {words}"),
            News::Stopped { work } => println!("[!] {work}"),
            News::Note(line) => println!("    {line}"),
            _ => {}
        }
    }
}

fn run(config: &str, out: &str) -> Outcome {
    let text = std::fs::read_to_string(config).map_err(Failure::usage)?;
    let config = Config::parse(config, &text).map_err(Failure::usage)?;
    let mut runner = Runner::open(config, Path::new(out), Options::default(), Arc::new(Lines))?;
    runner.run(Stage::Report, None)?;
    let spent = runner.spent()?;
    Lines.tell(News::Note(&format!(
        "{} holds epsilon {} at delta {}",
        runner.dir().release().display(),
        spent.epsilon,
        spent.delta
    )));
    Ok(())
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let (Some(config), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: front_end CONFIG OUT".to_owned());
    };
    run(&config, &out).map_err(|failure| failure.to_string())
}
