use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What the system refused to do with a file or a directory.
#[derive(Debug)]
pub struct FileError {
    /// What was tried: `read`, `write`, `rename` ...
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The system's message.
    pub source: io::Error,
}

/// The result of this crate's functions.
pub type Result<T, E = FileError> = std::result::Result<T, E>;

impl FileError {
    /// A function that adds the action and the path to a system's error, for `map_err`.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self.source.kind() {
            ErrorKind::NotFound => "check the path",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "check that you may use it"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk",
            _ => "check that it exists, that you may use it, and that the disk has room",
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            action,
            path,
            source,
        } = self;
        write!(
            f,
            "cannot {action} {}: {source}; {}",
            path.display(),
            self.hint()
        )
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<FileError> for io::Error {
    /// Keeps the kind of the system's error.
    fn from(error: FileError) -> Self {
        Self::new(error.source.kind(), error)
    }
}
