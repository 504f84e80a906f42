//! Verification catches every flipped byte, missing file and extra file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::{Path, PathBuf};

use albumen_schema::{PrivacyStatement, PublicTrainingStatement};
use albumen_synth::export::{Release, export};
use albumen_verify::verify;
use common::{albums, config, make_release, make_release_with_statistics};
use serde_json::{Value, json};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

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

/// Verifies a release with one bit of a file turned, and checks that the file is named.
fn flip(out: &Path, path: &Path, bytes: &[u8], at: usize, bit: u32) {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 1 << bit;
    std::fs::write(path, flipped).unwrap();
    let differences = verify(out).unwrap().differences;
    let name = path.strip_prefix(out).unwrap().display().to_string();
    assert!(
        differences.iter().any(|d| d.contains(&name)),
        "bit {bit} of byte {at} of {name}: {differences:?}"
    );
}

#[test]
fn flipping_any_byte_anywhere_is_caught_and_the_file_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release_with_statistics(dir.path());
    let all = files(&out);
    for name in [
        "statistics.json",
        "croissant.json",
        "coco/captions.json",
        "parquet/albums-00000.parquet",
        "webdataset/albums-000000.tar",
    ] {
        assert!(all.iter().any(|path| path.ends_with(name)), "{name}");
    }
    let mut flips = 0;
    for path in &all {
        let bytes = std::fs::read(path).unwrap();
        // Every byte of the statement; a few hundred spread over each other file.
        let statement = path.ends_with("privacy.json");
        let stride = if statement { 1 } else { bytes.len() / 200 + 1 };
        for at in (0..bytes.len()).step_by(stride).chain([bytes.len() - 1]) {
            flip(&out, path, &bytes, at, at as u32 % 8);
            flips += 1;
        }
        std::fs::write(path, bytes).unwrap();
    }
    println!("{flips} flips, each caught");
    assert!(verify(&out).unwrap().intact());
}

#[test]
fn flips_at_random_are_caught_too() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release_with_statistics(dir.path());
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    println!("seed {seed}");
    let mut state = seed;
    // xorshift64 (Marsaglia 2003): good enough to pick bytes.
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for path in files(&out) {
        let bytes = std::fs::read(&path).unwrap();
        for _ in 0..100 {
            let at = (random() % bytes.len() as u64) as usize;
            flip(&out, &path, &bytes, at, (random() % 8) as u32);
        }
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(verify(&out).unwrap().intact());
}

/// Edits the list of statistics.
type Edit = fn(&mut Value);

/// Edits `statistics.json` as a careful forger would: the statement repeats it, and holds its hash.
fn forge_statistics(out: &Path, edit: Edit) -> Vec<String> {
    let path = out.join("statistics.json");
    let mut json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut json["statistics"]);
    std::fs::write(&path, serde_json::to_vec_pretty(&json).unwrap()).unwrap();
    let hash = albumen_files::sha256_hex(std::fs::read(&path).unwrap());
    forge(out, "/statistics", &json["statistics"]);
    forge(out, "/files/statistics.json", &json!(hash));
    verify(out).unwrap().differences
}

