use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::whole::{sync_dir, sync_parent};
use crate::{FileError, Result};

/// A directory that is being written: `NAME.part` until it is whole.
#[must_use = "an unfinished directory keeps the name NAME.part"]
pub struct Part {
    part: PathBuf,
    target: PathBuf,
}

impl Part {
    /// Starts `target` anew; an unfinished try is removed.
    ///
    /// # Errors
    /// [`FileError`] where the old try cannot be removed or the directory cannot be made.
    pub fn start(target: &Path) -> Result<Self> {
        remove_dir(&part_of(target))?;
        Self::resume(target)
    }

    /// Goes on with an unfinished try, for work that can.
    ///
    /// # Errors
    /// [`FileError`] where the directory cannot be made.
    pub fn resume(target: &Path) -> Result<Self> {
        let part = part_of(target);
        fs::create_dir_all(&part).map_err(FileError::at("create", &part))?;
        Ok(Self {
            part,
            target: target.to_owned(),
        })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Puts every file and directory inside on the disk, and then gives the directory its name, in
    /// place of what was there. What was there keeps its name until the new one is ready, and is
    /// never seen half removed.
    ///
    /// # Errors
    /// [`FileError`] where something cannot be synced, renamed or removed.
    pub fn finish(self) -> Result<()> {
        sync_tree(&self.part)?;
        let old = with_suffix(&self.target, ".old");
        remove_dir(&old)?;
        match fs::rename(&self.target, &old) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(FileError::at("rename", &self.target)(e));
            }
            _ => {}
        }
        fs::rename(&self.part, &self.target).map_err(FileError::at("rename", &self.part))?;
        sync_parent(&self.target)?;
        remove_dir(&old)
    }
}

/// Where `path` lies while it is unfinished: `NAME.part`.
pub fn part_of(path: &Path) -> PathBuf {
    with_suffix(path, ".part")
}

/// Removes what a killed [`crate::write_private`] or [`crate::write_whole`] left of `path`, if
/// anything.
///
/// # Errors
/// [`FileError`] where it is there and cannot be removed.
pub fn remove_leftover(path: &Path) -> Result<()> {
    remove_file(&part_of(path))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(FileError::at("remove", path)(e)),
        _ => Ok(()),
    }
}

fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(FileError::at("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Syncs every file and directory below `dir`, and `dir` last. Links are left alone: what they point
/// to lies elsewhere.
fn sync_tree(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(FileError::at("list", dir))? {
        let entry = entry.map_err(FileError::at("list", dir))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(FileError::at("read", &path))?;
        if kind.is_dir() {
            sync_tree(&path)?;
        } else if kind.is_file() {
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(FileError::at("sync", &path))?;
        }
    }
    sync_dir(dir)
}
