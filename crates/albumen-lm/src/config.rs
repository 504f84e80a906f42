//! What a checkpoint says about its model, in one form for every family.
//!
//! The fields are the union of what the families differ in, so the model code asks for a feature
//! (`qk_norm`, `final_softcap`) and never for a family. Sources: `config.json` as written by
//! Hugging Face transformers, and the metadata keys of the GGUF specification.

use serde::Serialize;

/// The families the engine knows, by the architecture they load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Llama 2 and 3, SmolLM 1 and 2.
    Llama,
    /// Mistral (dense).
    Mistral,
    /// Qwen 2 and 2.5: Llama with biases on q, k and v.
    Qwen2,
    /// Qwen 3 (dense): Llama with normalised queries and keys.
    Qwen3,
    /// Gemma 2: soft caps, norms on both sides of each block, alternating windows.
    Gemma2,
    /// Gemma 3 (text): as Gemma 2, with normalised queries and keys instead of soft caps and two
    /// rotary bases.
    Gemma3,
}

/// The gate's nonlinearity in the feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x * sigmoid(x).
    Silu,
    /// The tanh approximation of GELU (Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2).
    GeluTanh,
}

/// How the rotary frequencies are stretched beyond the length of pre-training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RopeScaling {
    /// Frequencies as in Su et al. 2021 (arXiv:2104.09864).
    None,
    /// Every frequency divided by `factor` (position interpolation, arXiv:2306.15595).
    Linear {
        /// The divisor, at least 1.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, those between blended.
    Llama3 {
        /// The divisor of low frequencies.
        factor: f64,
        /// Wavelengths over `original_max_position / low_freq_factor` are low frequencies.
        low_freq_factor: f64,
        /// Wavelengths under `original_max_position / high_freq_factor` are high frequencies.
        high_freq_factor: f64,
        /// The context length of pre-training.
        original_max_position: f64,
    },
}

/// One rotary embedding: `freq[i] = theta^(-2i/head_dim)`, then scaled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rope {
    /// The base.
    pub theta: f64,
    /// The stretch.
    pub scaling: RopeScaling,
}

/// What one layer's attention sees and how it is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LayerAttention {
    /// `Some(w)`: position i sees j with `i - w < j <= i`. `None`: all j up to i.
    pub window: Option<usize>,
    /// The rotary embedding of this layer.
    pub rope: Rope,
}

/// The shape and the features of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelConfig {
    /// The family it was loaded as.
    pub family: Family,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward block.
    pub intermediate_size: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads; divides `num_heads`.
    pub num_kv_heads: usize,
    /// Width of a head (even); `num_heads * head_dim` may differ from `hidden_size`.
    pub head_dim: usize,
    /// The longest sequence the checkpoint was made for, in tokens.
    pub max_position: usize,
    /// Added to the mean square in every RMS norm.
    pub rms_norm_eps: f64,
    /// The gate's nonlinearity.
    pub activation: Activation,
    /// The head is the embedding.
    pub tie_word_embeddings: bool,
    /// Multiplies the embedding's rows on the way in (Gemma: the root of `hidden_size`), else 1.
    pub embedding_scale: f32,
    /// Multiplies q.k before the softmax; usually `head_dim^-1/2`.
    pub attention_scale: f32,
    /// `c * tanh(x / c)` on the scaled attention scores.
    pub attention_softcap: Option<f32>,
    /// `c * tanh(x / c)` on the logits.
    pub final_softcap: Option<f32>,
    /// q, k and v have biases.
    pub qkv_bias: bool,
    /// o has a bias.
    pub o_bias: bool,
    /// gate, up and down have biases.
    pub mlp_bias: bool,
    /// RMS norms over `head_dim` on q and k, before the rotation.
    pub qk_norm: bool,
    /// RMS norms on the outputs of attention and feed-forward, before the residual sum.
    pub output_norms: bool,
    /// One entry a layer.
    pub attention: Vec<LayerAttention>,
}
