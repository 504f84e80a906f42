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

/// What transformers' configuration classes take where a key is absent.
struct Defaults {
    vocabulary: usize,
    width: usize,
    hidden: usize,
    layers: usize,
    heads: usize,
    /// None are as many as heads.
    groups: Option<usize>,
    /// None is width / heads.
    head_width: Option<usize>,
    max_positions: usize,
    theta: f64,
    activation: &'static str,
}

impl Family {
    fn defaults(self) -> Defaults {
        let llama = Defaults {
            vocabulary: 32_000,
            width: 4096,
            hidden: 11_008,
            layers: 32,
            heads: 32,
            groups: None,
            head_width: None,
            max_positions: 2048,
            theta: 10_000.0,
            activation: "silu",
        };
        let gemma = Defaults {
            vocabulary: 256_000,
            head_width: Some(256),
            max_positions: 8192,
            activation: "gelu_pytorch_tanh",
            ..llama
        };
        match self {
            Self::Llama => llama,
            Self::Gemma => Defaults {
                width: 3072,
                hidden: 24_576,
                layers: 28,
                heads: 16,
                groups: Some(16),
                ..gemma
            },
            Self::Gemma2 => Defaults {
                width: 2304,
                hidden: 9216,
                layers: 26,
                heads: 8,
                groups: Some(4),
                ..gemma
            },
            Self::Qwen3Vl => Defaults {
                vocabulary: 151_936,
                hidden: 22_016,
                groups: Some(32),
                head_width: Some(128),
                max_positions: 128_000,
                theta: 500_000.0,
                ..llama
            },
        }
    }
}

impl DecoderConfig {
    /// Reads `text_config`; `root` is the whole configuration.
    pub(crate) fn read(root: &Section, supported: &[&str], default: &str) -> Result<Self> {
        let text = root.section("text_config")?;
        let name = text.string("model_type", default)?;
        text.require("model_type", &name, supported)?;
        let family = match name.as_str() {
            "gemma" => Family::Gemma,
            "gemma2" => Family::Gemma2,
            "qwen3_vl_text" => Family::Qwen3Vl,
            _ => Family::Llama,
        };
        let d = family.defaults();
        let heads = text.size("num_attention_heads", d.heads)?;
        let width = text.size("hidden_size", d.width)?;
        let layers = text.size("num_hidden_layers", d.layers)?;
        let groups = text.size("num_key_value_heads", d.groups.unwrap_or(heads))?;
        let head_width = text.size("head_dim", d.head_width.unwrap_or(width / heads))?;
        if !heads.is_multiple_of(groups) || !head_width.is_multiple_of(2) {
            return Err(text.error(
                "num_key_value_heads",
                "must divide num_attention_heads, and head_dim be even",
            ));
        }
        let (theta, sections) = rope(&text, d.theta, head_width, family == Family::Qwen3Vl)?;
        // Gemma's configurations have either.
        let activation = match text.get("hidden_activation") {
            Some(_) if family.is_gemma() => "hidden_activation",
            _ => "hidden_act",
        };
        let two = family == Family::Gemma2;
        let scale = if two {
            text.f64("query_pre_attn_scalar", 256.0)?
        } else {
            head_width as f64
        };
        // A null switches the cap off; an absent key is the default.
        let cap = |key: &str, default| {
            if two && text.has(key) {
                text.optional_f64(key)
            } else {
                Ok(two.then_some(default))
            }
        };
        // The whole model's word goes before the language model's.
        let says = |section: &Section| section.bool("tie_word_embeddings", family.is_gemma());
        let tied = match root.get("tie_word_embeddings") {
            Some(_) => says(root)?,
            None => says(&text)?,
        };
        Ok(Self {
            vocabulary: text.size("vocab_size", d.vocabulary)?,
            width,
            hidden: text.size("intermediate_size", d.hidden)?,
            layers,
            heads,
            groups,
            head_width,
            max_positions: text.size("max_position_embeddings", d.max_positions)?,
            eps: text.f64("rms_norm_eps", 1e-6)?,
            theta,
            sections,
            activation: Activation::read(&text, activation, d.activation)?,
            bias: text.bool("attention_bias", false)?,
            family,
            scale: scale.powf(-0.5),
            score_cap: cap("attn_logit_softcapping", 50.0)?,
            logit_cap: cap("final_logit_softcapping", 30.0)?,
            windows: windows(&text, layers, two)?,
            tied,
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
