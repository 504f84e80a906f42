//! Frozen weights in f32, whatever file they came from.

use crate::config::ModelConfig;

/// A whole model. Matrices are row-major (out, in): `y = x W^T`. Norm weights are the factors that
/// multiply the normalised vector (Gemma's checkpoints store the factor less one; the loader adds it).
pub struct Weights {
    /// Shape and features.
    pub config: ModelConfig,
    /// (vocab_size, hidden_size).
    pub embedding: Vec<f32>,
    /// (vocab_size, hidden_size); `None` where the head is the embedding.
    pub head: Option<Vec<f32>>,
    /// (hidden_size).
    pub final_norm: Vec<f32>,
    /// `config.num_layers` of them.
    pub layers: Vec<LayerWeights>,
}

/// One block: `x += o(attention(norm(x)))`, then `x += down(act(gate(norm(x))) * up(norm(x)))`.
#[derive(Default)]
pub struct LayerWeights {
    /// Before attention, (hidden_size).
    pub input_norm: Vec<f32>,
    /// (num_heads * head_dim, hidden_size).
    pub q: Vec<f32>,
    /// (num_kv_heads * head_dim, hidden_size).
    pub k: Vec<f32>,
    /// (num_kv_heads * head_dim, hidden_size).
    pub v: Vec<f32>,
    /// (hidden_size, num_heads * head_dim).
    pub o: Vec<f32>,
    /// With `config.qkv_bias`, (num_heads * head_dim).
    pub q_bias: Option<Vec<f32>>,
    /// With `config.qkv_bias`, (num_kv_heads * head_dim).
    pub k_bias: Option<Vec<f32>>,
    /// With `config.qkv_bias`, (num_kv_heads * head_dim).
    pub v_bias: Option<Vec<f32>>,
    /// With `config.o_bias`, (hidden_size).
    pub o_bias: Option<Vec<f32>>,
    /// With `config.qk_norm`, (head_dim).
    pub q_norm: Option<Vec<f32>>,
    /// With `config.qk_norm`, (head_dim).
    pub k_norm: Option<Vec<f32>>,
    /// With `config.output_norms`: on attention's output, (hidden_size).
    pub attention_output_norm: Option<Vec<f32>>,
    /// Before the feed-forward block, (hidden_size). Llama's `post_attention_layernorm`.
    pub mlp_norm: Vec<f32>,
    /// (intermediate_size, hidden_size).
    pub gate: Vec<f32>,
    /// (intermediate_size, hidden_size).
    pub up: Vec<f32>,
    /// (hidden_size, intermediate_size).
    pub down: Vec<f32>,
    /// With `config.mlp_bias`, (intermediate_size).
    pub gate_bias: Option<Vec<f32>>,
    /// With `config.mlp_bias`, (intermediate_size).
    pub up_bias: Option<Vec<f32>>,
    /// With `config.mlp_bias`, (hidden_size).
    pub down_bias: Option<Vec<f32>>,
    /// With `config.output_norms`: on the feed-forward block's output, (hidden_size).
    pub mlp_output_norm: Option<Vec<f32>>,
}
