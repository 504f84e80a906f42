//! Shapes of published models, for estimates before anything is fetched.
//!
//! `known.json` is written by scripts/golden/models_known.py from the configurations that each model
//! publishes on the hub, with the parameters counted by transformers and diffusers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;

use crate::inspect::Part;
use crate::kind::{Architecture, by_class};
use crate::layout::MODEL_INDEX;

/// A published model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Known {
    /// `OWNER/NAME` on the hub.
    pub repository: String,
    class: String,
    parts: BTreeMap<String, u64>,
    /// Its configurations by file name.
    pub files: BTreeMap<String, Value>,
}

impl Known {
    /// The model of a repository, where its shape is known.
    pub fn of(repository: &str) -> Option<Self> {
        Self::all().into_iter().find(|k| k.repository == repository)
    }

    /// Every one.
    pub fn all() -> Vec<Self> {
        // A test reads the table; damage leaves it empty.
        serde_json::from_str(include_str!("known.json")).unwrap_or_default()
    }

    /// What it is.
    pub fn architecture(&self) -> Option<&'static Architecture> {
        by_class(&self.class)
    }

    /// Its parts, without sizes in files.
    pub fn parts(&self) -> Vec<Part> {
        let part = |(name, parameters): (&String, &u64)| Part {
            name: name.clone(),
            class: None,
            parameters: *parameters,
            bytes: 0,
            dtypes: BTreeMap::new(),
        };
        self.parts.iter().map(part).collect()
    }

    /// Its parameters, all parts together.
    pub fn parameters(&self) -> u64 {
        self.parts.values().sum()
    }

    /// Writes a directory with the model's configurations, and files of weights that have headers but
    /// hold nothing (their data are holes, which take no room on a disk): all that an estimate reads.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sketch(&self, dir: &Path) -> Result<(), Error> {
        for (name, value) in &self.files {
            let path = dir.join(name);
            write(&path, value.to_string().as_bytes(), 0)?;
        }
        for (name, parameters) in &self.parts {
            let path = match self.files.contains_key(MODEL_INDEX) {
                // Parts of transformers in a pipeline have the other name for their weights.
                true if name.starts_with("text_encoder") => {
                    dir.join(name).join("model.safetensors")
                }
                true => dir.join(name).join("diffusion_pytorch_model.safetensors"),
                false => dir.join("model.safetensors"),
            };
            let length = 2 * parameters;
            let header = json!({
                "weights": {"dtype": "BF16", "shape": [parameters], "data_offsets": [0, length]},
            });
            let header = header.to_string();
            let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
            write(&path, &bytes, length)?;
        }
        Ok(())
    }
}

/// Writes a file, and as many bytes of nothing after it.
fn write(path: &Path, bytes: &[u8], nothing: u64) -> Result<(), Error> {
    let to_file = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64 + nothing)
    };
    to_file().map_err(|source| Error::Io {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_table_reads_and_every_row_can_be_loaded() {
        let all = Known::all();
        assert_eq!(all.len(), 9);
        for known in &all {
            assert!(known.architecture().is_some(), "{}", known.repository);
            assert!(known.parameters() > 100_000_000, "{}", known.repository);
        }
        // As the hub counts them.
        let qwen = Known::of("Qwen/Qwen3-VL-8B-Instruct").map(|k| k.parameters());
        assert_eq!(qwen, Some(8_767_123_696));
        assert_eq!(Known::of("nobody/nothing"), None);
    }

    #[test]
    fn a_sketch_has_the_shape_of_the_model_and_takes_no_room() {
        for known in Known::all() {
            let dir = tempfile::tempdir().unwrap();
            known.sketch(dir.path()).unwrap();
            assert_eq!(
                crate::detect(dir.path()).ok(),
                known.architecture(),
                "{}",
                known.repository
            );
            let parts = crate::inspect::parts(dir.path(), true).unwrap();
            let counted: u64 = parts.iter().map(|p| p.parameters).sum();
            assert_eq!(counted, known.parameters(), "{}", known.repository);
            #[cfg(target_os = "linux")]
            for entry in walkdir::WalkDir::new(dir.path()) {
                use std::os::unix::fs::MetadataExt;
                assert!(entry.unwrap().metadata().unwrap().blocks() < 1000);
            }
        }
    }
}
