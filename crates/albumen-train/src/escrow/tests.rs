#![allow(clippy::unwrap_used, reason = "tests may panic")]
use std::cell::Cell;

use albumen_accounting::{Header, History};
use albumen_dp::{Clipping, DpTraining, Optimizer, Plan, Randomness, Sensitive};
use albumen_schema::Unit;

use super::*;

type Failed = Box<dyn std::error::Error>;
const STAGE: &str = "train-summary";

fn plan() -> Plan {
    Plan {
        unit: Unit::Owner,
        declared_units: 10,
        expected_batch: 5,
        steps: 1,
        noise_multiplier: 1.0,
        clipping: Clipping::Flat { norm: 1.0 },
    }
}

/// A value that no two calls give alike.
fn made(plan: Plan) -> Released<Vec<f32>> {
    let none = Sensitive::new(0);
    let adam = Optimizer::adam(0.1);
    let mut training = DpTraining::begin(plan, adam, vec![0.0; 4], &none, Randomness::Os).unwrap();
    let batch = training.sample().unwrap().unwrap();
    let sum = training.clipped_sum(&batch);
    training.update(batch, sum).unwrap();
    training.finish().unwrap()
}

fn planned(stage: &str) -> Planned {
    Planned {
        stage: stage.to_owned(),
        event: plan().event(),
    }
}

fn allowance(epsilon: f64) -> Allowance {
    Allowance {
        epsilon,
        planned: vec![planned(STAGE)],
    }
}

/// A run directory of one training.
struct Run<'a>(&'a Path);

impl Run<'_> {
    fn escrow(&self) -> PathBuf {
        self.0.join("private/escrow/summary")
    }

    fn kept(&self) -> PathBuf {
        self.0.join("models")
    }

    fn ledger(&self) -> Ledger {
        let path = self.0.join("ledger.jsonl");
        let header = Header::new("test", Unit::Owner, 10, 1e-5);
        let begun = path.exists();
        if begun {
            Ledger::open(&path)
        } else {
            Ledger::create(&path, header)
        }
        .unwrap()
    }

    fn entries(&self) -> usize {
        let path = self.0.join("ledger.jsonl");
        if path.exists() {
            History::read(&path).unwrap().entries().len()
        } else {
            0
        }
    }

    /// The stage from end to end; `at` is called between any two steps and may end it there.
    fn stage(&self, at: &dyn Fn(&str) -> Result<(), Failed>) -> Result<(), Failed> {
        if self.kept().exists() {
            return Ok(empty(&self.escrow())?);
        }
        let mut ledger = self.ledger();
        let paid = release_once::<_, _, Failed>(
            &mut ledger,
            STAGE,
            &self.escrow(),
            &allowance(100.0),
            &PARAMETERS,
            |ledger| {
                at("asked")?;
                assert!(ledger.events().is_empty(), "paid for and made again");
                let released = made(plan());
                at("made")?;
                Ok(released)
            },
        )?;
        at("paid")?;
        let part = self.0.join("models.part");
        std::fs::write(&part, paid.bytes())?;
        at("written")?;
        keep(vec![paid.into_waiting()], || {
            at("keeping")?;
            std::fs::rename(&part, self.kept())?;
            at("kept")
        })?;
        at("emptied")
    }
}

const POINTS: [&str; 7] = [
    "asked", "made", "paid", "written", "keeping", "kept", "emptied",
];

