//! The sampler against transformers' logits processors, and its random streams.
#![allow(clippy::unwrap_used, reason = "helpers of tests may")]

use std::collections::BTreeMap;

use albumen_lm::sampler::{Order, Sampler, SamplingParams};
use serde::Deserialize;

mod common;

#[derive(Deserialize)]
struct Golden {
    logits: BTreeMap<String, Vec<f32>>,
    history: Vec<u32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    logits: String,
    params: SamplingParams,
    kept: BTreeMap<u32, f32>,
}

fn read() -> Golden {
    let text = std::fs::read_to_string(common::golden("sampler.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn filters_leave_what_transformers_leaves() {
    let golden = read();
    for case in &golden.cases {
        let mut logits = golden.logits[&case.logits].clone();
        let mut sampler = Sampler::new(case.params.clone(), [7; 32]).unwrap();
        let found = sampler.distribution(&mut logits, &golden.history);
        let tokens: Vec<u32> = found.iter().map(|(t, _)| *t).collect();
        let wanted: Vec<u32> = case.kept.keys().copied().collect();
        assert_eq!(tokens, wanted, "{} {:?}", case.logits, case.params);
        for (token, p) in found {
            let wanted = case.kept[&token];
            assert!(
                (p - wanted).abs() < 2e-6,
                "{:?}: token {token}: {p} for {wanted}",
                case.params
            );
        }
    }
}

#[test]
fn large_vocabularies_give_the_same_sets_as_a_sort() {
    // A deterministic scramble of 50,000 logits, some of them equal.
    let logits: Vec<f32> = (0..50_000_u64)
        .map(|i| (i.wrapping_mul(2_654_435_761) % 30_011) as f32 / 3000.0)
        .collect();
    let mut order: Vec<u32> = (0..50_000).collect();
    order.sort_by(|a, b| {
        logits[*b as usize]
            .total_cmp(&logits[*a as usize])
            .then(a.cmp(b))
    });
    let weight = |t: &u32| f64::from((logits[*t as usize] - logits[order[0] as usize]).exp());
    let total: f64 = order.iter().map(weight).sum();
    for top_p in [0.05_f32, 0.5, 0.9, 0.999] {
        let mut wanted = Vec::new();
        let mut sum = 0.0;
        for token in &order {
            if sum >= total * f64::from(top_p) {
                break;
            }
            sum += weight(token);
            wanted.push(*token);
        }
        wanted.sort_unstable();
        let params = SamplingParams {
            top_p,
            ..Default::default()
        };
        let found = Sampler::new(params, [0; 32])
            .unwrap()
            .distribution(&mut logits.clone(), &[]);
        assert!(
            found.len().abs_diff(wanted.len()) <= 1,
            "{top_p}: {} for {}",
            found.len(),
            wanted.len()
        );
    }
    for top_k in [1, 50, 3000] {
        let least = logits[order[top_k - 1] as usize];
        let wanted: Vec<u32> = (0..50_000)
            .filter(|t| logits[*t as usize] >= least)
            .collect();
        let params = SamplingParams {
            top_k,
            ..Default::default()
        };
        let found = Sampler::new(params, [0; 32])
            .unwrap()
            .distribution(&mut logits.clone(), &[]);
        assert_eq!(
            found.iter().map(|(t, _)| *t).collect::<Vec<_>>(),
            wanted,
            "{top_k}"
        );
    }
}

#[test]
fn draws_follow_the_distribution_and_only_the_key() {
    let golden = read();
    let params = SamplingParams {
        temperature: 0.9,
        top_k: 12,
        ..Default::default()
    };
    let logits = &golden.logits["flat"];
    let draws = |seed: u64, stream: u64, n: usize| {
        let mut sampler = Sampler::from_seed(params.clone(), seed, stream).unwrap();
        (0..n)
            .map(|_| sampler.next(&mut logits.clone(), &[]))
            .collect::<Vec<_>>()
    };
    assert_eq!(draws(1, 2, 50), draws(1, 2, 50));
    assert_ne!(draws(1, 2, 50), draws(1, 3, 50));
    assert_ne!(draws(1, 2, 50), draws(2, 2, 50));
    let n = 60_000;
    let mut counts = BTreeMap::new();
    for token in draws(3, 0, n) {
        *counts.entry(token).or_insert(0.0) += 1.0;
    }
    let expected = Sampler::from_seed(params.clone(), 0, 0)
        .unwrap()
        .distribution(&mut logits.clone(), &[]);
    let chi_squared: f64 = expected
        .iter()
        .map(|(t, p)| {
            let wanted = f64::from(*p) * n as f64;
            let found: f64 = counts.remove(t).unwrap_or(0.0);
            (found - wanted).powi(2) / wanted
        })
        .sum();
    assert!(counts.is_empty(), "drawn outside the filter: {counts:?}");
    // 11 degrees of freedom: 31.3 is the 0.1% point; the seed is fixed.
    assert!(chi_squared < 31.3, "{chi_squared}");
}

/// Both orders draw from one distribution, though not the same tokens.
#[test]
fn ranks_are_drawn_from_the_same_distribution() {
    let golden = read();
    for case in golden.cases.iter().filter(|c| c.params.temperature > 0.0) {
        let logits = &golden.logits[&case.logits];
        let sampler = Sampler::from_seed(case.params.clone(), 5, 0).unwrap();
        let mut sampler = sampler.with_order(Order::Rank);
        let n = 4000;
        let mut counts = BTreeMap::new();
        for _ in 0..n {
            let token = sampler.next(&mut logits.clone(), &golden.history);
            *counts.entry(token).or_insert(0.0) += 1.0 / f64::from(n);
        }
        for (token, found) in counts {
            let wanted = case.kept.get(&token).copied().unwrap_or_default();
            // Five standard deviations of a share.
            let room = 5.0 * (f64::from(wanted) / f64::from(n)).sqrt();
            assert!(
                wanted > 0.0 && (found - f64::from(wanted)).abs() < room,
                "{:?}: token {token}: {found} for {wanted}",
                case.params
            );
        }
    }
}

#[test]
fn greedy_and_hopeless_logits() {
    let mut greedy = Sampler::new(SamplingParams::greedy(), [0; 32]).unwrap();
    assert_eq!(greedy.next(&mut [0.0, 3.0, f32::NAN, 3.0], &[]), 1);
    assert_eq!(greedy.next(&mut [f32::NAN; 4], &[]), 0);
    let params = SamplingParams {
        top_p: 0.9,
        top_k: 3,
        min_p: 0.1,
        ..Default::default()
    };
    let mut sampler = Sampler::new(params, [0; 32]).unwrap();
    assert_eq!(
        sampler.next(&mut [f32::NAN, 1.0, f32::NEG_INFINITY, f32::NAN], &[]),
        1
    );
    assert_eq!(sampler.next(&mut [f32::NAN; 4], &[]), 0);
    assert_eq!(sampler.next(&mut [1.0, f32::INFINITY, 2.0], &[9]), 1);
    let mut sampler = sampler.with_order(Order::Rank);
    assert_eq!(
        sampler.next(&mut [f32::NAN, 1.0, f32::NEG_INFINITY, f32::NAN], &[]),
        1
    );
    assert_eq!(sampler.next(&mut [f32::NAN; 4], &[]), 0);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let refused = |params: SamplingParams| params.check().err().unwrap().to_string();
    let ok = SamplingParams::default();
    assert!(
        refused(SamplingParams {
            temperature: -1.0,
            ..ok.clone()
        })
        .contains("temperature is -1")
    );
    assert!(
        refused(SamplingParams {
            top_p: 0.0,
            ..ok.clone()
        })
        .contains("top_p is 0")
    );
    assert!(
        refused(SamplingParams {
            min_p: 1.5,
            ..ok.clone()
        })
        .contains("min_p is 1.5")
    );
    assert!(
        refused(SamplingParams {
            repetition_penalty: 0.0,
            ..ok
        })
        .contains("repetition_penalty is 0")
    );
}
