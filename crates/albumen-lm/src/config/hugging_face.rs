//! `config.json` of Hugging Face transformers, versions 4 and 5.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Activation, Family, LayerAttention, ModelConfig, Rope, RopeScaling};

/// What is wrong with a configuration, before the file it came from is known.
pub(crate) enum ConfigError {
    /// Another architecture than the supported ones.
    Architecture(String),
    /// Anything else.
    Invalid(String),
}

impl From<String> for ConfigError {
    fn from(reason: String) -> Self {
        Self::Invalid(reason)
    }
}

/// The keys that matter here; the file has many more. Absent keys take the family's default, as in
/// transformers' configuration classes.
#[derive(Deserialize)]
struct Raw {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    rope_theta: Option<f64>,
    rope_local_base_freq: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    partial_rotary_factor: Option<f64>,
    use_sliding_window: Option<bool>,
    sliding_window: Option<usize>,
    #[serde(alias = "_sliding_window_pattern")]
    sliding_window_pattern: Option<usize>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    query_pre_attn_scalar: Option<f64>,
    attn_logit_softcapping: Option<f32>,
    final_logit_softcapping: Option<f32>,
}

/// Reads the text of a `config.json`.
pub(crate) fn from_json(text: &str) -> Result<ModelConfig, ConfigError> {
    let mut value: Value =
        serde_json::from_str(text).map_err(|e| format!("it is not JSON: {e}"))?;
    if value["architectures"][0] == MULTIMODAL {
        value = text_part(value)?;
    }
    // The architecture first: another one's file may well lack the keys of `Raw`.
    let family = family(&value)?;
    let raw: Raw = serde_json::from_value(value).map_err(|e| e.to_string())?;
    let config = raw.resolve(family)?;
    config.check()?;
    Ok(config)
}

/// Gemma 3 from 4B on, which also sees pictures: its text part is a Gemma 3 like any other.
const MULTIMODAL: &str = "Gemma3ForConditionalGeneration";

/// The configuration of the text part. Published checkpoints leave out what is as in transformers'
/// `Gemma3TextConfig`, and these keys have no default of the family's in `Raw`.
fn text_part(mut whole: Value) -> Result<Value, String> {
    let Value::Object(mut text) = whole["text_config"].take() else {
        return Err("it has no table text_config".into());
    };
    text.remove("architectures");
    for (key, default) in [
        ("model_type", json!("gemma3_text")),
        ("vocab_size", json!(262_208)),
        ("num_attention_heads", json!(8)),
        ("num_key_value_heads", json!(4)),
        ("max_position_embeddings", json!(131_072)),
    ] {
        text.entry(key).or_insert(default);
    }
    Ok(Value::Object(text))
}

fn family(value: &Value) -> Result<Family, ConfigError> {
    let named = value["architectures"][0].as_str();
    if let Some(name) = named {
        let known = Family::ALL.into_iter().find(|f| f.architecture() == name);
        return known.ok_or_else(|| ConfigError::Architecture(name.into()));
    }
    match value["model_type"].as_str() {
        Some("llama") => Ok(Family::Llama),
        Some("mistral") => Ok(Family::Mistral),
        Some("qwen2") => Ok(Family::Qwen2),
        Some("qwen3") => Ok(Family::Qwen3),
        Some("gemma2") => Ok(Family::Gemma2),
        Some("gemma3_text") => Ok(Family::Gemma3),
        Some(other) => Err(ConfigError::Architecture(other.into())),
        None => Err(ConfigError::Architecture("none named".into())),
    }
}

impl Raw {
    fn resolve(self, family: Family) -> Result<ModelConfig, String> {
        let gemma = family.norm_less_one();
        if let Some(part) = self.partial_rotary_factor.filter(|p| *p != 1.0) {
            return Err(format!(
                "partial_rotary_factor is {part}; only whole heads can be rotated"
            ));
        }
        if self.num_attention_heads == 0 {
            return Err("num_attention_heads is 0".into());
        }
        let head_dim = self.head_dim.unwrap_or(match family {
            Family::Gemma2 | Family::Gemma3 => 256,
            Family::Qwen3 => 128,
            _ => self.hidden_size / self.num_attention_heads,
        });
        let activation = self.activation(gemma)?;
        let attention = self.attention(family)?;
        let bias = self.attention_bias.unwrap_or(false);
        let query_scale = match family {
            Family::Gemma2 | Family::Gemma3 => self.query_pre_attn_scalar.unwrap_or(256.0),
            _ => head_dim as f64,
        };
        Ok(ModelConfig {
            family,
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_layers: self.num_hidden_layers,
            num_heads: self.num_attention_heads,
            num_kv_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim,
            max_position: self.max_position_embeddings.unwrap_or(2048),
            rms_norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            activation,
            tie_word_embeddings: self.tie_word_embeddings.unwrap_or(gemma),
            embedding_scale: if gemma {
                (self.hidden_size as f32).sqrt()
            } else {
                1.0
            },
            attention_scale: (1.0 / query_scale.sqrt()) as f32,
            attention_softcap: self.attn_logit_softcapping,
            final_softcap: self.final_logit_softcapping,
            qkv_bias: bias || family == Family::Qwen2,
            o_bias: bias && family != Family::Qwen2,
            mlp_bias: family == Family::Llama && self.mlp_bias.unwrap_or(false),
            qk_norm: matches!(family, Family::Qwen3 | Family::Gemma3),
            output_norms: gemma,
            attention,
        })
    }

