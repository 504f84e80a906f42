//! Generation with caches against full recomputation, and its independence of batch and threads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use albumen_lm::kernels::{Candle, Decode};
use albumen_lm::sampler::SamplingParams;
use albumen_lm::{
    Adapter, Branch, DecodeOptions, Generation, Lm, LmError, LoraConfig, LoraLayout, Precision,
    Prefix, Request, Sequence, Stop, Target, Weights,
};
use candle_core::Device;
use common::golden;

const FAMILIES: [&str; 7] = [
    "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3",
];

fn tiny(family: &str, precision: Precision) -> (Lm, LoraLayout, Vec<f32>) {
    let weights = Weights::load(&golden(family)).unwrap();
    let targets = vec![Target::Q, Target::V, Target::O, Target::Gate, Target::Down];
    let config = LoraConfig {
        rank: 3,
        alpha: 6.0,
        targets,
        layers: Some(1),
        frozen_a: None,
    };
    let layout = LoraLayout::new(&weights.config, &config).unwrap();
    let mut params = layout.init(5);
    for t in layout
        .tensors()
        .iter()
        .filter(|t| t.name.contains("lora_B"))
    {
        let b = &mut params[t.offset..t.offset + t.shape[0] * t.shape[1]];
        b.iter_mut()
            .enumerate()
            .for_each(|(i, b)| *b = 0.2 * (i as f32).sin());
    }
    (Lm::new(weights, precision).unwrap(), layout, params)
}

fn options(batch: usize, sampling: SamplingParams) -> DecodeOptions {
    DecodeOptions {
        batch,
        max_new_tokens: 12,
        stop_tokens: (3..15).collect(),
        sampling,
        seed: 11,
    }
}

/// Requests of every kind: with and without trunk, one branch and several, prompts of many lengths.
fn requests() -> Vec<Request> {
    let text = |n: u32, seed: u32| (0..n).map(|i| 4 + (seed * 31 + i * i * 7) % 130).collect();
    let branch = |n, stream: u32| Branch {
        prompt: text(n, stream),
        stream: u64::from(stream),
    };
    let mut requests = vec![
        Request {
            trunk: text(6, 1),
            branches: (1..6).map(|i| branch(i, i)).collect(),
        },
        Request {
            trunk: Vec::new(),
            branches: vec![branch(9, 20), branch(3, 21)],
        },
        Request {
            trunk: text(7, 2),
            branches: vec![branch(0, 30), branch(4, 31)],
        },
        Request {
            trunk: text(1, 3),
            branches: vec![branch(0, 40)],
        },
    ];
    requests.extend((50..62).map(|i| Request {
        trunk: text(3, i),
        branches: vec![branch(i % 5 + 1, i)],
    }));
    requests
}

type Texts = BTreeMap<(usize, usize), Generation>;

fn generate<K: Decode>(
    lm: &Lm<K>,
    adapter: Option<Adapter<'_>>,
    prefix: Option<&Prefix<K>>,
    options: &DecodeOptions,
) -> Texts {
    let mut texts = Texts::new();
    lm.generate(
        adapter,
        prefix,
        &requests(),
        options,
        &mut |request, branch, generation| {
            assert!(texts.insert((request, branch), generation).is_none());
        },
    )
    .unwrap();
    assert_eq!(
        texts.len(),
        requests().iter().map(|r| r.branches.len()).sum::<usize>()
    );
    texts
}

/// Greedy continuation, the whole text run again for every token.
fn recompute(
    lm: &Lm,
    adapter: Option<Adapter<'_>>,
    given: &[u32],
    options: &DecodeOptions,
) -> Generation {
    let mut text = given.to_vec();
    loop {
        let sequence = Sequence::builder().context(&text).build().unwrap();
        let logits = lm.logits(adapter, &sequence).unwrap();
        let last = &logits[logits.len() - lm.config().vocab_size..];
        let best = (0..last.len())
            .max_by(|&a, &b| last[a].total_cmp(&last[b]))
            .unwrap() as u32;
        if options.stop_tokens.contains(&best) {
            return Generation {
                tokens: text[given.len()..].to_vec(),
                stop: Stop::Token(best),
            };
        }
        text.push(best);
        if text.len() == given.len() + options.max_new_tokens {
            return Generation {
                tokens: text[given.len()..].to_vec(),
                stop: Stop::Length,
            };
        }
    }
}

#[test]
fn cached_decoding_equals_recomputation() {
    for family in FAMILIES {
        let (lm, layout, params) = tiny(family, Precision::F32);
        decodes_as_recomputed(&lm, &lm, &layout, &params);
        let candle = Candle::new(Device::Cpu, Precision::F32);
        let candle = Lm::with_kernels(Weights::load(&golden(family)).unwrap(), candle).unwrap();
        decodes_as_recomputed(&candle, &lm, &layout, &params);
    }
}

