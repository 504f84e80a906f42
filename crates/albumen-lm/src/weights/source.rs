//! A file format as the loader sees it: named tensors with shapes.

use std::path::Path;

use albumen_weights::WeightsError;

use super::names::{Kind, Naming, Wanted};
use crate::config::ModelConfig;

/// One opened checkpoint.
pub(super) trait Source: Sync {
    /// Where it is.
    fn path(&self) -> &Path;
    /// How it names tensors.
    fn naming(&self) -> Naming;
    /// A tensor's shape and number format, without reading its data.
    fn describe(&self, name: &str) -> Option<(&[usize], String)>;
    /// A tensor's values in f32, row-major. Called only after [`check`] passed.
    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError>;
    /// Whether the format's number type can be read at all.
    fn readable(&self, name: &str) -> Result<(), WeightsError>;
    /// Names of all tensors.
    fn names(&self) -> Vec<&str>;
    /// Size on disk.
    fn bytes(&self) -> u64;
}

/// Checks that a tensor is there, in the right shape and a readable format.
pub(super) fn check(source: &dyn Source, wanted: &Wanted) -> Result<(), WeightsError> {
    let path = || source.path().to_path_buf();
    let tensor = || wanted.name.clone();
    let Some((shape, _)) = source.describe(&wanted.name) else {
        return Err(WeightsError::Missing {
            path: path(),
            tensor: tensor(),
        });
    };
    if shape != wanted.shape {
        let (expected, found) = (wanted.shape.clone(), shape.to_vec());
        return Err(WeightsError::Shape {
            path: path(),
            tensor: tensor(),
            expected,
            found,
        });
    }
    source.readable(&wanted.name)
}

/// Reads a tensor and undoes what its format does to it.
pub(super) fn read(
    source: &dyn Source,
    config: &ModelConfig,
    wanted: &Wanted,
) -> Result<Vec<f32>, WeightsError> {
    let mut values = source.read(&wanted.name)?;
    match (source.naming(), wanted.kind) {
        (Naming::HuggingFace, Kind::Norm) if config.family.norm_less_one() => {
            for factor in &mut values {
                *factor += 1.0;
            }
        }
        (Naming::Gguf, Kind::Rotated { heads })
            if config.family == crate::config::Family::Llama =>
        {
            values = deinterleave(&values, heads, config.head_dim);
        }
        _ => {}
    }
    Ok(values)
}

/// llama.cpp rotates neighbouring pairs, transformers the two halves of a head; its converter
/// therefore stores row `j + half * head_dim / 2` of each head as row `2 j + half`.
fn deinterleave(rows: &[f32], heads: usize, head_dim: usize) -> Vec<f32> {
    let width = rows.len() / (heads * head_dim);
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(head_dim * width) {
        for half in 0..2 {
            for j in 0..head_dim / 2 {
                let start = (2 * j + half) * width;
                out.extend_from_slice(&head[start..start + width]);
            }
        }
    }
    out
}
