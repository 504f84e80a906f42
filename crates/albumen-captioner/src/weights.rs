//! A checkpoint's tensors: one safetensors file or shards with their index, read one at a time.
//!
//! Files are read, not mapped: a file that changes or shrinks under the program gives an error, and
//! the peak is one tensor above the model itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use albumen_models::layout::headers;
use albumen_models::safetensors::{Dtype, Tensor as Place};
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;

use crate::error::{CaptionerError, Result};

/// Where each tensor lies.
pub(crate) struct Weights {
    dir: PathBuf,
    entries: BTreeMap<String, Entry>,
    /// What was wrong with the tensor that a builder could not give: the tensor library's own error
    /// cannot carry it.
    problem: Mutex<Option<CaptionerError>>,
}

struct Entry {
    file: Arc<PathBuf>,
    dtype: DType,
    tensor: Place,
}

impl Weights {
    /// Reads the headers of a directory's weights.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for (file, header) in headers(dir, false)? {
            let file = Arc::new(file);
            for (name, tensor) in header.tensors {
                if let Some(dtype) = format(&file, &name, tensor.dtype)? {
                    let entry = Entry {
                        file: Arc::clone(&file),
                        dtype,
                        tensor,
                    };
                    entries.insert(canonical(&name), entry);
                }
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            entries,
            problem: Mutex::new(None),
        })
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Numbers in all tensors together.
    pub(crate) fn parameters(&self) -> u64 {
        self.entries.values().map(|e| e.tensor.numbers()).sum()
    }

    /// Gives tensors by name to a network, converted to `dtype`.
    pub(crate) fn builder(self: &Arc<Self>, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(Source(Arc::clone(self))), dtype, device.clone())
    }

    /// The error behind a network that could not be built.
    pub(crate) fn explain(&self, error: candle_core::Error) -> CaptionerError {
        let problem = self.problem.lock().ok().and_then(|mut p| p.take());
        problem.unwrap_or(CaptionerError::Tensor(error))
    }

    fn read(
        &self,
        name: &str,
        expected: Option<&Shape>,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let shape = |shape: Option<&Shape>| shape.map(|s| s.dims().to_vec()).unwrap_or_default();
        let refuse = |path: &Path, found: String| CaptionerError::Checkpoint {
            path: path.to_owned(),
            tensor: name.to_owned(),
            expected: shape(expected),
            found,
        };
        let Some(entry) = self.entries.get(name) else {
            return Err(refuse(&self.dir, "nothing".to_owned()));
        };
        if expected.is_some_and(|e| e.dims() != entry.tensor.shape) {
            return Err(refuse(&entry.file, format!("{:?}", entry.tensor.shape)));
        }
        let io = |source| CaptionerError::Io {
            path: entry.file.to_path_buf(),
            source,
        };
        let mut file = File::open(entry.file.as_path()).map_err(io)?;
        file.seek(SeekFrom::Start(entry.tensor.offset))
            .map_err(io)?;
        let mut bytes = vec![0; entry.tensor.len];
        file.read_exact(&mut bytes).map_err(io)?;
        let raw = Tensor::from_raw_buffer(&bytes, entry.dtype, &entry.tensor.shape, &Device::Cpu)?;
        Ok(raw.to_dtype(dtype)?.to_device(device)?)
    }
}

struct Source(Arc<Weights>);

impl Source {
    fn give(
        &self,
        name: &str,
        shape: Option<&Shape>,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.0.read(name, shape, dtype, device).map_err(|problem| {
            let message = problem.to_string();
            if let Ok(mut kept) = self.0.problem.lock() {
                kept.get_or_insert(problem);
            }
            candle_core::Error::Msg(message)
        })
    }
}

impl SimpleBackend for Source {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.give(name, Some(&shape), dtype, device)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.give(name, None, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// One name for a tensor, whichever release of `transformers` saved it: the hub's checkpoints have
/// `language_model.model.` and `vision_tower.vision_model.`, Qwen3-VL's and newer ones `model.` first.
fn canonical(name: &str) -> String {
    let name = name.strip_prefix("model.").unwrap_or(name);
    for (old, new) in [
        ("language_model.model.", "language_model."),
        ("language_model.lm_head.", "lm_head."),
        ("vision_tower.vision_model.", "vision_tower."),
    ] {
        if let Some(rest) = name.strip_prefix(old) {
            return format!("{new}{rest}");
        }
    }
    name.to_owned()
}

/// The format of a tensor that a network may ask for; none for positions and the like.
fn format(path: &Path, name: &str, dtype: Dtype) -> Result<Option<DType>> {
    Ok(match dtype {
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::I64 | Dtype::I32 | Dtype::U8 | Dtype::BOOL => None,
        other => {
            return Err(CaptionerError::Format {
                path: path.to_owned(),
                reason: format!(
                    "`{name}` is stored as {other:?}; supported are F32, F16 and BF16, not quantised weights"
                ),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn names_of_every_release_are_one() {
        for (name, expected) in [
            (
                "language_model.model.layers.0.mlp.up_proj.weight",
                "language_model.layers.0.mlp.up_proj.weight",
            ),
            (
                "model.language_model.layers.0.mlp.up_proj.weight",
                "language_model.layers.0.mlp.up_proj.weight",
            ),
            ("language_model.lm_head.weight", "lm_head.weight"),
            (
                "vision_tower.vision_model.pre_layrnorm.bias",
                "vision_tower.pre_layrnorm.bias",
            ),
            (
                "model.vision_tower.pre_layrnorm.bias",
                "vision_tower.pre_layrnorm.bias",
            ),
            (
                "model.multi_modal_projector.linear.bias",
                "multi_modal_projector.linear.bias",
            ),
            ("model.visual.pos_embed.weight", "visual.pos_embed.weight"),
            (
                "vision_model.post_layernorm.bias",
                "vision_model.post_layernorm.bias",
            ),
        ] {
            assert_eq!(canonical(name), expected);
        }
    }
}
