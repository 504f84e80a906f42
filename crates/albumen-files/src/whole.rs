use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use crate::part::{part_of, remove_file};
use crate::{FileError, Result};

/// Writes a file that is whole or not there, with the mode of any new file.
///
/// # Errors
/// [`FileError`]; whatever was at `path` before is still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole_with(path, |file| {
        file.write_all(bytes).map_err(FileError::at("write", path))
    })
}

/// Writes a file that is whole or not there; `fill` writes what is in it.
///
/// # Errors
/// What `fill` fails with, and [`FileError`]; whatever was at `path` before is still there.
pub fn write_whole_with<T, E: From<FileError>>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<T, E>,
) -> Result<T, E> {
    let part = part_of(path);
    let file = create(&part, None)?;
    finish(file, &part, path, fill)
}

/// Fills the new file `part`, and gives it its name once it is on the disk.
pub(crate) fn finish<T, E: From<FileError>>(
    file: File,
    part: &Path,
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<T, E>,
) -> Result<T, E> {
    let mut writer = BufWriter::new(file);
    let filled = fill(&mut writer).and_then(|value| {
        let file = writer
            .into_inner()
            .map_err(|e| FileError::at("write", part)(e.into_error()))?;
        file.sync_all().map_err(FileError::at("write", part))?;
        fs::rename(part, path).map_err(FileError::at("rename", part))?;
        Ok(value)
    });
    if filled.is_err() {
        // The first error is the one to tell; the next try removes what is left.
        let _ = fs::remove_file(part);
    }
    let value = filled?;
    sync_parent(path)?;
    Ok(value)
}

/// A new file. What an earlier try left there is removed, since it would keep its mode.
pub(crate) fn create(path: &Path, mode: Option<u32>) -> Result<File> {
    remove_file(path)?;
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if let Some(mode) = mode {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    }
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path).map_err(FileError::at("write", path))
}

/// The directory that a path's name stands in.
fn parent(path: &Path) -> &Path {
    // A bare file name has an empty parent.
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes the name of a new, renamed or removed file durable, as [`sync_dir`] of its directory.
///
/// # Errors
/// [`FileError`] where the directory cannot be opened or synced.
pub fn sync_parent(path: &Path) -> Result<()> {
    sync_dir(parent(path))
}

/// Makes the names in a directory durable. On Unix a directory is synced like a file; elsewhere this
/// does nothing.
///
/// # Errors
/// [`FileError`] where the directory cannot be opened or synced.
pub fn sync_dir(dir: &Path) -> Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        // Some network file systems cannot sync a directory.
        Err(e) if e.kind() != ErrorKind::InvalidInput => Err(FileError::at("sync", dir)(e)),
        _ => Ok(()),
    }
}
