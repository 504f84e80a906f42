//! Private numbers are silent unless asked for, and stamped then.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{TINY, albumen, tiny_workplace};
use walkdir::WalkDir;

const STAMP: &str = "NOT DIFFERENTIALLY PRIVATE";

/// Trains from one seed, so that two runs see the same private numbers; gives all output.
fn train(dir: &Path, more: &[&str]) -> String {
    let args = [
        "run",
        "tiny.toml",
        "--until",
        "generate",
        "--insecure-seed",
        "7",
    ];
    let output = albumen(dir).args(args).args(more).output().unwrap();
    let mut said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said.push_str(std::str::from_utf8(&output.stdout).unwrap());
    said
}

fn adapter(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("runs/tiny/models/caption/adapter.safetensors")).unwrap()
}

/// Loss and gradient norm of every step, to the digits that any way of printing them starts with.
fn numbers(metrics: &Path) -> Vec<String> {
    let mut numbers = Vec::new();
    for line in fs::read_to_string(metrics).unwrap().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["stamp"], STAMP, "{line}");
        for key in ["loss", "gradient_norm"] {
            if let Some(value) = record[key].as_f64() {
                let mut digits = format!("{value:.6}");
                digits.truncate(digits.len() - 2);
                numbers.push(digits);
            }
        }
    }
    numbers
}

#[test]
fn losses_norms_batches_and_counts_show_only_on_request_and_stamped() {
    let shown = tiny_workplace(TINY);
    let said = train(shown.path(), &["--show-private-metrics"]);
    let run = shown.path().join("runs/tiny");
    let mut secrets = Vec::new();
    for stage in ["train-summary", "train-caption"] {
        let lines: Vec<&str> = said.lines().filter(|l| l.contains("loss")).collect();
        let of_stage = format!("{STAMP} {stage}: step ");
        let steps = lines.iter().filter(|l| l.starts_with(&of_stage)).count();
        assert_eq!(steps, 12, "{said}");
        assert!(lines.iter().all(|l| l.starts_with(STAMP)), "{said}");
        // The bounded albums of 40 owners: one of one photo and one of two each.
        let counts = format!("{STAMP} {stage}: 40 units, 80 albums, 120 photos");
        assert!(said.contains(&counts), "{said}");
        let found = numbers(&run.join(format!("private/metrics/{stage}.jsonl")));
        assert_eq!(found.len(), 24);
        secrets.extend(found);
    }
    assert!(secrets.iter().all(|secret| said.contains(secret)));

    let silent = tiny_workplace(TINY);
    let said = train(silent.path(), &[]);
    assert_eq!(
        adapter(silent.path()),
        adapter(shown.path()),
        "both runs saw the same numbers"
    );
    let run = silent.path().join("runs/tiny");
    assert!(!run.join("private/metrics").exists());
    assert!(!said.contains("loss") && !said.contains(STAMP), "{said}");
    for entry in WalkDir::new(silent.path().join("runs")) {
        let path = entry.unwrap().into_path();
        if !path.is_file() || path.starts_with(run.join("private")) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found, "{} holds {secret}", path.display());
        }
    }
    for secret in &secrets {
        assert!(!said.contains(secret.as_str()), "output holds {secret}");
    }
}
