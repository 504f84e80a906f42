//! `albumen run --check`: what is known before anything is fetched, loaded or read.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails by panicking"
)]

#[path = "../../albumen-models/tests/common/hub_server.rs"]
mod hub_server;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use hub_server::Server;
use serde_json::Value;

const CONFIG: &str = include_str!("../../albumen-schema/src/config/sample.toml");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `albumen run FILE --check`; exit code, stdout, stderr. The hub is a server of the test's own, of
/// which nothing may be asked.
fn check(file: &Path, more: &[&str]) -> (i32, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let found = check_in(dir.path(), file, more);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "files are left"
    );
    found
}

/// The same in a working directory, from which a configuration may name files.
fn check_in(dir: &Path, file: &Path, more: &[&str]) -> (i32, String, String) {
    let (server, address) = Server::default().start();
    let cache = tempfile::tempdir().unwrap();
    let output = Command::cargo_bin("albumen")
        .unwrap()
        .args(["run", file.to_str().unwrap(), "--check"])
        .args(more)
        .current_dir(dir)
        .env("HF_HOME", cache.path())
        .env("HF_ENDPOINT", address)
        .env_remove("HF_HUB_OFFLINE")
        .output()
        .unwrap();
    assert!(
        server.asked.lock().unwrap().is_empty(),
        "a server was asked"
    );
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

/// The same of the sample configuration with lines before its `[train.summary]`.
fn check_with(lines: &str, more: &[&str]) -> (i32, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    let text = CONFIG.replacen("[train.summary]", &format!("{lines}\n[train.summary]"), 1);
    fs::write(&file, text).unwrap();
    check(&file, more)
}

fn found(lines: &str) -> Value {
    let (code, stdout, stderr) = check_with(lines, &["--json"]);
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// A stage's row; the last where there are several.
fn stage<'a>(found: &'a Value, name: &str) -> &'a Value {
    let rows = found["memory"].as_array().unwrap();
    rows.iter().rfind(|r| r["stage"] == name).unwrap()
}

fn part(row: &Value, what: &str) -> u64 {
    let parts = row["parts"].as_array().unwrap();
    let part = parts.iter().find(|p| p["what"] == what);
    part.unwrap_or_else(|| panic!("{row}"))["bytes"]
        .as_u64()
        .unwrap()
}

const SMOLLM2_360M: u64 = 361_821_120;

#[test]
fn a_published_model_is_counted_before_it_is_fetched() {
    let lines = "[summarize]\nmodel = \"hub:HuggingFaceTB/SmolLM2-360M-Instruct@main\"\n\
                 [compute]\nprecision = \"bf16\"\n\
                 [train]\nmodel = \"hub:HuggingFaceTB/SmolLM2-360M-Instruct\"\ncache_activations = false";
    let found = found(lines);
    for name in ["summarize", "train", "generate"] {
        let row = stage(&found, name);
        assert_eq!(part(row, "weights"), 2 * SMOLLM2_360M, "{name}");
        assert_eq!(row["basis"], "published", "{name}");
        let sum: u64 = (row["parts"].as_array().unwrap().iter())
            .map(|p| p["bytes"].as_u64().unwrap())
            .sum();
        assert_eq!(row["peak_bytes"], sum);
    }
    // Two layers of 5 heads of 64 in f32, keys and values, for 32 layers: 81920 bytes a token.
    let tokens = 512 + 30;
    assert_eq!(
        part(stage(&found, "summarize"), "caches"),
        64 * tokens * 81_920
    );
    let notes = found["notes"].to_string();
    assert!(notes.contains("models fetch hub:HuggingFaceTB"), "{notes}");
    assert_eq!(found["models"][1]["there"], false);
    assert!(found["epsilon"].as_f64().unwrap() <= 8.0);
}

#[test]
fn another_model_of_the_hub_is_unknown_until_it_is_fetched() {
    let lines = "[train]\nmodel = \"hub:owner/secret\"";
    let found = found(lines);
    let row = stage(&found, "train");
    assert_eq!(row["basis"], Value::Null);
    assert_eq!(row["peak_bytes"], 0);
    let (code, stdout, stderr) = check_with(lines, &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("unknown") && stdout.contains("fetch it to know"),
        "{stdout}"
    );
    assert!(stderr.contains("its size is not known"), "{stderr}");
    assert!(stderr.contains("are good"), "{stderr}");
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_lower() {
    let (code, stdout, stderr) = check_with("[compute]\nmemory_gib = 0.1", &[]);
    assert_eq!(code, 1);
    assert!(
        stdout.contains("train") && stdout.contains("weights"),
        "{stdout}"
    );
    for word in ["`compute.memory_gib` = 0.1", "stage ", "hint: take"] {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
    let (code, _, stderr) = check_with("[compute]\nmemory_gib = 64", &[]);
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = check_with("[train]\nmodel = \"hub:a/b/c/d\"", &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("write hub:OWNER/NAME"), "{stderr}");
    let (code, _, stderr) = check_with("[compute]\nmemory_gib = -1", &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("`compute.memory_gib` is -1"), "{stderr}");
}

#[test]
fn a_model_of_another_stage_is_known_before_it_is_fetched() {
    let lines = "[train]\nmodel = \"hub:Salesforce/blip-image-captioning-base\"";
    let (code, _, stderr) = check_with(lines, &[]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("is a captioner") && stderr.contains("did you mean `caption.model`?"),
        "{stderr}"
    );
}

#[test]
fn every_configuration_that_comes_with_albumen_is_good() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("configs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let (code, stdout, stderr) = check_in(&root(), &path, &["--json"]);
        assert_eq!(code, 0, "{}: {stderr}", path.display());
        let found: Value = serde_json::from_str(&stdout).unwrap();
        for row in found["memory"].as_array().unwrap() {
            assert!(!row["basis"].is_null(), "{}: {row}", path.display());
        }
        count += 1;
    }
    assert!(count >= 5);
}
