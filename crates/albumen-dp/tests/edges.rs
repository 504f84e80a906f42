//! The edges of ranges, and every rule of updating, written out.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use albumen_accounting::Event;
use albumen_accounting::Unit;
use albumen_dp::{
    Clipping, Decay, DpError, DpTraining, Optimizer, OptimizerState, Plan, Randomness, Rule,
    Schedule, Sensitive,
};

fn plan() -> Plan {
    Plan {
        unit: Unit::Album,
        declared_units: 40,
        expected_batch: 10,
        steps: 3,
        noise_multiplier: 0.5,
        clipping: Clipping::Flat { norm: 2.0 },
    }
}

/// The setting that is refused; `None` where none is.
fn refused(checked: Result<(), DpError>) -> Option<String> {
    match checked {
        Ok(()) => None,
        Err(DpError::OutOfRange { name, .. }) => Some(name.to_owned()),
        Err(other) => Some(other.to_string()),
    }
}

#[test]
fn a_plans_numbers_are_taken_to_the_edge_and_refused_beyond() {
    let flat = |norm| Plan {
        clipping: Clipping::Flat { norm },
        ..plan()
    };
    let gamma = |gamma| Plan {
        clipping: Clipping::Normalize { norm: 2.0, gamma },
        ..plan()
    };
    let noise = |noise_multiplier| Plan {
        noise_multiplier,
        ..plan()
    };
    let batch = |expected_batch| Plan {
        expected_batch,
        ..plan()
    };
    for good in [
        flat(1e-30),
        flat(1e30),
        gamma(f64::MIN_POSITIVE),
        noise(10_000.0),
        batch(1),
        batch(40),
        Plan { steps: 1, ..plan() },
        Plan {
            declared_units: 1,
            ..batch(1)
        },
    ] {
        assert_eq!(refused(good.validate()), None, "{good:?}");
    }
    for (bad, name) in [
        (flat(0.9e-30), "norm"),
        (flat(1.1e30), "norm"),
        (flat(f64::NAN), "norm"),
        (gamma(0.0), "gamma"),
        (gamma(f64::INFINITY), "gamma"),
        (noise(10_001.0), "noise_multiplier"),
        (batch(0), "expected_batch"),
        (batch(41), "expected_batch"),
        (Plan { steps: 0, ..plan() }, "steps"),
        (
            Plan {
                declared_units: 0,
                ..plan()
            },
            "declared_units",
        ),
    ] {
        assert_eq!(refused(bad.validate()), Some(name.to_owned()), "{bad:?}");
    }
    assert!(
        noise(0.001).validate().is_err(),
        "out of the accountant's range"
    );
}

#[test]
fn a_plan_says_what_it_costs_and_how_loud_it_is() {
    let plan = plan();
    assert_eq!(plan.sampling_rate(), 0.25);
    let Event::PoissonGaussian {
        statistical_distance: one,
        ..
    } = (Plan {
        steps: 1,
        ..plan.clone()
    })
    .event()
    else {
        panic!("another event");
    };
    let event = Event::PoissonGaussian {
        noise_multiplier: 0.5,
        sampling_rate: 0.25,
        steps: 3,
        statistical_distance: 3.0 * one,
    };
    assert_eq!(plan.event(), event);
    // 10 / (0.5 * sqrt(16)).
    assert_eq!(plan.signal_to_noise(16), 5.0);
    let auto_s = Clipping::Normalize {
        norm: 3.0,
        gamma: 0.1,
    };
    assert_eq!((plan.clipping.norm(), auto_s.norm()), (2.0, 3.0));
}

