//! Reading the language model's configuration.

use candle_core::DType;

use crate::config::Section;
use crate::error::Result;
use crate::nn::Activation;

/// What a network is beside its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Llama,
    Gemma,
    Gemma2,
    Qwen3Vl,
}

impl Family {
    /// Norms are 1 + weight, embeddings are scaled.
    pub(super) fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma | Self::Gemma2)
    }
}

/// The shape of the network.
#[derive(Clone, Debug)]
pub(crate) struct DecoderConfig {
    pub(crate) vocabulary: usize,
    pub(crate) width: usize,
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) groups: usize,
    pub(crate) head_width: usize,
    pub(crate) max_positions: usize,
    pub(super) eps: f64,
    pub(super) theta: f64,
    /// Pairs of a head that turn with (time, row, column); none where all turn with one position.
    pub(super) sections: Option<[usize; 3]>,
    pub(super) activation: Activation,
    pub(super) bias: bool,
    pub(super) family: Family,
    pub(super) scale: f64,
    pub(super) score_cap: Option<f64>,
    pub(super) logit_cap: Option<f64>,
    /// Keys seen in each layer.
    pub(super) windows: Vec<Option<usize>>,
    pub(crate) tied: bool,
}

impl DecoderConfig {
    /// Reads `text_config`; `root` is the whole configuration.
    pub(crate) fn read(root: &Section, supported: &[&str], default: &str) -> Result<Self> {
        let text = root.section("text_config")?;
        let family = text.string("model_type", default)?;
        text.require("model_type", &family, supported)?;
        let gemma = family.starts_with("gemma");
        let qwen = family == "qwen3_vl_text";
        let two = family == "gemma2";
        // The defaults of transformers' configuration classes.
        let (width, hidden, layers, heads, theta) = match family.as_str() {
            "gemma" => (3072, 24576, 28, 16, 10_000.0),
            "gemma2" => (2304, 9216, 26, 8, 10_000.0),
            "qwen3_vl_text" => (4096, 22016, 32, 32, 500_000.0),
            _ => (4096, 11008, 32, 32, 10_000.0),
        };
        let heads = text.size("num_attention_heads", heads)?;
        let width = text.size("hidden_size", width)?;
        let layers = text.size("num_hidden_layers", layers)?;
        let groups = if two {
            4
        } else if family == "gemma" {
            16
        } else {
            heads
        };
        let groups = text.size("num_key_value_heads", groups)?;
        let head_width = if gemma {
            256
        } else if qwen {
            128
        } else {
            width / heads
        };
        let head_width = text.size("head_dim", head_width)?;
        if !heads.is_multiple_of(groups) || head_width % 2 != 0 {
            return Err(text.error(
                "num_key_value_heads",
                "must divide num_attention_heads, and head_dim be even",
            ));
        }
        let (theta, sections) = rope(&text, theta, head_width, qwen)?;
        let activation = if gemma {
            let key = if text.get("hidden_activation").is_some() {
                "hidden_activation"
            } else {
                "hidden_act"
            };
            Activation::read(&text, key, "gelu_pytorch_tanh")?
        } else {
            Activation::read(&text, "hidden_act", "silu")?
        };
        let scale = if two {
            text.f64("query_pre_attn_scalar", 256.0)?
        } else {
            head_width as f64
        };
        let cap = |key: &str, default| match (two, text.get(key).is_some()) {
            (true, true) => text.optional_f64(key),
            // A null switches the cap off; an absent key is the default.
            (true, false) => Ok((!text.has(key)).then_some(default)),
            (false, _) => Ok(None),
        };
        Ok(Self {
            vocabulary: text.size(
                "vocab_size",
                if gemma {
                    256_000
                } else if qwen {
                    151_936
                } else {
                    32_000
                },
            )?,
            width,
            hidden: text.size("intermediate_size", hidden)?,
            layers,
            heads,
            groups,
            head_width,
            max_positions: text.size(
                "max_position_embeddings",
                if gemma {
                    8192
                } else if qwen {
                    128_000
                } else {
                    2048
                },
            )?,
            eps: text.f64("rms_norm_eps", 1e-6)?,
            theta,
            sections,
            activation,
            bias: text.bool("attention_bias", false)?,
            family: match family.as_str() {
                "gemma" => Family::Gemma,
                "gemma2" => Family::Gemma2,
                "qwen3_vl_text" => Family::Qwen3Vl,
                _ => Family::Llama,
            },
            scale: scale.powf(-0.5),
            score_cap: cap("attn_logit_softcapping", 50.0)?,
            logit_cap: cap("final_logit_softcapping", 30.0)?,
            windows: windows(&text, layers, two)?,
            tied: root.bool("tie_word_embeddings", gemma)?
                || text.bool("tie_word_embeddings", gemma)?,
        })
    }

    /// Bytes of keys and values that a token takes.
    pub(crate) fn cache_bytes(&self, dtype: DType) -> u64 {
        (2 * self.layers * self.groups * self.head_width * dtype.size_in_bytes()) as u64
    }
}

/// The base of the rotary positions, and Qwen's split of the pairs.
fn rope(
    text: &Section,
    theta: f64,
    head_width: usize,
    qwen: bool,
) -> Result<(f64, Option<[usize; 3]>)> {
    // Newer releases have rope_parameters, older ones rope_theta and rope_scaling.
    let newer = text.section("rope_parameters")?;
    let older = text.section("rope_scaling")?;
    for table in [&newer, &older] {
        let key = if table.get("rope_type").is_some() {
            "rope_type"
        } else {
            "type"
        };
        let kind = table.string(key, "default")?;
        table.require(
            key,
            &kind,
            if qwen {
                &["default", "mrope"]
            } else {
                &["default"]
            },
        )?;
    }
    let base = newer
        .optional_f64("rope_theta")?
        .or(text.optional_f64("rope_theta")?);
    if !qwen {
        return Ok((base.unwrap_or(theta), None));
    }
    let sections = newer
        .optional_list("mrope_section")?
        .or(older.optional_list("mrope_section")?);
    let sections = sections.unwrap_or_else(|| vec![24, 20, 20]);
    match <[usize; 3]>::try_from(sections) {
        Ok(s) if s.iter().sum::<usize>() == head_width / 2 => Ok((base.unwrap_or(theta), Some(s))),
        _ => Err(text.error(
            "mrope_section",
            "must be three numbers that add to half of head_dim",
        )),
    }
}

fn windows(text: &Section, layers: usize, two: bool) -> Result<Vec<Option<usize>>> {
    if !two {
        return Ok(vec![None; layers]);
    }
    let window = text.size("sliding_window", 4096)?;
    let named = text.get("layer_types").and_then(|v| v.as_array()).cloned();
    let slides = |layer: usize| match &named {
        Some(kinds) => kinds.get(layer).and_then(|k| k.as_str()) == Some("sliding_attention"),
        None => layer.is_multiple_of(2),
    };
    Ok((0..layers)
        .map(|layer| slides(layer).then_some(window))
        .collect())
}
