//! The one error type of this crate.

use std::path::PathBuf;

use thiserror::Error;

/// Weights that cannot be had, and what would mend it.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// A network asks for a tensor that no file holds.
    #[error(
        "{} has no tensor {tensor}\n  hint: config.json and the weights do not belong together, or a shard is \
         missing: fetch both again",
        path.display()
    )]
    Missing {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor of another shape than the configuration says.
    #[error(
        "{}: tensor {tensor} has shape {found:?}, but the configuration needs {expected:?}\n  hint: config.json \
         and the weights do not belong together: fetch both again",
        path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// A tensor in a number format that cannot be read.
    #[error(
        "{}: tensor {tensor} is stored as {found}\n  hint: take a checkpoint in one of {supported}",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its format.
        found: String,
        /// The formats that can be read.
        supported: &'static str,
    },
    /// The files cannot be read.
    #[error(transparent)]
    Files(#[from] albumen_models::Error),
    /// The tensor library or its device refused.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// The result of this crate's functions.
pub type Result<T, E = WeightsError> = std::result::Result<T, E>;
