//! A release is paid for before it is handed out, whenever the process is killed.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
use std::path::Path;

use albumen_accounting::{Header, History, Ledger, Unit};
use albumen_dp::{
    Clipping, DpError, DpTraining, Optimizer, Plan, Randomness, Released, Sensitive, decode_f32,
    encode_f32, recover,
};
use albumen_files::sha256_hex;

fn release(randomness: Randomness) -> Released<Vec<f32>> {
    let plan = Plan {
        unit: Unit::Owner,
        declared_units: 10,
        expected_batch: 5,
        steps: 1,
        noise_multiplier: 1.0,
        clipping: Clipping::Normalize {
            norm: 1.0,
            gamma: 0.01,
        },
    };
    let none = Sensitive::new(0);
    let initial = vec![0.0; 4];
    let mut training =
        DpTraining::begin(plan, Optimizer::adam(0.1), initial, &none, randomness).unwrap();
    let batch = training.sample().unwrap().unwrap();
    let sum = training.clipped_sum(&batch);
    training.update(batch, sum).unwrap();
    training.finish().unwrap()
}

fn ledger(directory: &Path) -> Ledger {
    let header = Header::new("test", Unit::Owner, 10, 1e-5);
    Ledger::create(&directory.join("ledger.jsonl"), header).unwrap()
}

#[test]
fn committing_charges_once_and_leaves_a_private_escrow() {
    let directory = tempfile::tempdir().unwrap();
    let escrow = directory.path().join("escrow");
    let mut ledger = ledger(directory.path());
    let value = release(Randomness::Os)
        .commit(&mut ledger, "train_summary", &escrow, encode_f32)
        .unwrap();
    assert_eq!(ledger.events().len(), 1);
    let entry = &ledger.history().entries()[0];
    let bytes = std::fs::read(&escrow).unwrap();
    assert_eq!(entry.artefact_sha256, sha256_hex(&bytes));
    assert_eq!(decode_f32(&bytes).unwrap(), value);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&escrow).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

/// The disk's states in the order in which `commit` makes them, and what a resumed run must find.
#[test]
fn a_kill_between_any_two_steps_counts_the_release_exactly_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let escrow = directory.path().join("escrow");
    let mut open = ledger(directory.path());
    let value = release(Randomness::Os)
        .commit(&mut open, "train", &escrow, encode_f32)
        .unwrap();
    drop(open);
    let whole = std::fs::read(&path).unwrap();
    let bytes = std::fs::read(&escrow).unwrap();
    let header_end = whole.iter().position(|&b| b == b'\n').unwrap() + 1;

    let resume = |ledger_bytes: &[u8], escrow_bytes: Option<&[u8]>| {
        std::fs::write(&path, ledger_bytes).unwrap();
        let _ = std::fs::remove_file(&escrow);
        if let Some(bytes) = escrow_bytes {
            std::fs::write(&escrow, bytes).unwrap();
        }
        let ledger = Ledger::open(&path).unwrap();
        let found = recover(&ledger, "train", &escrow).unwrap();
        (ledger.events().len(), found)
    };

    // Before anything, and in the middle of writing the escrow: nothing was released.
    assert_eq!(resume(&whole[..header_end], None), (0, None));
    for cut in 0..=bytes.len() {
        assert_eq!(resume(&whole[..header_end], Some(&bytes[..cut])), (0, None));
        assert!(!escrow.exists(), "an unpaid escrow must not stay");
    }
    let unnamed = directory.path().join("escrow.part");
    std::fs::write(&unnamed, &bytes[..3]).unwrap();
    assert_eq!(resume(&whole[..header_end], None), (0, None));
    assert!(!unnamed.exists(), "half an escrow must not stay");
    // In the middle of the ledger's line: still nothing, until the line is whole.
    for cut in header_end..whole.len() - 1 {
        assert_eq!(resume(&whole[..cut], Some(&bytes)), (0, None), "{cut}");
    }
    // The line without its newline already says everything, so it counts; and so do its bytes.
    for end in [whole.len() - 1, whole.len()] {
        let (events, found) = resume(&whole[..end], Some(&bytes));
        assert_eq!(events, 1);
        assert_eq!(decode_f32(&found.unwrap()).unwrap(), value);
    }
    // Another stage's escrow, or altered bytes, are not this release.
    let (_, found) = resume(&whole, Some(&bytes[1..]));
    assert_eq!(found, None);
}

#[test]
fn a_ledger_that_cannot_be_written_releases_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = ledger(directory.path());
    let escrow = directory.path().join("missing").join("escrow");
    let result = release(Randomness::Os).commit(&mut ledger, "train", &escrow, encode_f32);
    assert!(matches!(result, Err(DpError::Escrow { .. })));
    assert!(ledger.events().is_empty());
}

#[test]
fn seeds_and_other_units_are_refused_by_a_ledger_that_does_not_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let escrow = directory.path().join("escrow");
    let mut plain = ledger(directory.path());
    let seeded = release(Randomness::InsecureSeed(1));
    let result = seeded.commit(&mut plain, "train", &escrow, encode_f32);
    assert!(matches!(result, Err(DpError::UnmarkedSeed)));
    let path = directory.path().join("albums.jsonl");
    let mut albums = Ledger::create(&path, Header::new("test", Unit::Album, 10, 1e-5)).unwrap();
    let result = release(Randomness::Os).commit(&mut albums, "train", &escrow, encode_f32);
    assert!(matches!(result, Err(DpError::WrongLedger { .. })));
    let path = directory.path().join("eleven.jsonl");
    let mut eleven = Ledger::create(&path, Header::new("test", Unit::Owner, 11, 1e-5)).unwrap();
    let result = release(Randomness::Os).commit(&mut eleven, "train", &escrow, encode_f32);
    assert!(matches!(result, Err(DpError::WrongLedger { .. })));
    assert!(albums.events().is_empty() && eleven.events().is_empty());
    assert!(plain.events().is_empty() && !escrow.exists());

    let marked = Header {
        insecure_seed: true,
        ..Header::new("test", Unit::Owner, 10, 1e-5)
    };
    let path = directory.path().join("marked.jsonl");
    let mut marked = Ledger::create(&path, marked).unwrap();
    release(Randomness::InsecureSeed(1))
        .commit(&mut marked, "train", &escrow, encode_f32)
        .unwrap();
    drop(marked);
    assert!(History::read(&path).unwrap().header().insecure_seed);
}
