//! Released statistics of the private albums, held against the ledger.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use albumen_accounting::{Event, History};
use albumen_files::sha256_hex;
use albumen_schema::statistic::STATISTICS;
use albumen_schema::{NoisyCounts, PrivacyStatement, Statistic, Unit};
use serde::{Deserialize, Serialize};

use crate::error::{Result, VerifyError};
use crate::names::{PRIVACY_FILE, STATISTICS_FILE};

/// `statistics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// What adding or removing one of moves a count by at most `max_per_unit`.
    unit: Unit,
    statistics: Vec<Statistic>,
}

/// The stages of statistics that the ledger holds, in order.
pub fn paid(ledger: &History) -> Vec<&'static str> {
    let held: BTreeSet<&str> = ledger.entries().iter().map(|e| e.stage.as_str()).collect();
    STATISTICS
        .into_iter()
        .filter(|s| held.contains(s))
        .collect()
}

/// The counts with what the ledger says of them; none where it did not pay for exactly these.
pub fn of_ledger(ledger: &History, stage: &str, released: NoisyCounts) -> Option<Statistic> {
    let hash = sha256_hex(released.to_bytes());
    let mut entries = ledger.entries().iter();
    let entry = entries.find(|e| e.stage == stage && e.artefact_sha256 == hash)?;
    let Event::PureDp { epsilon } = entry.event else {
        return None;
    };
    (released.categories.len() == released.counts.len())
        .then(|| Statistic::new(stage, released, epsilon))
}

/// The bytes of `statistics.json`.
///
/// # Errors
/// [`VerifyError::Json`].
pub fn document(unit: Unit, statistics: &[Statistic]) -> Result<Vec<u8>> {
    let document = Document {
        unit,
        statistics: statistics.to_vec(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document).map_err(VerifyError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What of the release's statistics the ledger does not bear out; empty where all is well.
pub(crate) fn differences(
    release: &Path,
    found: &BTreeSet<String>,
    statement: Option<&PrivacyStatement>,
    ledger: &History,
) -> Vec<String> {
    let mut differences = Vec::new();
    let paid = paid(ledger);
    let stated = statement.map(|s| s.statistics.as_slice());
    if !found.contains(STATISTICS_FILE) {
        if !paid.is_empty() {
            let paid = paid.join(" and ");
            differences.push(format!(
                "{STATISTICS_FILE}: is missing, and the ledger paid for {paid}"
            ));
        }
        if stated.is_some_and(|stated| !stated.is_empty()) {
            differences.push(format!(
                "{PRIVACY_FILE}: states statistics, and there is no {STATISTICS_FILE}"
            ));
        }
        return differences;
    }
    let document = fs::read(release.join(STATISTICS_FILE)).map(|b| serde_json::from_slice(&b));
    let document: Document = match document {
        Ok(Ok(document)) => document,
        Ok(Err(e)) => return vec![format!("{STATISTICS_FILE}: cannot be read: {e}")],
        Err(e) => return vec![format!("{STATISTICS_FILE}: cannot be read: {e}")],
    };
    if document.unit != ledger.header().unit {
        differences.push(format!(
            "{STATISTICS_FILE}: is by {}, and the ledger by {}",
            document.unit,
            ledger.header().unit
        ));
    }
    for statistic in &document.statistics {
        let stage = &statistic.stage;
        match of_ledger(ledger, stage, statistic.released.clone()) {
            None => differences.push(format!(
                "{STATISTICS_FILE}: {stage} is not what the ledger paid for"
            )),
            Some(recomputed) if recomputed != *statistic => differences.push(format!(
                "{STATISTICS_FILE}: the figures of {stage} do not follow from what was released"
            )),
            Some(_) => {}
        }
    }
    for stage in paid {
        let shown = document.statistics.iter().filter(|s| s.stage == stage);
        if shown.count() != 1 {
            differences.push(format!(
                "{STATISTICS_FILE}: does not hold {stage} once, and the ledger paid for it"
            ));
        }
    }
    if stated.is_some_and(|stated| stated != document.statistics) {
        differences.push(format!(
            "{PRIVACY_FILE}: the statistics are stated differently in {STATISTICS_FILE}"
        ));
    }
    differences
}
