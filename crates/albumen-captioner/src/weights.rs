//! A checkpoint's tensors: one safetensors file or shards with their index, read one at a time.
//!
//! Files are read, not mapped: a file that changes or shrinks under the program gives an error, and
//! the peak is one tensor above the model itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use serde::Deserialize;

use crate::error::{CaptionerError, Result};

/// Headers longer than this are damage: those of the largest checkpoints take a few MB.
const MAX_HEADER_BYTES: u64 = 100 << 20;

const MEND: &str = "download model.safetensors, or every shard with model.safetensors.index.json \
                    (weights as pytorch_model.bin must be converted to safetensors)";

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
    shape: Vec<usize>,
    start: u64,
    bytes: usize,
}

#[derive(Deserialize)]
struct RawEntry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Reads the headers of a directory's weights.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for file in files(dir)? {
            read_header(&file, &mut entries)?;
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
        let numbers = |e: &Entry| e.shape.iter().map(|n| *n as u64).product::<u64>();
        self.entries.values().map(numbers).sum()
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
        if expected.is_some_and(|e| e.dims() != entry.shape) {
            return Err(refuse(&entry.file, format!("{:?}", entry.shape)));
        }
        let io = |source| CaptionerError::Io {
            path: entry.file.to_path_buf(),
            source,
        };
        let mut file = File::open(entry.file.as_path()).map_err(io)?;
        file.seek(SeekFrom::Start(entry.start)).map_err(io)?;
        let mut bytes = vec![0; entry.bytes];
        file.read_exact(&mut bytes).map_err(io)?;
        let raw = Tensor::from_raw_buffer(&bytes, entry.dtype, &entry.shape, &Device::Cpu)?;
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

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let index = dir.join("model.safetensors.index.json");
    if !index.is_file() {
        return Ok(vec![dir.join("model.safetensors")]);
    }
    let text = crate::error::read_text(&index, "the index of the shards", MEND)?;
    let damaged = |reason: String| CaptionerError::Format {
        path: index.clone(),
        reason,
    };
    let parsed: Index = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
    let mut names: Vec<String> = parsed.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    let plain = |name: &String| {
        Path::new(name)
            .file_name()
            .is_some_and(|f| f == name.as_str())
    };
    match names.iter().find(|n| !plain(n)) {
        Some(name) => Err(damaged(format!("the shard {name:?} is not a file name"))),
        None => Ok(names.iter().map(|n| dir.join(n)).collect()),
    }
}

fn read_header(path: &Path, entries: &mut BTreeMap<String, Entry>) -> Result<()> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => CaptionerError::MissingFile {
            path: path.to_owned(),
            what: "a file of the weights",
            mend: MEND,
        },
        _ => CaptionerError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let damaged = |reason: String| CaptionerError::Format {
        path: path.to_owned(),
        reason,
    };
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut prefix = [0; 8];
    if length < 8 {
        return Err(damaged(format!(
            "it has {length} bytes, fewer than any safetensors file"
        )));
    }
    file.read_exact(&mut prefix).map_err(io)?;
    let header_bytes = u64::from_le_bytes(prefix);
    if header_bytes > MAX_HEADER_BYTES {
        return Err(damaged(
            "it does not start like a safetensors file".to_owned(),
        ));
    }
    if length < 8 + header_bytes {
        return Err(damaged(format!(
            "it has {length} bytes, its header alone takes {}",
            8 + header_bytes
        )));
    }
    let mut header = vec![0; header_bytes as usize];
    file.read_exact(&mut header).map_err(io)?;
    let parsed: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&header)
        .map_err(|e| damaged(format!("its header is not JSON: {e}")))?;
    let file = Arc::new(path.to_owned());
    for (name, value) in parsed
        .into_iter()
        .filter(|(name, _)| name != "__metadata__")
    {
        let raw: RawEntry = serde_json::from_value(value)
            .map_err(|e| damaged(format!("its header describes `{name}` wrongly: {e}")))?;
        let dtype = match raw.dtype.as_str() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            // Positions and the like; no network asks for them.
            "I64" | "I32" | "U8" | "BOOL" => continue,
            other => {
                return Err(damaged(format!(
                    "`{name}` is stored as {other}; supported are F32, F16 and BF16, not quantised weights"
                )));
            }
        };
        let (start, end) = raw.data_offsets;
        let numbers = raw
            .shape
            .iter()
            .try_fold(1_u64, |all, n| all.checked_mul(*n as u64));
        let bytes = numbers.and_then(|n| n.checked_mul(dtype.size_in_bytes() as u64));
        if bytes.is_none() || bytes != end.checked_sub(start) {
            return Err(damaged(format!(
                "its header gives `{name}` a wrong number of bytes"
            )));
        }
        let end = end.saturating_add(8 + header_bytes);
        if end > length {
            return Err(damaged(format!(
                "it is cut short: `{name}` ends at byte {end}, the file at {length}"
            )));
        }
        let entry = Entry {
            file: Arc::clone(&file),
            dtype,
            shape: raw.shape,
            start: start + 8 + header_bytes,
            bytes: bytes.unwrap_or_default() as usize,
        };
        entries.insert(canonical(&name), entry);
    }
    Ok(())
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
