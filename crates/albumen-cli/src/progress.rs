//! Progress: bars on a terminal, plain lines elsewhere. Always on stderr.
//!
//! Private stages report shares only: counts of private things are private.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Seconds between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// The progress of one stage.
pub(crate) struct Progress {
    stage: String,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Starts the progress of `stage`.
    pub(crate) fn start(stage: &str) -> Self {
        use std::io::IsTerminal;
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1000);
            // The template is a constant that a test parses; the default serves if it ever fails.
            if let Ok(style) =
                ProgressStyle::with_template("{prefix:<14} {bar:32} {percent:>3}%  {msg}  {eta}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(stage.to_owned());
            bar
        });
        let now = Instant::now();
        let progress = Self {
            stage: stage.to_owned(),
            bar,
            started: now,
            last_line: now,
        };
        if progress.bar.is_none() {
            say(&format!("{stage}: started"));
        }
        progress
    }

    /// Sets the finished share, 0 to 1, with a few words that hold nothing private.
    pub(crate) fn set(&mut self, share: f64, words: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position((share * 1000.0) as u64);
            bar.set_message(words.to_owned());
        } else if self.last_line.elapsed() >= PLAIN_EVERY {
            self.last_line = Instant::now();
            let space = if words.is_empty() { "" } else { ", " };
            say(&format!(
                "{}: {:.0}%{space}{words}",
                self.stage,
                share * 100.0
            ));
        }
    }

    /// Ends the progress with a line that says how long it took.
    pub(crate) fn finish(self, words: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let space = if words.is_empty() { "" } else { ": " };
        say(&format!(
            "{}: done in {seconds:.1} s{space}{words}",
            self.stage
        ));
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
