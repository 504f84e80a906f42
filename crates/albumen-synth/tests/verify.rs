//! Verification catches every flipped byte, missing file and extra file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::{Path, PathBuf};

use albumen_schema::PrivacyStatement;
use albumen_synth::verify::verify;
use common::make_release;
use serde_json::json;

fn files(release: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(release)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

#[test]
fn an_untouched_release_is_intact() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let report = verify(&out).unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert_eq!(report.files_checked, files(&out).len());
    let statement: PrivacyStatement =
        serde_json::from_slice(&std::fs::read(out.join("privacy.json")).unwrap()).unwrap();
    assert_eq!(report.epsilon, Some(statement.epsilon));
    assert_eq!(report.declared_units, Some(600));
}

#[test]
fn flipping_any_byte_anywhere_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let mut flips = 0;
    for path in files(&out) {
        let bytes = std::fs::read(&path).unwrap();
        // Every byte of the statement; a few hundred spread over each other file.
        let statement = path.ends_with("privacy.json");
        let stride = if statement { 1 } else { bytes.len() / 200 + 1 };
        for at in (0..bytes.len()).step_by(stride).chain([bytes.len() - 1]) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            std::fs::write(&path, flipped).unwrap();
            let report = verify(&out).unwrap();
            assert!(!report.intact(), "byte {at} of {}", path.display());
            flips += 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
    println!("{flips} flips, each caught");
    assert!(verify(&out).unwrap().intact());
}

#[test]
fn every_missing_and_every_extra_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    for path in files(&out) {
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let report = verify(&out).unwrap();
        let named = report
            .differences
            .iter()
            .any(|d| d.contains(&name) && d.contains("missing"));
        assert!(named, "{name}: {:?}", report.differences);
        std::fs::write(&path, bytes).unwrap();
    }
    let extra = out.join("images/album-000000/99.jpg");
    std::fs::write(&extra, b"more").unwrap();
    assert_eq!(
        verify(&out).unwrap().differences,
        ["images/album-000000/99.jpg: is not part of the release"]
    );
    std::fs::remove_file(&extra).unwrap();
    std::fs::create_dir(out.join("notes")).unwrap();
    assert_eq!(
        verify(&out).unwrap().differences,
        ["notes: is an empty directory; a release has none"]
    );
}

#[cfg(unix)]
#[test]
fn links_are_refused_and_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let card = out.join("README.md");
    let outside = dir.path().join("outside.md");
    std::fs::rename(&card, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &card).unwrap();
    let report = verify(&out).unwrap();
    assert!(
        report
            .differences
            .iter()
            .any(|d| d.contains("README.md: is a link")),
        "{report:?}"
    );
}

/// Rewrites a field of the statement as a careless forger would, the statement's own hash included.
fn forge(out: &Path, pointer: &str, value: &serde_json::Value) {
    let path = out.join("privacy.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json.pointer_mut(pointer).unwrap().clone_from(value);
    let mut statement: PrivacyStatement = serde_json::from_value(json).unwrap();
    statement.statement_sha256 = "0".repeat(64);
    let text = |s: &PrivacyStatement| format!("{}\n", serde_json::to_string_pretty(s).unwrap());
    statement.statement_sha256 =
        albumen_accounting::ledger::sha256_hex(text(&statement).as_bytes());
    std::fs::write(&path, text(&statement)).unwrap();
}

#[test]
fn a_statement_that_its_ledger_does_not_bear_out_is_refused_field_by_field() {
    for (phrase, pointer, value) in [
        ("epsilon is stated as 1,", "/epsilon", json!(1.0)),
        (
            "epsilon_lower is stated as 1,",
            "/epsilon_lower",
            json!(1.0),
        ),
        ("epsilon_rdp is stated as 1,", "/epsilon_rdp", json!(1.0)),
        ("delta is stated as", "/delta", json!(1e-9)),
        ("unit is stated as album", "/unit", json!("album")),
        (
            "declared_units is stated as 6000,",
            "/declared_units",
            json!(6000),
        ),
        (
            "the list of events",
            "/events/0/noise_multiplier",
            json!(9.0),
        ),
        ("the list of events", "/events/0/stage", json!("other")),
        ("ledger_head is stated as", "/ledger_head", json!("00")),
        (
            "insecure_seed is stated as true,",
            "/insecure_seed",
            json!(true),
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let out = make_release(dir.path());
        forge(&out, pointer, &value);
        let differences = verify(&out).unwrap().differences;
        assert_eq!(differences.len(), 1, "{differences:?}");
        assert!(differences[0].contains(phrase), "{differences:?}");
    }
}

#[test]
fn what_is_no_release_is_an_error_with_a_hint() {
    let error = verify("no/such/release".as_ref()).unwrap_err().to_string();
    assert!(
        error.contains("no/such/release") && error.contains("privacy.json"),
        "{error}"
    );
}
