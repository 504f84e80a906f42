//! Memory of a step does not grow with its batch. One test, so that the process is its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

mod common;

use albumen_lm::{
    Adapter, Budget, Example, Lm, LoraConfig, LoraLayout, Precision, Sequence, Target, Weights,
};
use common::golden;

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn peak_memory_does_not_grow_with_the_batch() {
    let weights = Weights::load(&golden("llama")).unwrap();
    let targets = vec![Target::Q, Target::Gate, Target::Down];
    let config = LoraConfig {
        rank: 16,
        alpha: 16.0,
        targets,
        layers: None,
        frozen_a: None,
    };
    let layout = LoraLayout::new(&weights.config, &config).unwrap();
    let params = layout.init(1);
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let lm = Lm::new(weights, Precision::F32).unwrap();
    let sequences: Vec<_> = (0..4096_u32)
        .map(|i| {
            let text: Vec<u32> = (0..8 + i % 40).map(|j| (i * 7 + j * j) % 256).collect();
            Sequence::builder()
                .context(&text[..1])
                .target(&text[1..], 1.0)
                .build()
                .unwrap()
        })
        .collect();
    let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
    let mut sum = vec![0.0_f32; layout.len()];
    let mut run = |count: usize| {
        let mut add =
            |_: usize, g: &[f32], _: f32| sum.iter_mut().zip(g).for_each(|(s, g)| *s += g);
        lm.gradients(adapter, None, &units[..count], Budget::default(), &mut add)
            .unwrap();
        peak_kib()
    };
    let small = run(64);
    let large = run(4096);
    // All gradients at once would take 4096 * 4 * layout.len() bytes.
    let all = 4096 * 4 * layout.len() as u64 / 1024;
    println!("{small} KiB after 64 units, {large} KiB after 4096, all gradients {all} KiB");
    assert!(large - small < all / 20, "{small} KiB grew to {large} KiB");
}
