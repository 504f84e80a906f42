//! What the store gives, and what it says of what it cannot give.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::HashMap;
use std::path::Path;

use albumen_models::safetensors::Dtype;
use albumen_weights::{Weights, WeightsError};
use candle_core::{DType, Device, Tensor};
use tempfile::TempDir;

/// Two shards: one number format each, and a table of positions.
fn checkpoint() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let numbers = [1.0_f32, -2.5, 0.0, 3.0, 0.25, -8.0];
    let tensor = |dtype| {
        let whole = Tensor::new(&numbers, &Device::Cpu).unwrap();
        whole.reshape((2, 3)).unwrap().to_dtype(dtype).unwrap()
    };
    let positions = Tensor::new(&[0_i64, 1, 2], &Device::Cpu).unwrap();
    let shards = [
        vec![
            ("model.whole", tensor(DType::F32)),
            ("model.table", positions),
        ],
        vec![
            ("model.half", tensor(DType::F16)),
            ("model.brain", tensor(DType::BF16)),
            ("model.eighth", tensor(DType::U8)),
        ],
    ];
    let mut map = Vec::new();
    for (i, shard) in shards.into_iter().enumerate() {
        let file = format!("model-{i}.safetensors");
        map.extend(shard.iter().map(|(n, _)| format!("\"{n}\": \"{file}\"")));
        let shard: HashMap<_, _> = shard.into_iter().collect();
        candle_core::safetensors::save(&shard, dir.path().join(file)).unwrap();
    }
    let index = format!("{{\"weight_map\": {{{}}}}}", map.join(", "));
    std::fs::write(dir.path().join("model.safetensors.index.json"), index).unwrap();
    dir
}

fn open(dir: &Path) -> Weights {
    let short = |name: &str| name.strip_prefix("model.").unwrap_or(name).to_owned();
    Weights::open(dir, false, short).unwrap()
}

#[test]
fn every_format_is_read_and_counted() {
    let dir = checkpoint();
    let weights = open(dir.path());
    for name in ["whole", "half", "brain"] {
        let found = weights.numbers(name).unwrap();
        assert_eq!(found, [1.0, -2.5, 0.0, 3.0, 0.25, -8.0], "{name}");
    }
    let (shape, format) = weights.describe("half").unwrap();
    assert_eq!((shape, format), (&[2, 3][..], Dtype::F16));
    assert_eq!(weights.parameters(), 18);
    assert_eq!(weights.parameter_bytes(), 24 + 12 + 12);
    let names: Vec<&str> = weights.names().collect();
    assert_eq!(names, ["brain", "eighth", "half", "table", "whole"]);
    assert!(weights.file_bytes() > 48);
}

#[test]
fn a_network_gets_tensors_in_the_format_that_it_asks_for() {
    let dir = checkpoint();
    let build = |dtype| {
        open(dir.path())
            .build(dtype, &Device::Cpu, |vb| {
                Ok([vb.get((2, 3), "whole")?, vb.get((2, 3), "half")?])
            })
            .unwrap()
    };
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        for tensor in build(dtype) {
            assert_eq!(tensor.dtype(), dtype);
            let numbers = tensor.to_dtype(DType::F32).unwrap();
            let numbers: Vec<f32> = numbers.flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(numbers, [1.0, -2.5, 0.0, 3.0, 0.25, -8.0]);
        }
    }
}

#[test]
fn what_cannot_be_given_is_named_with_its_file() {
    let dir = checkpoint();
    let ask = |shape: (usize, usize), name: &str| {
        let built = open(dir.path()).build(DType::F32, &Device::Cpu, |vb| vb.get(shape, name));
        built.unwrap_err()
    };
    let error = ask((3, 2), "half");
    assert!(matches!(error, WeightsError::Shape { .. }), "{error}");
    let words = error.to_string();
    for part in ["model-1.safetensors", "half", "[3, 2]", "[2, 3]", "hint:"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let words = ask((2, 3), "none").to_string();
    assert!(words.contains("has no tensor none"), "{words}");
    let words = ask((2, 3), "eighth").to_string();
    assert!(words.contains("is stored as U8"), "{words}");
    assert!(words.contains("F32, F16 and BF16"), "{words}");
    // The first refusal is told, not what the network made of it.
    let built = open(dir.path()).build(DType::F32, &Device::Cpu, |vb| {
        let missing = vb.get((2, 3), "first");
        vb.get((2, 3), "second").or(missing)
    });
    assert!(built.unwrap_err().to_string().contains("first"));
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    let dir = checkpoint();
    let weights = open(dir.path());
    let path = dir.path().join("model-0.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
    let error = weights.numbers("whole").and(weights.numbers("table"));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("model-0.safetensors")
    );
    assert!(Weights::open(dir.path(), false, str::to_owned).is_err());
}

#[test]
fn quantised_weights_are_refused_before_one_is_asked_for() {
    let dir = checkpoint();
    open(dir.path()).check_all().unwrap();
    let numbers = Tensor::new(&[0.5_f64, 1.0], &Device::Cpu).unwrap();
    let shard = HashMap::from([("wide", numbers)]);
    candle_core::safetensors::save(&shard, dir.path().join("model.safetensors")).unwrap();
    let words = open(dir.path()).check_all().unwrap_err().to_string();
    assert!(words.contains("wide") && words.contains("F64"), "{words}");
}
