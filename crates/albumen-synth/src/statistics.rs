//! Released statistics of the private albums, read from the run.

use std::fs;
use std::path::Path;

use albumen_accounting::History;
use albumen_schema::{NoisyCounts, Statistic};
use albumen_verify::statistics::{of_ledger, paid};

use crate::error::{Result, SynthError, io_error};

/// The statistics that the ledger paid for, from `dir`: a file `STAGE.json` each, whose bytes are
/// those that the ledger's hash is of.
///
/// # Errors
/// [`SynthError::Io`] for a missing file, [`SynthError::Statistic`] where the ledger did not pay for
/// what is in it.
pub fn read(dir: &Path, ledger: &History) -> Result<Vec<Statistic>> {
    paid(ledger)
        .into_iter()
        .map(|stage| {
            let path = dir.join(format!("{stage}.json"));
            let bytes = fs::read(&path).map_err(io_error("read", &path))?;
            let released: Option<NoisyCounts> = serde_json::from_slice(&bytes).ok();
            released
                .and_then(|released| of_ledger(ledger, stage, released))
                .ok_or(SynthError::Statistic { path })
        })
        .collect()
}
