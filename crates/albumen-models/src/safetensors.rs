//! What a safetensors file says of itself: tensors, shapes, formats. No weight is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ::safetensors::tensor::Metadata;

pub use ::safetensors::tensor::Dtype;

use crate::error::Error;

/// The format's own limit on its header.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Where its data begin in the file, in bytes.
    pub offset: u64,
    /// Length of its data, in bytes.
    pub len: usize,
    /// Its number format.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Size of the file.
    pub bytes: u64,
    /// Its tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Tensor {
    /// How many numbers it holds.
    pub fn numbers(&self) -> u64 {
        self.shape.iter().map(|d| *d as u64).product()
    }
}

impl Header {
    /// Reads the header, and holds the size of the file against it.
    ///
    /// # Errors
    /// [`Error::Truncated`] where the file ends before its last tensor, [`Error::Malformed`] where the
    /// header contradicts itself or the file is longer, [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io {
            path: path.into(),
            source,
        };
        let malformed = |reason: String| Error::Malformed {
            path: path.into(),
            reason,
        };
        let mut file = File::open(path).map_err(io)?;
        let found_bytes = file.metadata().map_err(io)?.len();
        let whole = |expected_bytes: u64| {
            if expected_bytes > found_bytes {
                return Err(Error::Truncated {
                    path: path.into(),
                    expected_bytes,
                    found_bytes,
                });
            }
            Ok(())
        };
        whole(8)?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(io)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES {
            return Err(malformed(format!(
                "it claims a header of {header_bytes} bytes"
            )));
        }
        whole(8 + header_bytes)?;
        let mut header = Vec::new();
        file.take(header_bytes)
            .read_to_end(&mut header)
            .map_err(io)?;
        // Checks that offsets follow each other and fit shapes and formats.
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| malformed(e.to_string()))?;
        let expected_bytes = (8 + header_bytes).saturating_add(metadata.data_len() as u64);
        whole(expected_bytes)?;
        if expected_bytes < found_bytes {
            return Err(malformed(format!(
                "{found_bytes} bytes where its header says {expected_bytes}"
            )));
        }
        let tensors = metadata.tensors().into_iter().map(|(name, info)| {
            let (start, end) = info.data_offsets;
            let tensor = Tensor {
                offset: 8 + header_bytes + start as u64,
                len: end.saturating_sub(start),
                dtype: info.dtype,
                shape: info.shape.clone(),
            };
            (name, tensor)
        });
        Ok(Self {
            bytes: found_bytes,
            tensors: tensors.collect(),
        })
    }
}
