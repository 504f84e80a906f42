//! A directory with `config.json` and one `model.safetensors`, or shards with their index.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata};
use serde::Deserialize;

use super::error::LoadError;
use super::names::Naming;
use super::source::Source;

pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// The format's own limit on its header.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Where a tensor's bytes are.
struct Place {
    file: PathBuf,
    offset: u64,
    len: usize,
    dtype: Dtype,
    shape: Vec<usize>,
}

/// The headers of all files of a directory.
pub(super) struct Directory {
    path: PathBuf,
    tensors: HashMap<String, Place>,
    bytes: u64,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Directory {
    /// Reads the headers; the data stays on disk.
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let mut directory = Self {
            path: path.into(),
            tensors: HashMap::new(),
            bytes: 0,
        };
        for name in files(path)? {
            directory.add(&path.join(name))?;
        }
        Ok(directory)
    }

    fn add(&mut self, path: &Path) -> Result<(), LoadError> {
        let io = |source| LoadError::Io {
            path: path.into(),
            source,
        };
        let malformed = |reason: String| LoadError::Malformed {
            path: path.into(),
            reason,
        };
        let mut file = File::open(path).map_err(io)?;
        let found_bytes = file.metadata().map_err(io)?.len();
        let mut length = [0; 8];
        if found_bytes < 8 {
            return Err(LoadError::Truncated {
                path: path.into(),
                expected_bytes: 8,
                found_bytes,
            });
        }
        file.read_exact(&mut length).map_err(io)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES {
            return Err(malformed(format!(
                "it claims a header of {header_bytes} bytes"
            )));
        }
        if header_bytes + 8 > found_bytes {
            return Err(LoadError::Truncated {
                path: path.into(),
                expected_bytes: header_bytes + 8,
                found_bytes,
            });
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
            return Err(LoadError::Truncated {
                path: path.into(),
                expected_bytes,
                found_bytes,
            });
        }
        if expected_bytes < found_bytes {
            return Err(malformed(format!(
                "{found_bytes} bytes where its header says {expected_bytes}"
            )));
        }
        self.bytes += found_bytes;
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let place = Place {
                file: path.into(),
                offset: 8 + header_bytes + start as u64,
                len: end.saturating_sub(start),
                dtype: info.dtype,
                shape: info.shape.clone(),
            };
            self.tensors.insert(name, place);
        }
        Ok(())
    }
}

/// Names of the weight files, each a plain name within the directory.
fn files(path: &Path) -> Result<BTreeSet<String>, LoadError> {
    let index = path.join(INDEX);
    if path.join(SINGLE).is_file() {
        return Ok(BTreeSet::from([SINGLE.to_owned()]));
    }
    if !index.is_file() {
        return Err(LoadError::MissingFile {
            path: path.into(),
            file: format!("{SINGLE} or {INDEX}"),
        });
    }
    let names = shards(&index)?;
    for name in &names {
        if !path.join(name).is_file() {
            return Err(LoadError::MissingFile {
                path: path.into(),
                file: name.clone(),
            });
        }
    }
    Ok(names)
}

/// The files that an index names.
pub(super) fn shards(index: &Path) -> Result<BTreeSet<String>, LoadError> {
    let text = std::fs::read_to_string(index).map_err(|source| LoadError::Io {
        path: index.into(),
        source,
    })?;
    let malformed = |reason: String| LoadError::Malformed {
        path: index.into(),
        reason,
    };
    let parsed: Index = serde_json::from_str(&text).map_err(|e| malformed(e.to_string()))?;
    let names: BTreeSet<String> = parsed.weight_map.into_values().collect();
    // An index may come from anywhere: it must not lead out of its directory.
    let outside = |name: &&String| Path::new(name).file_name() != Some(name.as_ref());
    match names.iter().find(outside) {
        Some(name) => Err(malformed(format!(
            "it names the file {name:?} outside its directory"
        ))),
        None => Ok(names),
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
            .map(|t| (t.shape.as_slice(), format!("{:?}", t.dtype)))
    }

    fn readable(&self, name: &str) -> Result<(), LoadError> {
        let dtype = self.tensors.get(name).map(|t| t.dtype);
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
        file.seek(SeekFrom::Start(place.offset)).map_err(io)?;
        let mut bytes = vec![0; place.len];
        file.read_exact(&mut bytes).map_err(io)?;
        let pairs = || bytes.as_chunks().0.iter();
        Ok(match place.dtype {
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