#[test]
fn an_optimizers_numbers_are_taken_to_the_edge_and_refused_beyond() {
    let adam = |beta1, beta2, epsilon| Optimizer {
        rule: Rule::Adam {
            beta1,
            beta2,
            epsilon,
        },
        ..Optimizer::adam(0.5)
    };
    let corrected = |beta1, beta2, floor| Optimizer {
        rule: Rule::AdamBc {
            beta1,
            beta2,
            floor,
        },
        ..Optimizer::adam(0.5)
    };
    let falling = |decay| Optimizer {
        schedule: Schedule {
            peak: 0.5,
            warmup_steps: 0,
            decay,
        },
        ..Optimizer::adam(0.5)
    };
    let cosine = |final_fraction| falling(Decay::Cosine { final_fraction });
    let linear = |final_fraction| falling(Decay::Linear { final_fraction });
    let decay = |weight_decay| Optimizer {
        weight_decay,
        ..Optimizer::adam(0.5)
    };
    let average = |ema| Optimizer {
        ema_decay: Some(ema),
        ..Optimizer::adam(0.5)
    };
    for good in [
        adam(0.0, 0.0, 1e-30),
        corrected(0.0, 0.999, 1e-30),
        Optimizer::sgd(0.5, 0.0),
        cosine(0.0),
        cosine(1.0),
        linear(0.0),
        linear(1.0),
        decay(0.0),
        decay(1.9),
        average(0.0),
        average(0.999),
    ] {
        assert_eq!(refused(good.validate()), None, "{good:?}");
    }
    for (bad, name) in [
        (adam(1.0, 0.9, 1.0), "beta1"),
        (adam(0.9, 1.0, 1.0), "beta2"),
        (adam(0.9, 0.9, 0.0), "epsilon"),
        (adam(0.9, 0.9, f64::INFINITY), "epsilon"),
        (corrected(-0.1, 0.9, 1.0), "beta1"),
        (corrected(0.9, 1.0, 1.0), "beta2"),
        (corrected(0.9, 0.9, 0.0), "floor"),
        (Optimizer::sgd(0.5, 1.0), "momentum"),
        (Optimizer::sgd(0.0, 0.5), "learning rate"),
        (cosine(1.1), "final_fraction"),
        (linear(-0.1), "final_fraction"),
        // Beyond 1 / learning rate a step would turn the parameters' sign.
        (decay(2.0), "weight_decay"),
        (decay(-0.1), "weight_decay"),
        (average(1.0), "ema_decay"),
    ] {
        assert_eq!(refused(bad.validate()), Some(name.to_owned()), "{bad:?}");
    }
}

#[test]
fn every_schedule_is_what_it_says_at_every_step() {
    let rates = |warmup_steps, decay, steps: u64| -> Vec<f64> {
        let schedule = Schedule {
            peak: 8.0,
            warmup_steps,
            decay,
        };
        (0..steps)
            .map(|s| schedule.learning_rate(s, steps))
            .collect()
    };
    let final_fraction = 0.25;
    let close = |found: Vec<f64>, wanted: &[f64]| {
        assert_eq!(found.len(), wanted.len());
        for (f, w) in found.iter().zip(wanted) {
            assert!((f - w).abs() < 1e-12, "{found:?}");
        }
    };
    close(rates(2, Decay::Constant, 4), &[4.0, 8.0, 8.0, 8.0]);
    let linear = Decay::Linear { final_fraction };
    close(rates(2, linear, 5), &[4.0, 8.0, 8.0, 5.0, 2.0]);
    close(rates(0, linear, 4), &[8.0, 6.0, 4.0, 2.0]);
    let cosine = Decay::Cosine { final_fraction };
    close(rates(1, cosine, 4), &[8.0, 8.0, 5.0, 2.0]);
    close(rates(0, cosine, 4), &[8.0, 6.5, 3.5, 2.0]);
    // Where the warm-up takes all steps, or all but one, nothing is divided by zero.
    close(rates(3, linear, 3), &[8.0 / 3.0, 16.0 / 3.0, 8.0]);
    close(rates(2, linear, 3), &[4.0, 8.0, 8.0]);
    // Past the end the rate stays.
    let schedule = Schedule {
        peak: 8.0,
        warmup_steps: 0,
        decay: linear,
    };
    assert_eq!(schedule.learning_rate(9, 4), 2.0);
}

