//! A model's configuration from the metadata of a GGUF file.

use std::collections::HashMap;

use candle_core::quantized::gguf_file::Value;

use super::hugging_face::ConfigError;
use super::{Activation, Family, LayerAttention, ModelConfig, Rope, RopeScaling};

/// Typed access to a GGUF file's key/value pairs.
pub(crate) struct Metadata<'a>(pub(crate) &'a HashMap<String, Value>);

impl Metadata<'_> {
    /// A text; `None` where absent or of another type.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_string().ok().map(String::as_str)
    }

    /// A truth value; `None` where absent or of another type.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key)?.to_bool().ok()
    }

    /// A list; `None` where absent or of another type.
    pub(crate) fn list(&self, key: &str) -> Option<&[Value]> {
        self.0.get(key)?.to_vec().ok().map(Vec::as_slice)
    }

    /// A count of whatever integer type.
    pub(crate) fn count(&self, key: &str) -> Option<usize> {
        let value = self.0.get(key)?;
        let signed = || match value {
            Value::I8(v) => Some(i64::from(*v)),
            Value::I16(v) => Some(i64::from(*v)),
            Value::I32(v) => Some(i64::from(*v)),
            Value::I64(v) => Some(*v),
            _ => None,
        };
        let unsigned = value
            .to_u64()
            .ok()
            .or_else(|| u64::try_from(signed()?).ok())?;
        usize::try_from(unsigned).ok()
    }

    fn number(&self, key: &str) -> Option<f64> {
        let value = self.0.get(key)?;
        value
            .to_f32()
            .map(f64::from)
            .or_else(|_| value.to_f64())
            .ok()
    }

    fn needed_count(&self, key: &str) -> Result<usize, String> {
        self.count(key)
            .ok_or_else(|| format!("its metadata has no whole number {key:?}"))
    }

    fn needed_number(&self, key: &str) -> Result<f64, String> {
        self.number(key)
            .ok_or_else(|| format!("its metadata has no number {key:?}"))
    }
}

/// Reads the configuration. `has` says whether a tensor is in the file; `rope_freqs` holds the
/// values of the tensor of that name, by which llama.cpp stores Llama 3's rotary scaling.
pub(crate) fn from_gguf(
    metadata: &Metadata<'_>,
    has: &dyn Fn(&str) -> bool,
    embedding_rows: Option<usize>,
    rope_freqs: Option<&[f32]>,
) -> Result<ModelConfig, ConfigError> {
    let name = metadata
        .text("general.architecture")
        .unwrap_or("none named");
    let family = match name {
        "llama" => Family::Llama,
        "qwen2" => Family::Qwen2,
        "qwen3" => Family::Qwen3,
        "gemma2" => Family::Gemma2,
        "gemma3" => Family::Gemma3,
        other => return Err(ConfigError::Architecture(other.into())),
    };
    let key = |rest: &str| format!("{name}.{rest}");
    if metadata.count(&key("expert_count")).unwrap_or(0) > 0 {
        return Err(ConfigError::Architecture(format!("{name} with experts")));
    }
    let gemma = family.norm_less_one();
    let hidden_size = metadata.needed_count(&key("embedding_length"))?;
    let num_heads = metadata.needed_count(&key("attention.head_count"))?;
    let num_layers = metadata.needed_count(&key("block_count"))?;
    let head_dim = match metadata.count(&key("attention.key_length")) {
        Some(width) => width,
        None if num_heads > 0 => hidden_size / num_heads,
        None => return Err(ConfigError::Invalid("its head_count is 0".into())),
    };
    if let Some(rotated) = metadata
        .count(&key("rope.dimension_count"))
        .filter(|d| *d != head_dim)
    {
        return Err(ConfigError::Invalid(format!(
            "it rotates {rotated} of {head_dim} dimensions of a head; only whole heads can be rotated"
        )));
    }
    let vocab_size = embedding_rows
        .or_else(|| metadata.list("tokenizer.ggml.tokens").map(<[Value]>::len))
        .ok_or_else(|| "it has no tensor token_embd.weight".to_owned())?;
    let config = ModelConfig {
        family,
        vocab_size,
        hidden_size,
        intermediate_size: metadata.needed_count(&key("feed_forward_length"))?,
        num_layers,
        num_heads,
        num_kv_heads: metadata
            .count(&key("attention.head_count_kv"))
            .unwrap_or(num_heads),
        head_dim,
        max_position: metadata.count(&key("context_length")).unwrap_or(2048),
        rms_norm_eps: metadata.needed_number(&key("attention.layer_norm_rms_epsilon"))?,
        activation: if gemma {
            Activation::GeluTanh
        } else {
            Activation::Silu
        },
        tie_word_embeddings: !has("output.weight"),
        embedding_scale: if gemma {
            (hidden_size as f32).sqrt()
        } else {
            1.0
        },
        attention_scale: (1.0
            / query_scale(family, num_layers, hidden_size, num_heads, head_dim).sqrt())
            as f32,
        attention_softcap: metadata
            .number(&key("attn_logit_softcapping"))
            .map(|c| c as f32),
        final_softcap: metadata
            .number(&key("final_logit_softcapping"))
            .map(|c| c as f32),
        qkv_bias: has("blk.0.attn_q.bias"),
        o_bias: has("blk.0.attn_output.bias"),
        mlp_bias: has("blk.0.ffn_gate.bias"),
        qk_norm: has("blk.0.attn_q_norm.weight"),
        output_norms: gemma,
        attention: attention(metadata, family, name, head_dim, num_layers, rope_freqs)?,
    };
    config.check()?;
    Ok(config)
}

