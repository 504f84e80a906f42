//! What a ledger or a release's privacy.json says was spent.

use std::path::{Path, PathBuf};

use albumen_accounting::{Event, History, TuningRuns};
use albumen_schema::{PrivacyStatement, Unit};
use anyhow::{Context, anyhow, bail, ensure};
use serde_json::Value;

/// The events of a file, and what they are about.
pub(super) struct Spent {
    pub(super) events: Vec<Event>,
    pub(super) tuning: Option<TuningRuns>,
    pub(super) delta: f64,
    pub(super) unit: Unit,
}

/// What all the files spent together; `None` where there are none. Of several, each is charged for
/// its own fixed number of runs; a secret number is charged by a theorem about one ledger alone.
pub(super) fn read_all(paths: &[PathBuf], delta: Option<f64>) -> anyhow::Result<Option<Spent>> {
    let mut spent: Vec<Spent> = paths.iter().map(|p| read(p)).collect::<Result<_, _>>()?;
    if spent.len() < 2 {
        return Ok(spent.pop());
    }
    let (unit, first) = (spent[0].unit, spent[0].delta);
    let mut events = Vec::new();
    for (one, path) in spent.iter().zip(paths) {
        let path = path.display();
        ensure!(
            one.unit == unit,
            "{path} is by {}, the first by {unit}\n  hint: guarantees of different units do not \
             compose; name ledgers of one unit",
            one.unit
        );
        ensure!(
            delta.is_some() || one.delta == first,
            "{path} has delta {:e}, the first {first:e}\n  hint: give the delta of the whole with \
             --delta",
            one.delta
        );
        let runs = match one.tuning {
            None => 1,
            Some(TuningRuns::Fixed { count }) => count,
            Some(secret) => bail!(
                "{path} declares {secret}, which holds only where nothing else of these albums is \
                 published\n  hint: its charge cannot be composed with other ledgers here"
            ),
        };
        events.extend((0..runs).flat_map(|_| one.events.iter().cloned()));
    }
    Ok(Some(Spent {
        events,
        tuning: None,
        delta: first,
        unit,
    }))
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
