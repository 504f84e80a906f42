//! A directory with `config.json` and one `model.safetensors`, or shards with their index.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use albumen_models::layout;
use albumen_models::safetensors::{Dtype, Tensor};
use half::{bf16, f16};

use super::error::LoadError;
use super::names::Naming;
use super::source::Source;

/// Where a tensor's bytes are.
struct Place {
    file: PathBuf,
    tensor: Tensor,
}

/// The headers of all files of a directory.
pub(super) struct Directory {
    path: PathBuf,
    tensors: HashMap<String, Place>,
    bytes: u64,
}

impl Directory {
    /// Reads the headers; the data stays on disk.
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let mut directory = Self {
            path: path.into(),
            tensors: HashMap::new(),
            bytes: 0,
        };
        for (file, header) in layout::headers(path, false)? {
            directory.bytes += header.bytes;
            for (name, tensor) in header.tensors {
                let place = Place {
                    file: file.clone(),
                    tensor,
                };
                directory.tensors.insert(text_part(&name), place);
            }
        }
        Ok(directory)
    }
}

/// A tensor's name without the prefix that it has in a model whose language model is one part of
/// several, by transformers 4 (`language_model.model.norm`) and 5 (`model.language_model.norm`).
fn text_part(name: &str) -> String {
    match name.strip_prefix("model.language_model.") {
        Some(rest) => format!("model.{rest}"),
        None => name.strip_prefix("language_model.").unwrap_or(name).into(),
    }
}

impl Source for Directory {
    fn path(&self) -> &Path {
        &self.path
    }

    fn naming(&self) -> Naming {
        Naming::HuggingFace
    }

    fn describe(&self, name: &str) -> Option<(&[usize], String)> {
        self.tensors
            .get(name)
            .map(|t| (t.tensor.shape.as_slice(), format!("{:?}", t.tensor.dtype)))
    }

    fn readable(&self, name: &str) -> Result<(), LoadError> {
        let dtype = self.tensors.get(name).map(|t| t.tensor.dtype);
        match dtype {
            Some(Dtype::F32 | Dtype::F16 | Dtype::BF16) => Ok(()),
            _ => Err(LoadError::Dtype {
                path: self.path.clone(),
                name: name.into(),
                found: dtype.map_or_else(String::new, |d| format!("{d:?}")),
                supported: "F32, F16 and BF16",
            }),
        }
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, LoadError> {
        let Some(place) = self.tensors.get(name) else {
            return Err(LoadError::MissingTensor {
                path: self.path.clone(),
                name: name.into(),
            });
        };
        let io = |source| LoadError::Io {
            path: place.file.clone(),
            source,
        };
        let mut file = File::open(&place.file).map_err(io)?;
        file.seek(SeekFrom::Start(place.tensor.offset))
            .map_err(io)?;
        let mut bytes = vec![0; place.tensor.len];
        file.read_exact(&mut bytes).map_err(io)?;
        let pairs = || bytes.as_chunks().0.iter();
        Ok(match place.tensor.dtype {
            Dtype::F32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect(),
            Dtype::F16 => pairs().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            _ => pairs().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        })
    }

    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
