//! `albumen evaluate`: nothing of the private albums is said or published unless asked for, and then
//! stamped.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use support::{albumen, succeed};
use walkdir::WalkDir;

const STAMP: &str = "NOT DIFFERENTIALLY PRIVATE";
/// A word of the private captions that no model of the test writes.
const CANARY: &str = "kookaburra";

/// A real language model, so that albums are kept and there is a release; it learns next to nothing.
const CONFIG: &str = r#"
name = "tiny"
corpus = { path = "albums.jsonl" }
privacy = { unit = "owner", epsilon = 25.0, delta = 1e-3, declared_units = 40, max_albums_per_owner = 1 }
summarize = { max_tokens = 16 }
render = { width = 64, height = 48 }
curate = { min_photos = 1, min_words = 1, max_repetition = 1.0, min_coherence = -1.0 }

[train]
lora_rank = 2
lora_layers = 1
summary = { expected_batch = 8, steps = 1, learning_rate = 1e-4 }
caption = { expected_batch = 8, steps = 1, learning_rate = 1e-4 }

[generate]
albums = 12
tries = 4
max_summary_tokens = 32
max_caption_tokens = 32
max_photos = 2
"#;

/// Output of `albumen evaluate runs/tiny MORE`: stdout, stderr.
fn evaluate(dir: &Path, more: &[&str]) -> (String, String) {
    let output = albumen(dir)
        .args(["evaluate", "runs/tiny"])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (String::from_utf8(output.stdout).unwrap(), said)
}

/// Every value of an estimate that three decimals do not write.
fn numbers(value: &Value, found: &mut Vec<f64>) {
    match value {
        Value::Object(fields) => {
            for key in ["value", "low", "high"] {
                let number = fields.get(key).and_then(Value::as_f64);
                found.extend(number.filter(|n| (n * 1000.0).fract().abs() > 1e-3));
            }
            fields.values().for_each(|v| numbers(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| numbers(v, found)),
        _ => {}
    }
}

#[test]
fn numbers_and_texts_of_private_albums_stay_inside() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let album = |i: usize| {
        format!(
            "{{\"album_id\": \"{i}\", \"owner_id\": \"owner {i}\", \"photos\": [{{\"caption\": \"A {CANARY} \
             {i} by the sea.\"}}, {{\"caption\": \"A {CANARY} on tree {i}.\"}}]}}\n"
        )
    };
    fs::write(
        dir.join("albums.jsonl"),
        (0..40).map(album).collect::<String>(),
    )
    .unwrap();
    fs::write(dir.join("tiny.toml"), CONFIG).unwrap();
    succeed(dir, &["run", "tiny.toml", "--until", "curate"]);
    let (stdout, silent) = evaluate(dir, &["--samples", "100"]);
    let run = dir.join("runs/tiny");
    let metrics = run.join("private/evaluate/metrics.json");
    let report = run.join("report.internal.html");
    let html = fs::read_to_string(&report).unwrap();
    assert!(html.contains(STAMP) && html.contains(CANARY));
    let record: Value = serde_json::from_slice(&fs::read(&metrics).unwrap()).unwrap();
    assert_eq!(record["stamp"], STAMP);
    for file in [&metrics, &report] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }

    let mut secrets = Vec::new();
    numbers(&record, &mut secrets);
    assert!(secrets.len() > 50, "{secrets:?}");
    assert_eq!(stdout, "");
    assert!(!silent.contains(CANARY));
    for secret in &secrets {
        let said = format!("{secret:.3}");
        assert!(!silent.contains(&said), "said {said}: {silent}");
    }
    // The release and its report come after the evaluation, and know nothing of it.
    succeed(dir, &["run", "tiny.toml"]);
    succeed(dir, &["verify", "runs/tiny/release"]);
    assert!(run.join("report.html").exists() && run.join("release").is_dir());
    for entry in WalkDir::new(&run) {
        let path = entry.unwrap().into_path();
        if !path.is_file() || path.starts_with(run.join("private")) || path == report {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains(CANARY),
            "{} holds the canary",
            path.display()
        );
        for secret in &secrets {
            // However it is rounded, it starts so; fewer digits would stand in other numbers.
            let mut digits = format!("{secret:.7}");
            digits.truncate(digits.len() - 1);
            assert!(!text.contains(&digits), "{} holds {digits}", path.display());
        }
    }

    // Asked for, they come with the stamp on every line, from the same albums: the floor is kept.
    let (stdout, shown) = evaluate(dir, &["--samples", "100", "--show-private-metrics"]);
    assert_eq!(stdout, "");
    assert!(!shown.contains("floor: started"), "{shown}");
    let lines: Vec<&str> = shown.lines().filter(|l| l.contains("MAUVE")).collect();
    assert!(lines.len() >= 6, "{shown}");
    for line in shown.lines().filter(|l| l.contains(" to ")) {
        assert!(line.starts_with(STAMP), "{line}");
    }
    assert!(!shown.contains(CANARY));
    let (stdout, _) = evaluate(dir, &["--samples", "100", "--json"]);
    let record: Value = serde_json::from_str(&stdout).unwrap();
    assert!(record["evaluation"].is_null(), "{record}");
    let (stdout, _) = evaluate(
        dir,
        &["--samples", "100", "--json", "--show-private-metrics"],
    );
    let record: Value = serde_json::from_str(&stdout).unwrap();
    let mauve = &record["evaluation"]["captions"]["sampled"]["mauve"];
    assert!(mauve["low"].as_f64() <= mauve["value"].as_f64(), "{record}");
    assert_eq!(record["evaluation"]["stamp"], STAMP);
}

