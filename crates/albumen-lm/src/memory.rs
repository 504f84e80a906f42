//! How much memory training and decoding take, by counting what they keep.

use serde::Serialize;

use crate::config::ModelConfig;
use crate::gradient::Budget;
use crate::kernels::Precision;
use crate::lora::LoraLayout;

/// Numbers of logits that a device holds at once in training: 128 MiB fill a large one.
pub(crate) const LOGITS: usize = 1 << 25;
/// How often it holds them: themselves, their exponentials, and the gradient.
const LOGITS_COPIES: u64 = 3;
/// A device's pool of caches doubles where it is full.
const POOL_RESERVE: u64 = 2;

/// Bytes of a model's frozen weights.
pub fn weights_bytes(config: &ModelConfig, precision: Precision) -> u64 {
    let numbers = config.parameter_count() as u64;
    match precision {
        Precision::F32 => 4 * numbers,
        Precision::Bf16 => 2 * numbers,
        Precision::Int8 => 34 * numbers / 32,
    }
}

/// Bytes of the large parts of decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DecodingMemory {
    /// The frozen weights.
    pub weights_bytes: u64,
    /// Keys and values, f32.
    pub caches_bytes: u64,
    /// Logits of one step, f32.
    pub logits_bytes: u64,
}

impl DecodingMemory {
    /// Of so many sequences at once, each of so many tokens.
    pub fn new(config: &ModelConfig, precision: Precision, sequences: u64, tokens: u64) -> Self {
        let cached = 2 * config.num_layers * config.num_kv_heads * config.head_dim;
        Self {
            weights_bytes: weights_bytes(config, precision),
            caches_bytes: 4 * sequences * tokens * cached as u64,
            logits_bytes: 4 * sequences * config.vocab_size as u64,
        }
    }

    /// The same on a device, which keeps caches in one growing pool, and its logits beside their copy
    /// for the sampler.
    #[must_use]
    pub fn pooled(self) -> Self {
        Self {
            caches_bytes: POOL_RESERVE * self.caches_bytes,
            logits_bytes: 2 * self.logits_bytes,
            ..self
        }
    }
}

/// Bytes of the large parts of a training step. Scratch memory and the program itself come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrainingMemory {
    /// The frozen weights.
    pub weights_bytes: u64,
    /// The adapter, its sum of gradients and two moments.
    pub adapter_bytes: u64,
    /// One unit's gradient; a micro-batch keeps one for each of its units.
    pub unit_gradient_bytes: u64,
    /// What the backward pass needs of one token of a micro-batch.
    pub token_bytes: u64,
}

impl TrainingMemory {
    /// Of adapters of this layout on a model of this shape.
    pub fn new(config: &ModelConfig, layout: &LoraLayout, precision: Precision) -> Self {
        let (h, i, d) = (
            config.hidden_size,
            config.intermediate_size,
            config.head_dim,
        );
        let (q, kv) = (config.num_heads * d, config.num_kv_heads * d);
        let qkv = q + 2 * kv;
        // As `model::Saved` has it: inputs of both blocks, qkv (twice with head norms), attention's
        // output, gate and up, outputs before their norms.
        let mut numbers = 2 * h + qkv + q + 2 * i;
        if config.qk_norm {
            numbers += qkv;
        }
        if config.output_norms {
            numbers += 2 * h;
        }
        let layers = config.num_layers - layout.first_layer();
        let parameters = layout.len() as u64;
        Self {
            weights_bytes: weights_bytes(config, precision),
            adapter_bytes: 4 * 4 * parameters,
            unit_gradient_bytes: 4 * parameters,
            token_bytes: (4 * numbers * layers) as u64,
        }
    }

    /// Gradients of units that are kept at once within a budget.
    pub fn gradients_bytes(&self, budget: &Budget) -> u64 {
        self.unit_gradient_bytes.max(budget.gradient_bytes as u64)
    }

    /// Logits and what is made of them, for micro-batches of so many tokens.
    pub fn logits_bytes(config: &ModelConfig, tokens: usize) -> u64 {
        let rows = tokens.min(LOGITS / config.vocab_size).max(1);
        LOGITS_COPIES * 4 * (rows * config.vocab_size) as u64
    }
}
