//! Reading the containers that packages come in. Nothing is written here: callers get the bytes of
//! the entries they ask for by name, so a package cannot choose where a file lands.

mod deb;
mod rcc;
mod tgz;
mod wheel;

use std::fmt::Display;
use std::io::Read;
use std::path::{Component, Path};

use crate::{Client, Error, Result};

pub(crate) use rcc::{RccEntry, read_rcc};

/// What to do with an entry of a package: its path and its bytes.
pub(crate) type Visit<'a> = dyn FnMut(&str, &mut dyn Read) -> Result<()> + 'a;

/// Calls `visit` for each of the `wanted` regular files in the package, in the package's order.
///
/// # Errors
/// [`Error::UnsafePath`] if any entry, wanted or not, has an absolute path or one with `..`;
/// [`Error::MissingEntry`] if a wanted one is not there; errors of `visit`.
pub(crate) fn visit_entries(
    client: Client,
    package: &Path,
    wanted: &[&str],
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut missing = wanted.to_vec();
    let mut take = |path: &str, bytes: &mut dyn Read| {
        missing.retain(|w| *w != path);
        visit(path, bytes)
    };
    match client {
        Client::Pip => wheel::visit(package, wanted, &mut take)?,
        Client::Npm => tgz::visit(package, wanted, &mut take)?,
        Client::Apt => deb::visit(package, wanted, &mut take)?,
    }
    match missing.first() {
        None => Ok(()),
        Some(entry) => Err(Error::MissingEntry {
            package: name(package),
            entry: (*entry).to_owned(),
        }),
    }
}

pub(crate) fn name(package: &Path) -> String {
    package
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn broken(package: &Path, reason: impl Display) -> Error {
    Error::Unpack {
        package: name(package),
        reason: reason.to_string(),
    }
}

/// The entry's path without a leading `./`, if it stays inside the package.
fn safe<'a>(package: &Path, entry: &'a str) -> Result<&'a str> {
    let inside = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    if Path::new(entry).components().all(inside) && !entry.contains(['\\', '\0']) {
        Ok(entry.strip_prefix("./").unwrap_or(entry))
    } else {
        Err(Error::UnsafePath {
            package: name(package),
            entry: entry.to_owned(),
        })
    }
}

/// Visits the wanted files of a tar stream; links and devices are never among them.
fn visit_tar(
    package: &Path,
    stream: impl Read,
    wanted: &[&str],
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().map_err(|e| broken(package, e))? {
        let mut entry = entry.map_err(|e| broken(package, e))?;
        let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = safe(package, &raw)?;
        if entry.header().entry_type().is_file() && wanted.contains(&path) {
            visit(path, &mut entry)?;
        }
    }
    Ok(())
}

/// A container of Qt resources with one folder, for the tests of other modules.
#[cfg(test)]
pub(crate) fn test_container(dir: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let files: Vec<_> = files
        .iter()
        .map(|(f, b)| (*f, *b, rcc::tests::Store::Zlib))
        .collect();
    rcc::tests::container(2, dir, &files)
}
