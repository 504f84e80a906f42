//! What can go wrong with an asset, and what mends it.

use std::io;
use std::path::{Path, PathBuf};

use crate::Client;

/// An asset could not be found, fetched, unpacked or trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation of the operating system failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder it was tried on.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file system is full or a quota is used up.
    #[error(
        "no space left while writing {}: free some space, or set ALBUMEN_HOME to a folder on a \
         larger disk, and run the command again (what is complete is kept)",
        path.display()
    )]
    DiskFull {
        /// The file that was being written.
        path: PathBuf,
    },
    /// Neither variable that could place the asset folder is set.
    #[error(
        "no folder for assets: set ALBUMEN_HOME (or XDG_CACHE_HOME, or HOME) to an absolute path"
    )]
    NoHome,
    /// No asset has this name.
    #[error("unknown asset `{name}`; the assets are: {known}")]
    UnknownAsset {
        /// The name asked for.
        name: String,
        /// The names of the table, separated by commas.
        known: String,
    },
    /// A file of an asset is not in the asset folder.
    #[error(
        "asset `{asset}` is not there (no file {}): run `albumen assets fetch` \
         (in a checkout: run `make assets`)",
        path.display()
    )]
    NotFetched {
        /// The asset's name.
        asset: String,
        /// Where the file was looked for.
        path: PathBuf,
    },
    /// The program that brings this kind of package is not installed.
    #[error(
        "`{program}` is needed to fetch the asset `{asset}` and was not found: install {install}, \
         then run `albumen assets fetch` again"
    )]
    MissingClient {
        /// The asset that needs it.
        asset: String,
        /// The program that was looked for.
        program: String,
        /// The package of a distribution that holds it.
        install: &'static str,
    },
    /// A package client ended with an error.
    #[error("`{command}` failed ({status}) while fetching the asset `{asset}`:\n{stderr}\n{hint}")]
    ClientFailed {
        /// The asset that was being fetched.
        asset: String,
        /// The command line.
        command: String,
        /// Its exit status, in words.
        status: String,
        /// The last lines it wrote.
        stderr: String,
        /// What may mend it.
        hint: &'static str,
    },
    /// apt knows no package lists, so it cannot tell where a package lies.
    #[error(
        "apt does not know where to find `{package}` (asset `{asset}`): its package lists are \
         missing or old. Run `apt-get update` as root, then `albumen assets fetch` again"
    )]
    AptLists {
        /// The asset that was being fetched.
        asset: String,
        /// The Debian package.
        package: &'static str,
    },
    /// The archive holds other versions of the package only.
    #[error(
        "version {version} of the package `{package}` (asset `{asset}`) is no longer in the archive \
         that {client} uses. Only that file is accepted: bring it by other means, check that its \
         SHA-256 is {sha256}, put it into {} and run `albumen assets fetch` again",
        downloads.display()
    )]
    VersionGone {
        /// The asset that was being fetched.
        asset: String,
        /// The package.
        package: &'static str,
        /// The pinned version.
        version: &'static str,
        /// The client that was asked.
        client: Client,
        /// The pinned hash of the package.
        sha256: &'static str,
        /// The folder in which a package brought by hand is looked for.
        downloads: PathBuf,
    },
    /// A client reported success but left no file.
    #[error(
        "`{command}` ended well but left no package for the asset `{asset}`: is it the real {client}?"
    )]
    NoPackage {
        /// The asset that was being fetched.
        asset: String,
        /// The command line.
        command: String,
        /// The client that was asked.
        client: Client,
    },
    /// A file is not the pinned one.
    #[error(
        "{what} is not the pinned file: expected {expected_bytes} bytes with SHA-256 {expected}, \
         found {found_bytes} bytes with SHA-256 {found}. It was not used. Run `albumen assets fetch` \
         again; if it happens twice, the package was changed at its source (or on the way): do not \
         use it, and report it"
    )]
    Checksum {
        /// The package or the file in it.
        what: String,
        /// Pinned size.
        expected_bytes: u64,
        /// Pinned hash.
        expected: String,
        /// Size found; for an entry of a package, reading stops one byte past the pinned size.
        found_bytes: u64,
        /// Hash found.
        found: String,
    },
    /// A package holds an entry that would be written outside its folder.
    #[error("{package} holds an entry with an unsafe path, `{entry}`: the package is refused")]
    UnsafePath {
        /// The package.
        package: String,
        /// The entry's path.
        entry: String,
    },
    /// A package lacks a file that the table names.
    #[error("{package} has no file `{entry}`: the package is not the pinned one, or is damaged")]
    MissingEntry {
        /// The package.
        package: String,
        /// The path looked for.
        entry: String,
    },
    /// A package could not be read.
    #[error("cannot unpack {package}: {reason}")]
    Unpack {
        /// The package.
        package: String,
        /// What was wrong with it.
        reason: String,
    },
    /// The table of authors and licences is damaged.
    #[error("{}, line {line}: {reason}; run `albumen assets fetch` to mend it", path.display())]
    Attribution {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was wrong.
        reason: String,
    },
    /// A corpus would be written over something else.
    #[error(
        "{} is not empty and does not hold this quickstart corpus: name another folder, or remove it",
        path.display()
    )]
    OutNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A corpus of this size cannot be made.
    #[error("{albums} albums of {owners} owners cannot be made: each owner has 1 to 4 albums")]
    Size {
        /// Albums asked for.
        albums: usize,
        /// Owners asked for.
        owners: usize,
    },
    /// More than one asset could not be fetched; the others were.
    #[error("{} assets could not be fetched:\n{}", failures.len(), join(failures))]
    Several {
        /// One error an asset.
        failures: Vec<Error>,
    },
}

fn join(failures: &[Error]) -> String {
    let lines: Vec<String> = failures.iter().map(|e| format!("- {e}")).collect();
    lines.join("\n")
}

impl From<albumen_files::FileError> for Error {
    fn from(error: albumen_files::FileError) -> Self {
        Self::io(error.action, &error.path)(error.source)
    }
}

impl Error {
    /// Wraps an operating system error with what was tried, giving a full disk its own variant.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull {
                path: path.to_owned(),
            },
            _ => Error::Io {
                action,
                path: path.to_owned(),
                source,
            },
        }
    }
}
