use std::path::PathBuf;

use albumen_accounting::{AccountingError, LedgerError};
use thiserror::Error;

/// What can go wrong at the boundary. No variant carries a private value.
#[derive(Debug, Error)]
pub enum DpError {
    /// A public setting is out of range.
    #[error("{name} = {value} is out of range: {expected}")]
    OutOfRange {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The values allowed, in words.
        expected: &'static str,
    },
    /// A mechanism's parameters are outside the accountant's range.
    #[error(transparent)]
    Accounting(#[from] AccountingError),
    /// The ledger refused; nothing was released.
    #[error("nothing was released: {0}")]
    Ledger(#[from] LedgerError),
    /// The escrow file could not be written, read or removed; nothing was released.
    #[error("escrow {path}: {source}; check that the disk has room and private/ is writable")]
    Escrow {
        /// The escrow file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A checkpoint could not be written or read; nothing was released.
    #[error("checkpoint {path}: {source}; check that the disk has room and private/ is writable")]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A training that has drawn samples cannot become another one.
    #[error("the training has begun; restore a checkpoint before its first sample")]
    Started,
    /// The ledger is about other units than the release.
    #[error(
        "the ledger's unit is {ledger} declared, the release's {release}; charge a release to its own run's ledger"
    )]
    WrongLedger {
        /// Unit and declared number in the ledger's header.
        ledger: String,
        /// Unit and declared number of the plan.
        release: String,
    },
    /// A seeded run would be charged to a ledger that does not say so.
    #[error(
        "private randomness came from a known seed and the ledger's header does not say so; begin the ledger with insecure_seed"
    )]
    UnmarkedSeed,
    /// The operating system gave no random bytes.
    #[error(
        "the operating system's random generator failed: {0}; private training cannot run without it"
    )]
    Randomness(getrandom::Error),
    /// A gradient has another length than the parameters.
    #[error(
        "a unit's gradient has {found} coordinates and the parameters have {expected}; they must be of one adapter"
    )]
    WrongDimension {
        /// Coordinates of the parameters.
        expected: usize,
        /// Coordinates of the gradient.
        found: usize,
    },
    /// A batch position was added twice to a sum.
    #[error(
        "a unit was added twice to one clipped sum; sum a unit's rows before adding them, once"
    )]
    RepeatedUnit,
    /// A position beyond the batch was added to a sum.
    #[error(
        "a unit outside the batch was added to its clipped sum; use the positions of the sampled batch"
    )]
    OutsideBatch,
    /// Some unit of the batch is missing from the sum.
    #[error(
        "a unit of the batch was not added to its clipped sum; large batches go in pieces, none is dropped"
    )]
    MissingUnit,
    /// The batch and the sum belong to different steps or trainings.
    #[error(
        "the clipped sum belongs to another batch than the one being closed; make it from this batch"
    )]
    ForeignSum,
    /// A new batch was drawn while one was still open.
    #[error(
        "step {step} was sampled and never updated; each sampled batch takes exactly one noisy step"
    )]
    OpenBatch {
        /// The step that is open.
        step: u64,
    },
    /// The training was finished early.
    #[error(
        "{done} of the {planned} planned steps were taken; the event would not describe the run: take the rest, or plan fewer"
    )]
    Unfinished {
        /// Steps taken.
        done: u64,
        /// Steps planned.
        planned: u64,
    },
}

/// `Ok` where `holds`, else the typed error.
pub(crate) fn check(
    name: &'static str,
    value: f64,
    holds: bool,
    expected: &'static str,
) -> Result<(), DpError> {
    if holds {
        Ok(())
    } else {
        Err(DpError::OutOfRange {
            name,
            value,
            expected,
        })
    }
}
