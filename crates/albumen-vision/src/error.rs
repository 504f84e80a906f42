//! The one error type of this crate.

use std::path::{Path, PathBuf};

use albumen_weights::WeightsError;

/// What can go wrong with a model file, a picture or a forward pass.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// A model file is not where it should be.
    #[error(
        "model file {} is missing; fetch it with `albumen assets fetch` (or `make assets`), or set ALBUMEN_HOME",
        path.display()
    )]
    MissingFile {
        /// Where the file was looked for.
        path: PathBuf,
    },
    /// A file is there but cannot be read.
    #[error("cannot read {}: {source}; check its permissions and the disk", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: std::io::Error,
    },
    /// A file's bytes are not in the format that they should be in.
    #[error(
        "{} is not a valid {format} file at byte {offset}: {reason}; it may be cut short or damaged: fetch it again with `albumen assets fetch`",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The format that was expected.
        format: &'static str,
        /// Where reading stopped, in bytes from the start.
        offset: usize,
        /// What was wrong there.
        reason: String,
    },
    /// A file is not the one that this program was made for.
    #[error(
        "{} is not the file that is wanted: its SHA-256 is {found}, not {expected}\n  hint: it may be cut short or damaged: fetch it again with `albumen assets fetch`",
        path.display()
    )]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// The hash that it should have.
        expected: &'static str,
        /// The hash that it has.
        found: String,
    },
    /// A checkpoint lacks a tensor or has it in another shape.
    #[error(
        "tensor `{tensor}` of {}: expected shape {expected:?}, found {found}; this is the checkpoint of another architecture",
        path.display()
    )]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// The shape in the file, or "nothing".
        found: String,
    },
    /// The weights are cut short, damaged, or not those of the configuration.
    #[error(transparent)]
    Weights(WeightsError),
    /// A tokenizer file cannot be used, or refuses a text.
    #[error("tokenizer {}: {reason}; it must be the tokenizer.json that came with the model", path.display())]
    Tokenizer {
        /// The tokenizer file.
        path: PathBuf,
        /// The tokenizer library's message.
        reason: String,
    },
    /// A picture cannot be used.
    #[error("cannot use the picture: {reason}")]
    Picture {
        /// What is wrong with it and how to mend it.
        reason: String,
    },
    /// The tensor library failed.
    #[error("tensor computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, VisionError>;

impl From<albumen_models::Error> for VisionError {
    fn from(error: albumen_models::Error) -> Self {
        match error {
            albumen_models::Error::MissingFile { path, file } => Self::MissingFile {
                path: path.join(file),
            },
            other => Self::Weights(other.into()),
        }
    }
}

impl From<WeightsError> for VisionError {
    fn from(error: WeightsError) -> Self {
        match error {
            WeightsError::Files(error) => error.into(),
            WeightsError::Tensor(error) => Self::Tensor(error),
            other => Self::Weights(other),
        }
    }
}

/// The whole file, or the error that tells a missing one from an unreadable one.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            VisionError::MissingFile {
                path: path.to_owned(),
            }
        } else {
            VisionError::Io {
                path: path.to_owned(),
                source,
            }
        }
    })
}