/// GGUF does not store Gemma's `query_pre_attn_scalar`: it is `head_dim`, but for the 27B models
/// (46 layers in Gemma 2, 62 in Gemma 3), where it is `hidden_size / num_heads`.
fn query_scale(family: Family, layers: usize, hidden: usize, heads: usize, head_dim: usize) -> f64 {
    match (family, layers) {
        (Family::Gemma2, 46) | (Family::Gemma3, 62) => hidden as f64 / heads as f64,
        _ => head_dim as f64,
    }
}

fn attention(
    metadata: &Metadata<'_>,
    family: Family,
    name: &str,
    head_dim: usize,
    num_layers: usize,
    rope_freqs: Option<&[f32]>,
) -> Result<Vec<LayerAttention>, String> {
    let key = |rest: &str| format!("{name}.{rest}");
    let default_theta = if family == Family::Gemma3 { 1e6 } else { 1e4 };
    let theta = metadata
        .number(&key("rope.freq_base"))
        .unwrap_or(default_theta);
    let scaling = match (metadata.text(&key("rope.scaling.type")), rope_freqs) {
        (None | Some("none"), None) => RopeScaling::None,
        (Some("linear"), None) => RopeScaling::Linear {
            factor: metadata.needed_number(&key("rope.scaling.factor"))?,
        },
        (None | Some("none"), Some(divisors)) => llama3(divisors, theta, head_dim)?,
        (Some(other), _) => {
            return Err(format!(
                "rope scaling of type {other:?}; known are none, linear and Llama 3's"
            ));
        }
    };
    let full = Rope { theta, scaling };
    let sliding = match family {
        Family::Gemma3 => {
            let theta = metadata.number(&key("rope.freq_base_swa")).unwrap_or(1e4);
            Rope {
                theta,
                scaling: RopeScaling::None,
            }
        }
        _ => full,
    };
    let window = metadata.count(&key("attention.sliding_window"));
    let pattern = match family {
        Family::Gemma2 => 2,
        Family::Gemma3 => metadata
            .count(&key("attention.sliding_window_pattern"))
            .unwrap_or(6)
            .max(1),
        _ => 0,
    };
    Ok((0..num_layers.min(super::MAX_LAYERS))
        .map(|layer| {
            // Without a pattern, every layer slides where the file names a window.
            let slides = pattern == 0 || !(layer + 1).is_multiple_of(pattern);
            let rope = if slides { sliding } else { full };
            LayerAttention {
                window: window.filter(|_| slides),
                rope,
            }
        })
        .collect())
}

/// llama.cpp stores only each frequency's divisor. Every Llama 3.1 to 3.3 has the same other three
/// parameters, so the largest divisor tells the factor; the rest of the tensor proves it.
fn llama3(divisors: &[f32], theta: f64, head_dim: usize) -> Result<RopeScaling, String> {
    let factor = f64::from(divisors.iter().copied().fold(1.0, f32::max));
    let scaling = RopeScaling::Llama3 {
        factor,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position: 8192.0,
    };
    let plain = Rope {
        theta,
        scaling: RopeScaling::None,
    }
    .frequencies(head_dim);
    let scaled = Rope { theta, scaling }.frequencies(head_dim);
    let agrees = divisors.len() == plain.len()
        && plain
            .iter()
            .zip(&scaled)
            .zip(divisors)
            .all(|((p, s), d)| (p / s - f64::from(*d)).abs() <= 1e-3 * f64::from(*d));
    if agrees {
        Ok(scaling)
    } else {
        Err(
            "its rope_freqs are not those of Llama 3.1 to 3.3; use the safetensors checkpoint"
                .into(),
        )
    }
}
