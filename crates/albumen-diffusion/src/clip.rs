//! CLIP's text encoder (Radford et al., arXiv:2103.00020, section 2.4) as transformers'
//! `CLIPTextModel` and `CLIPTextModelWithProjection`; OpenCLIP's differ in the activation only.

use candle_core::{D, DType, Device, IndexOp, Module, Tensor};
use candle_nn::{
    Embedding, LayerNorm, Linear, VarBuilder, embedding, layer_norm, linear, linear_no_bias,
};
use serde::Deserialize;

use crate::checkpoint::Component;
use crate::error::{DiffusionError, Result};
use crate::layers::{join_heads, split_heads};
use crate::settings::LoadOptions;

/// `text_encoder/config.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct ClipConfig {
    vocab_size: usize,
    pub(crate) hidden_size: usize,
    intermediate_size: usize,
    pub(crate) projection_dim: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    pub(crate) max_position_embeddings: usize,
    hidden_act: String,
    layer_norm_eps: f64,
    eos_token_id: u32,
}

impl Default for ClipConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
            eos_token_id: 49407,
        }
    }
}

/// Old files name this token; the end of a text is then its largest token.
const LEGACY_END: u32 = 2;

#[derive(Clone, Copy, Debug)]
enum Activation {
    Quick,
    Exact,
}

#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    widen: Linear,
    narrow: Linear,
    heads: usize,
    activation: Activation,
}

impl Layer {
    fn new(c: &ClipConfig, activation: Activation, vb: &VarBuilder) -> candle_core::Result<Self> {
        let d = c.hidden_size;
        let norm = |name: &str| layer_norm(d, c.layer_norm_eps, vb.pp(name));
        let project = |name: &str| linear(d, d, vb.pp("self_attn").pp(name));
        Ok(Self {
            norm1: norm("layer_norm1")?,
            q: project("q_proj")?,
            k: project("k_proj")?,
            v: project("v_proj")?,
            out: project("out_proj")?,
            norm2: norm("layer_norm2")?,
            widen: linear(d, c.intermediate_size, vb.pp("mlp.fc1"))?,
            narrow: linear(c.intermediate_size, d, vb.pp("mlp.fc2"))?,
            heads: c.num_attention_heads,
            activation,
        })
    }

    /// `x` (b, t, d); `mask` (t, t) is added to the scores.
    fn forward(&self, x: &Tensor, mask: &Tensor) -> candle_core::Result<Tensor> {
        let y = self.norm1.forward(x)?;
        let split = |projected: Tensor| split_heads(&projected, self.heads);
        let (q, k, v) = (
            split(self.q.forward(&y)?)?,
            split(self.k.forward(&y)?)?,
            split(self.v.forward(&y)?)?,
        ); // (b * heads, t, d / heads)
        let scale = 1.0 / (q.dim(D::Minus1)? as f64).sqrt();
        let scores = (q * scale)?
            .matmul(&k.transpose(1, 2)?)?
            .to_dtype(DType::F32)?
            .broadcast_add(mask)?;
        let shares = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(v.dtype())?;
        let y = join_heads(&shares.matmul(&v)?, self.heads)?;
        let x = (x + self.out.forward(&y)?)?;
        let y = self.widen.forward(&self.norm2.forward(&x)?)?;
        let y = match self.activation {
            // x sigmoid(1.702 x), the approximation that CLIP was trained with.
            Activation::Quick => (&y * candle_nn::ops::sigmoid(&(&y * 1.702)?)?)?,
            Activation::Exact => y.gelu_erf()?,
        };
        x + self.narrow.forward(&y)?
    }
}

/// What the encoder makes of a text.
pub(crate) struct Encoded {
    /// After all layers and the final norm, (b, t, d).
    pub(crate) last: Tensor,
    /// Before the last layer, without a norm, (b, t, d).
    pub(crate) penultimate: Tensor,
    /// At the text's end, projected where the encoder has a projection: (b, d).
    pub(crate) pooled: Tensor,
}

/// The encoder, loaded.
#[derive(Debug)]
pub(crate) struct ClipText {
    config: ClipConfig,
    tokens: Embedding,
    positions: Embedding,
    layers: Vec<Layer>,
    norm: LayerNorm,
    projection: Option<Linear>,
    device: Device,
}

