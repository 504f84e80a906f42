//! The declaration of tuning runs goes from the ledger's header to statement, card and verification,
//! and its charge cannot be dropped on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::{Path, PathBuf};

use albumen_accounting::ledger::Header;
use albumen_accounting::{Event, Ledger, account, account_tuned};
use albumen_files::sha256_hex;
use albumen_schema::config::TuningRuns;
use albumen_schema::{Config, PrivacyStatement, Unit};
use albumen_synth::SynthError;
use albumen_synth::export::{Release, export};
use albumen_verify::verify;
use common::{albums, config, draw};

const EVENT: Event = Event::Gaussian {
    noise_multiplier: 6.0,
};

fn secret() -> TuningRuns {
    TuningRuns::SecretPoisson { mean: 10.0 }
}

/// A run whose ledger declares `ledger` and whose configuration declares `configured`.
fn release(
    dir: &Path,
    ledger: Option<TuningRuns>,
    configured: Option<TuningRuns>,
) -> albumen_synth::Result<PathBuf> {
    let header = Header {
        tuning_runs: ledger,
        ..Header::new("tiny", Unit::Owner, 600, 1e-5)
    };
    let path = dir.join("ledger.jsonl");
    let mut file = Ledger::create(&path, header).unwrap();
    file.append("train/summary", EVENT, &"ab".repeat(32))
        .unwrap();
    drop(file);
    let curated = albums();
    draw(&curated, &dir.join("images"), 7)?;
    let mut config: Config = config();
    config.privacy.tuning_runs = configured;
    let out = dir.join("release");
    let release = Release {
        config: &config,
        curated: &curated,
        images: &dir.join("images"),
        models: &[],
        public_training: None,
        statistics: dir,
        ledger: &path,
        departed: &[],
    };
    export(&release, &out)?;
    Ok(out)
}

fn statement(out: &Path) -> PrivacyStatement {
    serde_json::from_slice(&std::fs::read(out.join("privacy.json")).unwrap()).unwrap()
}

fn forge(out: &Path, change: impl Fn(&mut PrivacyStatement)) {
    let mut statement = statement(out);
    change(&mut statement);
    statement.statement_sha256 = "0".repeat(64);
    let text = |s: &PrivacyStatement| format!("{}\n", serde_json::to_string_pretty(s).unwrap());
    statement.statement_sha256 = sha256_hex(text(&statement).as_bytes());
    std::fs::write(out.join("privacy.json"), text(&statement)).unwrap();
}

#[test]
fn the_statement_and_the_card_include_the_charge() {
    let one = account(&[EVENT], 1e-5).unwrap().epsilon;
    for (runs, phrase, conditions) in [
        (
            secret(),
            "| chosen from | the best of a secret Poisson number of runs with mean 10 |",
            &[
                "drew the number of runs at random before the first one, keeps it secret",
                "nothing of the runs that were not chosen",
                "all runs had the same settings of privacy",
            ][..],
        ),
        (
            TuningRuns::Fixed { count: 3 },
            "| chosen from | 3 runs, each charged in full |",
            &[
                "on condition that none of the others spent more",
                "a run made without this declaration did",
            ],
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let out = release(dir.path(), Some(runs), Some(runs)).unwrap();
        let found = statement(&out);
        let total = account_tuned(&[EVENT], 1e-5, Some(&runs)).unwrap();
        assert_eq!(found.epsilon, total.epsilon);
        assert_eq!(found.epsilon_lower, total.epsilon_lower);
        let tuning = found.tuning.unwrap();
        assert_eq!((tuning.runs, tuning.epsilon_one_run), (runs, one));
        assert!(found.epsilon > 1.2 * one);
        let card = std::fs::read_to_string(out.join("README.md")).unwrap();
        for phrase in [phrase].iter().chain(conditions) {
            assert!(card.contains(phrase), "{phrase}: {card}");
        }
        assert!(card.contains(&format!("| epsilon | {:.3} (upper bound", {
            (found.epsilon * 1000.0).ceil() / 1000.0
        })));
        assert!(
            card.contains("includes the charge for that choice"),
            "{card}"
        );
        let report = verify(&out).unwrap();
        assert!(report.intact(), "{report:?}");
        assert_eq!(report.epsilon, Some(total.epsilon));
        assert_eq!(report.tuning, Some(tuning));
    }
}

#[test]
fn a_release_of_one_run_says_nothing_of_tuning() {
    let dir = tempfile::tempdir().unwrap();
    let out = release(dir.path(), None, None).unwrap();
    let text = std::fs::read_to_string(out.join("privacy.json")).unwrap();
    assert!(!text.contains("tuning"), "{text}");
    let card = std::fs::read_to_string(out.join("README.md")).unwrap();
    assert!(!card.contains("chosen from"), "{card}");
}

#[test]
fn dropping_the_charge_from_the_statement_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let out = release(dir.path(), Some(secret()), Some(secret())).unwrap();
    let one = account(&[EVENT], 1e-5).unwrap();
    let seen = |phrases: &[&str]| {
        let differences = verify(&out).unwrap().differences;
        for phrase in phrases {
            let found = differences.iter().any(|d| d.contains(phrase));
            assert!(found, "{phrase}: {differences:?}");
        }
    };
    let original = statement(&out);
    forge(&out, |s| {
        s.tuning = None;
        s.epsilon = one.epsilon;
        s.epsilon_lower = one.epsilon_lower;
        s.epsilon_rdp = one.epsilon_rdp;
    });
    seen(&["epsilon is stated as", "tuning is stated as one run"]);
    forge(&out, |s| {
        *s = original.clone();
        s.tuning.as_mut().unwrap().epsilon_one_run = 0.5;
    });
    seen(&["tuning is stated as"]);
    forge(&out, |s| {
        *s = original.clone();
        s.tuning.as_mut().unwrap().runs = TuningRuns::SecretPoisson { mean: 2.0 };
    });
    seen(&["tuning is stated as"]);
}

#[test]
fn a_configuration_that_declares_otherwise_exports_nothing() {
    for (ledger, configured) in [
        (Some(secret()), None),
        (None, Some(secret())),
        (
            Some(secret()),
            Some(TuningRuns::SecretPoisson { mean: 9.0 }),
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let error = release(dir.path(), ledger, configured).unwrap_err();
        assert!(
            matches!(
                error,
                SynthError::OtherGuarantee {
                    field: "tuning_runs",
                    ..
                }
            ),
            "{error}"
        );
        assert!(!dir.path().join("release").exists());
    }
    // The charge counts against the configured epsilon: 8 is enough for one run, not for 300.
    let many = Some(TuningRuns::Fixed { count: 300 });
    let dir = tempfile::tempdir().unwrap();
    let error = release(dir.path(), many, many).unwrap_err();
    assert!(matches!(error, SynthError::Overspent { .. }), "{error}");
}
