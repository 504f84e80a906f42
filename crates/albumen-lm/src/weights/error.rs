//! What can be wrong with a checkpoint.

use std::path::PathBuf;

use albumen_weights::WeightsError;
use thiserror::Error;

use crate::config::{ConfigError, Family};

/// A checkpoint that cannot be loaded, and what would mend it.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Neither of the two kinds of checkpoint.
    #[error(
        "{path} is not a checkpoint: give a .gguf file, or a directory with config.json and model.safetensors"
    )]
    NotACheckpoint {
        /// What was given.
        path: PathBuf,
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
    /// The tensors are not those that the configuration asks for, or cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file is absent, cut short, damaged or out of reach.
    #[error(transparent)]
    Files(#[from] albumen_models::Error),
    /// The checkpoint's tokenizer is absent or cannot be built.
    #[error("{path}: {reason}")]
    Tokenizer {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong, and what would mend it.
        reason: String,
    },
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
