//! What a ledger or a release's privacy.json says was spent.

use std::path::Path;

use albumen_accounting::{Event, History, TuningRuns};
use albumen_schema::{PrivacyStatement, Unit};
use anyhow::{Context, anyhow};
use serde_json::Value;

/// The events of a file, and what they are about.
pub(super) struct Spent {
    pub(super) events: Vec<Event>,
    pub(super) tuning: Option<TuningRuns>,
    pub(super) delta: f64,
    pub(super) unit: Unit,
}

/// Reads a ledger, chain checked, or the events that a privacy.json lists.
pub(super) fn read(path: &Path) -> anyhow::Result<Spent> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if let Ok(statement) = serde_json::from_slice::<PrivacyStatement>(&bytes) {
        let events = statement.events.iter().map(|e| own_fields(&e.event));
        return Ok(Spent {
            events: events
                .collect::<anyhow::Result<_>>()
                .with_context(|| path.display().to_string())?,
            tuning: statement.tuning.map(|t| t.runs),
            delta: statement.delta,
            unit: statement.unit,
        });
    }
    let (history, _) = History::parse(&bytes)
        .with_context(|| format!("{} is neither a ledger nor a privacy.json", path.display()))?;
    let header = history.header();
    Ok(Spent {
        events: history.events(),
        tuning: header.tuning_runs,
        delta: header.delta,
        unit: header.unit,
    })
}

/// The event without the fields that privacy.json adds for every mechanism alike.
fn own_fields(listed: &Value) -> anyhow::Result<Event> {
    let kept: &[&str] = match listed["mechanism"].as_str().unwrap_or_default() {
        "poisson_gaussian" => &[
            "noise_multiplier",
            "sampling_rate",
            "steps",
            "statistical_distance",
        ],
        "gaussian" => &["noise_multiplier"],
        "laplace" => &["scale"],
        "discrete_gaussian" => &["noise_multiplier", "sensitivity"],
        "pure_dp" => &["epsilon"],
        other => return Err(anyhow!("the mechanism `{other}` is not known")),
    };
    let fields = listed.as_object().into_iter().flatten();
    let own = fields.filter(|(key, _)| *key == "mechanism" || kept.contains(&key.as_str()));
    let own: serde_json::Map<String, Value> = own
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let event: Event = serde_json::from_value(Value::Object(own))?;
    event.validate()?;
    Ok(event)
}
