//! The engine on a processor without bf16 or AVX-512, as `ALBUMEN_CPU` makes it: another process,
//! since features are found once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use albumen_lm::{Lm, Precision, Sequence, Weights};
use common::golden;
use safetensors::SafeTensors;

#[test]
fn without_avx512_the_numbers_are_the_same() {
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
    let reference = std::fs::read(golden("llama").join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&reference).unwrap();
    let words = |name: &str| {
        file.tensor(name)
            .unwrap()
            .data()
            .as_chunks::<4>()
            .0
            .to_vec()
    };
    let tokens: Vec<u32> = words("seq0.tokens")
        .into_iter()
        .map(u32::from_le_bytes)
        .collect();
    let expected: Vec<f32> = words("seq0.logits")
        .into_iter()
        .map(f32::from_le_bytes)
        .collect();
    let lm = Lm::new(Weights::load(&golden("llama")).unwrap(), Precision::Bf16).unwrap();
    assert_eq!(lm.kernels().precision(), Precision::F32);
    let sequence = Sequence::builder().context(&tokens).build().unwrap();
    for (got, expected) in lm.logits(None, &sequence).unwrap().iter().zip(&expected) {
        assert!((got - expected).abs() < 1e-4, "{got} {expected}");
    }
}
