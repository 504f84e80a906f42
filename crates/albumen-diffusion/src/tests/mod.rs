//! The networks, schedulers and pipelines against diffusers: see scripts/golden/diffusion_*.py.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod errors;
mod invariance;
mod parity;
mod schedulers;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use crate::noise::Noise;
use crate::settings::{Request, Settings};

/// The directory of a golden pipeline.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// What Python made of a golden pipeline.
fn reference(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden(name).join("golden.safetensors"), &Device::Cpu).unwrap()
}

/// The largest difference as a share of the largest number that was expected.
pub(crate) fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let numbers = |t: &Tensor| {
        t.to_dtype(DType::F64)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f64>()
            .unwrap()
    };
    let (found, expected) = (numbers(found), numbers(expected));
    let scale = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let worst = found
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a - b).abs())
        .fold(
            0.0f64,
            |m, d| if d.is_nan() { f64::INFINITY } else { m.max(d) },
        );
    worst / scale
}

/// A copy of a golden pipeline that a test may damage.
pub(crate) fn copy(name: &str) -> tempfile::TempDir {
    fn walk(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    walk(&golden(name), dir.path());
    dir
}

const PROMPT: &str = "Two children's dogs, running\u{e9} beside a LAKE in 2019!";
const NEGATIVE: &str = "blurry, text";

/// Settings of the golden pictures.
fn settings(guidance: f64) -> Settings {
    Settings {
        width: 64,
        height: 48,
        steps: 4,
        guidance,
        scheduler: None,
    }
}

fn request(noise: Noise) -> Request {
    Request {
        prompt: PROMPT.into(),
        negative_prompt: NEGATIVE.into(),
        noise,
    }
}

/// The latents that a golden pipeline ends with.
fn sample(name: &str, guidance: f64, noise: Noise, negative: &str) -> Tensor {
    let model = crate::TextToImage::load(&golden(name), &crate::LoadOptions::default()).unwrap();
    let request = Request {
        negative_prompt: negative.into(),
        ..request(noise)
    };
    model
        .pipeline
        .sample(&[request], &settings(guidance))
        .unwrap()
}
