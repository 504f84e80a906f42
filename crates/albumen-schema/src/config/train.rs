//! `[train]`: the adapters, their public start and their two private trainings.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ranges::{MAX_STEPS, MAX_UNITS};
use crate::ModelName;

/// Which projections carry adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoraTargets {
    /// Query and value projections.
    QueryValue,
    /// All four attention projections.
    Attention,
    /// Attention and feed-forward projections.
    All,
}

/// How the learning rate moves over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearningSchedule {
    /// Constant after the warm-up.
    #[default]
    Constant,
    /// Cosine to zero after the warm-up.
    Cosine,
    /// A straight line to zero after the warm-up.
    Linear,
}

/// The rule by which a noisy gradient moves the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerRule {
    /// Adam (Kingma and Ba 2015).
    #[default]
    Adam,
    /// Adam whose second moment is freed of the privacy noise's variance (DP-AdamBC, Tang et al.
    /// 2024).
    AdamBc,
    /// Gradient descent with momentum.
    Sgd,
}

/// How an album's text is split between models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Two models: one writes summaries, one writes a photo's caption given its album's summary.
    #[default]
    Hierarchical,
    /// One model writes the whole album, summary and captions, in one sequence, for the whole budget.
    /// The baseline that the hierarchical layout is measured against.
    Flat,
}

/// `[train]`: what the models share, and one table for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The public language model that is adapted.
    #[serde(default = "default_base_model")]
    #[schemars(with = "String")]
    pub model: ModelName,
    /// How an album's text is split between models.
    #[serde(default)]
    pub layout: Layout,
    /// Public albums that stand before everything that the models read and write, so that the format
    /// need not be learnt: `none`, `builtin`, or `path:` and a file in the form of `train.public`'s.
    /// A file's albums count as published.
    #[serde(default = "default_preamble")]
    #[schemars(
        regex(pattern = r"^(none|builtin|path:.+)$"),
        extend("x-form" = "`none`, `builtin`, or `path:` and a file of public albums")
    )]
    pub preamble: String,
    /// Rank of the adapters.
    #[serde(default = "default_rank")]
    #[schemars(range(min = 1, max = 4096), extend("x-usual" = "8 is usual"))]
    pub lora_rank: usize,
    /// Scale of the adapters: the update is alpha / rank times B A.
    #[serde(default = "default_alpha")]
    #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
    pub lora_alpha: f32,
    /// Which projections carry adapters.
    #[serde(default = "default_targets")]
    pub lora_targets: LoraTargets,
    /// Adapters sit on this many of the last layers.
    #[serde(default = "default_layers")]
    #[schemars(range(min = 1, max = 1024), extend("x-usual" = "8 is usual"))]
    pub lora_layers: usize,
    /// Seed of the adapters' public initial values.
    #[serde(default)]
    #[schemars(range(min = 0, max = i64::MAX))]
    pub init_seed: u64,
    /// Train the adapters' B matrices alone and leave A as `init_seed` draws it (FFA-LoRA, Sun et al.
    /// 2024, arXiv:2403.12313): the noise falls on fewer parameters. Wants five to ten times the
    /// learning rate.
    #[serde(default)]
    pub freeze_a: bool,
    /// Compute the hidden states below the adapted layers once and keep them in memory. A setting and
    /// no choice by size: the corpus's size must not decide how gradients are rounded.
    #[serde(default = "default_cache")]
    pub cache_activations: bool,
    /// Tokens processed together; bounds the memory of a step, changes no result.
    #[serde(default = "default_micro_batch")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub micro_batch_tokens: usize,
    /// Least seconds between two checkpoints of a training, from which a killed run goes on; 0 for
    /// one after each step.
    #[serde(default = "default_checkpoint")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub checkpoint_seconds: u64,
    /// Training without privacy on public albums, before the private one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<PublicTraining>,
    /// The summary model.
    pub summary: ModelTraining,
    /// The caption model.
    pub caption: ModelTraining,
    /// The one model of `layout = "flat"`; as `[train.caption]` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<ModelTraining>,
}

impl TrainConfig {
    /// The settings of the flat layout's one model.
    pub fn of_album(&self) -> &ModelTraining {
        self.album.as_ref().unwrap_or(&self.caption)
    }

    /// The file of `preamble = "path:FILE"`.
    pub fn preamble_file(&self) -> Option<&Path> {
        self.preamble.strip_prefix("path:").map(Path::new)
    }
}

