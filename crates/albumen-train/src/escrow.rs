//! Each release of a run exactly once: paid for before it is known, kept before it is let go.
//!
//! Trainings and statistics go the same way, and the order of the steps is nobody else's business:
//!
//! 1. What a killed process had already paid for is found in escrow, and nothing is made again.
//! 2. Otherwise the budget is asked, before anything private is computed.
//! 3. The value is made, under seal.
//! 4. Its bytes go to escrow, then its event to the ledger, each on disk before the next.
//! 5. The caller gets it as [`Paid`], and writes its own files.
//! 6. [`keep`] empties the escrow once these files are whole.
//!
//! A kill between any two of these loses nothing that was paid for and charges nothing twice.
//!
//! A training gives a sealed value, and its parameters cannot be had without a ledger:
//! ```compile_fail,E0308
//! fn peek(
//!     trained: Result<albumen_dp::Released<Vec<f32>>, albumen_train::TrainError>,
//! ) -> Result<Vec<f32>, albumen_train::TrainError> {
//!     trained
//! }
//! ```
//! ```compile_fail,E0061
//! fn unpaid(
//!     trained: albumen_dp::Released<Vec<f32>>,
//!     escrow: &std::path::Path,
//! ) -> Result<Vec<f32>, albumen_dp::DpError> {
//!     trained.commit("train-summary", escrow, albumen_dp::encode_f32)
//! }
//! ```
//! Nothing is paid for that was not bought here:
//! ```compile_fail,E0451
//! fn forge(event: albumen_accounting::Event) -> albumen_train::escrow::Paid<Vec<f32>> {
//!     albumen_train::escrow::Paid { value: vec![], ..todo!() }
//! }
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use albumen_accounting::{AccountingError, Event, Ledger, account_tuned, rounded_up};
use albumen_dp::{DpError, Released, decode_f32, encode_f32, recover};
use albumen_schema::NoisyCounts;

/// Why a release was refused. It is then neither made nor known.
#[derive(Debug, thiserror::Error)]
pub enum EscrowError {
    /// The release would bring the run past what it may spend.
    #[error(
        "{stage} would bring the run to epsilon {}; it has spent {} of {asked}\n  \
         hint: a release is paid for once and for all; to train again on these albums use another \
         --out, and count both runs",
        up(.then),
        up(.spent)
    )]
    Overspent {
        /// The release, by its stage in the ledger.
        stage: String,
        /// What the run may spend.
        asked: f64,
        /// What the ledger already holds.
        spent: f64,
        /// What is left of it.
        remaining: f64,
        /// What the run would come to with this release and those still to come.
        then: f64,
    },
    /// The release is none of those that the budget is made of, or costs something else.
    #[error(
        "{stage} is not what the run's budget was made for; nothing was released\n  hint: this is an \
         error of the program: report it with the configuration"
    )]
    Unplanned {
        /// The release, by its stage in the ledger.
        stage: String,
    },
    /// The ledger paid for bytes that are none of a value.
    #[error(
        "what {stage} has paid for cannot be read from {path}\n  hint: the run is paid for; use the \
         version of the program that began it"
    )]
    Unreadable {
        /// The release, by its stage in the ledger.
        stage: String,
        /// The escrow file.
        path: PathBuf,
    },
    /// The escrow cannot be made or emptied.
    #[error("{path}: {source}\n  hint: check that the disk has room and that private/ is writable")]
    File {
        /// The escrow file or its directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The mechanism, the escrow's bytes, or the ledger.
    #[error(transparent)]
    Privacy(#[from] DpError),
    /// The guarantee cannot be computed.
    #[error(transparent)]
    Accounting(#[from] AccountingError),
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "an error's message is made of references"
)]
fn up(epsilon: &f64) -> String {
    rounded_up(*epsilon, 3)
}

/// One release of the run's budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The stage's name in the ledger.
    pub stage: String,
    /// What the ledger will hold for it.
    pub event: Event,
}

/// What the run may spend, and on what.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    /// Epsilon of the whole run, at the ledger's delta.
    pub epsilon: f64,
    /// Every release of the run.
    pub planned: Vec<Planned>,
}

impl Allowance {
    /// What this release costs, where the run can pay for it: with what the ledger holds and what the
    /// run has still to release counted in.
    fn ask(&self, ledger: &Ledger, stage: &str) -> Result<&Event, EscrowError> {
        let asked_for = self.planned.iter().find(|planned| planned.stage == stage);
        let Some(asked_for) = asked_for else {
            return Err(EscrowError::Unplanned {
                stage: stage.to_owned(),
            });
        };
        let (history, header) = (ledger.history(), ledger.history().header());
        let paid = |name: &str| history.entries().iter().any(|e| e.stage == name);
        let open = (self.planned.iter()).filter(|p| p.stage == stage || !paid(&p.stage));
        let mut events = history.events();
        events.extend(open.map(|planned| planned.event.clone()));
        let then = account_tuned(&events, header.delta, header.tuning_runs.as_ref())?.epsilon;
        // A NaN is not within the budget.
        if then <= self.epsilon {
            return Ok(&asked_for.event);
        }
        let spent = history.guarantee()?.epsilon;
        Err(EscrowError::Overspent {
            stage: stage.to_owned(),
            asked: self.epsilon,
            spent,
            remaining: (self.epsilon - spent).max(0.0),
            then,
        })
    }
}

