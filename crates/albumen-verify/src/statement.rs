//! The privacy statement, recomputed from the ledger.

use std::collections::BTreeMap;

use albumen_accounting::{Event, History, account};
use albumen_schema::{Adjacency, LedgeredEvent, PrivacyStatement, TOOL, TuningStatement};
use serde_json::Value;

use crate::error::{Result, VerifyError};

/// Stands for the statement's own hash while it is taken.
const PLACEHOLDER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The statement that a ledger bears out, with no statistics, no public training, no
/// models, nothing sent away, no files listed and no own hash.
///
/// # Errors
/// [`VerifyError::EmptyLedger`], and [`VerifyError::Accounting`] for events out of range.
pub fn of_ledger(history: &History) -> Result<PrivacyStatement> {
    let header = history.header();
    if history.entries().is_empty() {
        return Err(VerifyError::EmptyLedger);
    }
    let guarantee = history.guarantee()?;
    let tuning = match header.tuning_runs {
        Some(runs) => Some(TuningStatement {
            runs,
            epsilon_one_run: account(&history.events(), header.delta)?.epsilon,
        }),
        None => None,
    };
    let events = history
        .entries()
        .iter()
        .map(|entry| {
            Ok(LedgeredEvent {
                stage: entry.stage.clone(),
                event: described(&entry.event)?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(PrivacyStatement {
        epsilon: guarantee.epsilon,
        epsilon_lower: guarantee.epsilon_lower,
        epsilon_rdp: guarantee.epsilon_rdp,
        delta: header.delta,
        unit: header.unit,
        adjacency: Adjacency::AddRemove,
        declared_units: header.declared_units,
        tuning,
        public_training: None,
        models: Vec::new(),
        left_machine: Vec::new(),
        events,
        statistics: Vec::new(),
        ledger_head: history.head().to_owned(),
        insecure_seed: header.insecure_seed,
        tool: TOOL.to_owned(),
        files: BTreeMap::new(),
        statement_sha256: PLACEHOLDER.to_owned(),
    })
}

/// The event's own fields, and the four that every event of `privacy.json` has.
fn described(event: &Event) -> Result<Value> {
    let mut value = serde_json::to_value(event).map_err(VerifyError::Json)?;
    if let Value::Object(fields) = &mut value {
        let mut missing = |name: &str, value: Value| {
            fields.entry(name).or_insert(value);
        };
        missing("noise_multiplier", event.noise_multiplier().into());
        missing("sampling_rate", event.sampling_rate().into());
        missing("steps", event.steps().into());
    }
    Ok(value)
}

/// Fills in the statement's own hash and returns its bytes.
///
/// # Errors
/// [`VerifyError::Json`].
pub fn seal(statement: &mut PrivacyStatement) -> Result<Vec<u8>> {
    PLACEHOLDER.clone_into(&mut statement.statement_sha256);
    let bytes = to_bytes(statement)?;
    statement.statement_sha256 = albumen_files::sha256_hex(&bytes);
    to_bytes(statement)
}

fn to_bytes(statement: &PrivacyStatement) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(statement).map_err(VerifyError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The bytes that the statement's own hash is of: the file with that hash as zeros.
pub(crate) fn without_own_hash(text: &str, own: &str) -> String {
    text.replacen(
        &format!("\"statement_sha256\": \"{own}\""),
        &format!("\"statement_sha256\": \"{PLACEHOLDER}\""),
        1,
    )
}
