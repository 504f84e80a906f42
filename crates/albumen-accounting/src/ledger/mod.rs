//! The ledger: an append-only, hash-chained file of events.
//!
//! One JSON object a line. The first line is the [`Header`]; every later line is an [`Entry`] whose
//! `prev` is the SHA-256 of the line before it (its bytes without the newline), so the hash of the
//! last line, the head, fixes them all. A line is on disk before `append` returns: what it pays for
//! may be used only afterwards.

mod file;
mod history;

pub use file::Ledger;
pub use history::{Entry, Header, History};

use std::path::PathBuf;

use thiserror::Error;

/// The newest ledger version that this build writes; it reads every version up to it.
///
/// Version 2 may carry `tuning_runs` in its header.
pub const LEDGER_VERSION: u32 = 2;

/// What can be wrong with a ledger.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file could not be read or written.
    #[error(
        "ledger {path}: {source}; check that the disk has room and the run directory is writable"
    )]
    Io {
        /// The ledger.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Another process holds the ledger.
    #[error("ledger {path} is held by another process; wait for that run to end, or end it")]
    Locked {
        /// The ledger.
        path: PathBuf,
    },
    /// The ledger already exists and `create` was asked for.
    #[error("ledger {path} already exists; open it, or start the run in a new directory")]
    Exists {
        /// The ledger.
        path: PathBuf,
    },
    /// The file ends before its header does.
    #[error(
        "the ledger holds no header line; it was never begun, so nothing was released under it"
    )]
    NoHeader,
    /// A line is not what its version of the format says.
    #[error("ledger line {line} is not a valid record ({reason}); restore the ledger from a copy")]
    Malformed {
        /// Line number, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// A line does not carry the hash of the line before it.
    #[error(
        "ledger line {line} does not follow from line {before}: it names {found}, and line {before} \
         hashes to {expected}; the ledger was altered, restore it from a copy",
        before = line - 1
    )]
    BrokenChain {
        /// Line number, from 1.
        line: usize,
        /// The hash of the line before.
        expected: String,
        /// The hash that the line carries.
        found: String,
    },
    /// A line has the wrong number in the sequence.
    #[error(
        "ledger line {line} is numbered {found}, not {expected}; lines are missing or repeated"
    )]
    WrongIndex {
        /// Line number, from 1.
        line: usize,
        /// The number due.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The ledger's head is not the one expected.
    #[error(
        "the ledger ends in {found}, not in the recorded head {expected}; lines were changed, added or cut off"
    )]
    WrongHead {
        /// The head expected.
        expected: String,
        /// The head found.
        found: String,
    },
    /// The ledger comes from a newer tool.
    #[error("the ledger has version {found}; this tool reads up to {newest}: use a newer albumen")]
    NewerVersion {
        /// The ledger's version.
        found: u32,
        /// The newest version that this build reads.
        newest: u32,
    },
    /// A number in the header or an event is out of range.
    #[error("ledger line {line}: {source}")]
    Invalid {
        /// Line number, from 1.
        line: usize,
        /// Which number.
        source: crate::AccountingError,
    },
    /// An earlier write failed half-way, so the file's state on disk is unknown.
    #[error(
        "an earlier write to the ledger failed; open it again before anything more is released"
    )]
    Poisoned,
}
