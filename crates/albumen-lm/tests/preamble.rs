//! Fixed text before every sequence: the same model as one that reads it as context, constant under
//! the adapter, in training and in decoding alike.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use albumen_lm::kernels::{Candle, Decode};
use albumen_lm::sampler::SamplingParams;
use albumen_lm::{
    Adapter, Branch, Budget, DecodeOptions, Example, Lm, LmError, LoraConfig, LoraLayout,
    Precision, Prefix, Request, Sequence, StateFormat, Target, Weights,
};
use candle_core::Device;
use common::golden;
use common::reference::difference;

const FAMILIES: [&str; 4] = ["llama", "gemma2", "gemma3", "qwen3"];
const PREAMBLE: [u32; 11] = [7, 19, 3, 3, 101, 44, 8, 90, 61, 2, 30];

fn cpu(family: &str) -> Lm {
    Lm::new(Weights::load(&golden(family)).unwrap(), Precision::F32).unwrap()
}

fn candle(family: &str) -> Lm<Candle> {
    let kernels = Candle::new(Device::Cpu, Precision::F32);
    Lm::with_kernels(Weights::load(&golden(family)).unwrap(), kernels).unwrap()
}

/// An adapter on every projection of the last `layers` layers.
fn layout<K: Decode>(lm: &Lm<K>, layers: Option<usize>) -> (LoraLayout, Vec<f32>) {
    use Target::{Down, Gate, K as Key, O, Q, Up, V};
    let config = LoraConfig {
        rank: 2,
        alpha: 4.0,
        targets: vec![Q, Key, V, O, Gate, Up, Down],
        layers,
        frozen_a: None,
    };
    let layout = LoraLayout::new(lm.config(), &config).unwrap();
    let params = (0..layout.len()).map(|i| 0.2 * ((i * 37 % 101) as f32 / 101.0 - 0.5));
    let params = params.collect();
    (layout, params)
}

/// A chain, a long one, and a tree; `given` tokens stand before each.
fn sequences(given: &[u32]) -> Vec<Sequence> {
    let text = |n: u32, seed: u32| -> Vec<u32> { (0..n).map(|i| (i * 31 + seed) % 120).collect() };
    let chain = |n, seed| {
        let t = text(n, seed);
        let builder = Sequence::builder().context(given).context(&t[..2]);
        builder.target(&t[2..], 0.5).build().unwrap()
    };
    let t = text(12, 5);
    let tree = Sequence::builder()
        .context(given)
        .context(&t[..1])
        .target(&t[1..3], 0.2)
        .branch()
        .context(&t[3..4])
        .target(&t[4..8], 1.0)
        .branch()
        .target(&t[8..], 0.7);
    vec![chain(6, 1), chain(20, 2), tree.build().unwrap()]
}

fn gradients<K: Decode>(
    lm: &Lm<K>,
    adapter: Adapter<'_>,
    before: Option<&Prefix<K>>,
    units: &[Vec<Example<'_>>],
) -> Vec<(Vec<f32>, f32)> {
    let mut rows = Vec::new();
    let budget = Budget::default();
    lm.gradients(adapter, before, units, budget, &mut |_, g, loss| {
        rows.push((g.to_vec(), loss));
    })
    .unwrap();
    rows
}

/// Without an adapter, text before a sequence is context like any other.
fn is_context<K: Decode>(lm: &Lm<K>, family: &str) {
    let prefix = lm.prefix(None, &PREAMBLE).unwrap();
    let (after, whole) = (sequences(&[]), sequences(&PREAMBLE));
    let losses = |before, s: &[Sequence]| {
        let examples: Vec<_> = s.iter().map(Example::from).collect();
        lm.losses(None, before, &examples, Budget::default())
            .unwrap()
    };
    let (got, expected) = (losses(Some(&prefix), &after), losses(None, &whole));
    assert!(
        difference(&got, &expected) < 1e-5,
        "{family}: {got:?} {expected:?}"
    );
    let bare = losses(None, &after);
    assert!(difference(&bare, &expected) > 1e-3, "{family}: no effect");
}

#[test]
fn before_a_public_model_it_is_context() {
    for family in FAMILIES {
        is_context(&cpu(family), family);
        is_context(&candle(family), family);
    }
}

#[test]
fn gradients_match_finite_differences() {
    for (family, layers) in [("llama", None), ("gemma2", Some(1)), ("gemma3", None)] {
        let lm = cpu(family);
        let (layout, params) = layout(&lm, layers);
        let prefix = lm.prefix(None, &PREAMBLE).unwrap();
        for (i, s) in sequences(&[]).iter().enumerate() {
            let layout = &layout;
            let adapter = Adapter {
                layout,
                params: &params,
            };
            let (gradient, _) = gradients(&lm, adapter, Some(&prefix), &[vec![s.into()]]).remove(0);
            let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            let at = |step: f32| {
                let moved = params.iter().zip(&gradient);
                let params: Vec<f32> = moved.map(|(p, g)| p + step * g / norm).collect();
                let adapter = Adapter {
                    layout,
                    params: &params,
                };
                let loss = lm.losses(Some(adapter), Some(&prefix), &[s.into()], Budget::default());
                f64::from(loss.unwrap()[0])
            };
            let step = 4e-3;
            let slope = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step)))
                / (12.0 * f64::from(step));
            let d = (slope / f64::from(norm) - 1.0).abs();
            assert!(d < 2e-3, "{family} sequence {i}: {slope} {norm}");
        }
    }
}

