//! npm packages: gzipped tar archives.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use flate2::bufread::GzDecoder;

use super::{Visit, visit_tar};
use crate::{Error, Result};

pub(super) fn visit(package: &Path, wanted: &[&str], visit: &mut Visit<'_>) -> Result<()> {
    let file = File::open(package).map_err(Error::io("open", package))?;
    visit_tar(package, GzDecoder::new(BufReader::new(file)), wanted, visit)
}
