//! The one error type of this crate.

use std::path::{Path, PathBuf};

use albumen_weights::WeightsError;

/// What can go wrong with a model's directory, a photo or a forward pass.
#[derive(Debug, thiserror::Error)]
pub enum CaptionerError {
    /// A file of the model is not where it should be.
    #[error(
        "{what} is missing: {} is not there\n  hint: a captioner is a directory as the Hugging Face hub has it; {mend}",
        path.display()
    )]
    MissingFile {
        /// Where the file was looked for.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What brings it.
        mend: &'static str,
    },
    /// A file is there but cannot be read.
    #[error("cannot read {}: {source}\n  hint: check its permissions and the disk", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: std::io::Error,
    },
    /// A file's bytes are not in the format that they should be in.
    #[error(
        "{} is damaged: {reason}\n  hint: it may be cut short: fetch the model again",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// What else can be wrong with the weights' files.
    #[error(transparent)]
    Files(albumen_models::Error),
    /// A configuration lacks a value, or has one that cannot be used.
    #[error("{}: `{key}` {reason}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The key, with the tables that it is in.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The checkpoint is of an architecture that is not a captioner, or not one of ours.
    #[error(
        "{} is a checkpoint of the architecture {found}, which does not caption here\n  hint: supported are {supported}",
        path.display()
    )]
    Architecture {
        /// The configuration file.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is supported.
        supported: String,
    },
    /// The weights are not those of the configuration.
    #[error(transparent)]
    Weights(WeightsError),
    /// A tokenizer cannot be used, or refuses a text.
    #[error(
        "tokenizer {}: {reason}\n  hint: it must be the tokenizer.json that came with the model",
        path.display()
    )]
    Tokenizer {
        /// The tokenizer file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The settings cannot be used with this model.
    #[error("cannot caption with these settings: {reason}")]
    Settings {
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// A photo cannot be used.
    #[error("cannot use the photo: {reason}")]
    Photo {
        /// What is wrong with it and how to mend it.
        reason: String,
    },
    /// The model's numbers are not finite.
    #[error(
        "the model's scores are not finite numbers\n  hint: its weights are damaged, or overflow in this precision: try f32 or bf16 instead of f16"
    )]
    NotFinite,
    /// The tensor library failed.
    #[error("tensor computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, CaptionerError>;

impl From<albumen_models::Error> for CaptionerError {
    fn from(error: albumen_models::Error) -> Self {
        match error {
            albumen_models::Error::MissingFile { path, file } => Self::MissingFile {
                path: path.join(file),
                what: "a file of the weights",
                mend: "download model.safetensors, or every shard with model.safetensors.index.json (weights as \
                       pytorch_model.bin must be converted to safetensors)",
            },
            albumen_models::Error::Io { path, source } => Self::Io { path, source },
            other => Self::Files(other),
        }
    }
}

impl From<WeightsError> for CaptionerError {
    fn from(error: WeightsError) -> Self {
        match error {
            WeightsError::Files(error) => error.into(),
            WeightsError::Tensor(error) => Self::Tensor(error),
            other => Self::Weights(other),
        }
    }
}

/// A file's text, or the error that tells a missing one from an unreadable one.
pub(crate) fn read_text(path: &Path, what: &'static str, mend: &'static str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => CaptionerError::MissingFile {
            path: path.to_owned(),
            what,
            mend,
        },
        std::io::ErrorKind::InvalidData => CaptionerError::Format {
            path: path.to_owned(),
            reason: "it is not text".to_owned(),
        },
        _ => CaptionerError::Io {
            path: path.to_owned(),
            source,
        },
    })
}
