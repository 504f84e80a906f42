//! What is there, and whether it is intact.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::files::{self, Fingerprint};
use crate::photos::read_attribution;
use crate::{Contents, Error, Home, PINS, Pin, Result};

const STAMP: &str = ".stamp.json";
pub(crate) const TABLE: &str = "attribution.tsv";

/// How closely to look at an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Believe the stamp written when the hashes were last checked, if no file's size or time of
    /// modification has changed since. Takes milliseconds.
    Stamp,
    /// Read every byte again.
    Hash,
}

/// Whether an asset can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Every file is there and is the pinned one.
    Present,
    /// None of its files is there.
    Missing,
    /// A file is not there, or is not the pinned one; said in words.
    Corrupt {
        /// The file, from the asset's folder.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The state of one asset.
#[derive(Debug, Clone)]
pub struct Status {
    /// The row of the table.
    pub pin: Pin,
    /// Whether it can be used.
    pub state: State,
}

/// The state of every asset, in the table's order.
///
/// # Errors
/// [`Error::Io`] if a file is there but cannot be read.
pub fn list(home: &Home, check: Check) -> Result<Vec<Status>> {
    PINS.iter()
        .map(|pin| {
            Ok(Status {
                pin: *pin,
                state: state(home, pin, check)?,
            })
        })
        .collect()
}

/// The state of one asset; `None` where the table has none of this name.
///
/// # Errors
/// As [`list`].
pub fn status(home: &Home, asset: &str, check: Check) -> Result<Option<Status>> {
    let Some(pin) = PINS.iter().find(|pin| pin.asset == asset) else {
        return Ok(None);
    };
    let state = state(home, pin, check)?;
    Ok(Some(Status { pin: *pin, state }))
}

pub(crate) fn state(home: &Home, pin: &Pin, check: Check) -> Result<State> {
    let dir = home.asset_dir(pin.asset);
    if check == Check::Stamp && Stamp::read(&dir).is_some_and(|stamp| stamp.holds(pin, &dir)) {
        return Ok(State::Present);
    }
    let mut present = 0;
    let mut wrong = None;
    for (file, expected) in expected_files(home, pin)? {
        let path = dir.join(&file);
        let reason = if path.is_file() {
            present += 1;
            let found = Fingerprint::of_file(&path)?;
            if found == expected {
                continue;
            }
            format!(
                "has {} bytes with SHA-256 {}, not {} bytes with SHA-256 {}",
                found.size_bytes, found.sha256, expected.size_bytes, expected.sha256
            )
        } else {
            "is not there".to_owned()
        };
        wrong.get_or_insert((file, reason));
    }
    Ok(match wrong {
        None => State::Present,
        Some(_) if present == 0 => State::Missing,
        Some((file, reason)) => State::Corrupt { file, reason },
    })
}

/// Every file an asset must have. The photos are known only where their table is intact.
fn expected_files(home: &Home, pin: &Pin) -> Result<Vec<(String, Fingerprint)>> {
    match pin.contents {
        Contents::Files(list) => Ok(list
            .iter()
            .map(|f| (f.file.to_owned(), Fingerprint::new(f.size_bytes, f.sha256)))
            .collect()),
        Contents::Photos(photos) => {
            let table = home.path(pin.asset, TABLE);
            let expected = Fingerprint::new(photos.size_bytes, photos.sha256);
            let mut files = Vec::new();
            if table.is_file() && Fingerprint::of_file(&table)? == expected {
                let rows = read_attribution(&table)?;
                files.extend(rows.iter().map(|p| (p.file(), p.fingerprint())));
            }
            files.push((TABLE.to_owned(), expected));
            Ok(files)
        }
    }
}

/// Kept beside an asset's files once their hashes were checked.
#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    /// Hash of the pinned package, so that a new pin makes the stamp void.
    package_sha256: String,
    files: BTreeMap<String, Seen>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    size_bytes: u64,
    modified_ns: u64,
}

impl Stamp {
    fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join(STAMP)).ok()?).ok()
    }

    fn holds(&self, pin: &Pin, dir: &Path) -> bool {
        self.package_sha256 == pin.sha256
            && !self.files.is_empty()
            && self
                .files
                .iter()
                .all(|(file, seen)| look(&dir.join(file)).as_ref() == Some(seen))
    }
}

fn look(path: &Path) -> Option<Seen> {
    let meta = fs::metadata(path).ok()?;
    let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Seen {
        size_bytes: meta.len(),
        modified_ns: since.as_nanos() as u64,
    })
}

/// Stamps an asset whose hashes were just checked.
pub(crate) fn stamp(home: &Home, pin: &Pin) -> Result<()> {
    let dir = home.asset_dir(pin.asset);
    let files = expected_files(home, pin)?
        .into_iter()
        .filter_map(|(file, _)| look(&dir.join(&file)).map(|seen| (file, seen)))
        .collect();
    let stamp = Stamp {
        package_sha256: pin.sha256.to_owned(),
        files,
    };
    let path = dir.join(STAMP);
    let json = serde_json::to_vec(&stamp).map_err(|e| Error::Io {
        action: "write",
        path: path.clone(),
        source: e.into(),
    })?;
    files::write_bytes(&path, &json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, FilePin};

    #[test]
    fn the_stamp_is_believed_until_a_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let files = [FilePin {
            entry: "a",
            file: "a",
            size_bytes: 3,
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }];
        let mut pin = Pin {
            asset: "x",
            contents: Contents::Files(Box::leak(Box::new(files))),
            ..PINS[0]
        };
        assert_eq!(pin.client, Client::Pip);
        let (quick, full) = (Check::Stamp, Check::Hash);
        assert_eq!(state(&home, &pin, quick).unwrap(), State::Missing);
        let path = home.path("x", "a");
        files::write_bytes(&path, b"abc").unwrap();
        assert_eq!(
            state(&home, &pin, quick).unwrap(),
            State::Present,
            "no stamp: hashes are checked"
        );
        stamp(&home, &pin).unwrap();

        // Damage that leaves size and time alone is seen by the full check only.
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, b"abd").unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        assert_eq!(state(&home, &pin, quick).unwrap(), State::Present);
        assert!(matches!(
            state(&home, &pin, full).unwrap(),
            State::Corrupt { .. }
        ));
        // A later time of modification, or another size, voids the stamp.
        let later = modified + std::time::Duration::from_millis(1);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(later).unwrap();
        assert!(matches!(
            state(&home, &pin, quick).unwrap(),
            State::Corrupt { .. }
        ));
        fs::write(&path, b"abcd").unwrap();
        let State::Corrupt { file, reason } = state(&home, &pin, quick).unwrap() else {
            panic!()
        };
        assert_eq!(file, "a");
        assert!(
            reason.starts_with("has 4 bytes with SHA-256 88d4266f"),
            "{reason}"
        );
        files::write_bytes(&path, b"abc").unwrap();
        stamp(&home, &pin).unwrap();
        pin.sha256 = "another package";
        assert!(
            !Stamp::read(&home.asset_dir("x"))
                .unwrap()
                .holds(&pin, &home.asset_dir("x"))
        );
    }
}
