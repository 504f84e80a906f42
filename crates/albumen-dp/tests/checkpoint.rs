//! A killed training goes on where it stood, takes exactly the steps it pays for, and uses no
//! randomness twice.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "the units are this test's own indices"
)]

use std::path::{Path, PathBuf};

use albumen_accounting::Unit;
use albumen_dp::{Clipping, DpError, DpTraining, Optimizer, Plan, Randomness, Sensitive};

const DIMENSION: usize = 40;

fn plan() -> Plan {
    Plan {
        unit: Unit::Album,
        declared_units: 10,
        expected_batch: 5,
        steps: 7,
        noise_multiplier: 1.0,
        clipping: Clipping::Flat { norm: 2.0 },
    }
}

fn averaged() -> Optimizer {
    Optimizer {
        ema_decay: Some(0.9),
        ..Optimizer::adam(0.1)
    }
}

fn begin(plan: Plan, optimizer: Optimizer, initial: f32, randomness: Randomness) -> DpTraining {
    let units = Sensitive::new(10);
    DpTraining::begin(
        plan,
        optimizer,
        vec![initial; DIMENSION],
        &units,
        randomness,
    )
    .unwrap()
}

fn fresh() -> DpTraining {
    begin(plan(), averaged(), 0.5, Randomness::Os)
}

fn step(training: &mut DpTraining) -> bool {
    let Some(batch) = training.sample().unwrap() else {
        return false;
    };
    let mut sum = training.clipped_sum(&batch);
    for position in 0..batch.units().expose().len() {
        sum.add_unit(position, &[0.1; DIMENSION]).unwrap();
    }
    training.update(batch, sum).unwrap();
    true
}

/// A training that has left a checkpoint after three steps, and the checkpoint.
fn interrupted(directory: &Path) -> (DpTraining, PathBuf) {
    let path = directory.join("checkpoint");
    let mut training = fresh();
    for _ in 0..3 {
        step(&mut training);
        training.checkpoint(&path, "context").unwrap();
    }
    (training, path)
}

#[test]
fn takes_the_rest_of_the_planned_steps() {
    let directory = tempfile::tempdir().unwrap();
    let (killed, path) = interrupted(directory.path());
    let mut training = fresh();
    assert!(training.restore(&path, "context").unwrap());
    assert_eq!(training.steps_taken(), 3);
    assert_eq!(training.params(), killed.params());
    // Moments and average too: written again, the file is the same.
    let again = directory.path().join("again");
    training.checkpoint(&again, "context").unwrap();
    assert_eq!(
        std::fs::read(&again).unwrap(),
        std::fs::read(&path).unwrap()
    );

    let mut more = 0;
    while step(&mut training) {
        more += 1;
    }
    assert_eq!((more, training.steps_taken()), (4, 7));
    assert_eq!(*training.finish().unwrap().event(), plan().event());
}

#[test]
fn uses_no_noise_twice() {
    let directory = tempfile::tempdir().unwrap();
    let (mut killed, path) = interrupted(directory.path());
    let resumed = || {
        let mut training = fresh();
        assert!(training.restore(&path, "context").unwrap());
        step(&mut training);
        training.params().to_vec()
    };
    step(&mut killed);
    let outcomes = [killed.params().to_vec(), resumed(), resumed()];
    for (i, j) in [(0, 1), (0, 2), (1, 2)] {
        let differ = outcomes[i].iter().zip(&outcomes[j]).filter(|(a, b)| a != b);
        assert!(differ.count() > DIMENSION / 2, "{i} {j}");
    }
}

#[test]
fn belongs_to_one_training() {
    let directory = tempfile::tempdir().unwrap();
    let (_, path) = interrupted(directory.path());
    let quieter = Plan {
        noise_multiplier: 2.0,
        ..plan()
    };
    let rarer = Plan {
        expected_batch: 4,
        ..plan()
    };
    let faster = Optimizer {
        ema_decay: Some(0.9),
        ..Optimizer::adam(0.2)
    };
    let os = Randomness::Os;
    let others = [
        ("noise", begin(quieter, averaged(), 0.5, os), "context"),
        ("rate", begin(rarer, averaged(), 0.5, os), "context"),
        ("optimizer", begin(plan(), faster, 0.5, os), "context"),
        ("initial", begin(plan(), averaged(), 0.6, os), "context"),
        ("context", fresh(), "other"),
    ];
    for (name, mut other, context) in others {
        assert!(!other.restore(&path, context).unwrap(), "{name}");
        assert_eq!(other.steps_taken(), 0, "{name}");
    }
    let nowhere = directory.path().join("nowhere");
    assert!(!fresh().restore(&nowhere, "context").unwrap());
}

#[test]
fn a_damaged_file_counts_as_none() {
    let directory = tempfile::tempdir().unwrap();
    let (_, path) = interrupted(directory.path());
    let whole = std::fs::read(&path).unwrap();
    for i in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[i] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(!fresh().restore(&path, "context").unwrap(), "byte {i}");
    }
    std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    assert!(!fresh().restore(&path, "context").unwrap());
}

#[test]
fn starts_over_from_a_known_seed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint");
    let seeded = || begin(plan(), averaged(), 0.5, Randomness::InsecureSeed(1));
    let mut training = seeded();
    step(&mut training);
    training.checkpoint(&path, "context").unwrap();
    assert!(!seeded().restore(&path, "context").unwrap());
    assert!(
        !fresh().restore(&path, "context").unwrap(),
        "noise of a known seed passes for fresh"
    );
}

#[test]
fn only_before_the_first_sample() {
    let directory = tempfile::tempdir().unwrap();
    let (mut training, path) = interrupted(directory.path());
    let refused = training.restore(&path, "context");
    assert!(matches!(refused, Err(DpError::Started)));
}

#[cfg(unix)]
#[test]
fn is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let (_, path) = interrupted(directory.path());
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
