//! How synthetic albums are compared with the private ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ModelName;

/// `[evaluate]`: how `albumen evaluate` compares the synthetic albums with the private ones. Its
/// numbers are not differentially private: choosing settings by them is a use of the private albums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateConfig {
    /// Seed of halves, samples, clusters and intervals.
    #[schemars(range(min = 0, max = i64::MAX))]
    pub seed: u64,
    /// Albums of each set, and captions of each set, that are looked at, at most.
    #[schemars(
        range(min = 20, max = 10_000_000),
        extend("x-usual" = "the measures want thousands")
    )]
    pub samples: usize,
    /// Bootstrap resamples of an interval.
    #[schemars(
        range(min = 40, max = 100_000),
        extend("x-usual" = "200 is enough for two digits")
    )]
    pub resamples: usize,
    /// Topics that texts are sorted into, at most.
    #[schemars(range(min = 2, max = 1000))]
    pub topics: usize,
    /// The sentence embedder: `asset:all-minilm-l6-v2`, or `path:` and a directory with
    /// config.json, model.safetensors and tokenizer.json of the BERT architecture.
    #[schemars(
        with = "String",
        regex(pattern = r"^(asset:all-minilm-l6-v2|path:.+)$"),
        extend("x-form" = "`asset:all-minilm-l6-v2`, or `path:` and a directory")
    )]
    pub embedder: ModelName,
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            samples: 5000,
            resamples: 200,
            topics: 20,
            embedder: "asset:all-minilm-l6-v2".into(),
        }
    }
}
