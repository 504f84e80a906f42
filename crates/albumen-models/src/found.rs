//! What lies behind a model's name.

use std::path::{Path, PathBuf};

use albumen_files::Hasher;
use walkdir::WalkDir;

use crate::detect::detect;
use crate::error::Error;
use crate::kind::{Architecture, Kind};

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file or directory of this machine.
    Local(PathBuf),
    /// Behind a server.
    Endpoint,
}

/// A model that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub place: Place,
    /// Its public name: no path or address of this machine.
    pub name: String,
    /// What is known of its licence.
    pub licence: Option<String>,
    /// The version that is pinned or was fetched.
    pub revision: Option<String>,
    /// What it is; `None` for an endpoint, which does not say.
    pub architecture: Option<&'static Architecture>,
    /// Changes where its files do.
    pub fingerprint: String,
}

impl Found {
    /// Its files.
    ///
    /// # Errors
    /// [`Error::NoFiles`] for an endpoint.
    pub fn path(&self) -> Result<&Path, Error> {
        match &self.place {
            Place::Local(path) => Ok(path),
            Place::Endpoint => Err(Error::NoFiles {
                name: self.name.clone(),
            }),
        }
    }

    /// What it is for; `None` for an endpoint, which does not say.
    pub fn kind(&self) -> Option<Kind> {
        self.architecture.map(|a| a.kind)
    }

    /// Fails where it is of none of these kinds, naming the place where it would be of use. What an
    /// endpoint is cannot be known.
    ///
    /// # Errors
    /// [`Error::WrongKind`].
    pub fn require(&self, wanted: &[Kind], key: &str) -> Result<(), Error> {
        require(self.architecture, &self.name, wanted, key)
    }

    /// The model in a few words, for the data card.
    pub fn describe(&self) -> String {
        let Self {
            name,
            licence,
            revision,
            ..
        } = self;
        match (revision, licence) {
            (Some(revision), Some(licence)) => format!("{name}, revision {revision} ({licence})"),
            (Some(revision), None) => format!("{name}, revision {revision}"),
            (None, Some(licence)) => format!("{name} ({licence})"),
            (None, None) => name.clone(),
        }
    }
}

/// Fails where a model, by its public name, is known to be of none of these kinds.
///
/// # Errors
/// [`Error::WrongKind`], which names the place where it would be of use.
pub fn require(
    architecture: Option<&'static Architecture>,
    name: &str,
    wanted: &[Kind],
    key: &str,
) -> Result<(), Error> {
    match (architecture, wanted) {
        (Some(found), [first, ..]) if !wanted.contains(&found.kind) => Err(Error::WrongKind {
            key: key.into(),
            name: name.into(),
            found,
            wanted: *first,
        }),
        _ => Ok(()),
    }
}

/// The model at a path of this machine. Its public name is the last part of the path, without a file's
/// extension.
///
/// # Errors
/// [`Error::Missing`] where nothing is there, and those of [`detect`].
pub fn find_path(path: &Path) -> Result<Found, Error> {
    if !path.exists() {
        return Err(Error::Missing { path: path.into() });
    }
    let architecture = detect(path)?;
    // `.` and `..` name no directory.
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = whole.file_stem().filter(|_| path.is_file());
    let name = name.or(whole.file_name()).unwrap_or_default();
    Ok(Found {
        name: name.to_string_lossy().into_owned(),
        licence: licence(path),
        revision: None,
        architecture: Some(architecture),
        fingerprint: fingerprint(path)?,
        place: Place::Local(path.to_owned()),
    })
}

/// `license` of the card's front matter (README.md beside the weights), as the hub keeps it, and where
/// that is `other`, its `license_name`; `None` where there is no card or it states none.
pub fn licence(path: &Path) -> Option<String> {
    let directory = if path.is_dir() { path } else { path.parent()? };
    let card = std::fs::read_to_string(directory.join("README.md")).ok()?;
    let mut lines = card.lines();
    lines.next().filter(|first| first.trim_end() == "---")?;
    let front: Vec<&str> = lines.take_while(|l| l.trim_end() != "---").collect();
    let value = |key: &str| {
        let stated = front.iter().find_map(|line| line.strip_prefix(key));
        stated
            .map(|v| v.trim().trim_matches(['"', '\'']).to_owned())
            .filter(|v| !v.is_empty())
    };
    match value("license:")?.as_str() {
        "other" => value("license_name:").or_else(|| Some("other".into())),
        named => Some(named.to_owned()),
    }
}

/// A fingerprint of what lies at `path`: names, sizes and times, no contents.
///
/// Enough to see that an input changed between two runs, and quick on large folders.
///
/// # Errors
/// [`Error::Io`].
pub fn fingerprint(path: &Path) -> Result<String, Error> {
    let io = |at: &Path, source| Error::Io {
        path: at.into(),
        source,
    };
    let mut hasher = Hasher::default();
    for entry in WalkDir::new(path).sort_by_file_name() {
        let entry = entry.map_err(|e| io(path, e.into()))?;
        let meta = entry.metadata().map_err(|e| io(entry.path(), e.into()))?;
        if meta.is_file() {
            let modified = meta.modified().map_err(|e| io(entry.path(), e))?;
            let since = modified.duration_since(std::time::UNIX_EPOCH);
            let nanoseconds = since.map_or(0, |d| d.as_nanos());
            hasher.update(entry.path().as_os_str().as_encoded_bytes());
            hasher.update(format!("\0{}\0{nanoseconds}\n", meta.len()).as_bytes());
        }
    }
    Ok(hasher.hex())
}
