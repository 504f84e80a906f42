//! Reads the weights of a TensorFlow.js graph model: a JSON manifest and one binary shard.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use half::f16;
use serde::Deserialize;

use crate::arrays::Arrays;
use crate::error::{Result, VisionError, read_file};

#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "weightsManifest")]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    weights: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantization>,
}

#[derive(Deserialize)]
struct Quantization {
    dtype: String,
}

impl Arrays {
    /// `nanodet.json` and `nanodet.bin` of `dir`, from their half-precision form.
    pub(super) fn of_nanodet(dir: &Path) -> Result<Self> {
        let manifest_path = dir.join("nanodet.json");
        let manifest: Manifest =
            serde_json::from_slice(&read_file(&manifest_path)?).map_err(|e| {
                VisionError::Format {
                    path: manifest_path.clone(),
                    format: "TensorFlow.js model",
                    offset: 0,
                    reason: e.to_string(),
                }
            })?;
        let path = dir.join("nanodet.bin");
        let bytes = read_file(&path)?;
        let mut at = 0;
        let mut arrays = HashMap::new();
        for entry in manifest.groups.into_iter().flat_map(|group| group.weights) {
            let fault = |reason: String| VisionError::Format {
                path: path.clone(),
                format: "TensorFlow.js weights",
                offset: at,
                reason,
            };
            let is_half = entry
                .quantization
                .as_ref()
                .is_some_and(|q| q.dtype == "float16");
            let width = match entry.dtype.as_str() {
                "float32" if is_half => 2,
                "int32" => 4,
                other => {
                    return Err(fault(format!(
                        "{} has the element type {other}",
                        entry.name
                    )));
                }
            };
            let length = entry
                .shape
                .iter()
                .try_fold(width, |n: usize, &d| n.checked_mul(d));
            let end = length.and_then(|length| length.checked_add(at));
            let Some(raw) = end.and_then(|end| bytes.get(at..end)) else {
                return Err(fault(format!("{} is cut off", entry.name)));
            };
            at += raw.len();
            if is_half {
                let values = raw
                    .chunks_exact(2)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect();
                arrays.insert(entry.name, (entry.shape, values));
            }
        }
        if at != bytes.len() {
            let reason = "there are bytes after the last weight".to_owned();
            return Err(VisionError::Format {
                path,
                format: "TensorFlow.js weights",
                offset: at,
                reason,
            });
        }
        Ok(Self {
            path,
            by_name: arrays,
        })
    }

    /// Filter of `shape` (c_out, c_in, k, k) and bias of the graph's convolution `number`. The
    /// converter named filters by their number and biases by that of the input of the whole graph.
    pub(super) fn convolution(
        &mut self,
        number: usize,
        shape: [usize; 4],
    ) -> Result<(Tensor, Vec<f32>)> {
        let [c_out, c_in, k, _] = shape;
        let filter = match number {
            0 => "PartitionedCall/split".to_owned(),
            _ => format!("PartitionedCall/split_{number}"),
        };
        let bias = match number {
            28.. => [60, 62, 66, 68, 70, 72][number - 28],
            _ => 2 * number,
        };
        let filter = self.take(&filter, &[k, k, c_in, c_out])?;
        let bias = self.take(&format!("unknown_{bias}"), &[c_out])?;
        let filter = Tensor::from_vec(filter, (k, k, c_in, c_out), &Device::Cpu)?;
        Ok((filter.permute((3, 2, 0, 1))?.contiguous()?, bias))
    }
}