#[test]
fn files_are_compared_only_where_their_numbers_may_be_shown() {
    let dir = tempfile::tempdir().unwrap();
    let album = |i: usize, what: &str| {
        format!(
            "{{\"album_id\": \"{i}\", \"summary\": \"A trip to {what} {i}.\", \"photos\": \
             [{{\"caption\": \"The {what} at noon.\"}}, {{\"caption\": \"A walk by the {what}.\"}}]}}\n"
        )
    };
    let write = |name: &str, albums: &[(usize, &str)]| {
        let text: String = albums.iter().map(|(i, what)| album(*i, what)).collect();
        fs::write(dir.path().join(name), text).unwrap();
    };
    let places = ["lake", "city", "farm", "beach", "forest"];
    let real: Vec<(usize, &str)> = (0..60).map(|i| (i, places[i % 5])).collect();
    let near: Vec<(usize, &str)> = (60..90).map(|i| (i, places[i % 5])).collect();
    let far: Vec<(usize, &str)> = (60..90).map(|i| (i, "spreadsheet")).collect();
    write("real.jsonl", &real);
    write("near.jsonl", &near);
    write("far.jsonl", &far);
    let compare = |synthetic: &str, more: &[&str]| {
        let args = ["evaluate", "--real", "real.jsonl", "--synthetic", synthetic];
        albumen(dir.path()).args(args).args(more).output().unwrap()
    };
    let refused = compare("near.jsonl", &[]);
    assert_eq!(refused.status.code(), Some(2));
    let mauve = |synthetic| {
        let output = compare(synthetic, &["--show-private-metrics", "--json"]);
        assert!(output.status.success());
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let value = |set: &str| found["captions"][set]["mauve"]["value"].as_f64().unwrap();
        (value("sampled"), value("held_out"))
    };
    let (near, far) = (mauve("near.jsonl"), mauve("far.jsonl"));
    assert!(near.0 > 0.9 && far.0 < 0.3, "{near:?} {far:?}");
    assert_eq!(
        near.1, far.1,
        "the ceiling does not depend on the synthetic albums"
    );

    fs::write(
        dir.path().join("bad.jsonl"),
        "{\"summary\": [\"private words\"]}\n",
    )
    .unwrap();
    let bad = compare("bad.jsonl", &["--show-private-metrics"]);
    let said = String::from_utf8(bad.stderr).unwrap();
    assert_eq!(bad.status.code(), Some(1));
    assert!(said.contains("bad.jsonl, line 1"), "{said}");
    assert!(!said.contains("private words"), "{said}");
    let nothing = albumen(dir.path())
        .args(["evaluate", "."])
        .output()
        .unwrap();
    assert_eq!(nothing.status.code(), Some(2));
}
