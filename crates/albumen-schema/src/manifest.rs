//! What stages and releases write down about themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::TuningRuns;
use crate::{Departure, Statistic, Unit};

/// Name and version of the tool, as written into every manifest.
pub const TOOL: &str = concat!("albumen ", env!("CARGO_PKG_VERSION"));

/// `stage.json`: what a finished stage was made from.
///
/// A stage is skipped where the stored manifest equals the one that would be written now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageManifest {
    /// Name of the stage.
    pub stage: String,
    /// Name and version of the tool.
    pub tool: String,
    /// The part of the configuration that this stage reads, as JSON.
    pub config: serde_json::Value,
    /// SHA-256 of each input by name, lower-case hexadecimal.
    pub inputs: BTreeMap<String, String>,
    /// SHA-256 of each output by path relative to the stage's directory.
    pub outputs: BTreeMap<String, String>,
}

/// The neighbouring relation of the guarantee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjacency {
    /// Data sets differ by adding or removing one unit.
    AddRemove,
}

/// One line of the budget as `privacy.json` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgeredEvent {
    /// Which stage released it.
    pub stage: String,
    /// The event's own fields (`mechanism`, `noise_multiplier`, `sampling_rate`, `steps`, ...).
    #[serde(flatten)]
    pub event: serde_json::Value,
}

/// The declaration that the release was chosen from several runs, and what one of them spends.
///
/// It covers runs that spent no more than the events list. A run made earlier without the
/// declaration spent more, and is not in the statement's epsilon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TuningStatement {
    /// How many runs, as the ledger's header declares it.
    pub runs: TuningRuns,
    /// Certified epsilon of the one run that the events list, without the charge for the choice.
    pub epsilon_one_run: f64,
}

/// The albums that both models learnt from without any protection, declared public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicTrainingStatement {
    /// What they are and why they are public, in the publisher's words.
    pub source: String,
    /// SHA-256 of their file.
    pub sha256: String,
}

/// What a public model of a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelUse {
    /// Captions of the private photos.
    Captions,
    /// People, animals and objects on the private photos, beside a tagger's words.
    Objects,
    /// Summaries of the private albums.
    Summaries,
    /// The language model that was adapted.
    LanguageModel,
    /// Vectors of the synthetic texts, by which they are curated and illustrated.
    TextVectors,
    /// Pictures of the synthetic captions.
    Pictures,
}

impl ModelUse {
    /// For the data card.
    pub fn title(self) -> &'static str {
        match self {
            Self::Captions => "captions of the private photos",
            Self::Objects => "objects on the private photos",
            Self::Summaries => "summaries of the private albums",
            Self::LanguageModel => "the two language models, before their training",
            Self::TextVectors => "comparing synthetic texts",
            Self::Pictures => "pictures",
        }
    }
}

/// A public model that a release was made with. No ledger bears this out: it is what the run found
/// behind the configuration's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelStatement {
    /// What it was used for.
    pub used_for: ModelUse,
    /// Its public name: no path or address of the machine that it lay on.
    pub name: String,
    /// The version that is pinned or was fetched, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Its licence as its own card or the asset's pin states it, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// `privacy.json`: the guarantee of a release and what it rests on.
///
/// Nothing in it is signed: it tells damage from a whole release, not who made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyStatement {
    /// Certified upper bound of epsilon over everything released, the charge for tuning included.
    pub epsilon: f64,
    /// Certified lower bound: how far the number could be from exact.
    pub epsilon_lower: f64,
    /// Epsilon by Renyi accounting, a cross-check.
    pub epsilon_rdp: f64,
    /// Delta of the guarantee.
    pub delta: f64,
    /// What one unit is.
    pub unit: Unit,
    /// The neighbouring relation.
    pub adjacency: Adjacency,
    /// The public number that stands for the corpus's size.
    pub declared_units: u64,
    /// The runs that the release was chosen from; absent where it is the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuningStatement>,
    /// The public albums that the models learnt from first; absent where there were none. No
    /// ledger bears this out: it is what the configuration declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_training: Option<PublicTrainingStatement>,
    /// The public models that the release was made with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelStatement>,
    /// What left the machine for servers while the release was made; absent where nothing did. No
    /// ledger bears this out either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_machine: Vec<Departure>,
    /// Every mechanism that ran.
    pub events: Vec<LedgeredEvent>,
    /// Statistics of the private albums that were released, each paid for by one of the events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics: Vec<Statistic>,
    /// Hash of the ledger's last line.
    pub ledger_head: String,
    /// Whether private randomness came from a seed, which voids the guarantee.
    pub insecure_seed: bool,
    /// Name and version of the tool.
    pub tool: String,
    /// SHA-256 of every other file of the release, by relative path.
    pub files: BTreeMap<String, String>,
    /// SHA-256 of `privacy.json` itself with this field as 64 zeros.
    pub statement_sha256: String,
}
