//! What can go wrong, with the values and what would mend it.

use std::path::PathBuf;

use albumen_weights::WeightsError;

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum DiffusionError {
    /// A file or directory of the checkpoint is not there.
    #[error("{what} is missing: {} is not there\n  hint: {hint}", path.display())]
    Missing {
        /// What it is.
        what: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What would mend it.
        hint: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}\n  hint: check its permissions and the disk", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: std::io::Error,
    },
    /// A configuration file that cannot be read or used.
    #[error(
        "{}: {reason}\n  hint: fetch the checkpoint again, in the directory layout of diffusers",
        path.display()
    )]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A pipeline, model, scheduler or setting that this crate does not have.
    #[error("{}: {what} {found:?} is not supported\n  hint: supported are {supported}", path.display())]
    Unsupported {
        /// The file that names it.
        path: PathBuf,
        /// What kind of thing it is.
        what: &'static str,
        /// The name found.
        found: String,
        /// The names that are supported.
        supported: String,
    },
    /// What else can be wrong with the weights' files.
    #[error(transparent)]
    Files(albumen_models::Error),
    /// The weights are not those of the configuration.
    #[error(transparent)]
    Weights(WeightsError),
    /// A tokenizer that cannot be built, or refuses a text.
    #[error(
        "tokenizer {}: {reason}\n  hint: it must be the one that came with the checkpoint",
        path.display()
    )]
    Tokenizer {
        /// The tokenizer's file or directory.
        path: PathBuf,
        /// The library's message.
        reason: String,
    },
    /// Settings that no picture can be drawn with.
    #[error("{0}")]
    Settings(String),
    /// The device refused, or ran out of memory.
    #[error(
        "the device refused: {0}\n  hint: where memory is short, lower the batch or the size, or switch on attention slicing and VAE tiling"
    )]
    Device(#[from] candle_core::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, DiffusionError>;

impl From<albumen_models::Error> for DiffusionError {
    fn from(error: albumen_models::Error) -> Self {
        match error {
            albumen_models::Error::MissingFile { path, file } => Self::Missing {
                what: "a file of the weights".into(),
                path: path.join(file),
                hint: "fetch the checkpoint again, with its safetensors files; one with pickled weights (.bin) \
                       alone is to be saved once with safe_serialization=True"
                    .into(),
            },
            albumen_models::Error::Io { path, source } => Self::Io { path, source },
            other => Self::Files(other),
        }
    }
}

impl From<WeightsError> for DiffusionError {
    fn from(error: WeightsError) -> Self {
        match error {
            WeightsError::Files(error) => error.into(),
            WeightsError::Tensor(error) => Self::Device(error),
            other => Self::Weights(other),
        }
    }
}
