//! Ledgers of every version of the format stay readable, and say the same as when written.
//!
//! The files are written by scripts/golden/accounting_ledgers.py, whose hash chain is Python's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use albumen_accounting::ledger::LEDGER_VERSION;
use albumen_accounting::{Event, History, LedgerError, TuningRuns, Unit, account};
use albumen_files::sha256_hex;

fn golden(version: u32) -> std::path::PathBuf {
    let name = format!("tests/golden/ledger-v{version}.jsonl");
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn every_version_has_a_golden_ledger_that_reads() {
    for version in 1..=LEDGER_VERSION {
        let history = History::read(&golden(version)).unwrap();
        let header = history.header();
        assert_eq!(
            (header.version, header.unit, header.declared_units),
            (version, Unit::Owner, 600)
        );
        let stages: Vec<&str> = history.entries().iter().map(|e| e.stage.as_str()).collect();
        let expected = [
            "album-count",
            "train-summary",
            "train-caption",
            "gaussian",
            "laplace",
            "discrete",
        ];
        assert_eq!(stages, expected);
        for entry in history.entries() {
            assert_eq!(entry.artefact_sha256, sha256_hex(entry.stage.as_bytes()));
        }
        let events = history.events();
        assert_eq!(events[0], Event::PureDp { epsilon: 0.1 });
        assert_eq!(events[1].statistical_distance(), 1e-30);
        assert_eq!(events[2], Event::poisson_gaussian(2.5, 0.1, 10));
        assert!(account(&events, header.delta).unwrap().epsilon > 0.1);
    }
    let newest = History::read(&golden(2)).unwrap();
    assert_eq!(
        newest.header().tuning_runs,
        Some(TuningRuns::Fixed { count: 3 })
    );
}

#[test]
fn a_version_to_come_is_refused_by_name_whatever_it_holds() {
    let text = std::fs::read_to_string(golden(LEDGER_VERSION)).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    let next = LEDGER_VERSION + 1;
    let newer = format!("{{\"version\":{next},\"all\":\"else differs\"}}\n{rest}");
    let error = History::parse(newer.as_bytes()).unwrap_err();
    assert!(matches!(error, LedgerError::NewerVersion { .. }));
    let message = error.to_string();
    for phrase in [
        format!("version {next}"),
        format!("up to {LEDGER_VERSION}"),
        "use a newer albumen".to_owned(),
    ] {
        assert!(message.contains(&phrase), "{message}");
    }
}