#[test]
fn units_states_and_kernels_agree() {
    for family in FAMILIES {
        let (lm, other) = (cpu(family), candle(family));
        let (layout, params) = layout(&lm, Some(1));
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        let prefix = lm.prefix(None, &PREAMBLE).unwrap();
        let sequences = sequences(&[]);
        let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
        let expected = gradients(&lm, adapter, Some(&prefix), &units);
        let hold = |got: &[(Vec<f32>, f32)], what: &str| {
            for (got, expected) in got.iter().zip(&expected) {
                let d = difference(&got.0, &expected.0);
                assert!(d < 1e-5, "{family} {what}: {d}");
                assert!((got.1 - expected.1).abs() < 1e-4 * expected.1);
            }
        };
        let alone: Vec<_> = units
            .iter()
            .map(|u| gradients(&lm, adapter, Some(&prefix), std::slice::from_ref(u)).remove(0))
            .collect();
        hold(&alone, "alone");

        let all: Vec<&Sequence> = sequences.iter().collect();
        let states = lm
            .prefix_states(
                &layout,
                Some(&prefix),
                &all,
                StateFormat::F32,
                Budget::default(),
            )
            .unwrap();
        let cached = sequences.iter().zip(&states).map(|(sequence, states)| {
            let states = Some(states);
            vec![Example { sequence, states }]
        });
        let cached: Vec<_> = cached.collect();
        hold(
            &gradients(&lm, adapter, Some(&prefix), &cached),
            "cached states",
        );

        let of_other = other.prefix(None, &PREAMBLE).unwrap();
        hold(
            &gradients(&other, adapter, Some(&of_other), &units),
            "candle",
        );
    }
}

/// What decoding draws after the same text with the same adapter is what training counts as likely.
fn decodes_what_it_trains<K: Decode>(lm: &Lm<K>, family: &str) {
    let (layout, params) = layout(lm, None);
    let adapter = Some(Adapter {
        layout: &layout,
        params: &params,
    });
    let prefix = lm.prefix(None, &PREAMBLE).unwrap();
    let requests = [Request {
        trunk: vec![5, 6],
        branches: vec![Branch {
            prompt: vec![9],
            stream: 0,
        }],
    }];
    let options = DecodeOptions {
        batch: 1,
        max_new_tokens: 3,
        stop_tokens: Vec::new(),
        sampling: SamplingParams::greedy(),
        seed: 0,
    };
    let mut drawn = Vec::new();
    lm.generate(
        adapter,
        Some(&prefix),
        &requests,
        &options,
        &mut |_, _, g| {
            drawn = g.tokens;
        },
    )
    .unwrap();
    let mut text = vec![5, 6, 9];
    for token in drawn {
        let next = |t: u32| {
            let builder = Sequence::builder().context(&text).target(&[t], 1.0);
            builder.build().unwrap()
        };
        let all: Vec<Sequence> = (0..lm.config().vocab_size as u32).map(next).collect();
        let examples: Vec<_> = all.iter().map(Example::from).collect();
        let losses = lm
            .losses(adapter, Some(&prefix), &examples, Budget::default())
            .unwrap();
        let least = losses.iter().copied().fold(f32::INFINITY, f32::min);
        let of_token = losses[token as usize];
        assert!(of_token - least < 1e-4, "{family}: {of_token} {least}");
        text.push(token);
    }
}

#[test]
fn decoding_and_training_are_one_model() {
    for family in FAMILIES {
        decodes_what_it_trains(&cpu(family), family);
        decodes_what_it_trains(&candle(family), family);
    }
}

#[test]
fn too_long_together_is_refused() {
    let lm = cpu("llama");
    let room = lm.config().max_position;
    let long: Vec<u32> = vec![1; room - 4];
    let prefix = lm.prefix(None, &long).unwrap();
    let fits = Sequence::builder().context(&[1; 4]).build().unwrap();
    let beyond = Sequence::builder().context(&[1; 5]).build().unwrap();
    let losses = |s: &Sequence| lm.losses(None, Some(&prefix), &[s.into()], Budget::default());
    losses(&fits).unwrap();
    assert!(matches!(losses(&beyond), Err(LmError::TooLong { .. })));
}