#[test]
fn momentum_weight_decay_and_average_follow_their_recursions() {
    let optimizer = Optimizer {
        weight_decay: 0.2,
        ema_decay: Some(0.12),
        ..Optimizer::sgd(0.5, 0.75)
    };
    let mut state = OptimizerState::new(optimizer, vec![2.0]);
    let (mut m, mut p, mut average) = (0.0_f64, 2.0_f64, 2.0_f64);
    for (step, g) in [0.5, -1.0, 0.25, 2.0].into_iter().enumerate() {
        state.apply(&[g as f32], 0.0, step as u64, 4);
        m = 0.75 * m + g;
        p = (1.0 - 0.5 * 0.2) * p - 0.5 * m;
        // De et al. 2022: the average forgets the start at first.
        let t = step as f64 + 1.0;
        let decay = 0.12_f64.min(t / (t + 10.0));
        average = decay * average + (1.0 - decay) * p;
        assert!((f64::from(state.params()[0]) - p).abs() < 1e-5, "{step}");
    }
    let released = f64::from(state.into_params()[0]);
    assert!((released - average).abs() < 1e-5, "{released} {average}");
    assert!((released - p).abs() > 1e-3, "the average is released");
}

#[test]
fn adam_divides_by_the_root_and_its_stabiliser() {
    let rule = Rule::Adam {
        beta1: 0.5,
        beta2: 0.75,
        epsilon: 0.5,
    };
    let optimizer = Optimizer {
        rule,
        ..Optimizer::adam(0.1)
    };
    let mut state = OptimizerState::new(optimizer, vec![1.0]);
    let (mut m, mut v, mut p) = (0.0_f64, 0.0_f64, 1.0_f64);
    for (step, g) in [2.0, -1.0, 0.5].into_iter().enumerate() {
        state.apply(&[g as f32], 0.0, step as u64, 3);
        m = 0.5 * m + 0.5 * g;
        v = 0.75 * v + 0.25 * g * g;
        let t = step as i32 + 1;
        let second: f64 = v / (1.0 - 0.75_f64.powi(t));
        p -= 0.1 * m / (1.0 - 0.5_f64.powi(t)) / (second.sqrt() + 0.5);
        assert!((f64::from(state.params()[0]) - p).abs() < 1e-5, "{step}");
    }
}

#[test]
fn a_sum_counts_what_it_clipped() {
    let all = Plan {
        declared_units: 4,
        expected_batch: 4,
        clipping: Clipping::Flat { norm: 5.0 },
        ..plan()
    };
    let begin = |units: usize| {
        let (seed, sgd) = (Randomness::InsecureSeed(1), Optimizer::sgd(1.0, 0.0));
        let count = Sensitive::new(units);
        DpTraining::begin(all.clone(), sgd, vec![0.0; 2], &count, seed).unwrap()
    };
    let mut training = begin(4);
    assert_eq!(training.plan(), &all);
    let batch = training.sample().unwrap().unwrap();
    let mut sum = training.clipped_sum(&batch);
    for (position, gradient) in [[3.0, 4.0], [6.0, 8.0], [f32::NAN, 0.0], [0.0, 1.0]]
        .into_iter()
        .enumerate()
    {
        sum.add_unit(position, &gradient).unwrap();
    }
    let mut seen = None;
    let _ = sum.metrics().map(|m| seen = Some(m));
    let seen = seen.unwrap();
    // A gradient as long as the norm is whole; one that is no number has no length.
    assert_eq!((seen.units, seen.clipped, seen.non_finite), (4, 1, 1));
    assert_eq!(seen.norm_total, 16.0);
    // A batch of another training, with its own sum, closes no step of this one.
    let mut other = begin(0);
    let foreign = other.sample().unwrap().unwrap();
    let empty = other.clipped_sum(&foreign);
    assert!(matches!(
        training.update(foreign, empty),
        Err(DpError::ForeignSum)
    ));
}
