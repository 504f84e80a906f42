//! Python wheels: zip archives.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::{Visit, broken, safe};
use crate::{Error, Result};

pub(super) fn visit(package: &Path, wanted: &[&str], visit: &mut Visit<'_>) -> Result<()> {
    let file = File::open(package).map_err(Error::io("open", package))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| broken(package, e))?;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| broken(package, e))?;
        let raw = entry.name().map_err(|e| broken(package, e))?.into_owned();
        let path = safe(package, &raw)?;
        if entry.is_file() && wanted.contains(&path) {
            visit(path, &mut entry)?;
        }
    }
    Ok(())
}
