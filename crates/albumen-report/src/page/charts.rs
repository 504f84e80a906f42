//! The numbers behind the report's bars.

use albumen_accounting::{Event, account};
use albumen_chart::{Colour, ShareBar};
use albumen_schema::PrivacyStatement;
use albumen_synth::export::words;
use serde::Serialize;

use super::ReportData;
use crate::error::Result;

/// One bar: what it stands for, its value in words, and the drawing.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    label: String,
    value: String,
    svg: String,
}

/// Epsilon of each stage alone, of all together, and what the configuration allows.
///
/// Parts compose to less than their sum or, at small epsilon, to more: they are shown side by side,
/// not stacked.
pub(super) fn budget(data: &ReportData<'_>, statement: &PrivacyStatement) -> Result<Vec<Bar>> {
    let mut stages: Vec<(&str, Vec<Event>)> = Vec::new();
    for entry in data.ledger.entries() {
        match stages.iter_mut().find(|(stage, _)| *stage == entry.stage) {
            Some((_, events)) => events.push(entry.event.clone()),
            None => stages.push((&entry.stage, vec![entry.event.clone()])),
        }
    }
    let mut parts = Vec::new();
    for (stage, events) in stages {
        let alone = account(&events, statement.delta)?.epsilon;
        parts.push((format!("{stage}, on its own"), alone, Colour::OwnSoft));
    }
    if let Some(tuning) = &statement.tuning {
        let one = tuning.epsilon_one_run;
        parts.push((
            "This run, all stages together".to_owned(),
            one,
            Colour::OwnSoft,
        ));
    }
    let whole = if statement.tuning.is_some() {
        "Everything, the choice among runs included"
    } else {
        "Everything released"
    };
    parts.push((whole.to_owned(), statement.epsilon, Colour::Own));
    parts.push((
        "Allowed by the configuration".to_owned(),
        data.epsilon_allowed,
        Colour::Soft,
    ));
    let longest = parts.iter().map(|(_, value, _)| *value).fold(0.0, f64::max);
    Ok(parts
        .into_iter()
        .map(|(label, value, colour)| Bar {
            label,
            value: words::epsilon(value),
            svg: ShareBar::of(percent(value, longest), colour).svg(),
        })
        .collect())
}

/// Per cent of the longest bar, to two decimals.
pub(super) fn percent(value: f64, longest: f64) -> f64 {
    if longest > 0.0 {
        (10_000.0 * value / longest).round() / 100.0
    } else {
        0.0
    }
}
