//! Safetensors files, single or sharded: headers are read and checked at once, tensors when a
//! network asks for them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use albumen_models::layout::headers;
use albumen_models::safetensors::{Dtype, Tensor as Stored};
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;

use crate::error::{DiffusionError, Result};

/// Where a tensor's bytes are.
#[derive(Clone, Debug)]
struct Place {
    file: Arc<PathBuf>,
    tensor: Stored,
    dtype: DType,
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
        file.seek(SeekFrom::Start(self.tensor.offset))?;
        let mut bytes = vec![0; self.tensor.len];
        file.read_exact(&mut bytes)?;
        Tensor::from_raw_buffer(&bytes, self.dtype, &self.tensor.shape, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)
    }
}

impl Store {
    /// Reads the headers of the weights in `dir`: one file, shards with their index, or their `.fp16`
    /// variant; `half` asks for the variant first.
    pub(crate) fn open(dir: &Path, half: bool) -> Result<Self> {
        let mut store = Self::default();
        for (file, header) in headers(dir, half)? {
            let file = Arc::new(file);
            for (name, tensor) in header.tensors {
                let dtype = match tensor.dtype {
                    Dtype::F32 => DType::F32,
                    Dtype::F16 => DType::F16,
                    Dtype::BF16 => DType::BF16,
                    Dtype::F64 => DType::F64,
                    Dtype::I64 => DType::I64,
                    // Eight-bit and other formats are never asked for by the networks here.
                    _ => continue,
                };
                let place = Place {
                    file: Arc::clone(&file),
                    tensor,
                    dtype,
                };
                store.tensors.insert(name, place);
            }
        }
        Ok(store)
    }

    /// Numbers in all tensors.
    pub(crate) fn parameters(&self) -> u64 {
        self.tensors.values().map(|p| p.tensor.numbers()).sum()
    }

    /// Bytes of all tensors on disk.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.tensors.values().map(|p| p.tensor.len as u64).sum()
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
        if place.tensor.shape != wanted {
            let found = format!("{:?}", place.tensor.shape);
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
