//! The schedule over the candle kernels, on candle's processor backend: every family against
//! PyTorch and against the `cpu` kernels, and batches of all shapes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use albumen_lm::kernels::{Candle, Decode};
use albumen_lm::{
    Adapter, Budget, Example, Lm, LoraConfig, LoraLayout, Precision, Sequence, StateFormat, Target,
    Weights,
};
use candle_core::Device;
use common::golden;
use common::reference::{Adam, FAMILIES, PROJECTIONS, Reference, difference};

fn kernels() -> Candle {
    Candle::new(Device::Cpu, Precision::F32)
}

fn layout(family: &str, targets: Vec<Target>, layers: Option<usize>) -> LoraLayout {
    let rank = if family == "llama" { 4 } else { 2 };
    let config = LoraConfig {
        rank,
        alpha: 2.0 * rank as f32,
        targets,
        layers,
        frozen_a: None,
    };
    LoraLayout::new(&Weights::load(&golden(family)).unwrap().config, &config).unwrap()
}

fn everything(family: &str) -> LoraLayout {
    layout(family, PROJECTIONS.iter().map(|p| p.1).collect(), None)
}

fn model(family: &str) -> Lm<Candle> {
    Lm::with_kernels(Weights::load(&golden(family)).unwrap(), kernels()).unwrap()
}