fn default_preamble() -> String {
    "none".to_owned()
}

fn default_base_model() -> ModelName {
    "asset:smollm2-135m-instruct".into()
}
fn default_rank() -> usize {
    8
}
fn default_alpha() -> f32 {
    16.0
}
fn default_targets() -> LoraTargets {
    LoraTargets::QueryValue
}
fn default_layers() -> usize {
    8
}
fn default_cache() -> bool {
    true
}
fn default_micro_batch() -> usize {
    2048
}
fn default_checkpoint() -> u64 {
    60
}

/// `[train.public]`: both adapters first learn from albums that are declared public, by the same
/// trainer without clipping or noise, so that the budget is not spent on the format. Whoever
/// declares private albums here publishes them: nothing about this file is protected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicTraining {
    /// JSON lines of albums:
    /// `{"album_id": "...", "summary": "...", "photos": [{"caption": "..."}]}`. Refused inside
    /// `corpus.path`.
    pub path: PathBuf,
    /// What the albums are and why they are public; stands in the data card.
    #[schemars(
        regex(pattern = r"\S"),
        extend("x-form" = "what the albums are and why they are public; the data card quotes it")
    )]
    pub source: String,
    /// Albums a step.
    #[serde(default = "default_public_batch")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch: usize,
    /// Steps of each model.
    #[serde(default = "default_public_steps")]
    #[schemars(range(min = 1, max = MAX_STEPS))]
    pub steps: u64,
    /// Peak learning rate (Adam, falling to zero by a cosine).
    #[serde(default = "default_public_rate")]
    #[schemars(range(min = 1e-12, max = 1e6))]
    pub learning_rate: f64,
    /// Seed of the order of the albums.
    #[serde(default)]
    #[schemars(range(min = 0, max = i64::MAX))]
    pub seed: u64,
}

fn default_public_batch() -> usize {
    32
}
fn default_public_steps() -> u64 {
    50
}
fn default_public_rate() -> f64 {
    0.002
}

/// `[train.summary]`, `[train.caption]` and `[train.album]`: one DP-SGD run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelTraining {
    /// Expected units a step; the sampling rate is expected_batch / declared_units.
    #[schemars(range(min = 1, max = MAX_UNITS))]
    pub expected_batch: u64,
    /// Number of steps.
    #[schemars(range(min = 1, max = MAX_STEPS))]
    pub steps: u64,
    /// Peak learning rate.
    #[schemars(range(min = 1e-12, max = 1e6))]
    pub learning_rate: f64,
    /// The update rule.
    #[serde(default)]
    pub optimizer: OptimizerRule,
    /// Decay of the first moment (Adam), or momentum (gradient descent).
    #[serde(default = "default_momentum")]
    #[schemars(range(min = 0, max = 0.999_999))]
    pub momentum: f64,
    /// Decay of Adam's second moment.
    #[serde(default = "default_second_moment")]
    #[schemars(range(min = 0, max = 0.999_999))]
    pub second_moment_decay: f64,
    /// Least corrected second moment of `adam_bc`, in squared units of the mean gradient.
    #[serde(default = "default_floor")]
    #[schemars(range(min = 1e-30, max = 1e30))]
    pub second_moment_floor: f64,
    /// Decoupled weight decay per step and unit of learning rate.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1e6))]
    pub weight_decay: f64,
    /// Release an exponential moving average of the parameters with this decay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 0.999_999))]
    pub ema_decay: Option<f64>,
    /// Steps over which the learning rate rises from zero.
    #[serde(default)]
    #[schemars(range(min = 0, max = MAX_STEPS))]
    pub warmup_steps: u64,
    /// How the learning rate moves afterwards.
    #[serde(default)]
    pub schedule: LearningSchedule,
    /// Largest L2 norm that one unit's gradient may have, C.
    #[serde(default = "default_clip_norm")]
    #[schemars(range(min = 1e-30, max = 1e30))]
    pub clip_norm: f64,
    /// Scale every unit's gradient to norm C (AUTO-S) instead of clipping only longer ones.
    #[serde(default)]
    pub normalize: bool,
}

fn default_momentum() -> f64 {
    0.9
}
fn default_second_moment() -> f64 {
    0.999
}
fn default_floor() -> f64 {
    1e-8
}
fn default_clip_norm() -> f64 {
    1.0
}
