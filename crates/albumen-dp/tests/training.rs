//! The training session from outside: what it refuses, and what it is made of.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "the units are this test's own indices"
)]

use albumen_accounting::{Event, Unit};
use albumen_dp::{
    Clipping, Decay, DpError, DpTraining, Optimizer, OptimizerState, Plan, Randomness, Rule,
    Schedule, Sensitive,
};

fn plan(steps: u64) -> Plan {
    Plan {
        unit: Unit::Album,
        declared_units: 10,
        expected_batch: 5,
        steps,
        noise_multiplier: 1.0,
        clipping: Clipping::Flat { norm: 2.0 },
    }
}

fn begin(plan: Plan, dimension: usize, units: usize) -> DpTraining {
    let seed = Randomness::InsecureSeed(11);
    let optimizer = Optimizer::sgd(1.0, 0.0);
    DpTraining::begin(
        plan,
        optimizer,
        vec![0.0; dimension],
        &Sensitive::new(units),
        seed,
    )
    .unwrap()
}

/// One step with the same gradient for every unit.
fn step(training: &mut DpTraining, gradient: &[f32]) -> bool {
    let Some(batch) = training.sample().unwrap() else {
        return false;
    };
    let mut sum = training.clipped_sum(&batch);
    for position in 0..batch.units().expose().len() {
        sum.add_unit(position, gradient).unwrap();
    }
    training.update(batch, sum).unwrap();
    true
}

