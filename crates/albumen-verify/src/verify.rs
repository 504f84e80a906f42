//! Verification of a release: is it whole, unaltered, and is its epsilon what its ledger says?
//!
//! The check needs nothing but the release. It finds damage and careless edits; it cannot prove who
//! made a release, since someone who rewrites every file and every hash leaves a consistent one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use albumen_accounting::History;
use albumen_schema::{PrivacyStatement, TuningStatement, Unit};
use serde::Serialize;

use crate::error::{Result, VerifyError, unreadable};
use crate::names::{ALBUMS_FILE, CARD_FILE, LEDGER_FILE, METADATA_FILE, PRIVACY_FILE};
use crate::statement::{of_ledger, without_own_hash};
use crate::statistics;

/// Relative difference of two epsilons that another version or processor may cause.
const TOLERANCE: f64 = 1e-6;

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VerifyReport {
    /// Epsilon recomputed from the release's ledger, the charge for tuning included; absent where the ledger is damaged.
    pub epsilon: Option<f64>,
    /// Lower bound of epsilon, recomputed.
    pub epsilon_lower: Option<f64>,
    /// Epsilon by Renyi accounting, recomputed.
    pub epsilon_rdp: Option<f64>,
    /// The runs that the release was chosen from, where the ledger declares any; their charge is part of
    /// the epsilons.
    pub tuning: Option<TuningStatement>,
    /// Delta of the ledger.
    pub delta: Option<f64>,
    /// Privacy unit of the ledger.
    pub unit: Option<Unit>,
    /// Public number that stands for the corpus's size.
    pub declared_units: Option<u64>,
    /// Files whose hash was checked, `privacy.json` included.
    pub files_checked: usize,
    /// Everything that is not as it should be, in words; empty where all is well.
    pub differences: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing differs.
    pub fn intact(&self) -> bool {
        self.differences.is_empty()
    }

    fn differs(&mut self, what: impl Into<String>) {
        self.differences.push(what.into());
    }
}

/// Checks every file of a release against `privacy.json`, and `privacy.json` against the ledger.
///
/// # Errors
/// [`VerifyError::File`] where the directory cannot be read; whatever is wrong inside it is a
/// difference, not an error.
pub fn verify(release: &Path) -> Result<VerifyReport> {
    if !release.is_dir() {
        return Err(VerifyError::NotARelease {
            path: release.to_owned(),
        });
    }
    let mut report = VerifyReport::default();
    let found = walk(release, &mut report)?;
    let statement = read_statement(release, &found, &mut report);
    if let Some(statement) = &statement {
        compare_files(release, statement, &found, &mut report)?;
    }
    check_ledger(release, statement.as_ref(), &found, &mut report);
    Ok(report)
}

/// Relative paths of all regular files; anything else but a directory differs.
fn walk(release: &Path, report: &mut VerifyReport) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut open = vec![(release.to_owned(), String::new())];
    while let Some((dir, prefix)) = open.pop() {
        let entries = fs::read_dir(&dir).and_then(Iterator::collect);
        let entries: Vec<fs::DirEntry> = entries.map_err(unreadable(&dir))?;
        if entries.is_empty() && !prefix.is_empty() {
            let name = prefix.trim_end_matches('/');
            report.differs(format!("{name}: is an empty directory; a release has none"));
        }
        for entry in entries {
            let path = entry.path();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // Of the entry itself: a link is not followed.
            let kind = entry.file_type().map_err(unreadable(&path))?;
            if kind.is_dir() {
                open.push((path, format!("{name}/")));
            } else if kind.is_file() {
                found.insert(name);
            } else {
                report.differs(format!(
                    "{name}: is a link or special file; a release has none"
                ));
            }
        }
    }
    // A directory lists its entries in any order.
    report.differences.sort();
    Ok(found)
}

fn read_statement(
    release: &Path,
    found: &BTreeSet<String>,
    report: &mut VerifyReport,
) -> Option<PrivacyStatement> {
    if !found.contains(PRIVACY_FILE) {
        report.differs(format!(
            "{PRIVACY_FILE}: is missing, so the hashes cannot be checked"
        ));
        return None;
    }
    report.files_checked += 1;
    let text = match fs::read_to_string(release.join(PRIVACY_FILE)) {
        Ok(text) => text,
        Err(e) => {
            report.differs(format!("{PRIVACY_FILE}: cannot be read as text: {e}"));
            return None;
        }
    };
    let statement: PrivacyStatement = match serde_json::from_str(&text) {
        Ok(statement) => statement,
        Err(e) => {
            report.differs(format!("{PRIVACY_FILE}: is not a privacy statement: {e}"));
            return None;
        }
    };
    let unsealed = without_own_hash(&text, &statement.statement_sha256);
    if albumen_files::sha256_hex(unsealed.as_bytes()) != statement.statement_sha256 {
        report.differs(format!("{PRIVACY_FILE}: was changed since it was written"));
    }
    Some(statement)
}

