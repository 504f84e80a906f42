//! The tiny checkpoints and the reference's numbers (scripts/golden/captioner_checkpoints.py).
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use albumen_captioner::{Captioner, DType, Device, Tensor};
use image::RgbImage;

/// Each checkpoint.
pub(crate) const MODELS: [&str; 5] = ["blip", "paligemma", "paligemma2", "llava", "qwen3_vl"];

/// Each photo: one wide, one tall.
pub(crate) const PHOTOS: [&str; 2] = ["dog", "mexico"];

pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

pub(crate) fn photo(name: &str) -> RgbImage {
    let path = golden(&format!("photo_{name}.png"));
    image::open(path).unwrap().to_rgb8()
}

pub(crate) fn load(dir: &Path) -> albumen_captioner::Result<Captioner> {
    Captioner::load(dir, &Device::Cpu, DType::F32)
}

/// A copy of a checkpoint that a test may damage.
pub(crate) fn copy(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden(name)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    dir
}

/// The reference's tensors.
pub(crate) fn reference(model: &str) -> HashMap<String, Tensor> {
    let path = golden(model).join("reference.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

/// The largest difference, over the largest number of the reference.
pub(crate) fn difference(ours: &Tensor, theirs: &Tensor) -> f32 {
    assert_eq!(ours.dims(), theirs.dims());
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (ours, theirs) = (flat(ours), flat(theirs));
    let largest = |values: &mut dyn Iterator<Item = f32>| values.map(f32::abs).fold(0.0, f32::max);
    let scale = largest(&mut theirs.iter().copied());
    let apart = largest(&mut ours.iter().zip(&theirs).map(|(a, b)| a - b));
    assert!(ours.iter().all(|v| v.is_finite()));
    apart / scale
}
