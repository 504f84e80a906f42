use std::path::Path;

use albumen_accounting::{Event, Ledger, Unit};
use albumen_files::{FileError, remove_leftover, sha256_hex, write_private};

use crate::DpError;

/// The output of the mechanism `M`, not yet paid for.
///
/// It carries its event, and [`Released::commit`] is the only way to the value. It can be made only
/// where an `M` can be made: [`Trained`] by [`crate::DpTraining::finish`] alone, and another crate's
/// mechanism by that crate alone. So whoever takes a `Released<_, M>` knows whose event it carries.
///
/// # Guarantee
/// At every moment at which the value, or a function of it, can be known outside this type, the
/// ledger on disk holds its event: the price is written before the goods are handed out. A process
/// killed between the two leaves the bytes in escrow, where [`recover`] finds them without a second
/// charge. Proof note: proofs/release.md.
///
/// ```compile_fail,E0616
/// fn peek(released: albumen_dp::Released<f64>) -> f64 {
///     released.value
/// }
/// ```
/// ```compile_fail,E0277
/// fn print(released: &albumen_dp::Released<f64>) -> String {
///     format!("{released:?}")
/// }
/// ```
/// ```compile_fail,E0599
/// fn copy(released: &albumen_dp::Released<f64>) -> albumen_dp::Released<f64> {
///     released.clone()
/// }
/// ```
/// ```compile_fail
/// fn forge(event: albumen_accounting::Event) -> albumen_dp::Released<f64> {
///     albumen_dp::Released { value: 0.0, event }
/// }
/// ```
/// What another crate makes under a name of its own is another type:
/// ```compile_fail,E0308
/// use albumen_dp::{Released, Scope};
/// struct Mine;
/// fn forge(event: albumen_accounting::Event, scope: Scope) -> Released<f64> {
///     Released::sealed_by(Mine, 0.0, event, scope)
/// }
/// ```
#[must_use = "a release is worth nothing until it is committed to the ledger"]
pub struct Released<T, M = Trained> {
    value: T,
    event: Event,
    scope: Scope,
    _mechanism: M,
}

/// What stands in the type of a release that [`crate::DpTraining`] made: noised sums trained it.
///
/// Only this crate can make one:
/// ```compile_fail,E0423
/// fn forge(event: albumen_accounting::Event, scope: albumen_dp::Scope) {
///     albumen_dp::Released::sealed_by(albumen_dp::Trained(()), 0.0, event, scope);
/// }
/// ```
/// ```compile_fail,E0277
/// fn anyone<M: Clone + Default>() {}
/// anyone::<albumen_dp::Trained>();
/// ```
#[derive(Debug)]
pub struct Trained(());

/// Which ledgers a release may be charged to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scope {
    /// What adjacency adds or removes.
    pub unit: Unit,
    /// The public number that stands for the corpus's size.
    pub declared_units: u64,
    /// Whether the randomness came from a known seed, which the ledger must then say.
    pub insecure: bool,
}

impl<T> Released<T> {
    /// Seals what a training gave.
    pub(crate) fn new(value: T, event: Event, scope: Scope) -> Self {
        Self {
            value,
            event,
            scope,
            _mechanism: Trained(()),
        }
    }
}

impl<T, M> Released<T, M> {
    /// Seals the output of a mechanism that lives in another crate, with what it costs.
    ///
    /// `mechanism` is a token that only that crate can make, beside the value that it speaks for; it
    /// must not be Clone, Default or handed out. Disallowed by clippy.toml, as
    /// [`crate::Sensitive::expose`]: each use states why `event` is the price of `value`.
    pub fn sealed_by(mechanism: M, value: T, event: Event, scope: Scope) -> Self {
        Self {
            value,
            event,
            scope,
            _mechanism: mechanism,
        }
    }

    /// What the release costs.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Pays for the value and hands it out.
    ///
    /// Writes `encode(&value)` to the private file `escrow` (mode 0600), then appends the event with
    /// the SHA-256 of those bytes to the ledger, each on disk before the next, then returns the
    /// value. `escrow` must lie under `private/` and may be removed once the stage's own files are
    /// complete.
    ///
    /// # Errors
    /// [`DpError::Escrow`], [`DpError::Ledger`]: nothing was released, and the escrow file is gone or
    /// will be removed by [`recover`].
    pub fn commit(
        self,
        ledger: &mut Ledger,
        stage: &str,
        escrow: &Path,
        encode: fn(&T) -> Vec<u8>,
    ) -> Result<T, DpError> {
        self.scope.check(ledger)?;
        let bytes = encode(&self.value);
        write_private(escrow, &bytes).map_err(escrow_error)?;
        ledger.append(stage, self.event, &sha256_hex(&bytes))?;
        Ok(self.value)
    }
}

impl Scope {
    fn check(self, ledger: &Ledger) -> Result<(), DpError> {
        let header = ledger.history().header();
        if header.unit != self.unit || header.declared_units != self.declared_units {
            return Err(DpError::WrongLedger {
                ledger: format!("{} of {}", header.unit, header.declared_units),
                release: format!("{} of {}", self.unit, self.declared_units),
            });
        }
        if self.insecure && !header.insecure_seed {
            return Err(DpError::UnmarkedSeed);
        }
        Ok(())
    }
}

/// The bytes of a release that was paid for before the process was killed.
///
/// `None` where there is no escrow, or where the ledger does not know its bytes: those were never
/// released, and the file is removed. Taking the open [`Ledger`] keeps a live writer out.
///
/// # Errors
/// [`DpError::Escrow`] where the file cannot be read or removed.
pub fn recover(ledger: &Ledger, stage: &str, escrow: &Path) -> Result<Option<Vec<u8>>, DpError> {
    let error = |source| DpError::Escrow {
        path: escrow.to_owned(),
        source,
    };
    // Half an escrow was never in the ledger.
    remove_leftover(escrow).map_err(escrow_error)?;
    let bytes = match std::fs::read(escrow) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(error(e)),
    };
    if ledger.history().contains(stage, &sha256_hex(&bytes)) {
        return Ok(Some(bytes));
    }
    std::fs::remove_file(escrow).map_err(error)?;
    Ok(None)
}

fn escrow_error(FileError { path, source, .. }: FileError) -> DpError {
    DpError::Escrow { path, source }
}

/// Parameters as little-endian `f32`, for [`Released::commit`].
#[expect(
    clippy::ptr_arg,
    reason = "commit takes a function of &T with T = Vec<f32>"
)]
pub fn encode_f32(values: &Vec<f32>) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The inverse of [`encode_f32`]; `None` where the length is no multiple of four.
pub fn decode_f32(bytes: &[u8]) -> Option<Vec<f32>> {
    let (chunks, rest) = bytes.as_chunks::<4>();
    rest.is_empty()
        .then(|| chunks.iter().map(|&c| f32::from_le_bytes(c)).collect())
}
