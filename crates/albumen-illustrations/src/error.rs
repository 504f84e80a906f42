//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong between a caption and its picture.
#[derive(Debug, thiserror::Error)]
pub enum IllustrationError {
    /// A file is not where it should be.
    #[error(
        "{} is missing\n  hint: fetch it with `albumen assets fetch` (or `make assets`), or set ALBUMEN_HOME",
        path.display()
    )]
    MissingFile {
        /// Where the file was looked for.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(
        "cannot {action} {}: {source}\n  hint: check its permissions and the disk",
        path.display()
    )]
    Io {
        /// What was tried: `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: std::io::Error,
    },
    /// A file's bytes are not in the format that they should be in.
    #[error(
        "{} is not a valid {format} file at byte {offset}: {reason}\n  hint: it may be cut short or damaged: fetch it again with `albumen assets fetch`",
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
    /// A picture cannot be drawn.
    #[error("cannot draw the picture: {reason}")]
    Picture {
        /// What is wrong with it.
        reason: String,
    },
    /// A text cannot be embedded.
    #[error(transparent)]
    Embedding(#[from] albumen_vision::VisionError),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, IllustrationError>;

/// The whole file, or the error that tells a missing one from an unreadable one.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| {
        let path = path.to_owned();
        if source.kind() == std::io::ErrorKind::NotFound {
            IllustrationError::MissingFile { path }
        } else {
            let action = "read";
            IllustrationError::Io {
                action,
                path,
                source,
            }
        }
    })
}
