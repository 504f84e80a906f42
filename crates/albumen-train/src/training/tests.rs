#![allow(clippy::unwrap_used, reason = "tests may panic")]
use std::panic::{AssertUnwindSafe, catch_unwind};

use albumen_accounting::{Header, Ledger};
use albumen_dp::Clipping;
use albumen_schema::{AlbumText, Unit};

use super::*;
use crate::escrow::{Allowance, EscrowError, PARAMETERS, Planned, keep, release_once};
use crate::held_out;
use crate::tiny::{BROKEN, Tiny, album};

const SEED: Randomness = Randomness::InsecureSeed(5);

fn units() -> Vec<UnitTexts> {
    vec![
        vec![album(
            "a",
            "A day at the sea.",
            &["A dog on sand.", "Waves."],
        )],
        vec![album("b", "A walk in the woods.", &["A tall tree."])],
        vec![album(
            "c",
            "A birthday party.",
            &["A cake.", "Two friends."],
        )],
        vec![album("d", "A trip to the hills.", &["A hill."])],
    ]
}

fn plan(units: u64, steps: u64, norm: f64) -> Plan {
    Plan {
        unit: Unit::Owner,
        declared_units: units,
        expected_batch: units,
        steps,
        noise_multiplier: 0.01,
        clipping: Clipping::Flat { norm },
    }
}

/// A training by its own means, and the parameters that its ledger has paid for.
struct Trained {
    params: Vec<f32>,
    seen: Vec<StepMetrics>,
}

fn trained(
    tiny: &Tiny,
    model: Model,
    plan: Plan,
    optimizer: Optimizer,
    units: Vec<UnitTexts>,
) -> Trained {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints {
        path: &dir.path().join("checkpoint"),
        context: "",
        every: Duration::from_hours(1),
    };
    let header = Header {
        insecure_seed: true,
        ..Header::new("test", plan.unit, plan.declared_units, 1e-5)
    };
    let mut ledger = Ledger::create(&dir.path().join("ledger"), header).unwrap();
    let event = plan.event();
    let steps = plan.steps;
    let allowance = Allowance {
        epsilon: f64::INFINITY,
        planned: vec![Planned {
            stage: "train".to_owned(),
            event: event.clone(),
        }],
    };
    let (mut seen, mut taken) = (Vec::new(), 0);
    let paid = release_once::<_, _, Box<dyn std::error::Error>>(
        &mut ledger,
        "train",
        &dir.path().join("escrow"),
        &allowance,
        &PARAMETERS,
        |_| {
            let released = train(
                &tiny.engine(),
                model,
                plan,
                optimizer,
                tiny.initial(),
                &Sensitive::new(units),
                SEED,
                &checkpoints,
                &mut |at| {
                    taken += 1;
                    assert_eq!((at.step, at.steps, at.resumed), (taken, steps, 0));
                },
                Some(&mut |step: Sensitive<StepMetrics>| {
                    let _ = step.map(|step| seen.push(step));
                }),
            )?;
            Ok(released)
        },
    )
    .unwrap();
    assert_eq!(taken, steps);
    assert_eq!(paid.event(), &event);
    assert_eq!(ledger.events(), [event]);
    let params = paid.value().clone();
    keep::<_, EscrowError>(vec![paid.into_waiting()], || Ok(())).unwrap();
    Trained { params, seen }
}

/// How far one step of plain descent at rate 1 went down: the mean of the noised clipped gradients.
fn step(tiny: &Tiny, units: Vec<UnitTexts>, norm: f64) -> (Vec<f64>, StepMetrics) {
    let plan = plan(2, 1, norm);
    let sgd = Optimizer::sgd(1.0, 0.0);
    let trained = trained(tiny, Model::Summary, plan, sgd, units);
    let moved = tiny.initial().into_iter().zip(trained.params);
    let down = moved.map(|(a, b)| f64::from(a) - f64::from(b)).collect();
    (down, trained.seen[0])
}

