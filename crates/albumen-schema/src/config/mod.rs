//! The configuration of a run: TOML, one table a stage.
//!
//! Unknown keys are errors that name the nearest known key. Every error carries the file, line
//! and column it speaks of.

mod caption;
mod compute;
mod curate;
mod endpoint;
mod error;
mod evaluate;
mod privacy;
mod ranges;
mod release;
mod render;
mod stages;
mod train;
mod validate;
mod validate_curate;

pub use albumen_accounting::TuningRuns;
pub use caption::CaptionConfig;
pub use compute::{ComputeConfig, ComputePrecision};
pub use curate::{CurateConfig, TopicsConfig};
pub use endpoint::EndpointConfig;
pub use error::ConfigError;
pub use evaluate::EvaluateConfig;
pub use privacy::PrivacyConfig;
pub use ranges::{MAX_ALBUMS, MAX_CANDIDATES, MAX_PHOTOS, MAX_TRIES, allowed, resolve};
pub use release::ReleaseConfig;
pub use render::{ILLUSTRATION, RenderConfig, RenderPrecision};
pub use stages::{
    CorpusConfig, ExportConfig, ExportFormat, GenerateConfig, InputFormat, OwnerlessAlbums,
    Sampling, SummarizeConfig,
};
pub use train::{
    Layout, LearningSchedule, LoraTargets, ModelTraining, OptimizerRule, PublicTraining,
    TrainConfig,
};
pub use validate_curate::LANGUAGES;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validate::Fault;

/// A whole configuration, resolved: every default is filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the run: its directory under `runs/`, and what the data card is called.
    #[schemars(
        length(max = 200),
        regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"),
        extend("x-form" = "1 to 200 letters, digits, `-`, `_` and `.`, the first of them no `.`")
    )]
    pub name: String,
    /// Where the private albums are, and how to read them.
    pub corpus: CorpusConfig,
    /// How photos get captions.
    #[serde(default)]
    pub caption: CaptionConfig,
    /// How albums get summaries.
    #[serde(default)]
    pub summarize: SummarizeConfig,
    /// The guarantee that is asked for. Nothing here has a default.
    pub privacy: PrivacyConfig,
    /// Where the language model runs.
    #[serde(default)]
    pub compute: ComputeConfig,
    /// How servers are asked that run models for a stage.
    #[serde(default)]
    pub endpoint: EndpointConfig,
    /// Noisy statistics of the private albums, charged to the same budget; off by default.
    #[serde(default)]
    pub release: ReleaseConfig,
    /// The public topics that albums are sorted into, where something asks for them.
    #[serde(default)]
    pub topics: TopicsConfig,
    /// How the two models are trained.
    pub train: TrainConfig,
    /// How synthetic albums are sampled.
    pub generate: GenerateConfig,
    /// What the text filters let through.
    #[serde(default)]
    pub curate: CurateConfig,
    /// How kept albums become pictures.
    #[serde(default)]
    pub render: RenderConfig,
    /// What the release says of itself.
    #[serde(default)]
    pub export: ExportConfig,
    /// How the synthetic albums are compared with the private ones.
    #[serde(default)]
    pub evaluate: EvaluateConfig,
}

impl Config {
    /// Parses and validates a configuration.
    ///
    /// `origin` names the text in errors, normally the file's path.
    ///
    /// # Errors
    /// [`ConfigError`] with the place and a hint, for invalid TOML, unknown or missing keys, and
    /// values out of range.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ConfigError> {
        let faulty = |fault: &Fault| ConfigError::from_fault(origin, text, fault);
        let config = Self::parse_unchecked(origin, text).map_err(|error| {
            // A number may be so far out of range that its key's type cannot hold it.
            let raw = toml::from_str::<toml::Table>(text).ok();
            let fault = raw.and_then(|raw| ranges::check(&raw).err());
            fault.as_ref().map_or(error, faulty)
        })?;
        config.check().map_err(|fault| faulty(&fault))?;
        Ok(config)
    }

    /// Parses a configuration that was checked when it was used: the `run.toml` of a run directory,
    /// which another version with other ranges may have made.
    ///
    /// What it holds may be shown. Before anything is computed from it, it must pass
    /// [`Config::validate`].
    ///
    /// # Errors
    /// [`ConfigError`] for invalid TOML, and unknown or missing keys.
    pub fn parse_unchecked(origin: &str, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| ConfigError::from_toml(origin, text, &e))
    }

    /// Checks the range of every key, and the rules between keys.
    ///
    /// # Errors
    /// [`ConfigError`] that names the key and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check()
            .map_err(|fault| ConfigError::from_fault("configuration", "", &fault))
    }

    /// Whether anything asks for the public topics.
    pub fn wants_topics(&self) -> bool {
        self.release.topic_histogram_epsilon > 0.0 || self.curate.max_topic_share < 1.0
    }

    /// The resolved configuration as TOML, as it is kept in `run.toml`.
    ///
    /// # Errors
    /// [`ConfigError`] if a value has no TOML form, which no valid configuration holds.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string_pretty(self).map_err(|e| ConfigError::unwritable(&e))
    }
}

#[cfg(test)]
mod tests;
