//! Progress: bars on a terminal, plain lines elsewhere. Always on stderr.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use albumen_run::{News, Observer, Shared};
use indicatif::{ProgressBar, ProgressStyle};

/// Seconds between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// Shows a run's news on stderr.
#[derive(Default)]
struct Terminal(Mutex<BTreeMap<String, Shown>>);

/// Work that is under way.
struct Shown {
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
}

/// An observer that shows a run's news on stderr.
pub(crate) fn terminal() -> Shared {
    Arc::new(Terminal::default())
}

impl Observer for Terminal {
    fn tell(&self, news: News<'_>) {
        // A thread that panicked while it told news has not broken what is shown.
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match news {
            News::Started { work } => {
                under_way.insert(work.to_owned(), Shown::start(work));
            }
            News::Progress { work, share, words } => {
                if let Some(shown) = under_way.get_mut(work) {
                    shown.set(work, share, words);
                }
            }
            News::Finished { work, words } => {
                if let Some(shown) = under_way.remove(work) {
                    shown.finish(work, words);
                }
            }
            News::Stopped { work } => {
                under_way.remove(work);
            }
            News::Note(line) => {
                let bar = under_way.values().find_map(|shown| shown.bar.as_ref());
                bar.map_or_else(|| say(line), |bar| bar.suspend(|| say(line)));
            }
            _ => {}
        }
    }
}

impl Shown {
    fn start(work: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1000);
            // The template is a constant that a test parses; the default serves if it ever fails.
            if let Ok(style) =
                ProgressStyle::with_template("{prefix:<14} {bar:32} {percent:>3}%  {msg}  {eta}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(work.to_owned());
            bar
        });
        if bar.is_none() {
            say(&format!("{work}: started"));
        }
        let now = Instant::now();
        Self {
            bar,
            started: now,
            last_line: now,
        }
    }

    fn set(&mut self, work: &str, share: f64, words: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position((share * 1000.0) as u64);
            bar.set_message(words.to_owned());
        } else if self.last_line.elapsed() >= PLAIN_EVERY {
            self.last_line = Instant::now();
            let space = if words.is_empty() { "" } else { ", " };
            say(&format!("{work}: {:.0}%{space}{words}", share * 100.0));
        }
    }

    /// Ends with a line that says how long it took.
    fn finish(self, work: &str, words: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let space = if words.is_empty() { "" } else { ": " };
        say(&format!("{work}: done in {seconds:.1} s{space}{words}"));
    }
}

/// One line for people.
#[expect(clippy::print_stderr, reason = "people's output goes to stderr")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// One JSON object on stdout.
#[expect(
    clippy::print_stdout,
    reason = "machine-readable output goes to stdout"
)]
pub(crate) fn print_json(value: &serde_json::Value) {
    println!("{value:#}");
}

/// Text on stdout, for commands whose result is text.
#[expect(clippy::print_stdout, reason = "the command's result goes to stdout")]
pub(crate) fn print_text(text: &str) {
    println!("{text}");
}
