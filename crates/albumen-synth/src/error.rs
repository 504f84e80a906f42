//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong after the models are released.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}; check that it exists, that you may use it, and that the disk has room", path.display())]
    Io {
        /// What was tried: `read`, `write`, `rename` ...
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's message.
        source: std::io::Error,
    },
    /// A word list is not a JSON array of strings.
    #[error(
        "{origin} is no word list: {reason}; it must be a JSON array of strings: fetch it again with `albumen assets fetch --force`"
    )]
    WordList {
        /// Where the list came from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A Parquet file is not the table that it should be.
    #[error("{} is not the table it should be: {reason}; run the stage that makes it again with `--force`", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An album could not be drawn.
    #[error("cannot draw {album}: {reason}")]
    Paint {
        /// The album.
        album: String,
        /// The renderer's message.
        reason: String,
    },
    /// A picture could not be encoded.
    #[error("cannot encode {}: {reason}", path.display())]
    Encode {
        /// Where the picture was to go.
        path: PathBuf,
        /// The encoder's message.
        reason: String,
    },
    /// Sentence embeddings failed, or have the wrong number of rows.
    #[error("cannot embed the texts for the coherence filter: {0}")]
    Embedding(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, SynthError>;

/// An I/O error with what was tried on which path.
pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> SynthError {
    let path = path.to_owned();
    move |source| SynthError::Io {
        action,
        path,
        source,
    }
}
