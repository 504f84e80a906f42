//! The `[privacy]` table.

use albumen_accounting::{TuningRuns, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ranges::MAX_UNITS;

/// `[privacy]`: the guarantee that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyConfig {
    /// What add/remove adjacency adds or removes: `album` or `owner`.
    pub unit: Unit,
    /// Epsilon of the whole release.
    #[schemars(
        range(max = 700),
        extend("exclusiveMinimum" = 0, "x-usual" = "1 to 10 is usual")
    )]
    pub epsilon: f64,
    /// Delta of the whole release; below 1 / declared_units.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub delta: f64,
    /// A public number that stands for the number of units; never measured from the corpus.
    #[schemars(range(min = 1, max = MAX_UNITS))]
    pub declared_units: u64,
    /// Albums an owner contributes at most (unit `owner`); the first ones by identifier.
    #[serde(default = "default_max_albums")]
    #[schemars(
        range(min = 1, max = 1_000_000),
        extend("x-usual" = "1 to 10 is usual")
    )]
    pub max_albums_per_owner: usize,
    /// Share of the budget for the summary model, in (0, 1); the caption model has the rest.
    #[serde(default = "default_split")]
    #[schemars(extend(
        "exclusiveMinimum" = 0,
        "exclusiveMaximum" = 1,
        "x-usual" = "0.5 splits evenly"
    ))]
    pub summary_share: f64,
    /// How many runs on the same albums this release is chosen from; one where absent. The charge is
    /// part of epsilon: the noise is raised so that the total still meets it. See docs/privacy.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning_runs: Option<TuningRuns>,
}

fn default_max_albums() -> usize {
    4
}
fn default_split() -> f64 {
    0.5
}
