//! What a checkpoint says about its model, in one form for every family.
//!
//! The fields are the union of what the families differ in, so the model code asks for a feature
//! (`qk_norm`, `final_softcap`) and never for a family. Sources: `config.json` as written by
//! Hugging Face transformers, and the metadata keys of the GGUF specification.

mod gguf;
mod hugging_face;

use serde::Serialize;

pub(crate) use gguf::{Metadata, from_gguf};
pub(crate) use hugging_face::{ConfigError, from_json};

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

impl Family {
    /// Every family.
    pub const ALL: [Self; 6] = [
        Self::Llama,
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma2,
        Self::Gemma3,
    ];

    /// The architecture's name in `config.json`.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
            Self::Gemma2 => "Gemma2ForCausalLM",
            Self::Gemma3 => "Gemma3ForCausalLM",
        }
    }

    /// Gemma's checkpoints store each norm's factor less one.
    pub(crate) fn norm_less_one(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a feature that a checkpoint has or not"
)]
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

/// No dimension of a sane model is larger; below it, products of two fit in 64 bits.
const MAX_DIMENSION: usize = 1 << 24;
const MAX_LAYERS: usize = 4096;

impl ModelConfig {
    /// Checks that the numbers make a model; the message names the number and what it must be.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_layers", self.num_layers),
            ("num_heads", self.num_heads),
            ("num_kv_heads", self.num_kv_heads),
            ("head_dim", self.head_dim),
            ("max_position", self.max_position),
        ] {
            if value == 0 || value > MAX_DIMENSION {
                return Err(format!(
                    "{name} is {value}; it must be 1 to {MAX_DIMENSION}"
                ));
            }
        }
        let (heads, kv, width) = (self.num_heads, self.num_kv_heads, self.head_dim);
        if self.num_layers > MAX_LAYERS {
            return Err(format!(
                "num_layers is {}; at most {MAX_LAYERS}",
                self.num_layers
            ));
        }
        if heads * width > MAX_DIMENSION {
            return Err(format!(
                "{heads} heads of {width} are wider than {MAX_DIMENSION}"
            ));
        }
        if !heads.is_multiple_of(kv) {
            return Err(format!(
                "{heads} query heads cannot share {kv} key/value heads evenly"
            ));
        }
        if !width.is_multiple_of(2) {
            return Err(format!(
                "head_dim is {width}; rotary embeddings need an even width"
            ));
        }
        if self.attention.len() != self.num_layers {
            let (found, wanted) = (self.attention.len(), self.num_layers);
            return Err(format!(
                "layer_types has {found} entries for {wanted} layers"
            ));
        }
        let positive = |name: &str, value: f64| {
            let fine = value.is_finite() && value > 0.0;
            if fine {
                Ok(())
            } else {
                Err(format!("{name} is {value}; it must be positive"))
            }
        };
        positive("rms_norm_eps", self.rms_norm_eps)?;
        positive("attention scale", f64::from(self.attention_scale))?;
        for cap in [self.attention_softcap, self.final_softcap]
            .into_iter()
            .flatten()
        {
            positive("soft cap", f64::from(cap))?;
        }
        for layer in &self.attention {
            positive("rope theta", layer.rope.theta)?;
            if layer.window == Some(0) {
                return Err("sliding_window is 0; use null for none".into());
            }
            match layer.rope.scaling {
                RopeScaling::None => {}
                RopeScaling::Linear { factor } => positive("rope factor", factor)?,
                RopeScaling::Llama3 {
                    factor,
                    low_freq_factor,
                    high_freq_factor,
                    original_max_position,
                } => {
                    positive("rope factor", factor)?;
                    positive("low_freq_factor", low_freq_factor)?;
                    positive(
                        "high_freq_factor - low_freq_factor",
                        high_freq_factor - low_freq_factor,
                    )?;
                    positive("original_max_position_embeddings", original_max_position)?;
                }
            }
        }
        Ok(())
    }

    /// Numbers in the checkpoint: embedding, head where untied, norms, biases and matrices.
    pub fn parameter_count(&self) -> usize {
        crate::weights::parameter_count(self)
    }
}

impl Rope {
    /// The `head_dim / 2` angular frequencies, in radians a position.
    ///
    /// Llama 3's stretch: wavelengths up to `original / high` keep their frequency, those from
    /// `original / low` on are divided by `factor`, and between them the two are blended linearly in
    /// `original / wavelength` (Llama 3.1's published `apply_scaling`).
    pub fn frequencies(&self, head_dim: usize) -> Vec<f64> {
        let plain = (0..head_dim / 2).map(|i| self.theta.powf(-2.0 * i as f64 / head_dim as f64));
        match self.scaling {
            RopeScaling::None => plain.collect(),
            RopeScaling::Linear { factor } => plain.map(|f| f / factor).collect(),
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position,
            } => plain
                .map(|f| {
                    let turns = original_max_position * f / std::f64::consts::TAU;
                    let keep = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    let keep = keep.clamp(0.0, 1.0);
                    keep * f + (1.0 - keep) * f / factor
                })
                .collect(),
        }
    }
}
