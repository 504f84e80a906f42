use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::part::part_of;
use crate::whole::{create, finish};
use crate::{FileError, Result};

/// Only the owner reads and writes.
const FILE_MODE: u32 = 0o600;
/// Only the owner looks inside.
#[cfg(unix)]
const DIR_MODE: u32 = 0o700;

/// Writes a file that is whole or not there, and that only its owner may read (mode 0600), whatever
/// mode an older file there had.
///
/// # Errors
/// [`FileError`]; whatever was at `path` before is still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = part_of(path);
    let file = create(&part, Some(FILE_MODE))?;
    finish(file, &part, path, |file| {
        file.write_all(bytes).map_err(FileError::at("write", path))
    })
}

/// A new file, open for writing, that only its owner may read (mode 0600). A file that was there is
/// removed. For a file inside a directory that is written whole.
///
/// # Errors
/// [`FileError`] where the file cannot be made.
pub fn create_private(path: &Path) -> Result<File> {
    create(path, Some(FILE_MODE))
}

/// Opens a file that only its owner may read, for reading and for appending; makes it if it is not
/// there. An older file gets mode 0600 before it is handed out.
///
/// # Errors
/// [`FileError`] where the file cannot be opened, or its mode cannot be changed.
pub fn append_private(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    let file = options.open(path).map_err(FileError::at("open", path))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))
            .map_err(FileError::at("change the mode of", path))?;
    }
    Ok(file)
}

/// Makes a directory that only its owner may look into (mode 0700), and the directories above it. One
/// that is there gets that mode.
///
/// # Errors
/// [`FileError`] where it cannot be made, or its mode cannot be changed.
pub fn make_private_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(FileError::at("create", dir))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(DIR_MODE))
            .map_err(FileError::at("change the mode of", dir))?;
    }
    Ok(())
}
