//! What can be wrong with the input, where, and what would mend it.
//!
//! These messages are for the person who owns the input: they name its files, lines and keys, and
//! never what stands there, nor how many albums or photos there are.

use std::io;
use std::path::{Path, PathBuf};

/// The input cannot be read as albums.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// Nothing lies at the configured path.
    #[error("there is no input at {}\n  hint: check `path` in [corpus]; it is relative to the working directory", path.display())]
    Missing {
        /// The configured path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}\n  hint: check that it is there and that you may {action} it", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The named layout does not fit what lies there.
    #[error("{} is not of the format `{format}`, which needs {wants}\n  hint: mend `path` or `format` in [corpus]; `format = \"auto\"` finds out", path.display())]
    Layout {
        /// The configured path.
        path: PathBuf,
        /// The configured format.
        format: &'static str,
        /// What it needs.
        wants: &'static str,
    },
    /// The input folder holds no album.
    #[error("{} holds no albums\n  hint: {hint}", path.display())]
    NoAlbums {
        /// The input.
        path: PathBuf,
        /// What to look at.
        hint: &'static str,
    },
    /// Albums were found, and no photo of theirs can be used.
    #[error("no photo in {} can be used\n  hint: Albumen reads JPEG, PNG and WebP; the private log says why each was set aside", path.display())]
    NothingUsable {
        /// The input.
        path: PathBuf,
    },
    /// More photos were set aside than allowed.
    #[error("more than {max_bad_photos} photos cannot be used{}\n  hint: mend or remove them, or raise `max_bad_photos` in [corpus]", see(log.as_deref()))]
    TooManyBad {
        /// The bound.
        max_bad_photos: usize,
        /// Where the reasons are written.
        log: Option<PathBuf>,
    },
    /// A line of a text file is wrong.
    #[error("{}:{line}: {problem}\n  hint: {hint}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
        /// What would mend it.
        hint: &'static str,
    },
    /// `album.toml` is wrong.
    #[error("{}:{line}:{column}: {problem}\n  hint: album.toml has two keys, both optional: owner = \"...\" and title = \"...\"", path.display())]
    AlbumToml {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A link or name leads out of the input folder.
    #[error("{} lies outside the input folder {}, so it is not read\n  hint: copy what it points to into the folder", path.display(), root.display())]
    Outside {
        /// The link or name.
        path: PathBuf,
        /// The input folder.
        root: PathBuf,
    },
    /// A name cannot be an identifier.
    #[error("the name of {} is not valid UTF-8\n  hint: rename it", path.display())]
    Name {
        /// The file or folder.
        path: PathBuf,
    },
    /// A text file is not text.
    #[error("{} is not valid UTF-8 text\n  hint: save it as UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A text file that should be small is not.
    #[error("{} is larger than {max_bytes} bytes\n  hint: captions and album.toml are short texts; is this the right file?", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The bound.
        max_bytes: u64,
    },
}

fn see(log: Option<&Path>) -> String {
    log.map_or_else(String::new, |log| format!(": see {}", log.display()))
}

impl IngestError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