fn length(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The gradient of the unit's loss as the paper has it: the mean over the unit's albums.
fn mean_gradient(tiny: &Tiny, model: Model, unit: &[AlbumText]) -> Vec<f64> {
    let engine = tiny.engine();
    let mut mean = vec![0.0; tiny.layout.len()];
    for album in unit {
        let alone = vec![album.clone()];
        let sequences = of_unit(model, &alone, engine.tokenizer, engine.lengths).unwrap();
        let gradient = tiny.gradient(&tiny.initial(), &sequences);
        for (m, g) in mean.iter_mut().zip(gradient) {
            *m += f64::from(g) / unit.len() as f64;
        }
    }
    mean
}

fn large_owner() -> UnitTexts {
    units().into_iter().flatten().collect()
}

#[test]
fn every_model_learns_its_own_texts_and_counts_its_steps() {
    let tiny = Tiny::new();
    let engine = tiny.engine();
    for model in [Model::Summary, Model::Caption, Model::Album] {
        let loss = |params: &[f32]| {
            let held = held_out(&engine, model, Some(params), &units()).unwrap();
            held.per_token()
        };
        let adam = Optimizer::adam(0.05);
        let trained = trained(&tiny, model, plan(4, 60, 1.0), adam, units());
        let (before, after) = (loss(&tiny.initial()), loss(&trained.params));
        assert!(after < before - 0.5, "{model:?}: {before} {after}");
        // The loss that was told is the one of the parameters at that time.
        let told: Vec<f64> = trained.seen.iter().map(|s| s.loss).collect();
        assert!(told[59] < told[0] - 0.5, "{told:?}");
        assert_eq!(trained.seen[59].step, 60);
        assert!(
            trained
                .seen
                .iter()
                .all(|s| s.batch == 4 && s.non_finite == 0)
        );
    }
}

#[test]
fn an_owners_albums_are_averaged_before_they_are_clipped() {
    let tiny = Tiny::new();
    let owner = large_owner();
    let mean = mean_gradient(&tiny, Model::Summary, &owner);
    let g = length(&mean);
    // Unclipped, the step is the mean gradient over the expected batch of two.
    let norm = 2.0 * g;
    let (down, seen) = step(&tiny, vec![owner.clone()], norm);
    let half: Vec<f64> = mean.iter().map(|m| m / 2.0).collect();
    let noise = 0.01 * norm / 2.0 * (mean.len() as f64).sqrt();
    let off = length(&difference(&down, &half));
    assert!(off < 1.3 * noise + 0.01 * g, "{off} {noise} {g}");
    assert!(noise < 0.2 * g, "the noise would hide a sum: {noise} {g}");
    assert!((seen.gradient_norm / g - 1.0).abs() < 0.01);
    assert_eq!((seen.batch, seen.clipped), (1, 0));
    // Clipped, four albums move the sum by C and no more, in the mean's direction.
    let norm = g / 10.0;
    let (down, seen) = step(&tiny, vec![owner], norm);
    let noise = 0.01 * norm / 2.0 * (mean.len() as f64).sqrt();
    let exact: Vec<f64> = mean.iter().map(|m| m / g * norm / 2.0).collect();
    assert!(length(&difference(&down, &exact)) < 1.3 * noise + 0.01 * norm);
    assert_eq!(seen.clipped, 1);
}

#[test]
fn a_unit_more_or_less_moves_the_sum_by_at_most_the_clipping_norm() {
    let tiny = Tiny::new();
    let norm = 0.01;
    let others = vec![units().remove(0)];
    let (without, _) = step(&tiny, others.clone(), norm);
    for unit in [units().remove(1), large_owner()] {
        let (with, seen) = step(&tiny, [others.clone(), vec![unit]].concat(), norm);
        assert_eq!((seen.batch, seen.clipped), (2, 2));
        // The seed gives both the same noise, so that only the unit is left.
        let moved = length(&difference(&with, &without)) * 2.0;
        assert!(moved <= norm * 1.001 && moved > norm * 0.9, "{moved}");
    }
}

#[test]
fn a_gradient_that_is_no_number_counts_as_zero_and_spoils_no_other() {
    let tiny = Tiny::new();
    let good = vec![units().remove(0)];
    let broken = vec![album("e", &format!("A {BROKEN}."), &["A."])];
    let (without, alone) = step(&tiny, good.clone(), 1.0);
    let (with, seen) = step(&tiny, [vec![broken], good].concat(), 1.0);
    assert_eq!((seen.batch, seen.non_finite), (2, 1));
    assert!(with.iter().all(|x| x.is_finite()));
    assert!(length(&difference(&with, &without)) < 1e-5);
    // The mean is over the finite ones.
    assert!((seen.gradient_norm / alone.gradient_norm - 1.0).abs() < 1e-5);
}

#[test]
fn cached_states_change_memory_and_not_what_is_learnt() {
    let tiny = Tiny::new();
    let cached = prepare(&tiny.engine(), Model::Caption, &units()).unwrap();
    let plain = Engine {
        cache_activations: false,
        ..tiny.engine()
    };
    let plain = prepare(&plain, Model::Caption, &units()).unwrap();
    for unit in 0..4 {
        let (with, without) = (cached.examples(unit), plain.examples(unit));
        assert!(with.iter().all(|e| e.states.is_some()));
        assert!(without.iter().all(|e| e.states.is_none()));
        for (a, b) in with.iter().zip(&without) {
            assert_eq!(a.sequence, b.sequence);
        }
        let initial = tiny.initial();
        let gradient = |examples: Vec<Example<'_>>| {
            let adapter = Adapter {
                layout: &tiny.layout,
                params: &initial,
            };
            let mut got = Vec::new();
            let mut add = |_: usize, g: &[f32], _: f32| {
                got = g.iter().map(|&g| f64::from(g)).collect();
            };
            let budget = Budget::default();
            (tiny.lm)
                .gradients(adapter, None, &[examples], budget, &mut add)
                .unwrap();
            got
        };
        let (a, b) = (gradient(with), gradient(without));
        // The states are kept in bfloat16.
        assert!(length(&difference(&a, &b)) < 0.02 * length(&b));
    }
}