fn compare_files(
    release: &Path,
    statement: &PrivacyStatement,
    found: &BTreeSet<String>,
    report: &mut VerifyReport,
) -> Result<()> {
    for name in [CARD_FILE, METADATA_FILE, ALBUMS_FILE, LEDGER_FILE] {
        if !statement.files.contains_key(name) {
            report.differs(format!("{name}: has no hash in {PRIVACY_FILE}"));
        }
    }
    let listed: BTreeMap<&String, &String> = statement.files.iter().collect();
    for name in listed.keys().filter(|name| !found.contains(**name)) {
        report.differs(format!("{name}: is missing"));
    }
    for name in found.iter().filter(|name| *name != PRIVACY_FILE) {
        let Some(expected) = listed.get(name) else {
            report.differs(format!("{name}: is not part of the release"));
            continue;
        };
        report.files_checked += 1;
        if albumen_files::sha256_of_file(&release.join(name))? != **expected {
            report.differs(format!("{name}: was changed since the release was made"));
        }
    }
    Ok(())
}

fn check_ledger(
    release: &Path,
    statement: Option<&PrivacyStatement>,
    found: &BTreeSet<String>,
    report: &mut VerifyReport,
) {
    if !found.contains(LEDGER_FILE) {
        report.differs(format!(
            "{LEDGER_FILE}: is missing, so epsilon cannot be recomputed"
        ));
        return;
    }
    let recomputed = fs::read(release.join(LEDGER_FILE))
        .map_err(unreadable(&release.join(LEDGER_FILE)))
        .and_then(|bytes| {
            let (history, complete) = History::parse(&bytes)?;
            Ok((of_ledger(&history)?, history, complete == bytes.len()))
        });
    let (ledger, history, whole) = match recomputed {
        Ok(recomputed) => recomputed,
        Err(e) => {
            report.differs(format!("{LEDGER_FILE}: {e}"));
            return;
        }
    };
    if !whole {
        report.differs(format!("{LEDGER_FILE}: ends inside a line"));
    }
    report.epsilon = Some(ledger.epsilon);
    report.epsilon_lower = Some(ledger.epsilon_lower);
    report.epsilon_rdp = Some(ledger.epsilon_rdp);
    report.tuning = ledger.tuning;
    report.delta = Some(ledger.delta);
    report.unit = Some(ledger.unit);
    report.declared_units = Some(ledger.declared_units);
    if ledger.insecure_seed {
        report
            .differs("the private randomness came from a fixed seed: the guarantee does not hold");
    }
    if let Some(statement) = statement {
        compare_statements(statement, &ledger, report);
    }
    for difference in statistics::differences(release, found, statement, &history) {
        report.differs(difference);
    }
}

fn compare_statements(
    stated: &PrivacyStatement,
    ledger: &PrivacyStatement,
    report: &mut VerifyReport,
) {
    let mut differs = |field: &str, stated: String, ledger: String| {
        report.differs(format!(
            "{PRIVACY_FILE}: {field} is stated as {stated}, and the ledger gives {ledger}"
        ));
    };
    for (field, stated, ledger) in [
        ("epsilon", stated.epsilon, ledger.epsilon),
        ("epsilon_lower", stated.epsilon_lower, ledger.epsilon_lower),
        ("epsilon_rdp", stated.epsilon_rdp, ledger.epsilon_rdp),
    ] {
        let close = stated == ledger || (stated - ledger).abs() <= TOLERANCE * ledger.abs();
        if !close {
            differs(field, stated.to_string(), ledger.to_string());
        }
    }
    if stated.delta != ledger.delta {
        differs("delta", stated.delta.to_string(), ledger.delta.to_string());
    }
    if stated.unit != ledger.unit {
        differs("unit", stated.unit.to_string(), ledger.unit.to_string());
    }
    if stated.adjacency != ledger.adjacency {
        differs(
            "adjacency",
            format!("{:?}", stated.adjacency),
            format!("{:?}", ledger.adjacency),
        );
    }
    if stated.declared_units != ledger.declared_units {
        differs(
            "declared_units",
            stated.declared_units.to_string(),
            ledger.declared_units.to_string(),
        );
    }
    if stated.insecure_seed != ledger.insecure_seed {
        differs(
            "insecure_seed",
            stated.insecure_seed.to_string(),
            ledger.insecure_seed.to_string(),
        );
    }
    if stated.ledger_head != ledger.ledger_head {
        differs(
            "ledger_head",
            stated.ledger_head.clone(),
            ledger.ledger_head.clone(),
        );
    }
    let words = |tuning: Option<TuningStatement>| {
        tuning.map_or_else(
            || "one run".to_owned(),
            |t| format!("{} (epsilon {} for one)", t.runs, t.epsilon_one_run),
        )
    };
    let same = match (stated.tuning, ledger.tuning) {
        (Some(stated), Some(ledger)) => {
            let (one, recomputed) = (stated.epsilon_one_run, ledger.epsilon_one_run);
            stated.runs == ledger.runs && (one - recomputed).abs() <= TOLERANCE * recomputed
        }
        (stated, ledger) => stated.is_none() && ledger.is_none(),
    };
    if !same {
        differs("tuning", words(stated.tuning), words(ledger.tuning));
    }
    if stated.events != ledger.events {
        differs(
            "the list of events",
            format!("{} events", stated.events.len()),
            format!("{} events, not the same", ledger.events.len()),
        );
    }
}