#[test]
fn takes_exactly_the_planned_steps_and_charges_them() {
    let mut training = begin(plan(7), 3, 10);
    let mut steps = 0;
    while step(&mut training, &[1.0, 0.0, 0.0]) {
        steps += 1;
    }
    assert_eq!((steps, training.steps_taken()), (7, 7));
    let released = training.finish().unwrap();
    match *released.event() {
        Event::PoissonGaussian {
            noise_multiplier,
            sampling_rate,
            steps,
            statistical_distance,
        } => {
            assert_eq!((noise_multiplier, sampling_rate, steps), (1.0, 0.5, 7));
            assert!(statistical_distance > 0.0 && statistical_distance < 1e-30);
        }
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn dropped_batches_and_early_ends_are_refused() {
    let mut training = begin(plan(3), 2, 10);
    drop(training.sample().unwrap());
    assert!(matches!(
        training.sample(),
        Err(DpError::OpenBatch { step: 0 })
    ));
    assert!(matches!(
        training.finish(),
        Err(DpError::Unfinished {
            done: 0,
            planned: 3
        })
    ));
    let mut training = begin(plan(3), 2, 10);
    step(&mut training, &[0.0, 0.0]);
    assert!(matches!(
        training.finish(),
        Err(DpError::Unfinished {
            done: 1,
            planned: 3
        })
    ));
}

#[test]
fn sums_take_each_unit_of_their_own_batch_once() {
    let mut training = begin(plan(3), 2, 10);
    let batch = training.sample().unwrap().unwrap();
    let units = batch.units().expose().len();
    assert!(units > 1, "the seed gives a batch to test with");
    let mut sum = training.clipped_sum(&batch);
    sum.add_unit(0, &[1.0, 1.0]).unwrap();
    assert!(matches!(
        sum.add_unit(0, &[1.0, 1.0]),
        Err(DpError::RepeatedUnit)
    ));
    assert!(matches!(
        sum.add_unit(units, &[1.0, 1.0]),
        Err(DpError::OutsideBatch)
    ));
    assert!(matches!(
        sum.add_unit(1, &[1.0]),
        Err(DpError::WrongDimension { .. })
    ));
    assert!(matches!(
        training.update(batch, sum),
        Err(DpError::MissingUnit)
    ));

    let (mut one, mut other) = (begin(plan(3), 2, 0), begin(plan(3), 2, 0));
    let batch = one.sample().unwrap().unwrap();
    let foreign = other.sample().unwrap().unwrap();
    let sum = other.clipped_sum(&foreign);
    assert!(matches!(one.update(batch, sum), Err(DpError::ForeignSum)));
}

#[test]
fn empty_batches_take_a_noisy_step() {
    let mut training = begin(plan(2), 1000, 0);
    let before = training.params().to_vec();
    step(&mut training, &[]);
    let moved = training
        .params()
        .iter()
        .zip(&before)
        .filter(|(a, b)| a != b)
        .count();
    assert!(moved > 990, "{moved}");
}

#[test]
fn the_step_is_the_noised_sum_over_the_expected_batch() {
    // Many coordinates estimate mean and variance of one step; 10 units all enter at rate 1.
    let d = 40_000;
    let all = Plan {
        expected_batch: 10,
        ..plan(1)
    };
    let mut training = begin(all, d, 8);
    let gradient = vec![0.004_f32; d];
    step(&mut training, &gradient);
    let params = training.params();
    let mean = params.iter().map(|&p| f64::from(p)).sum::<f64>() / d as f64;
    let variance = params
        .iter()
        .map(|&p| (f64::from(p) - mean).powi(2))
        .sum::<f64>()
        / d as f64;
    // Noise of deviation sigma C / B = 0.2, once; the norm 0.8 is under C, so the mean moves by
    // -8 * 0.004 / 10 (the 8 real units over the 10 expected ones).
    assert!(
        (mean + 0.0032).abs() < 4.0 * 0.2 / (d as f64).sqrt(),
        "{mean}"
    );
    assert!((variance / 0.04 - 1.0).abs() < 0.04, "{variance}");
}

#[test]
fn noise_is_fresh_in_every_run_from_the_system() {
    let run = || {
        let optimizer = Optimizer::sgd(1.0, 0.0);
        let units = Sensitive::new(0);
        let mut training =
            DpTraining::begin(plan(1), optimizer, vec![0.0; 50], &units, Randomness::Os).unwrap();
        step(&mut training, &[]);
        training.params().to_vec()
    };
    assert!(run().iter().zip(run()).all(|(a, b)| *a != b));
}

#[test]
fn settings_out_of_range_are_refused() {
    let bad = [
        Plan {
            expected_batch: 11,
            ..plan(1)
        },
        Plan {
            declared_units: 0,
            ..plan(1)
        },
        Plan {
            steps: 0,
            ..plan(1)
        },
        Plan {
            noise_multiplier: f64::NAN,
            ..plan(1)
        },
        Plan {
            clipping: Clipping::Flat { norm: -1.0 },
            ..plan(1)
        },
        Plan {
            clipping: Clipping::Normalize {
                norm: 1.0,
                gamma: 0.0,
            },
            ..plan(1)
        },
    ];
    for plan in bad {
        assert!(plan.validate().is_err(), "{plan:?}");
    }
    assert!(Optimizer::adam(f64::INFINITY).validate().is_err());
    assert!(
        Optimizer {
            ema_decay: Some(1.0),
            ..Optimizer::adam(0.1)
        }
        .validate()
        .is_err()
    );
}

#[test]
fn schedules_warm_up_and_decay() {
    let schedule = Schedule {
        peak: 2.0,
        warmup_steps: 4,
        decay: Decay::Cosine {
            final_fraction: 0.1,
        },
    };
    let rates: Vec<f64> = (0..20).map(|s| schedule.learning_rate(s, 20)).collect();
    assert_eq!((rates[0], rates[3], rates[4]), (0.5, 2.0, 2.0));
    assert!((rates[19] - 0.2).abs() < 1e-12);
    assert!(rates[4..].windows(2).all(|w| w[1] <= w[0]));
}

#[test]
fn adam_and_average_follow_the_published_updates() {
    // Against the recursions written out for one coordinate, on the noisy gradients themselves.
    let optimizer = Optimizer {
        weight_decay: 0.01,
        ..Optimizer::adam(0.1)
    };
    let units = Sensitive::new(0);
    let seed = Randomness::InsecureSeed(3);
    let run = |optimizer: Optimizer| {
        let mut training = DpTraining::begin(plan(5), optimizer, vec![1.0], &units, seed).unwrap();
        let mut path = vec![training.params()[0]];
        while step(&mut training, &[]) {
            path.push(training.params()[0]);
        }
        path
    };
    let plain = run(Optimizer::sgd(1.0, 0.0));
    let (mut m, mut v, mut p) = (0.0_f64, 0.0_f64, 1.0_f64);
    for (t, (pair, found)) in plain.windows(2).zip(&run(optimizer)[1..]).enumerate() {
        let g = f64::from(pair[0] - pair[1]);
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let t = (t + 1) as i32;
        let step = (m / (1.0 - 0.9_f64.powi(t))) / ((v / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
        p = (1.0 - 0.1 * 0.01) * p - 0.1 * step;
        assert!((p - f64::from(*found)).abs() < 1e-4, "{t} {p} {found}");
    }
}

#[test]
fn corrected_adam_takes_the_noise_out_of_the_second_moment() {
    // Tang et al. 2024, algorithm 1, written out for one coordinate.
    let rule = Rule::AdamBc {
        beta1: 0.9,
        beta2: 0.999,
        floor: 1e-4,
    };
    let optimizer = Optimizer {
        rule,
        ..Optimizer::adam(0.1)
    };
    let mut state = OptimizerState::new(optimizer, vec![1.0]);
    let (mut m, mut v, mut p) = (0.0_f64, 0.0_f64, 1.0_f64);
    for (step, g) in [0.3, -0.1, 0.02, 0.4].into_iter().enumerate() {
        state.apply(&[g as f32], 0.03, step as u64, 4);
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let t = step as i32 + 1;
        let second: f64 = v / (1.0 - 0.999_f64.powi(t)) - 0.03;
        p -= 0.1 * m / (1.0 - 0.9_f64.powi(t)) / second.max(1e-4).sqrt();
        let found = f64::from(state.params()[0]);
        assert!((p - found).abs() < 1e-4, "{step} {p} {found}");
    }
}

#[test]
fn a_training_tells_its_optimizer_the_variance_of_its_own_noise() {
    // Pure noise: the corrected second moment falls to its floor for about half of the coordinates,
    // where without the correction it never does.
    let d = 2000;
    let floor = 1e-12;
    let rule = Rule::AdamBc {
        beta1: 0.0,
        beta2: 0.0,
        floor,
    };
    let optimizer = Optimizer {
        rule,
        ..Optimizer::adam(1e-9)
    };
    let units = Sensitive::new(0);
    let seed = Randomness::InsecureSeed(5);
    let mut training = DpTraining::begin(plan(1), optimizer, vec![0.0; d], &units, seed).unwrap();
    step(&mut training, &[]);
    // sigma C / B = 0.4: at the floor a step is 1e-9 |g| / 1e-6, that is 1e-3 |g|.
    let floored = training.params().iter().filter(|p| p.abs() > 1e-6).count();
    // P(|N| < 1) = 0.683.
    let share = floored as f64 / d as f64;
    assert!((share - 0.683).abs() < 0.04, "{share}");
}
