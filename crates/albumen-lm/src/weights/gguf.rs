//! A GGUF file, read and dequantised by candle.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo};

use albumen_models::Error as Files;
use albumen_weights::WeightsError;

use super::error::LoadError;
use super::names::Naming;
use super::source::Source;
use crate::config::{Metadata, ModelConfig, from_gguf};

const ROPE_FREQS: &str = "rope_freqs.weight";

/// The header of a GGUF file.
pub(crate) struct Gguf {
    path: PathBuf,
    content: Content,
    shapes: std::collections::HashMap<String, Vec<usize>>,
    bytes: u64,
}

impl Gguf {
    /// Reads metadata and tensor list; the data stays on disk.
    pub(crate) fn open(path: &Path) -> Result<Self, Files> {
        let io = |source| Files::Io {
            path: path.into(),
            source,
        };
        let malformed = |reason: String| Files::Malformed {
            path: path.into(),
            reason,
        };
        let file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        if zero_alignment(path).map_err(io)? {
            return Err(malformed("general.alignment is 0".into()));
        }
        let content =
            Content::read(&mut BufReader::new(file)).map_err(|e| malformed(e.to_string()))?;
        let gguf = Self {
            path: path.into(),
            shapes: shapes(&content),
            content,
            bytes,
        };
        let mut expected_bytes = 0;
        for (name, info) in &gguf.content.tensor_infos {
            let end = end(info, gguf.content.tensor_data_offset).ok_or_else(|| {
                malformed(format!(
                    "tensor {name} has the impossible shape {:?}",
                    info.shape
                ))
            })?;
            expected_bytes = expected_bytes.max(end);
        }
        if expected_bytes > bytes {
            return Err(Files::Truncated {
                path: path.into(),
                expected_bytes,
                found_bytes: bytes,
            });
        }
        Ok(gguf)
    }

    /// The model's configuration.
    pub(super) fn config(&self) -> Result<ModelConfig, LoadError> {
        let frequencies = match self.content.tensor_infos.get(ROPE_FREQS) {
            Some(_) => {
                self.readable(ROPE_FREQS)?;
                Some(self.read(ROPE_FREQS)?)
            }
            None => None,
        };
        let has = |name: &str| self.content.tensor_infos.contains_key(name);
        let rows = self
            .shapes
            .get("token_embd.weight")
            .and_then(|s| s.first().copied());
        from_gguf(&self.metadata(), &has, rows, frequencies.as_deref())
            .map_err(|e| LoadError::from_config(self.path.clone(), e))
    }

    /// The file's key/value pairs.
    pub(crate) fn metadata(&self) -> Metadata<'_> {
        Metadata(&self.content.metadata)
    }
}

fn shapes(content: &Content) -> std::collections::HashMap<String, Vec<usize>> {
    content
        .tensor_infos
        .iter()
        .map(|(name, info)| (name.clone(), info.shape.dims().to_vec()))
        .collect()
}

/// The file offset after a tensor's last byte; `None` where its shape cannot be.
fn end(info: &TensorInfo, data: u64) -> Option<u64> {
    let numbers = info
        .shape
        .dims()
        .iter()
        .try_fold(1_usize, |n, d| n.checked_mul(*d))?;
    let blocks = numbers / info.ggml_dtype.block_size();
    let len = blocks.checked_mul(info.ggml_dtype.type_size())?;
    data.checked_add(info.offset)?.checked_add(len as u64)
}

/// candle divides by the alignment a file states. The key, where present, is among the first.
fn zero_alignment(path: &Path) -> std::io::Result<bool> {
    const KEY: &[u8] = b"general.alignment";
    let mut start = Vec::new();
    File::open(path)?.take(1 << 20).read_to_end(&mut start)?;
    let Some(at) = start.windows(KEY.len()).position(|w| w == KEY) else {
        return Ok(false);
    };
    // After the key come its type, a 32-bit number, and the value.
    let rest = start.get(at + KEY.len()..).unwrap_or_default();
    let width = match rest.first() {
        Some(0 | 1) => 1,
        Some(2 | 3) => 2,
        _ => 4,
    };
    Ok(rest
        .get(4..4 + width)
        .is_some_and(|value| value.iter().all(|byte| *byte == 0)))
}

impl Source for Gguf {
    fn path(&self) -> &Path {
        &self.path
    }

    fn naming(&self) -> Naming {
        Naming::Gguf
    }

    fn describe(&self, name: &str) -> Option<(&[usize], String)> {
        let dtype = self.content.tensor_infos.get(name)?.ggml_dtype;
        Some((self.shapes.get(name)?, format!("{dtype:?}")))
    }

    fn readable(&self, name: &str) -> Result<(), WeightsError> {
        let dtype = self.content.tensor_infos.get(name).map(|t| t.ggml_dtype);
        match dtype {
            Some(GgmlDType::Q8_1 | GgmlDType::Q8K) | None => Err(WeightsError::Format {
                path: self.path.clone(),
                tensor: name.into(),
                found: dtype.map_or_else(String::new, |d| format!("{d:?}")),
                supported: "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and Q2_K to Q6_K",
            }),
            Some(_) => Ok(()),
        }
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let malformed = |e: candle_core::Error| Files::Malformed {
            path: self.path.clone(),
            reason: format!("tensor {name}: {e}"),
        };
        let io = |source| Files::Io {
            path: self.path.clone(),
            source,
        };
        let mut file = File::open(&self.path).map_err(io)?;
        let tensor = self
            .content
            .tensor(&mut file, name, &Device::Cpu)
            .map_err(malformed)?;
        let flat = tensor
            .dequantize(&Device::Cpu)
            .and_then(|t| t.flatten_all()?.to_vec1())
            .map_err(malformed)?;
        Ok(flat)
    }

    fn names(&self) -> Vec<&str> {
        self.content
            .tensor_infos
            .keys()
            .map(String::as_str)
            .collect()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
