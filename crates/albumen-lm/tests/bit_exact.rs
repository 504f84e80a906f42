//! A unit's gradient has the same bits whatever else is in work: alone or in any micro-batch, with
//! any number of threads, in both precisions and on processors with fewer instructions. The
//! sensitivity of the clipped sum rests on it: one unit's presence must not move another's row, not
//! even by a rounding.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use albumen_lm::config::{Activation, LayerAttention, ModelConfig, Rope, RopeScaling};
use albumen_lm::weights::LayerWeights;
use albumen_lm::{
    Adapter, Budget, Example, Family, Lm, LoraConfig, LoraLayout, Precision, PrefixStates,
    Sequence, StateFormat, Target, Weights,
};
use common::golden;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ALL: [Target; 7] = [
    Target::Q,
    Target::K,
    Target::V,
    Target::O,
    Target::Gate,
    Target::Up,
    Target::Down,
];

/// Large enough for products to be split among threads and k into chunks.
fn medium() -> Weights {
    let rope = Rope {
        theta: 10_000.0,
        scaling: RopeScaling::None,
    };
    let config = ModelConfig {
        family: Family::Llama,
        vocab_size: 1003,
        hidden_size: 160,
        intermediate_size: 512,
        num_layers: 3,
        num_heads: 4,
        num_kv_heads: 2,
        head_dim: 40,
        max_position: 512,
        rms_norm_eps: 1e-5,
        activation: Activation::Silu,
        tie_word_embeddings: true,
        embedding_scale: 1.0,
        attention_scale: 0.16,
        attention_softcap: None,
        final_softcap: None,
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        qk_norm: false,
        output_norms: false,
        attention: vec![LayerAttention { window: None, rope }; 3],
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut matrix = |out: usize, input: usize| -> Vec<f32> {
        (0..out * input)
            .map(|_| rng.random_range(-0.1..0.1))
            .collect()
    };
    let layers = (0..3).map(|_| LayerWeights {
        input_norm: vec![1.0; 160],
        mlp_norm: vec![1.0; 160],
        q: matrix(160, 160),
        k: matrix(80, 160),
        v: matrix(80, 160),
        o: matrix(160, 160),
        gate: matrix(512, 160),
        up: matrix(512, 160),
        down: matrix(160, 512),
        ..LayerWeights::default()
    });
    let layers = layers.collect();
    Weights {
        embedding: matrix(1003, 160),
        head: None,
        final_norm: vec![1.0; 160],
        layers,
        config,
    }
}

/// Sequences of 2 to 90 tokens, every third one a tree.
fn sequences(vocab: u32, longest: usize) -> Vec<Sequence> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    (0..10)
        .map(|i| {
            let n = rng.random_range(2..longest);
            let text: Vec<u32> = (0..n).map(|_| rng.random_range(0..vocab)).collect();
            let (given, predicted) = text.split_at(n.div_ceil(3));
            let mut sequence = Sequence::builder().context(given);
            for part in predicted.chunks(if i % 3 == 0 { 11 } else { n }) {
                if i % 3 == 0 {
                    sequence = sequence.branch().context(&part[..1]);
                    sequence = sequence.target(&part[1..], 0.2);
                } else {
                    sequence = sequence.target(part, 0.1);
                }
            }
            sequence.build().unwrap()
        })
        .collect()
}

type Rows = Vec<Vec<u32>>;

fn gradients(lm: &Lm, adapter: Adapter<'_>, units: &[Vec<Example<'_>>], tokens: usize) -> Rows {
    let budget = Budget {
        tokens,
        ..Budget::default()
    };
    let mut rows = Vec::new();
    let mut sink = |_: usize, g: &[f32], loss: f32| {
        rows.push(g.iter().chain([&loss]).map(|x| x.to_bits()).collect());
    };
    lm.gradients(adapter, None, units, budget, &mut sink)
        .unwrap();
    rows
}

fn check(weights: impl Fn() -> Weights, layers: Option<usize>, precision: Precision) {
    let lm = Lm::new(weights(), precision).unwrap();
    let (vocab, longest) = (lm.config().vocab_size, lm.config().max_position.min(90));
    let config = LoraConfig {
        rank: 5,
        alpha: 8.0,
        targets: ALL.to_vec(),
        layers,
        frozen_a: None,
    };
    let layout = LoraLayout::new(lm.config(), &config).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let params: Vec<f32> = (0..layout.len())
        .map(|_| rng.random_range(-0.2..0.2))
        .collect();
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let sequences = sequences(vocab as u32, longest);
    let prefix = |sequences: &[&Sequence], tokens: usize| -> Vec<PrefixStates> {
        let budget = Budget {
            tokens,
            ..Budget::default()
        };
        lm.prefix_states(&layout, None, sequences, StateFormat::Bf16, budget)
            .unwrap()
    };
    let states: Vec<_> = sequences
        .iter()
        .map(|s| prefix(&[s], 1).remove(0))
        .collect();
    for cached in [false, true] {
        let example = |i: usize| Example {
            sequence: &sequences[i],
            states: cached.then(|| &states[i]),
        };
        // Two units have two sequences.
        let mut units: Vec<Vec<usize>> = (0..6).map(|i| vec![i]).collect();
        units.extend([vec![6, 7], vec![8, 9]]);
        let examples = |unit: &Vec<usize>| unit.iter().map(|&i| example(i)).collect::<Vec<_>>();
        let alone: Rows = units
            .iter()
            .map(|u| gradients(&lm, adapter, &[examples(u)], 1).remove(0))
            .collect();
        for round in 0..6 {
            let mut chosen: Vec<usize> = (0..units.len()).collect();
            chosen.shuffle(&mut rng);
            chosen.truncate(rng.random_range(2..=units.len()));
            let batch: Vec<_> = chosen.iter().map(|&u| examples(&units[u])).collect();
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(1 + round % 3)
                .build();
            let tokens = [1, 60, 100_000][round / 2];
            let got = pool
                .unwrap()
                .install(|| gradients(&lm, adapter, &batch, tokens));
            for (row, unit) in got.iter().zip(&chosen) {
                assert!(
                    row == &alone[*unit],
                    "unit {unit} of {chosen:?}, cached {cached}"
                );
            }
        }
    }
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let all: Vec<_> = sequences.iter().rev().collect();
        let together = pool.install(|| prefix(&all, 150));
        assert!(
            together.iter().rev().eq(&states),
            "states with {threads} threads"
        );
    }
}

fn check_all() {
    for precision in [Precision::F32, Precision::Bf16] {
        check(medium, None, precision);
        check(medium, Some(2), precision);
        for family in ["llama", "gemma2", "qwen3"] {
            check(
                || Weights::load(&golden(family)).unwrap(),
                Some(1),
                precision,
            );
        }
    }
}

#[test]
fn a_units_gradient_has_the_same_bits_in_any_batch() {
    check_all();
}

#[test]
fn the_same_without_bf16_and_avx512() {
    for limit in ["f32", "avx2"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--nocapture"])
            .env("ALBUMEN_CPU", limit)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{limit}: {said}"
        );
    }
}

#[test]
#[ignore = "run by the other test, with ALBUMEN_CPU set"]
fn child() {
    assert!(std::env::var_os("ALBUMEN_CPU").is_some());
    check_all();
}
