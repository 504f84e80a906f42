//! How synthetic albums are compared with the private ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[evaluate]`: how `albumen evaluate` compares the synthetic albums with the private ones. Its
/// numbers are not differentially private: choosing settings by them is a use of the private albums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateConfig {
    /// Seed of halves, samples, clusters and intervals.
    pub seed: u64,
    /// Albums of each set, and captions of each set, that are looked at, at most.
    pub samples: usize,
    /// Bootstrap resamples of an interval.
    pub resamples: usize,
    /// Topics that texts are sorted into, at most.
    pub topics: usize,
    /// The sentence embedder: `asset:all-minilm-l6-v2`, or `path:` and a directory with
    /// config.json, model.safetensors and tokenizer.json of the BERT architecture.
    pub embedder: String,
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            samples: 5000,
            resamples: 200,
            topics: 20,
            embedder: "asset:all-minilm-l6-v2".to_owned(),
        }
    }
}
