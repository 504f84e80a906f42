//! Hashing, and writing a file whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use albumen_files::{Hasher, sha256_hex};

use crate::{Error, Result};

const BUFFER_BYTES: usize = 1 << 18;

/// Size and lower-case hexadecimal SHA-256 of a file's or entry's bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Fingerprint {
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
}

impl Fingerprint {
    pub(crate) fn new(size_bytes: u64, sha256: &str) -> Self {
        Self {
            size_bytes,
            sha256: sha256.to_owned(),
        }
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self {
            size_bytes: bytes.len() as u64,
            sha256: sha256_hex(bytes),
        }
    }

    pub(crate) fn of_file(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        copy_hashed(&mut file, &mut io::sink()).map_err(|e| Error::io("read", path)(e.into_inner()))
    }

    /// This must be `expected`, the pinned one.
    pub(crate) fn expect(&self, expected: &Self, what: impl Into<String>) -> Result<()> {
        if self == expected {
            return Ok(());
        }
        Err(Error::Checksum {
            what: what.into(),
            expected_bytes: expected.size_bytes,
            expected: expected.sha256.clone(),
            found_bytes: self.size_bytes,
            found: self.sha256.clone(),
        })
    }
}

/// Which side of a copy failed.
pub(crate) enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

impl CopyError {
    fn into_inner(self) -> io::Error {
        match self {
            Self::Read(e) | Self::Write(e) => e,
        }
    }
}

fn copy_hashed(from: &mut dyn Read, to: &mut dyn Write) -> Result<Fingerprint, CopyError> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut size_bytes = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(CopyError::Read(e)),
        };
        hasher.update(&buffer[..n]);
        to.write_all(&buffer[..n]).map_err(CopyError::Write)?;
        size_bytes += n as u64;
    }
    Ok(Fingerprint {
        size_bytes,
        sha256: hasher.hex(),
    })
}

/// Writes what `from` yields to `path` if it is exactly `expected`, and not at all otherwise.
/// Reads at most one byte past the expected size, so that a package cannot fill the disk.
pub(crate) fn write_checked(
    path: &Path,
    from: &mut dyn Read,
    expected: &Fingerprint,
    what: &str,
) -> Result<()> {
    make_parent(path)?;
    albumen_files::write_whole_with(path, |file| {
        let found = copy_hashed(&mut from.take(expected.size_bytes + 1), file);
        let found = found.map_err(|e| match e {
            CopyError::Read(e) => Error::Unpack {
                package: what.to_owned(),
                reason: e.to_string(),
            },
            CopyError::Write(e) => Error::io("write", path)(e),
        })?;
        found.expect(expected, what)
    })
}

/// Writes `bytes` to `path` whole or not at all.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    make_parent(path)?;
    Ok(albumen_files::write_whole(path, bytes)?)
}

fn make_parent(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), create_dir)
}

/// Renames and then syncs the folder, so that the new name survives a power cut.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(Error::io("rename to", to))?;
    Ok(albumen_files::sync_parent(to)?)
}

pub(crate) fn create_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(Error::io("create", dir))
}

pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
        _ => Ok(()),
    }
}

pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// The files and folders in `dir` in the order of their names; none if it is not there.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = match fs::read_dir(dir) {
        Ok(read) => read,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", dir)(e)),
    };
    let mut paths = read
        .map(|entry| entry.map(|e| e.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(Error::io("list", dir))?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_to_be_full() {
        let full = Path::new("/dev/full");
        let mut sink = File::options().write(true).open(full).unwrap();
        let Err(CopyError::Write(e)) = copy_hashed(&mut &b"abc"[..], &mut sink) else {
            panic!("writing to a full device succeeded");
        };
        let message = Error::io("write", Path::new("model.part"))(e).to_string();
        assert!(
            message.starts_with("no space left while writing model.part"),
            "{message}"
        );
        assert!(message.contains("ALBUMEN_HOME"), "{message}");
    }

    #[test]
    fn a_wrong_file_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.bin");
        let right = Fingerprint::of_bytes(b"right");
        let e = write_checked(&path, &mut &b"wrong"[..], &right, "b.bin").unwrap_err();
        assert!(matches!(e, Error::Checksum { .. }));
        assert!(entries(&dir.path().join("a")).unwrap().is_empty());
        write_checked(&path, &mut &b"right"[..], &right, "b.bin").unwrap();
        assert_eq!(
            entries(&dir.path().join("a")).unwrap(),
            std::slice::from_ref(&path)
        );
        assert_eq!(Fingerprint::of_file(&path).unwrap(), right);
    }

    #[test]
    fn an_endless_entry_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let expected = Fingerprint::new(10, "00");
        let e =
            write_checked(&dir.path().join("x"), &mut io::repeat(7), &expected, "x").unwrap_err();
        assert!(matches!(
            e,
            Error::Checksum {
                found_bytes: 11,
                ..
            }
        ));
    }
}