/// A released value's bytes: what the ledger's hash is of.
pub struct Codec<T> {
    encode: fn(&T) -> Vec<u8>,
    decode: fn(&[u8]) -> Option<T>,
}

/// An adapter's parameters.
pub const PARAMETERS: Codec<Vec<f32>> = Codec {
    encode: encode_f32,
    decode: decode_f32,
};

/// A statistic.
pub const COUNTS: Codec<NoisyCounts> = Codec {
    encode: NoisyCounts::to_bytes,
    decode: |bytes| serde_json::from_slice(bytes).ok(),
};

/// A value that the ledger has paid for. It waits in escrow until [`keep`].
#[must_use = "what is paid for waits in escrow until it is kept"]
#[derive(Debug)]
pub struct Paid<T> {
    value: T,
    bytes: Vec<u8>,
    event: Event,
    found: bool,
    waiting: Waiting,
}

/// A file in escrow whose value is paid for and not yet kept.
#[must_use = "what is paid for waits in escrow until it is kept"]
#[derive(Debug)]
pub struct Waiting {
    escrow: PathBuf,
}

impl<T> Paid<T> {
    /// The released value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The bytes whose hash is in the ledger.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was paid, as the ledger has it: after a resume it need not be this configuration's plan.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// True where a process before this one had paid.
    pub fn was_found(&self) -> bool {
        self.found
    }

    /// What [`keep`] is to empty, once the caller has written what it makes of the value.
    pub fn into_waiting(self) -> Waiting {
        self.waiting
    }
}

/// Finds what was paid for, or makes it and pays; see the module.
///
/// `make` gets the ledger to read, and computes on private data under seal; `escrow` is a file below
/// `private/`, one for each release.
///
/// # Guarantee
/// The value is known outside the seal only where the ledger on disk holds its event, and for each
/// event there is one value: the same bytes come back until [`keep`]. Where `make` fails or the
/// process ends before the ledger's line is whole, the value was never known, and its bytes are
/// removed. What is charged is what the allowance has for this stage.
///
/// # Errors
/// [`EscrowError`], or `make`'s own; the ledger is then as before.
pub fn release_once<T, M, E: From<EscrowError>>(
    ledger: &mut Ledger,
    stage: &str,
    escrow: &Path,
    allowance: &Allowance,
    codec: &Codec<T>,
    make: impl FnOnce(&Ledger) -> Result<Released<T, M>, E>,
) -> Result<Paid<T>, E> {
    let found = recover(ledger, stage, escrow).map_err(EscrowError::from)?;
    let was_found = found.is_some();
    let (value, bytes) = if let Some(bytes) = found {
        let value = (codec.decode)(&bytes).ok_or_else(|| EscrowError::Unreadable {
            stage: stage.to_owned(),
            path: escrow.to_owned(),
        })?;
        (value, bytes)
    } else {
        let price = allowance.ask(ledger, stage)?;
        // A directory that cannot be made is found out before days of training, not after.
        if let Some(dir) = escrow.parent() {
            albumen_files::make_private_dir(dir).map_err(|e| at(dir)(e.into()))?;
        }
        let released = make(ledger)?;
        if released.event() != price {
            return Err(EscrowError::Unplanned {
                stage: stage.to_owned(),
            }
            .into());
        }
        let committed = released.commit(ledger, stage, escrow, codec.encode);
        let value = committed.map_err(EscrowError::from)?;
        let bytes = (codec.encode)(&value);
        (value, bytes)
    };
    let hash = albumen_files::sha256_hex(&bytes);
    let mut entries = ledger.history().entries().iter().rev();
    let entry = entries.find(|e| e.stage == stage && e.artefact_sha256 == hash);
    let entry = entry.ok_or_else(|| EscrowError::Unreadable {
        stage: stage.to_owned(),
        path: escrow.to_owned(),
    })?;
    Ok(Paid {
        value,
        bytes,
        event: entry.event.clone(),
        found: was_found,
        waiting: Waiting {
            escrow: escrow.to_owned(),
        },
    })
}

/// Runs `finish`, which makes the stage's own files whole and durable, and only then empties the
/// escrow. Where it fails, the values wait for the next process.
///
/// # Errors
/// `finish`'s, or [`EscrowError::File`].
pub fn keep<R, E: From<EscrowError>>(
    waiting: Vec<Waiting>,
    finish: impl FnOnce() -> Result<R, E>,
) -> Result<R, E> {
    let kept = finish()?;
    for Waiting { escrow } in waiting {
        empty(&escrow)?;
    }
    Ok(kept)
}

/// Removes what a process that was killed inside [`keep`] has left of a stage that is finished. Of one
/// that is not, this would throw away what was paid for.
///
/// # Errors
/// [`EscrowError::File`].
pub fn empty(escrow: &Path) -> Result<(), EscrowError> {
    match fs::remove_file(escrow) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(at(escrow)(e)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> EscrowError {
    move |source| EscrowError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