/// Gradient and loss of each unit.
fn run<K: Decode>(
    lm: &Lm<K>,
    adapter: Adapter<'_>,
    units: &[Vec<Example<'_>>],
    budget: Budget,
) -> Vec<(Vec<f32>, f32)> {
    let mut rows = Vec::new();
    lm.gradients(adapter, None, units, budget, &mut |unit, gradient, loss| {
        assert_eq!(unit, rows.len(), "units come in order");
        rows.push((gradient.to_vec(), loss));
    })
    .unwrap();
    assert_eq!(rows.len(), units.len());
    rows
}

fn one(lm: &Lm<Candle>, adapter: Adapter<'_>, sequence: &Sequence) -> (Vec<f32>, f32) {
    let units = [vec![Example::from(sequence)]];
    run(lm, adapter, &units, Budget::default()).remove(0)
}

#[test]
fn every_family_matches_pytorch() {
    for family in FAMILIES {
        let reference = Reference::load(family);
        let (lm, layout) = (model(family), everything(family));
        let params = reference.flat("adapter", &layout);
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        for (n, sequence) in reference.sequences().iter().enumerate() {
            let expected = reference.f32(&format!("seq{n}.logits"));
            let d = difference(&lm.logits(None, sequence).unwrap(), &expected);
            assert!(d < 1e-5, "{family} seq{n}: logits differ by {d}");
            let (gradient, loss) = one(&lm, adapter, sequence);
            let expected = reference.f32(&format!("seq{n}.loss"))[0];
            assert!((loss - expected).abs() < 1e-5 * expected.abs());
            let d = difference(&gradient, &reference.flat(&format!("seq{n}.grad"), &layout));
            assert!(d < 1e-5, "{family} seq{n}: the gradient differs by {d}");
        }
        let (tree, _) = reference.tree();
        let (gradient, loss) = one(&lm, adapter, &tree);
        let expected = reference.f32("tree.loss")[0];
        assert!((loss - expected).abs() < 1e-5 * expected);
        let d = difference(&gradient, &reference.flat("tree.grad", &layout));
        assert!(d < 1e-5, "{family}: the tree's gradient differs by {d}");
    }
}

#[test]
fn ten_training_losses_of_every_family_match_pytorch() {
    for family in FAMILIES {
        let reference = Reference::load(family);
        let (lm, layout) = (model(family), everything(family));
        let mut params = reference.flat("adapter", &layout);
        let mut sequences = reference.sequences();
        let count = sequences.len() as f32;
        for s in &mut sequences {
            let total = s.total_weight();
            s.scale_weights(1.0 / (total * count));
        }
        let mut adam = Adam::new(params.len());
        for (step, expected) in reference.train_losses().into_iter().enumerate() {
            let adapter = Adapter {
                layout: &layout,
                params: &params,
            };
            let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
            let (mut sum, mut loss) = (vec![0.0; layout.len()], 0.0);
            for (gradient, l) in run(&lm, adapter, &units, Budget::default()) {
                sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
                loss += l;
            }
            let d = (loss - expected).abs() / expected;
            assert!(
                d < 5e-5,
                "{family} step {step}: {loss} where PyTorch has {expected}"
            );
            adam.step(&mut params, &sum, 2e-3);
        }
    }
}

#[test]
fn with_a_frozen_the_gradients_are_those_of_the_cpu_kernels() {
    for family in ["llama", "gemma2"] {
        let config = LoraConfig {
            frozen_a: Some(3),
            ..everything(family).config().clone()
        };
        let weights = || Weights::load(&golden(family)).unwrap();
        let layout = LoraLayout::new(&weights().config, &config).unwrap();
        let params: Vec<f32> = (0..layout.len())
            .map(|i| 0.2 * ((i * 37 % 101) as f32 / 101.0 - 0.5))
            .collect();
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        let sequences = sequences(weights().config.vocab_size as u32);
        let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
        let cpu = Lm::new(weights(), Precision::F32).unwrap();
        let expected = run(&cpu, adapter, &units, Budget::default());
        let got = run(&model(family), adapter, &units, Budget::default());
        for ((got, _), (expected, _)) in got.iter().zip(&expected) {
            assert_eq!(got.len(), layout.len());
            let d = difference(got, expected);
            assert!(d < 1e-5, "{family}: {d}");
        }
    }
}

/// Sequences of many lengths, every fourth a tree.
fn sequences(vocab: u32) -> Vec<Sequence> {
    let lengths = [9_u32, 2, 23, 18, 5, 14, 14, 31];
    let token = |i: u32, j: u32| (i * 37 + j * j * 11 + j) % vocab;
    let many = lengths.iter().zip(0..).map(|(&n, i)| {
        let t: Vec<u32> = (0..n).map(|j| token(i, j)).collect();
        if i % 4 != 3 {
            let (given, predicted) = t.split_at(t.len() / 2);
            return Sequence::builder().context(given).target(predicted, 0.3);
        }
        let tree = Sequence::builder().context(&t[..2]).target(&t[2..5], 0.5);
        let tree = tree.branch().target(&t[5..9], 1.0).branch();
        tree.context(&t[9..10]).target(&t[10..], 0.7)
    });
    many.map(|s| s.build().unwrap()).collect()
}

#[test]
fn batches_of_all_shapes_match_the_cpu_kernels() {
    for (family, targets, layers) in [
        ("llama", vec![Target::Q, Target::V], None),
        ("gemma2", vec![Target::K, Target::Up], Some(1)),
        ("gemma3", vec![Target::O, Target::Gate], None),
        ("qwen3", vec![Target::Down], Some(1)),
    ] {
        let layout = layout(family, targets, layers);
        let params = layout.init(3).iter().map(|p| p + 0.01).collect::<Vec<_>>();
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        let cpu = Lm::new(Weights::load(&golden(family)).unwrap(), Precision::F32).unwrap();
        let candle = model(family);
        let sequences = sequences(cpu.config().vocab_size as u32);
        let e: Vec<Example<'_>> = sequences.iter().map(Example::from).collect();
        let units = [
            e[..1].to_vec(),
            Vec::new(),
            e[1..4].to_vec(),
            e[4..5].to_vec(),
            e[5..8].to_vec(),
            Vec::new(),
        ];
        let expected = run(&cpu, adapter, &units, Budget::default());
        let alone = Budget {
            tokens: 1,
            gradient_bytes: 0,
        };
        for budget in [Budget::default(), alone] {
            for (got, expected) in run(&candle, adapter, &units, budget).iter().zip(&expected) {
                let d = difference(&got.0, &expected.0);
                assert!(d < 1e-5, "{family}: a unit's gradient differs by {d}");
                assert!((got.1 - expected.1).abs() < 1e-4 * expected.1.abs().max(1.0));
            }
        }
        assert!(run(&candle, adapter, &[], Budget::default()).is_empty());
        let empty = [Vec::new(), Vec::new()];
        let rows = run(&candle, adapter, &empty, Budget::default());
        assert!(
            rows.iter()
                .all(|(g, l)| *l == 0.0 && g.iter().all(|g| *g == 0.0))
        );
        let losses = |adapter| candle.losses(adapter, None, &e, Budget::default()).unwrap();
        let of_cpu = cpu
            .losses(Some(adapter), None, &e, Budget::default())
            .unwrap();
        assert!(difference(&losses(Some(adapter)), &of_cpu) < 1e-5);

        // From cached states of the layers below the adapter.
        let all: Vec<&Sequence> = sequences.iter().collect();
        let states = candle
            .prefix_states(&layout, None, &all, StateFormat::F32, Budget::default())
            .unwrap();
        let pairs = sequences.iter().zip(&states);
        let cached = pairs.map(|(sequence, s)| {
            let states = Some(s);
            vec![Example { sequence, states }]
        });
        let plain: Vec<_> = e.iter().map(|e| vec![*e]).collect();
        let cached = run(
            &candle,
            adapter,
            &cached.collect::<Vec<_>>(),
            Budget::default(),
        );
        for (got, expected) in cached.iter().zip(run(&cpu, adapter, &plain, alone)) {
            assert!(difference(&got.0, &expected.0) < 1e-5, "{family}: cached");
        }
    }
}

#[test]
fn a_unit_that_is_not_finite_leaves_the_others_alone() {
    let layout = everything("llama");
    let params = layout.init(3).iter().map(|p| p + 0.01).collect::<Vec<_>>();
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let lm = model("llama");
    let mut sequences = sequences(lm.config().vocab_size as u32);
    let units = |s: &[Sequence]| {
        let units: Vec<_> = s.iter().map(|s| vec![Example::from(s)]).collect();
        run(&lm, adapter, &units, Budget::default())
    };
    let expected = units(&sequences);
    sequences[5].scale_weights(1e38);
    sequences[5].scale_weights(1e38);
    let got = units(&sequences);
    assert!(got[5].0.iter().any(|g| !g.is_finite()));
    for unit in (0..got.len()).filter(|&u| u != 5) {
        assert_eq!(got[unit], expected[unit], "unit {unit}");
    }
}

#[test]
fn bf16_gradients_are_near_those_of_f32() {
    let (layout, family) = (everything("llama3"), "llama3");
    let params = layout.init(3).iter().map(|p| p + 0.01).collect::<Vec<_>>();
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let weights = Weights::load(&golden(family)).unwrap();
    let bf16 = Candle::new(Device::Cpu, Precision::Bf16);
    let bf16 = Lm::with_kernels(weights, bf16).unwrap();
    let f32 = model(family);
    let sequences = sequences(f32.config().vocab_size as u32);
    let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
    let expected = run(&f32, adapter, &units, Budget::default());
    for (got, expected) in run(&bf16, adapter, &units, Budget::default())
        .iter()
        .zip(&expected)
    {
        let norm = |x: &[f32]| x.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
        let ratio = norm(&got.0) / norm(&expected.0);
        assert!((ratio - 1.0).abs() < 0.03, "norms differ by {ratio}");
        assert!(got.0 != expected.0);
    }
}
