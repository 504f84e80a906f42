//! A one-shot release is paid for before it is handed out, once.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
use std::path::Path;

use albumen_accounting::{Header, Ledger, Unit};
use albumen_dp::{DpError, Sensitive, recover};
use albumen_oneshot::OneShot;
use albumen_schema::NoisyCounts;

fn ledger(directory: &Path) -> Ledger {
    let header = Header::new("test", Unit::Owner, 10, 1e-5);
    Ledger::create(&directory.join("ledger.jsonl"), header).unwrap()
}

#[test]
fn other_units_are_refused_by_a_ledger_that_does_not_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let escrow = directory.path().join("escrow");
    let mut plain = ledger(directory.path());
    let albums = OneShot {
        unit: Unit::Album,
        declared_units: 10,
        epsilon: 1.0,
        max_per_unit: 1,
    };
    let released = albums.count("albums", &Sensitive::new(vec![1, 1])).unwrap();
    let result = released.commit(&mut plain, "count", &escrow, NoisyCounts::to_bytes);
    assert!(matches!(result, Err(DpError::WrongLedger { .. })));
    assert!(plain.events().is_empty() && !escrow.exists());
}

/// A statistic's escrow names its own price: the hash that the ledger holds is of the noisy counts
/// with their words, so neither can be changed afterwards.
#[test]
fn a_statistic_is_charged_once_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let escrow = directory.path().join("escrow");
    let mut ledger = ledger(directory.path());
    let settings = OneShot {
        unit: Unit::Owner,
        declared_units: 10,
        epsilon: 0.5,
        max_per_unit: 3,
    };
    let released = settings
        .count("albums", &Sensitive::new(vec![2, 2]))
        .unwrap();
    assert_eq!(*released.event(), settings.counts_event(1).unwrap());
    let counts = released
        .commit(&mut ledger, "album-count", &escrow, NoisyCounts::to_bytes)
        .unwrap();
    let found = recover(&ledger, "album-count", &escrow).unwrap().unwrap();
    assert_eq!(
        serde_json::from_slice::<NoisyCounts>(&found).unwrap(),
        counts
    );
    assert_eq!(ledger.events(), [settings.counts_event(1).unwrap()]);

    let mut other = counts;
    other.categories[0].push('!');
    std::fs::write(&escrow, other.to_bytes()).unwrap();
    assert_eq!(recover(&ledger, "album-count", &escrow).unwrap(), None);
}