#[test]
fn a_kill_between_any_two_steps_releases_one_value_and_charges_it_once() {
    for point in POINTS {
        let dir = tempfile::tempdir().unwrap();
        let run = Run(dir.path());
        let reached = Cell::new(false);
        let kill = |at: &str| -> Result<(), Failed> {
            if at == point {
                reached.set(true);
                return Err("killed".into());
            }
            Ok(())
        };
        assert!(run.stage(&kill).is_err(), "{point}");
        assert!(reached.get(), "{point}");
        let unpaid = ["asked", "made"].contains(&point);
        assert_eq!(run.entries(), usize::from(!unpaid), "{point}");
        assert_eq!(
            run.escrow().exists(),
            !unpaid && point != "emptied",
            "{point}"
        );
        let known = std::fs::read(run.escrow()).ok();
        run.stage(&|_| Ok(())).unwrap();
        assert_eq!(run.entries(), 1, "{point}");
        assert!(!run.escrow().exists(), "{point}");
        let value = std::fs::read(run.kept()).unwrap();
        // What was paid for is what is kept, to the bit.
        assert!(known.is_none_or(|known| known == value), "{point}");
        let history = History::read(&dir.path().join("ledger.jsonl")).unwrap();
        assert!(history.contains(STAGE, &albumen_files::sha256_hex(&value)));
        // And a stage that is finished pays for nothing more.
        run.stage(&|at| panic!("{at}")).unwrap();
        assert_eq!(run.entries(), 1);
    }
}

#[test]
fn escrow_that_the_ledger_has_not_paid_for_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run(dir.path());
    // As a kill between escrow and ledger leaves it, whole or in part.
    let unpaid = encode_f32(&vec![1.0, 2.0, 3.0, 4.0]);
    for cut in [0, 5, unpaid.len()] {
        std::fs::create_dir_all(run.escrow().parent().unwrap()).unwrap();
        std::fs::write(run.escrow(), &unpaid[..cut]).unwrap();
        let paid = buy(&run, STAGE, &allowance(100.0)).unwrap();
        assert!(!paid.was_found());
        assert_ne!(paid.bytes(), unpaid);
        assert_eq!(run.entries(), 1);
        std::fs::remove_file(dir.path().join("ledger.jsonl")).unwrap();
    }
}

fn buy(run: &Run<'_>, stage: &str, allowance: &Allowance) -> Result<Paid<Vec<f32>>, EscrowError> {
    let mut ledger = run.ledger();
    release_once(
        &mut ledger,
        stage,
        &run.escrow(),
        allowance,
        &PARAMETERS,
        |_| Ok(made(plan())),
    )
}

#[test]
fn another_stages_escrow_and_damaged_bytes_are_not_taken() {
    let both = Allowance {
        epsilon: 100.0,
        planned: vec![planned(STAGE), planned("train-caption")],
    };
    let dir = tempfile::tempdir().unwrap();
    let run = Run(dir.path());
    let first = buy(&run, STAGE, &both).unwrap();
    assert!(buy(&run, STAGE, &both).unwrap().was_found());
    let other = buy(&run, "train-caption", &both).unwrap();
    assert!(!other.was_found());
    assert_ne!(other.value(), first.value());
    assert_eq!(run.entries(), 2);
    // One bit off: the ledger's hash is not of that.
    let mut bytes = other.bytes().to_vec();
    bytes[3] ^= 1;
    std::fs::write(run.escrow(), bytes).unwrap();
    let again = buy(&run, "train-caption", &both).unwrap();
    assert!(!again.was_found());
    assert_eq!(run.entries(), 3);
}

#[test]
fn a_full_disk_while_keeping_leaves_the_paid_bytes_for_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run(dir.path());
    let paid = buy(&run, STAGE, &allowance(100.0)).unwrap();
    let value = paid.value().clone();
    assert_eq!(paid.event(), &plan().event());
    let full = keep::<(), Failed>(vec![paid.into_waiting()], || Err("disk full".into()));
    assert!(full.is_err());
    let mut ledger = run.ledger();
    let never = |_: &Ledger| -> Result<Released<Vec<f32>>, EscrowError> { panic!("trained again") };
    // Not even a budget that is spent stands in the way of what is paid.
    let spent = allowance(0.0);
    let found = release_once(
        &mut ledger,
        STAGE,
        &run.escrow(),
        &spent,
        &PARAMETERS,
        never,
    )
    .unwrap();
    assert!(found.was_found());
    assert_eq!(found.value(), &value);
    assert_eq!(found.event(), &plan().event());
    assert_eq!(
        keep::<_, EscrowError>(vec![found.into_waiting()], || Ok(7)).unwrap(),
        7
    );
    assert!(!run.escrow().exists());
}