fn decodes_as_recomputed<K: Decode>(
    lm: &Lm<K>,
    reference: &Lm,
    layout: &LoraLayout,
    params: &[f32],
) {
    let options = options(4, SamplingParams::greedy());
    let before = [9, 17, 25, 33];
    for adapter in [None, Some(Adapter { layout, params })] {
        let prefix = lm.prefix(adapter, &before).unwrap();
        for prefix in [None, Some(&prefix)] {
            for ((request, branch), got) in generate(lm, adapter, prefix, &options) {
                let request = &requests()[request];
                let before = if prefix.is_some() { &before[..] } else { &[] };
                let given = [before, &request.trunk, &request.branches[branch].prompt].concat();
                let expected = recompute(reference, adapter, &given, &options);
                assert_eq!(got, expected, "{:?}", lm.config().family);
            }
        }
    }
}

#[test]
fn text_depends_on_neither_batch_nor_threads() {
    for (family, precision) in [
        ("llama", Precision::F32),
        ("llama", Precision::Bf16),
        ("llama", Precision::Int8),
        ("gemma2", Precision::F32),
    ] {
        let (lm, layout, params) = tiny(family, precision);
        let adapter = Some(Adapter {
            layout: &layout,
            params: &params,
        });
        let sampling = SamplingParams {
            temperature: 1.3,
            ..SamplingParams::default()
        };
        let expected = generate(&lm, adapter, None, &options(1, sampling.clone()));
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            for batch in [2, 5, 64] {
                let options = options(batch, sampling.clone());
                let got = pool.install(|| generate(&lm, adapter, None, &options));
                assert_eq!(
                    got, expected,
                    "{family} {precision:?} batch {batch} threads {threads}"
                );
            }
        }
        let mut other = options(5, sampling);
        other.seed = 12;
        assert_ne!(
            generate(&lm, adapter, None, &other),
            expected,
            "the seed counts"
        );
    }
}

#[test]
fn generation_ends_at_a_stop_token_the_limit_or_the_last_position() {
    let (lm, ..) = tiny("llama", Precision::F32);
    let texts = generate(&lm, None, None, &options(8, SamplingParams::default()));
    assert!(texts.values().any(|g| matches!(g.stop, Stop::Token(_))));
    assert!(
        texts
            .values()
            .any(|g| g.stop == Stop::Length && g.tokens.len() == 12)
    );
    assert!(
        texts
            .values()
            .flat_map(|g| &g.tokens)
            .all(|t| !(3..15).contains(t))
    );
    let (last, branches) = (
        lm.config().max_position - 1,
        vec![Branch {
            prompt: vec![5],
            stream: 0,
        }],
    );
    let long = [Request {
        trunk: vec![4; last - 1],
        branches,
    }];
    let mut options = options(1, SamplingParams::greedy());
    options.stop_tokens.clear();
    let mut tokens = 0;
    lm.generate(None, None, &long, &options, &mut |_, _, g| {
        tokens = g.tokens.len();
    })
    .unwrap();
    assert_eq!(
        tokens, 1,
        "the model has {last} positions before its last one"
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let (lm, ..) = tiny("llama", Precision::F32);
    let good = options(1, SamplingParams::default());
    let refused = |requests: &[Request], options: &DecodeOptions| {
        lm.generate(None, None, requests, options, &mut |_, _, _| panic!())
            .unwrap_err()
    };
    let one = |trunk: &[u32], prompt: &[u32]| {
        let branches = vec![Branch {
            prompt: prompt.to_vec(),
            stream: 0,
        }];
        [Request {
            trunk: trunk.to_vec(),
            branches,
        }]
    };
    assert!(matches!(
        refused(&one(&[], &[]), &good),
        LmError::Decoding(_)
    ));
    assert!(matches!(
        refused(&one(&[], &[999]), &good),
        LmError::Token { token: 999, .. }
    ));
    assert!(matches!(
        refused(&one(&[4; 60], &[4; 9]), &good),
        LmError::TooLong { .. }
    ));
    for bad in [
        DecodeOptions {
            batch: 0,
            ..good.clone()
        },
        DecodeOptions {
            max_new_tokens: 0,
            ..good.clone()
        },
        DecodeOptions {
            sampling: SamplingParams {
                temperature: -1.0,
                ..SamplingParams::default()
            },
            ..good.clone()
        },
    ] {
        assert!(matches!(
            refused(&one(&[], &[5]), &bad),
            LmError::Decoding(_)
        ));
    }
    assert!(matches!(lm.prefix(None, &[]), Err(LmError::Decoding(_))));
}
