//! What can be wrong with a checkpoint.

use std::path::PathBuf;

use thiserror::Error;

use crate::config::{ConfigError, Family};

/// A checkpoint that cannot be loaded, and what would mend it.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The operating system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Its reason.
        #[source]
        source: std::io::Error,
    },
    /// Neither of the two kinds of checkpoint.
    #[error(
        "{path} is not a checkpoint: give a .gguf file, or a directory with config.json and model.safetensors"
    )]
    NotACheckpoint {
        /// What was given.
        path: PathBuf,
    },
    /// A file of the checkpoint is absent.
    #[error("{path} has no {file}; copy it from where the checkpoint came from")]
    MissingFile {
        /// The directory.
        path: PathBuf,
        /// The file's name.
        file: String,
    },
    /// Another architecture than the supported ones.
    #[error("{path}: the architecture is {found}; supported are {}", supported())]
    Architecture {
        /// The file that names it.
        path: PathBuf,
        /// Its name.
        found: String,
    },
    /// A configuration that makes no model, or one with a feature that is not supported.
    #[error("{path}: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The key, its value, and what it must be.
        reason: String,
    },
    /// A weights file ends before its last tensor does.
    #[error("{path} is cut short: {found_bytes} bytes of {expected_bytes}; download it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes it must have.
        expected_bytes: u64,
        /// Bytes it has.
        found_bytes: u64,
    },
    /// A weights file that does not follow its own format.
    #[error("{path} is damaged or cut short ({reason}); download it again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        reason: String,
    },
    /// The configuration asks for a tensor that no file holds.
    #[error(
        "{path} has no tensor {name}; config and weights do not belong together, or a shard is missing"
    )]
    MissingTensor {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor of another shape than the configuration says.
    #[error(
        "{path}: tensor {name} has shape {found:?}, but the configuration needs {expected:?}; config and weights do not belong together"
    )]
    Shape {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// A tensor in a number format that cannot be read.
    #[error("{path}: tensor {name} is stored as {found}; supported are {supported}")]
    Dtype {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its format.
        found: String,
        /// The formats that can be read.
        supported: &'static str,
    },
    /// What else can be wrong with a model's files.
    #[error(transparent)]
    Files(albumen_models::Error),
    /// The checkpoint's tokenizer is absent or cannot be built.
    #[error("{path}: {reason}")]
    Tokenizer {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong, and what would mend it.
        reason: String,
    },
}

impl From<albumen_models::Error> for LoadError {
    fn from(error: albumen_models::Error) -> Self {
        use albumen_models::Error as Files;
        match error {
            Files::Io { path, source } => Self::Io { path, source },
            Files::MissingFile { path, file } => Self::MissingFile { path, file },
            Files::Malformed { path, reason } => Self::Malformed { path, reason },
            Files::Truncated {
                path,
                expected_bytes,
                found_bytes,
            } => Self::Truncated {
                path,
                expected_bytes,
                found_bytes,
            },
            other => Self::Files(other),
        }
    }
}

impl LoadError {
    pub(crate) fn from_config(path: PathBuf, error: ConfigError) -> Self {
        match error {
            ConfigError::Architecture(found) => Self::Architecture { path, found },
            ConfigError::Invalid(reason) => Self::Config { path, reason },
        }
    }
}

fn supported() -> String {
    Family::ALL.map(Family::architecture).join(", ")
}