#[test]
fn a_killed_training_takes_the_rest_of_its_steps_and_is_charged_for_all() {
    let tiny = Tiny::new();
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = dir.path().join("checkpoint");
    let plan = plan(4, 5, 1.0);
    let run = |context: &str, every: Duration, kill_after: u64| {
        let mut steps = Vec::new();
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            train(
                &tiny.engine(),
                Model::Caption,
                plan.clone(),
                Optimizer::adam(0.01),
                tiny.initial(),
                &Sensitive::new(units()),
                Randomness::Os,
                &Checkpoints {
                    path: &checkpoint,
                    context,
                    every,
                },
                &mut |at| {
                    steps.push((at.step, at.resumed));
                    assert!(at.step != kill_after, "killed");
                },
                None,
            )
            .unwrap()
        }));
        let event = attempt.ok().map(|released| released.event().clone());
        (event, steps)
    };
    let hour = Duration::from_hours(1);
    // No checkpoint is due within the hour, so the next one begins again.
    assert_eq!(run("a", hour, 2), (None, vec![(1, 0), (2, 0)]));
    assert_eq!(
        run("a", Duration::ZERO, 3),
        (None, vec![(1, 0), (2, 0), (3, 0)])
    );
    let kept = std::fs::read(&checkpoint).unwrap();
    let (event, steps) = run("a", hour, 9);
    assert_eq!(steps, [(4, 3), (5, 3)]);
    assert_eq!(event, Some(plan.event()));
    // One of other inputs is none of this training's.
    std::fs::write(&checkpoint, kept).unwrap();
    let (event, steps) = run("b", hour, 9);
    assert_eq!(steps.len(), 5);
    assert_eq!(event, Some(plan.event()));
}

#[test]
fn what_is_no_number_or_nothing_new_is_told_once_paid() {
    let before = [1.0, 2.0];
    let check = |after: &[f32]| check_released(Model::Caption, &before, after);
    assert!(check(&[1.0, 3.0]).is_ok());
    let unchanged = check(&before).unwrap_err();
    assert!(matches!(
        unchanged,
        TrainError::Unchanged { model: "caption" }
    ));
    for bad in [f32::NAN, f32::INFINITY] {
        let wrong = check(&[0.0, bad]).unwrap_err();
        assert!(matches!(wrong, TrainError::NotFinite { model: "caption" }));
    }
}
