//! Whole files with this crate's errors, in directories that are made where they are missing.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{Result, io_error};

/// [`albumen_files::write_whole_with`].
pub(crate) fn write_whole<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<T>,
) -> Result<T> {
    make_parent(path)?;
    albumen_files::write_whole_with(path, fill)
}

/// [`write_whole`] of these bytes.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, |file| {
        file.write_all(bytes).map_err(io_error("write", path))
    })
}

/// Makes the directory that a file is to lie in.
pub(crate) fn make_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(io_error("create", parent)),
        None => Ok(()),
    }
}
