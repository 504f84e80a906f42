use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{FileError, Result};

/// SHA-256 of some bytes, lower-case hexadecimal.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    let mut hasher = Hasher::default();
    hasher.update(bytes.as_ref());
    hasher.hex()
}

/// SHA-256 of a file, lower-case hexadecimal, in constant memory.
///
/// # Errors
/// [`FileError`] where the file cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(FileError::at("read", path))?;
    let mut hasher = Hasher::default();
    io::copy(&mut file, &mut hasher).map_err(FileError::at("read", path))?;
    Ok(hasher.hex())
}

/// SHA-256 of bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of everything so far, lower-case hexadecimal.
    pub fn hex(self) -> String {
        format!("{:x}", self.0.finalize())
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
