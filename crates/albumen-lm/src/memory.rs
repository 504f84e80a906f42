//! How much memory training takes, by counting what it keeps.

use serde::Serialize;

use crate::config::ModelConfig;
use crate::kernels::Precision;
use crate::lora::LoraLayout;

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
        let weights = config.parameter_count() as u64;
        let weights_bytes = match precision {
            Precision::F32 => 4 * weights,
            Precision::Bf16 => 2 * weights,
            Precision::Int8 => 34 * weights / 32,
        };
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
            weights_bytes,
            adapter_bytes: 4 * 4 * parameters,
            unit_gradient_bytes: 4 * parameters,
            token_bytes: (4 * numbers * layers) as u64,
        }
    }
}
