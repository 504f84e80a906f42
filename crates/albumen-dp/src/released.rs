use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use albumen_accounting::ledger::sha256_hex;
use albumen_accounting::{Event, Ledger};
use albumen_schema::Unit;

use crate::DpError;

/// The output of a mechanism, not yet paid for.
///
/// It can be made only inside this crate and carries its event; [`Released::commit`] is the only way
/// to the value.
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
/// ```compile_fail
/// fn forge(event: albumen_accounting::Event) -> albumen_dp::Released<f64> {
///     albumen_dp::Released { value: 0.0, event }
/// }
/// ```
#[must_use = "a release is worth nothing until it is committed to the ledger"]
pub struct Released<T> {
    value: T,
    event: Event,
    scope: Scope,
}

/// Which ledgers a release may be charged to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scope {
    pub(crate) unit: Unit,
    pub(crate) declared_units: u64,
    pub(crate) insecure: bool,
}

impl<T> Released<T> {
    pub(crate) fn new(value: T, event: Event, scope: Scope) -> Self {
        Self {
            value,
            event,
            scope,
        }
    }

    /// What the release costs.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The value, for this crate's own tests.
    #[cfg(test)]
    pub(crate) fn peek(&self) -> &T {
        &self.value
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
        write_private(escrow, &bytes).map_err(|source| DpError::Escrow {
            path: escrow.to_owned(),
            source,
        })?;
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

/// Writes a file that only its owner may read, on disk when this returns.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A file of an earlier run may have another mode: it is never reused.
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    #[cfg(unix)]
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}
