//! What a user sees when something is wrong: message and exit code, held as snapshots.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails by panicking"
)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use insta::assert_snapshot;

const CONFIG: &str = include_str!("../../albumen-schema/src/config/sample.toml");

/// Runs `albumen` in `dir`; gives exit code, stdout and stderr.
fn albumen(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("albumen")
        .unwrap()
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

/// Runs `albumen ARGS c.toml` on the sample configuration with one replacement.
fn with_config(from: &str, to: &str, args: &[&str]) -> (i32, String, String) {
    assert!(CONFIG.contains(from), "{from} is not in the sample");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("c.toml"), CONFIG.replacen(from, to, 1)).unwrap();
    let args: Vec<&str> = args.iter().copied().chain(["c.toml"]).collect();
    albumen(dir.path(), &args)
}

fn refused(from: &str, to: &str, code: i32) -> String {
    let (found, stdout, stderr) = with_config(from, to, &["plan"]);
    assert_eq!(found, code, "{stderr}");
    assert_eq!(stdout, "");
    stderr
}

#[test]
fn an_unknown_key_names_the_nearest() {
    assert_snapshot!(refused("epsilon = 8.0", "epsilom = 8.0", 2), @"
    error: c.toml:8:1: unknown field `epsilom`, expected one of `unit`, `epsilon`, `delta`, `declared_units`, `max_albums_per_owner`, `summary_share`, `tuning_runs`
      hint: did you mean `epsilon`?
    ");
}

#[test]
fn epsilon_must_be_positive() {
    assert_snapshot!(refused("epsilon = 8.0", "epsilon = -1.0", 2), @"
    error: c.toml:8:11: `privacy.epsilon` is -1
      hint: use more than 0 and at most 700; 1 to 10 is usual
    ");
}

#[test]
fn delta_must_be_below_one_over_the_units() {
    assert_snapshot!(refused("delta = 1e-5", "delta = 0.002", 2), @"
    error: c.toml:9:9: `privacy.delta` is 0.002, which is not inside (0, 1/declared_units)
      hint: use less than 1/600: a larger delta would allow publishing a unit whole
    ");
}

#[test]
fn a_batch_cannot_exceed_the_declared_units() {
    assert_snapshot!(refused("expected_batch = 100", "expected_batch = 601", 2), @"
    error: c.toml:13:18: `train.summary.expected_batch` gives a sampling rate of 1.0016666666666667
      hint: use at most declared_units = 600
    ");
}

#[test]
fn broken_toml_has_a_place() {
    let message = refused("epsilon = 8.0", "epsilon = = 8.0", 2);
    assert!(message.starts_with("error: c.toml:8:11: "), "{message}");
}

#[test]
fn a_budget_that_cannot_be_met_says_so() {
    let message = refused("epsilon = 8.0", "epsilon = 1e-9", 2);
    assert!(
        message.contains("1e-9") || message.contains("0.000000001"),
        "{message}"
    );
}

#[test]
fn a_missing_configuration_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, stderr) = albumen(dir.path(), &["run", "nowhere.toml"]);
    assert_eq!(code, 2);
    assert_snapshot!(stderr, @"error: cannot read the configuration nowhere.toml: No such file or directory (os error 2)");
}

#[test]
fn a_missing_corpus_says_how_to_get_one() {
    let (code, _, stderr) = with_config("", "", &["run"]);
    assert_eq!(code, 1);
    assert_snapshot!(stderr, @"
    error: the corpus albums is not there
      hint: check [corpus] path; the quickstart's is made by `albumen dataset quickstart --out datasets/quickstart`
    ");
}

#[test]
fn a_missing_model_is_found_before_any_data_is_read() {
    let (code, _, stderr) = with_config(
        "[train.summary]",
        "[train]\nmodel = \"path:no-model\"\n[train.summary]",
        &["run", "--check"],
    );
    assert_eq!(code, 1);
    assert_snapshot!(stderr, @"
    error: the model path:no-model is not there
      hint: give the path of a GGUF file, of a directory with config.json, safetensors and tokenizer.json, or of a diffusers directory with model_index.json
    ");
}

#[test]
fn a_stage_needs_its_name() {
    let (code, _, stderr) = with_config("", "", &["run", "--until", "captoin"]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("a similar value exists: 'caption'"),
        "{stderr}"
    );
}

#[test]
fn events_that_do_not_read_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (event, says) in [
        ("1,0.01", "three values are needed"),
        ("x,0.01,10", "SIGMA `x` is no number"),
        ("1,0.01,1.5", "STEPS `1.5` is no whole number"),
        ("1,1.5,10", "sampling_rate"),
        ("0,0.5,10", "noise_multiplier"),
        ("NaN,0.5,10", "noise_multiplier"),
    ] {
        let args = ["account", "--event", event, "--delta", "1e-5"];
        let (code, stdout, stderr) = albumen(dir.path(), &args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{event}: {stderr}");
        assert!(stderr.contains(says), "{event}: {stderr}");
    }
    let (code, _, stderr) = albumen(dir.path(), &["account", "--delta", "1e-5"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("nothing to account for"), "{stderr}");
}

#[test]
fn account_prints_one_json_object() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "account",
        "--event",
        "1.0,0.01,10000",
        "--delta",
        "1e-5",
        "--json",
    ];
    let (code, stdout, _) = albumen(dir.path(), &args);
    assert_eq!(code, 0);
    let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let number = |key: &str| object[key].as_f64().unwrap();
    // Google's dp-accounting 0.6.0: 6.1877 (PLD), 6.7128 (Renyi).
    assert!((6.187..6.22).contains(&number("epsilon")), "{object}");
    assert!((number("epsilon_rdp") - 6.7128).abs() < 0.01, "{object}");
    assert!(number("epsilon_lower") <= number("epsilon"));

    let args = [
        "account",
        "--epsilon",
        "6.1877",
        "--sampling-rate",
        "0.01",
        "--steps",
        "10000",
        "--delta",
        "1e-5",
        "--json",
    ];
    let (_, stdout, _) = albumen(dir.path(), &args);
    let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let sigma = object["noise_multiplier"].as_f64().unwrap();
    assert!((0.999..1.01).contains(&sigma), "{object}");
    assert!(object["epsilon"].as_f64().unwrap() <= 6.1877);
}

#[test]
fn there_is_nothing_to_verify_in_an_empty_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, stderr) = albumen(dir.path(), &["verify", "."]);
    assert_eq!(code, 1);
    assert!(stderr.contains("does not hold what it says"), "{stderr}");
    let (code, _, stderr) = albumen(dir.path(), &["verify", "nowhere"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("nowhere"), "{stderr}");
}
