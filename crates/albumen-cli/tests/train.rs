//! Training as a user runs it: from public albums first, killed in the middle, gone on with.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;

const CONFIG: &str = r#"name = "t"

[corpus]
path = "albums.jsonl"

[privacy]
unit = "album"
epsilon = 20.0
delta = 1e-3
declared_units = 16

[train]
lora_rank = 2
lora_layers = 1
checkpoint_seconds = 0

[train.public]
path = "public.jsonl"
source = "Made up for a test"
batch = 2
steps = 2

[train.summary]
expected_batch = 12
steps = 40
learning_rate = 0.01
optimizer = "adam_bc"
ema_decay = 0.9

[train.caption]
expected_batch = 12
steps = 2
learning_rate = 0.01
optimizer = "sgd"
schedule = "linear"

[generate]
albums = 1
"#;

fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut albums, mut public) = (String::new(), String::new());
    for i in 0..16 {
        let photos = format!("[{{\"caption\": \"a lake {i}\"}}, {{\"caption\": \"a boat {i}\"}}]");
        writeln!(albums, "{{\"album_id\": \"a{i}\", \"photos\": {photos}}}").unwrap();
    }
    for i in 0..3 {
        writeln!(
            public,
            "{{\"album_id\": \"p{i}\", \"summary\": \"A day out.\", \"photos\": [{{\"caption\": \"a tree\"}}]}}"
        )
        .unwrap();
    }
    fs::write(dir.path().join("albums.jsonl"), albums).unwrap();
    fs::write(dir.path().join("public.jsonl"), public).unwrap();
    fs::write(dir.path().join("c.toml"), CONFIG).unwrap();
    dir
}

/// Steps that the checkpoint holds.
fn steps_in(checkpoint: &Path) -> Option<u64> {
    let bytes = fs::read(checkpoint).ok()?;
    let line = bytes.split(|&b| b == b'\n').next()?;
    let head: serde_json::Value = serde_json::from_slice(line).ok()?;
    head["steps_taken"].as_u64()
}

#[test]
fn a_killed_training_goes_on_and_pays_once() {
    let dir = workplace();
    let run = dir.path().join("runs/t");
    let checkpoint = run.join("private/summary.checkpoint");
    let mut child = Process::new(env!("CARGO_BIN_EXE_albumen"))
        .args(["train", "c.toml"])
        .current_dir(dir.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(5);
    while steps_in(&checkpoint).unwrap_or(0) < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(Instant::now() < deadline, "no checkpoint appears");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        fs::read_to_string(run.join("ledger.jsonl"))
            .unwrap()
            .lines()
            .count(),
        1
    );
    let taken = steps_in(&checkpoint).unwrap();
    let public = fs::metadata(run.join("models/public/summary.safetensors")).unwrap();

    let done = Command::cargo_bin("albumen")
        .unwrap()
        .args(["train", "c.toml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{said}");
    assert!(said.contains("train-public: finished before"), "{said}");
    let went_on = format!("train-summary: went on after step {taken}");
    assert!(said.contains(&went_on), "{said}");
    assert!(!said.contains("train-caption: went on"), "{said}");

    let ledger = fs::read_to_string(run.join("ledger.jsonl")).unwrap();
    let paid: Vec<(String, u64)> = ledger
        .lines()
        .skip(1)
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let stage = entry["stage"].as_str().unwrap().to_owned();
            (stage, entry["event"]["steps"].as_u64().unwrap())
        })
        .collect();
    let wanted = [("train-summary", 40), ("train-caption", 2)];
    assert_eq!(paid, wanted.map(|(s, n)| (s.to_owned(), n)));
    assert!(!checkpoint.exists(), "a checkpoint outlives its training");
    let again = fs::metadata(run.join("models/public/summary.safetensors")).unwrap();
    assert_eq!(public.modified().unwrap(), again.modified().unwrap());
}

#[test]
fn albums_of_the_private_corpus_are_not_taken_for_public_ones() {
    for (corpus, public) in [
        ("albums.jsonl", "./albums.jsonl"),
        (".", "public.jsonl"),
        #[cfg(unix)]
        ("link", "public.jsonl"),
    ] {
        let dir = workplace();
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path(), dir.path().join("link")).unwrap();
        let text = CONFIG.replace("public.jsonl", public).replacen(
            "\"albums.jsonl\"",
            &format!("{corpus:?}"),
            1,
        );
        fs::write(dir.path().join("c.toml"), text).unwrap();
        let done = Command::cargo_bin("albumen")
            .unwrap()
            .args(["run", "c.toml", "--check"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(1), "{corpus}, {public}: {said}");
        assert!(said.contains("lies inside `corpus.path`"), "{said}");
        assert!(said.contains("hint: "), "{said}");
    }
}

#[test]
fn public_albums_are_checked_before_any_private_one_is_read() {
    let dir = workplace();
    fs::write(dir.path().join("public.jsonl"), "{\"album_id\": 3}\n").unwrap();
    let done = Command::cargo_bin("albumen")
        .unwrap()
        .args(["train", "c.toml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        said.contains("[train.public]") && said.contains("public.jsonl:1"),
        "{said}"
    );
    assert!(!dir.path().join("runs").exists(), "{said}");
}
