//! Run directories of releases before the engine became a library.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use albumen_run::{News, Observer, Options, Runner, Shared, Stage};
use albumen_schema::Config;
use support::ledger_stages;

mod support;

/// Keeps the names of the stages that began.
#[derive(Default)]
struct Began(Mutex<Vec<String>>);

impl Observer for Began {
    fn tell(&self, news: News<'_>) {
        if let News::Started { work } = news {
            self.0.lock().unwrap().push(work.to_owned());
        }
    }
}

/// A run of the tiny configuration by the tool as it was at commit b0b9e5c, before the engine became a
/// library (scripts/golden/run_directory.py): all of it is finished, and stays so.
#[test]
fn a_run_directory_from_before_the_move_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/run-b0b9e5c.tar.gz");
    let archive = flate2::read::GzDecoder::new(fs::File::open(golden).unwrap());
    tar::Archive::new(archive).unpack(dir.path()).unwrap();
    // The fingerprint of a model and of a corpus is of names, sizes and times.
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for name in [
        "albums.jsonl",
        "model/config.json",
        "model/tokenizer.json",
        "model/model.safetensors",
    ] {
        let file = fs::File::options()
            .append(true)
            .open(dir.path().join(name))
            .unwrap();
        file.set_modified(then).unwrap();
    }
    // Names are as the run was given them: relative to its folder. This test has a process of its own.
    std::env::set_current_dir(dir.path()).unwrap();
    let before = fs::read("runs/tiny/ledger.jsonl").unwrap();
    let began = Arc::new(Began::default());
    let config = Config::parse("tiny.toml", &fs::read_to_string("tiny.toml").unwrap()).unwrap();
    let observer: Shared = began.clone();
    let out = Path::new("runs/tiny");
    let mut runner = Runner::open(config, out, Options::default(), observer).unwrap();
    runner.run(Stage::Render, None).unwrap();
    assert_eq!(*began.0.lock().unwrap(), [""; 0]);
    assert_eq!(fs::read("runs/tiny/ledger.jsonl").unwrap(), before);
    assert_eq!(
        ledger_stages(out),
        [
            "album-count",
            "album-sizes",
            "train-summary",
            "train-caption"
        ]
    );

    // The same, with a value that was allowed then and is out of range now.
    drop(runner);
    let text = fs::read_to_string("runs/tiny/run.toml").unwrap();
    let text = text.replace("samples = 5000", "samples = 5");
    let error = Config::parse("run.toml", &text).unwrap_err().to_string();
    assert!(error.contains("`evaluate.samples` is 5"), "{error}");
    fs::write("runs/tiny/run.toml", &text).unwrap();
    let config = Config::parse_unchecked("run.toml", &text).unwrap();
    let observer: Shared = began.clone();
    let mut runner = Runner::open(config, out, Options::default(), observer).unwrap();
    runner.run(Stage::Render, None).unwrap();
    let refused = runner.run(Stage::Render, Some(Stage::Render)).unwrap_err();
    let refused = refused.error().to_string();
    assert!(refused.contains("`evaluate.samples` is 5"), "{refused}");
    assert_eq!(*began.0.lock().unwrap(), [""; 0]);
}
