//! Debian packages: an ar archive whose member `data.tar.*` holds the files (deb(5)).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::{Visit, broken, visit_tar};
use crate::{Error, Result};

pub(super) fn visit(package: &Path, wanted: &[&str], visit: &mut Visit<'_>) -> Result<()> {
    let file = File::open(package).map_err(Error::io("open", package))?;
    let mut archive = ar::Archive::new(BufReader::new(file));
    while let Some(member) = archive.next_entry() {
        let member = member.map_err(|e| broken(package, e))?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let stream: Box<dyn Read + '_> = match name.as_str() {
            "data.tar" => Box::new(member),
            "data.tar.gz" => Box::new(flate2::read::GzDecoder::new(member)),
            "data.tar.xz" => Box::new(lzma_rust2::XzReader::new(member, true)),
            "data.tar.zst" => Box::new(
                ruzstd::decoding::StreamingDecoder::new(member).map_err(|e| broken(package, e))?,
            ),
            _ => continue,
        };
        return visit_tar(package, stream, wanted, visit);
    }
    Err(broken(
        package,
        "no member data.tar in a compression known here (none, gz, xz, zst)",
    ))
}
