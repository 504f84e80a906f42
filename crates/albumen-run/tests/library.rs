//! The engine as a library: what it tells, what it leaves, and run directories of releases before it.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use albumen_run::{News, Observer, Options, Runner, Shared, Stage};
use albumen_schema::Config;
use support::{TINY, tiny_workplace};

mod support;

/// Keeps every piece of news as a line.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn tell(&self, news: News<'_>) {
        let line = match news {
            News::Started { work } => format!("started {work}"),
            News::Progress { work, share, words } => format!("{share:.4} {work} {words}"),
            News::Finished { work, .. } => format!("finished {work}"),
            News::Stopped { work } => format!("stopped {work}"),
            News::Note(line) => line.to_owned(),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Heard {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// The tiny configuration with paths that hold wherever the test runs.
fn config_in(dir: &Path) -> Config {
    let mut config = Config::parse("tiny.toml", TINY).unwrap();
    config.corpus.path = dir.join("albums.jsonl");
    let model = format!("path:{}", dir.join("model").display());
    config.summarize.model = model.clone().into();
    config.train.model = model.into();
    config
}

fn open(dir: &Path, heard: &Arc<Heard>) -> Runner {
    let observer: Shared = heard.clone();
    let out = dir.join("run");
    Runner::open(config_in(dir), &out, Options::default(), observer).unwrap()
}

#[test]
fn a_run_tells_each_stage_once_and_private_shares_in_twentieths() {
    let dir = tiny_workplace(TINY);
    let heard = Arc::new(Heard::default());
    open(dir.path(), &heard).run(Stage::Render, None).unwrap();
    let lines = heard.lines();
    for stage in ["ingest", "train-summary", "generate", "render"] {
        for what in ["started", "finished"] {
            let line = format!("{what} {stage}");
            assert_eq!(lines.iter().filter(|l| **l == line).count(), 1, "{line}");
        }
    }
    for line in lines
        .iter()
        .filter(|l| l.contains(" caption ") || l.contains(" summarize "))
    {
        let Some(share) = line.split(' ').next().and_then(|s| s.parse::<f64>().ok()) else {
            continue;
        };
        assert!((share * 20.0).fract() < 1e-9, "{line}");
    }
    // Everything is finished: nothing runs again.
    let again = Arc::new(Heard::default());
    open(dir.path(), &again).run(Stage::Render, None).unwrap();
    let again = again.lines();
    assert!(
        !again.iter().any(|l| l.starts_with("started ")),
        "{again:?}"
    );
    assert!(
        again.contains(&"train-caption: finished before".to_owned()),
        "{again:?}"
    );
}

#[test]
fn a_stage_that_fails_says_that_it_stopped_and_what_was_finished_stays() {
    let dir = tiny_workplace(TINY);
    let heard = Arc::new(Heard::default());
    let mut runner = open(dir.path(), &heard);
    runner.run(Stage::Summarize, None).unwrap();
    let captions = runner.dir().private().join("caption/captions.parquet");
    let whole = fs::read(&captions).unwrap();
    fs::write(&captions, &whole[..whole.len() / 2]).unwrap();
    // The damaged stage is made again, whatever else is there.
    runner.run(Stage::Summarize, None).unwrap();
    assert_eq!(fs::read(&captions).unwrap(), whole);
    fs::write(dir.path().join("run/ledger.jsonl"), "{}\n").unwrap();
    assert!(runner.run(Stage::Report, None).is_err());
    let lines = heard.lines();
    let stopped = lines.iter().filter(|l| l.starts_with("stopped "));
    assert_eq!(stopped.collect::<Vec<_>>(), ["stopped statistics"]);
}