#[test]
fn statistics_that_the_ledger_did_not_pay_for_are_refused() {
    let cases: [(&str, Edit); 9] = [
        ("album-count is not what the ledger paid for", |s| {
            s[0]["released"]["counts"][0] = json!(9999);
        }),
        ("album-sizes is not what the ledger paid for", |s| {
            s[1]["released"]["categories"][2] = json!("5 or more photos");
        }),
        ("album-sizes is not what the ledger paid for", |s| {
            s[1]["released"]["max_per_unit"] = json!(1);
        }),
        ("album-count do not follow", |s| {
            s[0]["counts"][0] = json!(1300);
        }),
        ("album-sizes do not follow", |s| {
            s[1]["standard_error"] = json!(0.5);
        }),
        ("album-count do not follow", |s| {
            s[0]["epsilon"] = json!(0.01);
        }),
        ("topic-histogram is not what the ledger paid for", |s| {
            s[2]["released"]["categories"][0] = json!("beach, sea");
        }),
        ("topic-histogram do not follow", |s| {
            s[2]["counts"][1] = json!(12);
        }),
        ("does not hold topic-histogram once", |s| {
            s.as_array_mut().unwrap().pop();
        }),
    ];
    for (phrase, edit) in cases {
        let dir = tempfile::tempdir().unwrap();
        let out = make_release_with_statistics(dir.path());
        let differences = forge_statistics(&out, edit);
        assert!(
            differences.iter().any(|d| d.contains(phrase)),
            "{phrase}: {differences:?}"
        );
    }
    // A release without the file does not hold what was paid for, whatever its statement says.
    let dir = tempfile::tempdir().unwrap();
    let out = make_release_with_statistics(dir.path());
    std::fs::remove_file(out.join("statistics.json")).unwrap();
    forge(&out, "/statistics", &json!([]));
    let differences = verify(&out).unwrap().differences;
    let phrase = "the ledger paid for album-count and album-sizes and topic-histogram";
    assert!(
        differences.iter().any(|d| d.contains(phrase)),
        "{differences:?}"
    );
}

#[test]
fn a_ledger_of_a_newer_version_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let path = out.join("ledger.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let version = format!("\"version\":{}", albumen_accounting::ledger::LEDGER_VERSION);
    assert!(text.contains(&version));
    std::fs::write(&path, text.replacen(&version, "\"version\":999", 1)).unwrap();
    let differences = verify(&out).unwrap().differences;
    assert!(
        differences
            .iter()
            .any(|d| d.contains("ledger.jsonl: ") && d.contains("999")),
        "{differences:?}"
    );
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
    statement.statement_sha256 = albumen_files::sha256_hex(text(&statement).as_bytes());
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

#[test]
fn public_albums_that_were_learnt_from_are_named_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let without = make_release(dir.path());
    assert!(!read(&without.join("privacy.json")).contains("public_training"));
    assert!(!read(&without.join("README.md")).contains("declared public"));
    let public = PublicTrainingStatement {
        source: "Captions under CC0".to_owned(),
        sha256: "cd".repeat(32),
    };
    let (config, curated) = (config(), albums());
    let out = dir.path().join("with");
    let release = Release {
        config: &config,
        curated: &curated,
        images: &dir.path().join("images"),
        models: &[],
        public_training: Some(&public),
        statistics: dir.path(),
        ledger: &dir.path().join("ledger.jsonl"),
        departed: &[],
    };
    export(&release, &out).unwrap();
    let json = read(&out.join("privacy.json"));
    let statement: PrivacyStatement = serde_json::from_str(&json).unwrap();
    assert_eq!(statement.public_training, Some(public));
    let card = read(&out.join("README.md"));
    let first = card
        .lines()
        .find(|l| l.contains("synthetic photo albums"))
        .unwrap();
    assert!(
        first.contains("without any protection, from albums"),
        "{first}"
    );
    assert!(
        card.contains("publisher declares public: Captions under CC0."),
        "{card}"
    );
    let (_, limits) = card
        .split_once("### What the guarantee does not cover")
        .unwrap();
    assert!(limits.contains("- The albums declared public"), "{limits}");
    assert!(verify(&out).unwrap().intact());
}

#[test]
fn a_statement_with_an_unknown_field_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let json = read(&make_release(dir.path()).join("privacy.json"));
    let more = json.replacen('{', "{\n  \"epsilon_of_the_audit\": 0.1,", 1);
    assert!(serde_json::from_str::<PrivacyStatement>(&json).is_ok());
    let error = serde_json::from_str::<PrivacyStatement>(&more).unwrap_err();
    assert!(
        error.to_string().contains("epsilon_of_the_audit"),
        "{error}"
    );
}
