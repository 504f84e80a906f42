//! Where each tensor lies, and how a network gets it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use albumen_models::layout::headers;
use albumen_models::safetensors::{Dtype, Tensor as Stored};
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use half::{bf16, f16};

use crate::error::{Result, WeightsError};

/// The formats that a network can be given.
const SUPPORTED: &str = "F32, F16 and BF16";

/// The tensors of one directory.
#[derive(Debug)]
pub struct Weights {
    dir: PathBuf,
    tensors: BTreeMap<String, Place>,
    file_bytes: u64,
}

/// Where a tensor's bytes are.
#[derive(Debug)]
struct Place {
    file: Arc<PathBuf>,
    tensor: Stored,
}

impl Weights {
    /// Reads the headers of the weights in `dir`: one file, shards with their index, or the `fp16`
    /// variant of either, which `half` prefers. `name` gives a tensor's name to networks by its name in
    /// the file, so that they need not know of every release that saved it.
    ///
    /// # Errors
    /// Those of [`headers`].
    pub fn open(
        dir: &Path,
        half: bool,
        name: impl Fn(&str) -> String,
    ) -> Result<Self, albumen_models::Error> {
        let mut weights = Self {
            dir: dir.into(),
            tensors: BTreeMap::new(),
            file_bytes: 0,
        };
        for (file, header) in headers(dir, half)? {
            let file = Arc::new(file);
            weights.file_bytes += header.bytes;
            for (stored, tensor) in header.tensors {
                let file = Arc::clone(&file);
                let place = Place { file, tensor };
                weights.tensors.insert(name(&stored), place);
            }
        }
        Ok(weights)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Bytes of all files.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Numbers in all tensors that a network can be given; tables of positions and the like are none.
    pub fn parameters(&self) -> u64 {
        let given = self.tensors.values().filter(|p| p.format().is_some());
        given.map(|p| p.tensor.numbers()).sum()
    }

    /// Bytes on disk of the same.
    pub fn parameter_bytes(&self) -> u64 {
        let given = self.tensors.values().filter(|p| p.format().is_some());
        given.map(|p| p.tensor.len as u64).sum()
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor's shape and the format that it is stored in.
    pub fn describe(&self, name: &str) -> Option<(&[usize], Dtype)> {
        let tensor = &self.tensors.get(name)?.tensor;
        Some((&tensor.shape, tensor.dtype))
    }

    /// Fails where there is no such tensor, or one that no network can be given.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] and [`WeightsError::Format`].
    pub fn check(&self, name: &str) -> Result<()> {
        self.place(name).map(drop)
    }

    /// Fails where any tensor of numbers with a fraction is in a format that no network can be given:
    /// quantised weights are refused before one is asked for.
    ///
    /// # Errors
    /// [`WeightsError::Format`].
    pub fn check_all(&self) -> Result<()> {
        let whole = |dtype| matches!(dtype, Dtype::I64 | Dtype::I32 | Dtype::U8 | Dtype::BOOL);
        let mut wanted = self.tensors.iter().filter(|(_, p)| !whole(p.tensor.dtype));
        wanted.try_for_each(|(name, _)| self.check(name))
    }

    /// A tensor's numbers in f32, row-major.
    ///
    /// # Errors
    /// Those of [`Weights::check`], and [`WeightsError::Files`] where its file cannot be read.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        let (place, format) = self.place(name)?;
        let bytes = place.read()?;
        let pairs = || bytes.as_chunks().0.iter();
        Ok(match format {
            DType::F16 => pairs().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            DType::BF16 => pairs().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            _ => {
                let (numbers, _) = bytes.as_chunks();
                numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
            }
        })
    }

    /// Builds a network over the tensors, converted to `dtype` on `device`.
    ///
    /// # Errors
    /// What was wrong with the first tensor that the network asked for in vain, and
    /// [`WeightsError::Tensor`] for what else it says.
    pub fn build<T>(
        self,
        dtype: DType,
        device: &Device,
        network: impl FnOnce(VarBuilder<'static>) -> candle_core::Result<T>,
    ) -> Result<T> {
        let refused = Arc::default();
        let source = Source {
            weights: self,
            refused: Arc::clone(&refused),
        };
        let builder = VarBuilder::from_backend(Box::new(source), dtype, device.clone());
        network(builder).map_err(|error| {
            let first = refused
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            first.unwrap_or(WeightsError::Tensor(error))
        })
    }

    fn place(&self, name: &str) -> Result<(&Place, DType)> {
        let Some(place) = self.tensors.get(name) else {
            return Err(WeightsError::Missing {
                path: self.dir.clone(),
                tensor: name.into(),
            });
        };
        match place.format() {
            Some(format) => Ok((place, format)),
            None => Err(WeightsError::Format {
                path: place.file.to_path_buf(),
                tensor: name.into(),
                found: format!("{:?}", place.tensor.dtype),
                supported: SUPPORTED,
            }),
        }
    }
}

impl Place {
    fn format(&self) -> Option<DType> {
        match self.tensor.dtype {
            Dtype::F32 => Some(DType::F32),
            Dtype::F16 => Some(DType::F16),
            Dtype::BF16 => Some(DType::BF16),
            _ => None,
        }
    }

    fn read(&self) -> Result<Vec<u8>, albumen_models::Error> {
        let io = |source| albumen_models::Error::Io {
            path: self.file.to_path_buf(),
            source,
        };
        let mut file = File::open(self.file.as_path()).map_err(io)?;
        file.seek(SeekFrom::Start(self.tensor.offset)).map_err(io)?;
        let mut bytes = vec![0; self.tensor.len];
        file.read_exact(&mut bytes).map_err(io)?;
        Ok(bytes)
    }
}

/// The tensors as candle's networks ask for them.
struct Source {
    weights: Weights,
    /// What was wrong with the first tensor that could not be given: candle's own error cannot carry it.
    refused: Arc<Mutex<Option<WeightsError>>>,
}

impl Source {
    fn read(
        &self,
        name: &str,
        expected: Option<&Shape>,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let (place, format) = self.weights.place(name)?;
        let found = &place.tensor.shape;
        if let Some(expected) = expected.filter(|e| e.dims() != found) {
            return Err(WeightsError::Shape {
                path: place.file.to_path_buf(),
                tensor: name.into(),
                expected: expected.dims().into(),
                found: found.clone(),
            });
        }
        let bytes = place.read()?;
        let raw = Tensor::from_raw_buffer(&bytes, format, found, &Device::Cpu)?;
        Ok(raw.to_dtype(dtype)?.to_device(device)?)
    }

    fn give(
        &self,
        name: &str,
        expected: Option<&Shape>,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.read(name, expected, dtype, device).map_err(|problem| {
            let message = problem.to_string();
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.get_or_insert(problem);
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
        self.weights.tensors.contains_key(name)
    }
}
