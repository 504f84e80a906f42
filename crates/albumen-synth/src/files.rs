//! Whole files or none, and their hashes.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Result, io_error};

/// `path` with `.part` appended: where it lies while unfinished.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Writes beside `path` and renames, so that a file of that name is always whole.
pub(crate) fn write_whole<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<T>,
) -> Result<T> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    }
    let part = part_of(path);
    let file = File::create(&part).map_err(io_error("write", &part))?;
    let mut writer = BufWriter::new(file);
    let value = fill(&mut writer)?;
    writer.flush().map_err(io_error("write", &part))?;
    fs::rename(&part, path).map_err(io_error("rename", &part))?;
    Ok(value)
}

/// [`write_whole`] of these bytes.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, |file| {
        file.write_all(bytes).map_err(io_error("write", path))
    })
}

/// SHA-256 of a file, lower-case hexadecimal, in constant memory.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(io_error("read", path))?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash).map_err(io_error("read", path))?;
    Ok(format!("{:x}", hash.finalize()))
}