    fn activation(&self, gemma: bool) -> Result<Activation, String> {
        // Gemma's `hidden_act` may be stale; `hidden_activation` is what its code reads.
        let named = if gemma {
            &self.hidden_activation
        } else {
            &self.hidden_act
        };
        match named.as_deref() {
            Some("silu" | "swish") => Ok(Activation::Silu),
            Some("gelu_pytorch_tanh" | "gelu_new" | "gelu_fast") => Ok(Activation::GeluTanh),
            None => Ok(if gemma {
                Activation::GeluTanh
            } else {
                Activation::Silu
            }),
            Some(other) => Err(format!(
                "the activation {other:?} is not silu or gelu_pytorch_tanh"
            )),
        }
    }

    fn attention(&self, family: Family) -> Result<Vec<LayerAttention>, String> {
        let default_theta = if family == Family::Gemma3 { 1e6 } else { 1e4 };
        let theta = self.rope_theta.unwrap_or(default_theta);
        // Version 5 has `rope_parameters`, in Gemma 3 one for each kind of layer; version 4 has
        // `rope_theta`, `rope_scaling` and Gemma 3's `rope_local_base_freq`.
        let parameters = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let by_kind = |kind: &str| self.rope_parameters.as_ref().and_then(|p| p.get(kind));
        let full = rope(by_kind("full_attention").or(parameters), theta)?;
        let sliding = match (by_kind("sliding_attention"), family) {
            (Some(own), _) => rope(Some(own), self.rope_local_base_freq.unwrap_or(1e4))?,
            (None, Family::Gemma3) => rope(None, self.rope_local_base_freq.unwrap_or(1e4))?,
            (None, _) => full,
        };
        let window = match family {
            Family::Llama => None,
            Family::Gemma2 | Family::Gemma3 => Some(self.sliding_window.unwrap_or(4096)),
            Family::Qwen2 | Family::Qwen3 => self
                .sliding_window
                .filter(|_| self.use_sliding_window.unwrap_or(false)),
            Family::Mistral => self.sliding_window,
        };
        let slides = |layer: usize| -> Result<bool, String> {
            if let Some(types) = &self.layer_types {
                return match types.get(layer).map(String::as_str) {
                    Some("sliding_attention") => Ok(true),
                    Some("full_attention") => Ok(false),
                    Some(other) => Err(format!(
                        "layer_types has {other:?}; known are full_attention and sliding_attention"
                    )),
                    None => Err(format!("layer_types has no entry for layer {layer}")),
                };
            }
            Ok(match family {
                Family::Llama | Family::Mistral => true,
                Family::Qwen2 | Family::Qwen3 => layer >= self.max_window_layers.unwrap_or(28),
                Family::Gemma2 => layer.is_multiple_of(2),
                Family::Gemma3 => {
                    let pattern = self.sliding_window_pattern.unwrap_or(6).max(1);
                    !(layer + 1).is_multiple_of(pattern)
                }
            })
        };
        (0..self.num_hidden_layers.min(super::MAX_LAYERS))
            .map(|layer| {
                let slides = slides(layer)?;
                let rope = if slides && family == Family::Gemma3 {
                    sliding
                } else {
                    full
                };
                Ok(LayerAttention {
                    window: window.filter(|_| slides),
                    rope,
                })
            })
            .collect()
    }
}

/// One table of rotary parameters, in either version's spelling.
fn rope(table: Option<&Value>, default_theta: f64) -> Result<Rope, String> {
    let Some(table) = table.filter(|t| !t.is_null()) else {
        return Ok(Rope {
            theta: default_theta,
            scaling: RopeScaling::None,
        });
    };
    let number = |key: &str| table[key].as_f64();
    let needed =
        |key: &str| number(key).ok_or_else(|| format!("rope scaling has no number {key:?}"));
    let kind = table["rope_type"]
        .as_str()
        .or(table["type"].as_str())
        .unwrap_or("default");
    let scaling = match kind {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear {
            factor: needed("factor")?,
        },
        "llama3" => RopeScaling::Llama3 {
            factor: needed("factor")?,
            low_freq_factor: needed("low_freq_factor")?,
            high_freq_factor: needed("high_freq_factor")?,
            original_max_position: needed("original_max_position_embeddings")?,
        },
        other => {
            return Err(format!(
                "rope scaling of type {other:?}; known are default, linear and llama3"
            ));
        }
    };
    Ok(Rope {
        theta: number("rope_theta").unwrap_or(default_theta),
        scaling,
    })
}
