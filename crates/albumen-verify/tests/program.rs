//! The auditor's program on a small release that is made by hand: a ledger, a statement, four files.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use albumen_accounting::{Event, Header, History, Ledger, Unit};
use albumen_files::{sha256_hex, sha256_of_file};
use albumen_verify::{names, statement, verify};
use assert_cmd::cargo::CommandCargoExt;

/// Writes a release with one training in its ledger.
fn release(dir: &Path) -> PathBuf {
    let release = dir.join("release");
    fs::create_dir(&release).unwrap();
    let path = release.join(names::LEDGER_FILE);
    let mut ledger = Ledger::create(&path, Header::new("by hand", Unit::Owner, 600, 1e-5)).unwrap();
    let event = Event::poisson_gaussian(1.1, 0.05, 40);
    ledger
        .append("train-summary", event, &sha256_hex("adapter"))
        .unwrap();
    drop(ledger);
    for name in [names::CARD_FILE, names::METADATA_FILE, names::ALBUMS_FILE] {
        fs::write(release.join(name), name).unwrap();
    }
    let mut stated = statement::of_ledger(&History::read(&path).unwrap()).unwrap();
    for name in [
        names::CARD_FILE,
        names::METADATA_FILE,
        names::ALBUMS_FILE,
        names::LEDGER_FILE,
    ] {
        let hash = sha256_of_file(&release.join(name)).unwrap();
        stated.files.insert(name.to_owned(), hash);
    }
    let bytes = statement::seal(&mut stated).unwrap();
    fs::write(release.join(names::PRIVACY_FILE), bytes).unwrap();
    release
}

/// Exit code, stdout, stderr.
fn program(args: &[&str]) -> (i32, String, String) {
    let done = Command::cargo_bin("albumen-verify")
        .unwrap()
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        done.status.code().unwrap(),
        text(done.stdout),
        text(done.stderr),
    )
}

fn verified(release: &Path, more: &[&str]) -> (i32, String, String) {
    program(&[&["verify", release.to_str().unwrap()], more].concat())
}

#[test]
fn a_whole_release_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let release = release(dir.path());
    let (code, out, _) = verified(&release, &[]);
    assert_eq!(
        (code, out.trim()),
        (0, "every hash and the recomputed epsilon hold")
    );
    let (code, out, _) = verified(&release, &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["files_checked"]), (0, &5.into()));
    assert_eq!(report["declared_units"], 600);
}

/// What is broken, and the words that must tell it.
type Break = (&'static str, fn(&Path));

#[test]
fn each_broken_thing_is_told() {
    let cases: [Break; 9] = [
        ("README.md: was changed", |r| {
            fs::write(r.join("README.md"), "no noise at all").unwrap();
        }),
        ("metadata.jsonl: is missing", |r| {
            fs::remove_file(r.join("metadata.jsonl")).unwrap();
        }),
        ("notes.txt: is not part of the release", |r| {
            fs::write(r.join("notes.txt"), "").unwrap();
        }),
        ("empty: is an empty directory", |r| {
            fs::create_dir(r.join("empty")).unwrap();
        }),
        ("privacy.json: is missing", |r| {
            fs::remove_file(r.join("privacy.json")).unwrap();
        }),
        ("privacy.json: is not a privacy statement", |r| {
            fs::write(r.join("privacy.json"), "{}").unwrap();
        }),
        ("privacy.json: was changed", |r| {
            let text = fs::read_to_string(r.join("privacy.json")).unwrap();
            fs::write(r.join("privacy.json"), text.replace(": 600,", ": 601,")).unwrap();
        }),
        ("ledger.jsonl: ends inside a line", |r| {
            let mut text = fs::read_to_string(r.join("ledger.jsonl")).unwrap();
            text.push_str("{\"index\":1");
            fs::write(r.join("ledger.jsonl"), text).unwrap();
        }),
        ("epsilon is stated as 0.001,", |r| {
            let text = fs::read_to_string(r.join("privacy.json")).unwrap();
            let mut stated: albumen_schema::PrivacyStatement = serde_json::from_str(&text).unwrap();
            stated.epsilon = 0.001;
            fs::write(
                r.join("privacy.json"),
                statement::seal(&mut stated).unwrap(),
            )
            .unwrap();
        }),
    ];
    for (words, damage) in cases {
        let dir = tempfile::tempdir().unwrap();
        let release = release(dir.path());
        damage(&release);
        let (code, out, err) = verified(&release, &[]);
        assert_eq!(code, 1, "{words}");
        assert!(
            out.contains(&format!("differs: {words}")) || out.contains(words),
            "{words}: {out}"
        );
        assert!(err.contains("does not hold what it says"), "{err}");
        assert!(!verify(&release).unwrap().intact());
    }
    let (code, _, err) = verified(Path::new("no/such/release"), &[]);
    assert_eq!(code, 1);
    assert!(
        err.contains("no/such/release") && err.contains("privacy.json"),
        "{err}"
    );
}

#[test]
fn events_and_ledgers_are_accounted_alike() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = release(dir.path()).join("ledger.jsonl");
    let (code, of_event, _) = program(&["account", "--event", "1.1,0.05,40", "--delta", "1e-5"]);
    let (same, of_ledger, _) = program(&["account", "--ledger", ledger.to_str().unwrap()]);
    assert_eq!((code, same), (0, 0));
    assert_eq!(of_ledger.trim(), format!("{} by owner", of_event.trim()));
    let (code, _, err) = program(&["account", "--event", "1.1,0.05", "--delta", "1e-5"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("3 values") || err.contains("three values"),
        "{err}"
    );
}