#[test]
fn what_the_budget_does_not_hold_is_refused_before_it_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run(dir.path());
    let price = account_tuned(&[plan().event()], 1e-5, None)
        .unwrap()
        .epsilon;
    let two = account_tuned(&[plan().event(), plan().event()], 1e-5, None)
        .unwrap()
        .epsilon;
    let ask = |allowance: &Allowance| {
        let mut ledger = run.ledger();
        let made = Cell::new(false);
        let result = release_once(
            &mut ledger,
            STAGE,
            &run.escrow(),
            allowance,
            &PARAMETERS,
            |_| {
                made.set(true);
                Err::<Released<Vec<f32>>, EscrowError>(EscrowError::Unplanned {
                    stage: "made".to_owned(),
                })
            },
        );
        (made.get(), result.unwrap_err())
    };
    // What is still to come counts: the other model's share is not this one's to spend.
    let both = |epsilon| Allowance {
        epsilon,
        planned: vec![planned(STAGE), planned("train-caption")],
    };
    assert!(ask(&allowance(price)).0);
    assert!(!ask(&allowance(price * 0.999)).0);
    assert!(ask(&both(two)).0);
    assert!(!ask(&both(two * 0.999)).0);
    assert!(!ask(&allowance(f64::NAN)).0);
    // What is paid counts once more when it is bought again, and leaves what it leaves.
    let _ = buy(&run, STAGE, &allowance(price)).unwrap();
    empty(&run.escrow()).unwrap();
    let between = f64::midpoint(price, two);
    let (made, refused) = ask(&allowance(between));
    assert!(!made);
    let EscrowError::Overspent {
        asked,
        spent,
        remaining,
        then,
        ..
    } = &refused
    else {
        panic!("{refused}");
    };
    assert_eq!((*asked, *spent, *then), (between, price, two));
    assert!((remaining - (between - price)).abs() < 1e-12);
    assert!(refused.to_string().contains("hint: "));
    assert!(
        ask(&both(two * 1.5)).0,
        "the other is paid for when it is bought"
    );
    assert_eq!(run.entries(), 1);
}

#[test]
fn nothing_else_is_charged_than_what_the_budget_was_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run(dir.path());
    let unknown = buy(&run, "train-album", &allowance(100.0)).unwrap_err();
    assert!(matches!(unknown, EscrowError::Unplanned { .. }));
    let mut other = allowance(100.0);
    other.planned[0].event = Plan { steps: 2, ..plan() }.event();
    let dearer = buy(&run, STAGE, &other).unwrap_err();
    assert!(matches!(dearer, EscrowError::Unplanned { .. }));
    assert_eq!(run.entries(), 0);
    assert!(!run.escrow().exists());
}

#[test]
fn statistics_come_back_as_they_were_paid() {
    let counts = NoisyCounts {
        categories: vec!["albums".to_owned()],
        counts: vec![-3],
        max_per_unit: 2,
    };
    let bytes = (COUNTS.encode)(&counts);
    assert_eq!((COUNTS.decode)(&bytes), Some(counts));
    assert!((COUNTS.decode)(b"{}").is_none());
}

#[test]
fn an_escrow_that_cannot_be_made_is_told_before_training() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run(dir.path());
    std::fs::write(dir.path().join("private"), "a file").unwrap();
    let mut ledger = run.ledger();
    let never = |_: &Ledger| -> Result<Released<Vec<f32>>, EscrowError> { panic!("trained") };
    let allowed = allowance(100.0);
    let refused = release_once(
        &mut ledger,
        STAGE,
        &run.escrow(),
        &allowed,
        &PARAMETERS,
        never,
    );
    assert!(refused.is_err());
    // And one that cannot be emptied is not passed over.
    std::fs::create_dir(dir.path().join("directory")).unwrap();
    assert!(empty(&dir.path().join("directory")).is_err());
    assert!(empty(&dir.path().join("missing")).is_ok());
}
