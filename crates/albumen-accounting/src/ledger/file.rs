use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::history::validate_header;
use super::{Entry, Header, History, LedgerError};
use crate::Event;

/// A ledger open for writing, locked against every other writer.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    length_bytes: u64,
    history: History,
    poisoned: bool,
}

impl Ledger {
    /// Begins a ledger; the header is on disk when this returns.
    ///
    /// # Errors
    /// [`LedgerError::Exists`] where there is a ledger with a header at `path` already,
    /// [`LedgerError::Locked`], [`LedgerError::Invalid`], [`LedgerError::Io`].
    pub fn create(path: &Path, header: Header) -> Result<Self, LedgerError> {
        validate_header(&header)?;
        let mut file = open_locked(path, true)?;
        let old = read_all(&mut file, path)?;
        // A file without one complete line is what a kill during `create` leaves.
        if old.contains(&b'\n') {
            return Err(LedgerError::Exists {
                path: path.to_owned(),
            });
        }
        let line = to_line(&header, 1)?;
        let history = History::begin(header, &line);
        let io = io_error(path);
        file.set_len(0).map_err(&io)?;
        write_line(&mut file, 0, &line).map_err(&io)?;
        albumen_files::sync_parent(path).map_err(|e| io(e.source))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length_bytes: line.len() as u64 + 1,
            history,
            poisoned: false,
        })
    }

    /// Opens an existing ledger, verifies it whole, and cuts off a half-written last line.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] where another writer holds it, and whatever [`History::read`] finds.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut file = open_locked(path, false)?;
        let bytes = read_all(&mut file, path)?;
        let (history, complete) = History::parse(&bytes)?;
        let kept = &bytes[..complete];
        let terminated = kept.ends_with(b"\n");
        let length_bytes = complete as u64 + u64::from(!terminated);
        if complete < bytes.len() || !terminated {
            let io = io_error(path);
            file.set_len(complete as u64).map_err(&io)?;
            if !terminated {
                file.seek(SeekFrom::End(0)).map_err(&io)?;
                file.write_all(b"\n").map_err(&io)?;
            }
            file.sync_all().map_err(&io)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            length_bytes,
            history,
            poisoned: false,
        })
    }

    /// Appends one event; it is on disk when this returns.
    ///
    /// # Errors
    /// [`LedgerError::Invalid`] for an event out of range, [`LedgerError::Io`] where the write
    /// failed (the ledger is then [`LedgerError::Poisoned`] until opened again).
    pub fn append(
        &mut self,
        stage: &str,
        event: Event,
        artefact_sha256: &str,
    ) -> Result<&Entry, LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned);
        }
        let number = self.history.entries().len() + 2;
        event.validate().map_err(|source| LedgerError::Invalid {
            line: number,
            source,
        })?;
        let entry = Entry {
            index: self.history.entries().len() as u64,
            stage: stage.to_owned(),
            event,
            artefact_sha256: artefact_sha256.to_owned(),
            prev: self.history.head().to_owned(),
        };
        let line = to_line(&entry, number)?;
        if let Err(source) = write_line(&mut self.file, self.length_bytes, &line) {
            self.poisoned = true;
            // Best effort: `open` cuts an incomplete line off as well.
            let _ = self.file.set_len(self.length_bytes);
            return Err(io_error(&self.path)(source));
        }
        self.length_bytes += line.len() as u64 + 1;
        self.history.push(entry, &line);
        let entries = self.history.entries();
        Ok(&entries[entries.len() - 1])
    }

    /// The verified content.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The events in order, for the accountant.
    pub fn events(&self) -> Vec<Event> {
        self.history.events()
    }

    /// SHA-256 of the last line, lower-case hexadecimal.
    pub fn head(&self) -> &str {
        self.history.head()
    }

    /// Where the ledger lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn to_line<T: serde::Serialize>(record: &T, number: usize) -> Result<Vec<u8>, LedgerError> {
    serde_json::to_vec(record).map_err(|e| LedgerError::Malformed {
        line: number,
        reason: e.to_string(),
    })
}

fn write_line(file: &mut File, at: u64, line: &[u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    file.sync_all()
}

fn open_locked(path: &Path, create: bool) -> Result<File, LedgerError> {
    let io = io_error(path);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .open(path)
        .map_err(&io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn read_all(file: &mut File, path: &Path) -> Result<Vec<u8>, LedgerError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io_error(path))?;
    Ok(bytes)
}

fn io_error(path: &Path) -> impl Fn(std::io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io {
        path: path.clone(),
        source,
    }
}
