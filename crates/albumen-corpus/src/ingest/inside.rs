//! The input folder as a boundary: every path is resolved, links included, and must end inside.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::IngestError;

/// Captions and `album.toml` are a few lines.
const MAX_TEXT_BYTES: u64 = 64 << 10;

/// The resolved input folder.
pub(super) struct Root {
    /// As configured, for messages.
    pub(super) path: PathBuf,
    resolved: PathBuf,
}

/// Why a path inside the folder cannot be used.
pub(super) enum Refused {
    Outside,
    NotThere,
    NotAFile,
    Io(io::Error),
}

impl Refused {
    /// In words, for the private log.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Outside => "it leads out of the input folder".into(),
            Self::NotThere => "it is not there".into(),
            Self::NotAFile => "it is not a file".into(),
            Self::Io(e) => format!("it cannot be read: {e}"),
        }
    }
}

impl Root {
    pub(super) fn new(path: &Path) -> Result<Self, IngestError> {
        let resolved = fs::canonicalize(path).map_err(IngestError::io("read", path))?;
        // The private tables keep paths as text.
        if resolved.to_str().is_none() {
            return Err(IngestError::Name {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            resolved,
        })
    }

    /// Whether a path from a metadata file stays inside by its letters alone.
    pub(super) fn stays_inside(relative: &str) -> bool {
        let inside = |c| matches!(c, Component::Normal(_) | Component::CurDir);
        !relative.is_empty() && Path::new(relative).components().all(inside)
    }

    /// The resolved path, if it lies inside the folder.
    pub(super) fn resolve(&self, path: &Path) -> Result<PathBuf, Refused> {
        let resolved = fs::canonicalize(path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Refused::NotThere,
            _ => Refused::Io(e),
        })?;
        if resolved.starts_with(&self.resolved) {
            Ok(resolved)
        } else {
            Err(Refused::Outside)
        }
    }

    /// The resolved path of a regular file inside the folder. Pipes and devices are no files: to
    /// open one could wait for ever.
    pub(super) fn file(&self, path: &Path) -> Result<PathBuf, Refused> {
        let resolved = self.resolve(path)?;
        if resolved.is_file() {
            Ok(resolved)
        } else {
            Err(Refused::NotAFile)
        }
    }

    /// The text of a short file inside the folder; none if it is not there.
    pub(super) fn text(&self, path: &Path) -> Result<Option<String>, IngestError> {
        let resolved = match self.file(path) {
            Ok(resolved) => resolved,
            Err(Refused::NotThere) => return Ok(None),
            Err(Refused::Outside) => return Err(self.outside(path)),
            Err(Refused::NotAFile) => {
                return Err(IngestError::io("read", path)(io::Error::other(
                    "it is not a file",
                )));
            }
            Err(Refused::Io(e)) => return Err(IngestError::io("read", path)(e)),
        };
        let mut bytes = Vec::new();
        File::open(&resolved)
            .and_then(|file| file.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes))
            .map_err(IngestError::io("read", path))?;
        if bytes.len() as u64 > MAX_TEXT_BYTES {
            return Err(IngestError::TooLong {
                path: path.to_owned(),
                max_bytes: MAX_TEXT_BYTES,
            });
        }
        let text = String::from_utf8(bytes).map_err(|_| IngestError::NotText {
            path: path.to_owned(),
        })?;
        Ok(Some(
            text.strip_prefix('\u{feff}')
                .map(str::to_owned)
                .unwrap_or(text),
        ))
    }

    pub(super) fn outside(&self, path: &Path) -> IngestError {
        IngestError::Outside {
            path: path.to_owned(),
            root: self.path.clone(),
        }
    }
}

/// The entries of a folder, without hidden ones, in natural order of their names: `2.jpg` stands
/// before `10.jpg`.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, IngestError> {
    let mut paths = fs::read_dir(dir)
        .and_then(|read| {
            read.map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .map_err(IngestError::io("read", dir))?;
    paths.retain(|p| {
        !p.file_name()
            .unwrap_or_default()
            .as_encoded_bytes()
            .starts_with(b".")
    });
    paths.sort_by_cached_key(|p| (natural(p), p.clone()));
    Ok(paths)
}

/// A name cut into text and numbers. A number is its length without leading zeros, then its digits,
/// so that numbers of any length compare by value.
fn natural(path: &Path) -> Vec<(Vec<u8>, usize, Vec<u8>)> {
    let mut rest = path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut key = Vec::new();
    while !rest.is_empty() {
        let (text, after) = rest.split_at(
            rest.iter()
                .position(u8::is_ascii_digit)
                .unwrap_or(rest.len()),
        );
        let end = after
            .iter()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(after.len());
        let (digits, after) = after.split_at(end);
        let zeros = digits.iter().take_while(|b| **b == b'0').count();
        key.push((
            text.to_ascii_lowercase(),
            digits.len() - zeros,
            digits[zeros..].to_vec(),
        ));
        rest = after;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = [
            "IMG_10.jpg",
            "img_9.jpg",
            "IMG_0010b.jpg",
            "IMG_2.jpg",
            "a99999999999999999999",
            "a3",
        ];
        names.sort_by_key(|n| natural(Path::new(n)));
        assert_eq!(
            names,
            [
                "a3",
                "a99999999999999999999",
                "IMG_2.jpg",
                "img_9.jpg",
                "IMG_10.jpg",
                "IMG_0010b.jpg"
            ]
        );
    }

    #[test]
    fn paths_that_stay_inside_by_their_letters() {
        for inside in ["a.jpg", "./a.jpg", "a/b.jpg", "..a.jpg"] {
            assert!(Root::stays_inside(inside), "{inside}");
        }
        for outside in ["", "/a.jpg", "../a.jpg", "a/../../b.jpg", "a/.."] {
            assert!(!Root::stays_inside(outside), "{outside}");
        }
    }
}