impl ClipText {
    /// Loads the component.
    ///
    /// # Errors
    /// [`DiffusionError::Unsupported`] where it is no CLIP encoder, and those of the weights.
    pub(crate) fn load(component: &Component, options: &LoadOptions) -> Result<Self> {
        let config: ClipConfig = component.config()?;
        let projected = match component.class() {
            Some("CLIPTextModel") => false,
            Some("CLIPTextModelWithProjection") => true,
            other => {
                return Err(component.unsupported(
                    "the text encoder",
                    other.unwrap_or("without architectures"),
                    "CLIPTextModel, CLIPTextModelWithProjection",
                ));
            }
        };
        let activation = match config.hidden_act.as_str() {
            "quick_gelu" => Activation::Quick,
            "gelu" => Activation::Exact,
            other => return Err(component.unsupported("hidden_act", other, "quick_gelu, gelu")),
        };
        component.build(options.dtype, &options.device, |vb| {
            Self::new(config, activation, projected, &vb)
        })
    }

    fn new(
        config: ClipConfig,
        activation: Activation,
        projected: bool,
        vb: &VarBuilder,
    ) -> candle_core::Result<Self> {
        let d = config.hidden_size;
        // transformers 5 writes an encoder without projection bare.
        let text = if vb.contains_tensor("embeddings.token_embedding.weight") {
            vb.clone()
        } else {
            vb.pp("text_model")
        };
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::new(&config, activation, &text.pp(format!("encoder.layers.{i}"))));
        let places = text.pp("embeddings");
        let projection =
            projected.then(|| linear_no_bias(d, config.projection_dim, vb.pp("text_projection")));
        Ok(Self {
            tokens: embedding(config.vocab_size, d, places.pp("token_embedding"))?,
            positions: embedding(
                config.max_position_embeddings,
                d,
                places.pp("position_embedding"),
            )?,
            layers: layers.collect::<candle_core::Result<_>>()?,
            norm: layer_norm(d, config.layer_norm_eps, text.pp("final_layer_norm"))?,
            projection: projection.transpose()?,
            device: vb.device().clone(),
            config,
        })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// Encodes texts of one length, in tokens.
    ///
    /// # Errors
    /// [`DiffusionError::Settings`] where a token is outside the vocabulary, and the device's.
    pub(crate) fn encode(&self, texts: &[Vec<u32>]) -> Result<Encoded> {
        let t = texts.first().map_or(0, Vec::len);
        let vocab_size = self.config.vocab_size;
        if let Some(token) = texts.iter().flatten().find(|&&i| i as usize >= vocab_size) {
            return Err(DiffusionError::Settings(format!(
                "token {token} is outside the text encoder's vocabulary of {vocab_size}\n  hint: \
                 the tokenizer is not this checkpoint's"
            )));
        }
        let ids = Tensor::new(texts.concat(), &self.device)?.reshape((texts.len(), t))?;
        let places = Tensor::arange(0, t as u32, &self.device)?;
        let positions = self.positions.forward(&places)?; // (t, d)
        let mut x = self.tokens.forward(&ids)?.broadcast_add(&positions)?;
        let mask = causal_mask(t, &self.device)?;
        let mut penultimate = x.clone();
        for layer in &self.layers {
            penultimate = x;
            x = layer.forward(&penultimate, &mask)?;
        }
        let last = self.norm.forward(&x)?;
        let ends = texts
            .iter()
            .enumerate()
            .map(|(i, text)| last.i((i, self.end_of(text))));
        let pooled = Tensor::stack(&ends.collect::<candle_core::Result<Vec<_>>>()?, 0)?;
        let pooled = match &self.projection {
            Some(projection) => projection.forward(&pooled)?,
            None => pooled,
        };
        Ok(Encoded {
            last,
            penultimate,
            pooled,
        })
    }

    /// Where the text ends: at its first end token.
    fn end_of(&self, text: &[u32]) -> usize {
        let end = match self.config.eos_token_id {
            LEGACY_END => text.iter().max().copied().unwrap_or_default(),
            end => end,
        };
        text.iter().position(|&token| token == end).unwrap_or(0)
    }
}

/// Zero up to the diagonal, minus infinity beyond: (t, t).
fn causal_mask(t: usize, device: &Device) -> candle_core::Result<Tensor> {
    let mask: Vec<f32> = (0..t * t)
        .map(|i| {
            if i % t > i / t {
                f32::NEG_INFINITY
            } else {
                0.0
            }
        })
        .collect();
    Tensor::from_vec(mask, (t, t), device)
}
