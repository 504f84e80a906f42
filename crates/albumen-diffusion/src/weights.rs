//! Safetensors files, single or sharded: headers are read and checked at once, tensors when a
//! network asks for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;
use safetensors::tensor::{Dtype, Metadata};
use serde::Deserialize;

use crate::error::{DiffusionError, Result};

/// The format's own limit on its header.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Where a tensor's bytes are.
#[derive(Clone, Debug)]
struct Place {
    file: Arc<PathBuf>,
    offset: u64,
    len: usize,
    dtype: DType,
    shape: Vec<usize>,
}

/// What a network asked for and did not get.
#[derive(Clone, Debug)]
pub(crate) struct Misfit {
    tensor: String,
    expected: String,
    found: String,
}

impl Misfit {
    pub(crate) fn of(self, path: PathBuf) -> DiffusionError {
        DiffusionError::Shape {
            path,
            tensor: self.tensor,
            expected: self.expected,
            found: self.found,
        }
    }
}

/// The tensors of one component.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    tensors: HashMap<String, Place>,
    /// The first tensor that was asked for and did not fit.
    misfit: Arc<Mutex<Option<Misfit>>>,
}

impl Place {
    fn read(&self, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let mut file = File::open(self.file.as_path())?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = vec![0; self.len];
        file.read_exact(&mut bytes)?;
        Tensor::from_raw_buffer(&bytes, self.dtype, &self.shape, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Store {
    /// Reads the headers of the weights in `dir` whose file is named `stem`.safetensors, a shard
    /// index of it, or their `.fp16` variant; `half` asks for the variant first.
    pub(crate) fn open(dir: &Path, stem: &str, half: bool) -> Result<Self> {
        let mut store = Self::default();
        for name in files(dir, stem, half)? {
            store.add(&dir.join(name))?;
        }
        Ok(store)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let io = |source| DiffusionError::Io {
            path: path.into(),
            source,
        };
        let malformed = |reason: String| DiffusionError::Malformed {
            path: path.into(),
            reason,
        };
        let mut file = File::open(path).map_err(io)?;
        let found_bytes = file.metadata().map_err(io)?.len();
        let truncated = |expected_bytes| DiffusionError::Truncated {
            path: path.into(),
            expected_bytes,
            found_bytes,
        };
        let mut length = [0; 8];
        if found_bytes < 8 {
            return Err(truncated(8));
        }
        file.read_exact(&mut length).map_err(io)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES {
            return Err(malformed(format!("a header of {header_bytes} bytes")));
        }
        if header_bytes + 8 > found_bytes {
            return Err(truncated(header_bytes + 8));
        }
        let mut header = Vec::new();
        file.take(header_bytes)
            .read_to_end(&mut header)
            .map_err(io)?;
        // Checks that offsets follow each other and fit shapes and formats.
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| malformed(e.to_string()))?;
        let expected_bytes = (8 + header_bytes).saturating_add(metadata.data_len() as u64);
        if expected_bytes > found_bytes {
            return Err(truncated(expected_bytes));
        }
        let shared = Arc::new(path.to_owned());
        for (name, info) in metadata.tensors() {
            let dtype = match info.dtype {
                Dtype::F32 => DType::F32,
                Dtype::F16 => DType::F16,
                Dtype::BF16 => DType::BF16,
                Dtype::F64 => DType::F64,
                Dtype::I64 => DType::I64,
                // Eight-bit and other formats are never asked for by the networks here.
                _ => continue,
            };
            let (start, end) = info.data_offsets;
            let place = Place {
                file: Arc::clone(&shared),
                offset: 8 + header_bytes + start as u64,
                len: end.saturating_sub(start),
                dtype,
                shape: info.shape.clone(),
            };
            self.tensors.insert(name, place);
        }
        Ok(())
    }

    /// Numbers in all tensors.
    pub(crate) fn parameters(&self) -> u64 {
        let count = |p: &Place| p.shape.iter().map(|&n| n as u64).product::<u64>();
        self.tensors.values().map(count).sum()
    }

    /// Bytes of all tensors on disk.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.tensors.values().map(|p| p.len as u64).sum()
    }

    /// The first tensor that a network asked for in vain.
    pub(crate) fn misfit(&self) -> Option<Misfit> {
        self.misfit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn refuse(&self, tensor: &str, expected: String, found: String) -> candle_core::Error {
        let message = format!("tensor {tensor}: needs {expected}, found {found}");
        self.misfit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(Misfit {
                tensor: tensor.to_owned(),
                expected,
                found,
            });
        candle_core::Error::Msg(message)
    }
}

impl SimpleBackend for Store {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let wanted = shape.dims();
        let Some(place) = self.tensors.get(name) else {
            return Err(self.refuse(name, format!("{wanted:?}"), "nothing".into()));
        };
        if place.shape != wanted {
            let found = format!("{:?}", place.shape);
            return Err(self.refuse(name, format!("{wanted:?}"), found));
        }
        place.read(dtype, device)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        match self.tensors.get(name) {
            Some(place) => place.read(dtype, device),
            None => Err(self.refuse(name, "any".into(), "nothing".into())),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

/// The names of the files that hold the weights, whole or in shards.
fn files(dir: &Path, stem: &str, half: bool) -> Result<BTreeSet<String>> {
    let mut variants = ["", ".fp16"];
    if half {
        variants.reverse();
    }
    for variant in variants {
        let single = format!("{stem}{variant}.safetensors");
        if dir.join(&single).is_file() {
            return Ok(BTreeSet::from([single]));
        }
        // diffusers has written the variant in both places.
        for index in [
            format!("{stem}{variant}.safetensors.index.json"),
            format!("{stem}.safetensors.index{variant}.json"),
        ] {
            let path = dir.join(&index);
            if path.is_file() {
                return shards(&path);
            }
        }
    }
    let pickled = [
        format!("{stem}.bin"),
        format!("{}.bin", stem.replace("model", "pytorch_model")),
    ];
    let hint = if pickled.iter().any(|name| dir.join(name).is_file()) {
        "only pickled weights (.bin) lie there: take the safetensors variant of the checkpoint, or \
         save it once with safe_serialization=True"
    } else {
        "fetch the checkpoint again, with its safetensors files"
    };
    Err(DiffusionError::Missing {
        what: "the file of weights".into(),
        path: dir.join(format!("{stem}.safetensors")),
        hint: hint.into(),
    })
}

fn shards(path: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read(path).map_err(|source| DiffusionError::Io {
        path: path.into(),
        source,
    })?;
    let index: Index = serde_json::from_slice(&text).map_err(|e| DiffusionError::Config {
        path: path.into(),
        reason: e.to_string(),
    })?;
    let dir = path.parent().unwrap_or(Path::new("."));
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    for name in &names {
        // A shard's name is a file beside the index, never a way out of the directory.
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(DiffusionError::Config {
                path: path.into(),
                reason: format!("{name:?} is no file name"),
            });
        }
        if !dir.join(name).is_file() {
            return Err(DiffusionError::Missing {
                what: "a shard of the weights".into(),
                path: dir.join(name),
                hint: "fetch it: the index beside it names it".into(),
            });
        }
    }
    Ok(names)
}
