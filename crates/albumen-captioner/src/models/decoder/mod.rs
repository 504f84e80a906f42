//! The language model behind the photo's tokens: Llama, Gemma, Gemma 2 and Qwen3-VL's are one network
//! with switches.
//!
//! Llama: Touvron et al. 2023 (arXiv:2302.13971). Gemma scales embeddings by sqrt(d) and its norms by
//! 1 + weight (arXiv:2403.08295); Gemma 2 adds norms after each block, soft caps and windows
//! (arXiv:2408.00118). Qwen3-VL normalises queries and keys and turns three positions a token
//! (interleaved M-RoPE, arXiv:2511.21631).

mod config;

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};

pub(crate) use self::config::DecoderConfig;
use self::config::Family;
use crate::nn::{self, Cache, Mask};

/// Where each token stands: (time, row, column); three times the same for text.
pub(crate) type Positions = Vec<[u32; 3]>;

/// Positions of text from `start` on.
pub(crate) fn text_positions(start: usize, count: usize) -> Positions {
    (start..start + count).map(|p| [p as u32; 3]).collect()
}

/// The network.
pub(crate) struct Decoder {
    config: DecoderConfig,
    /// (vocabulary, d)
    embeddings: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    /// (vocabulary, d)
    head: Tensor,
    frequencies: Vec<f32>,
    dtype: DType,
    device: Device,
}

struct Layer {
    input_norm: Tensor,
    q: candle_nn::Linear,
    k: candle_nn::Linear,
    v: candle_nn::Linear,
    o: candle_nn::Linear,
    head_norms: Option<(Tensor, Tensor)>,
    /// After attention, before the perceptron, after it; Llama has only the middle one.
    after_attention: Option<Tensor>,
    before_mlp: Tensor,
    after_mlp: Option<Tensor>,
    gate: candle_nn::Linear,
    up: candle_nn::Linear,
    down: candle_nn::Linear,
}

impl Layer {
    fn new(c: &DecoderConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        let norm = |name: &str| nn::rms_weight(c.width, c.family.is_gemma(), &vb.pp(name));
        let linear = |from, to, bias, name: &str| candle_nn::linear_b(from, to, bias, vb.pp(name));
        let (queries, keys) = (c.heads * c.head_width, c.groups * c.head_width);
        let head_norm = |name: &str| nn::rms_weight(c.head_width, false, &vb.pp(name));
        let (after_attention, before_mlp, after_mlp) = if c.family == Family::Gemma2 {
            let post = "post_feedforward_layernorm";
            (
                Some(norm("post_attention_layernorm")?),
                norm("pre_feedforward_layernorm")?,
                Some(norm(post)?),
            )
        } else {
            (None, norm("post_attention_layernorm")?, None)
        };
        Ok(Self {
            input_norm: norm("input_layernorm")?,
            q: linear(c.width, queries, c.bias, "self_attn.q_proj")?,
            k: linear(c.width, keys, c.bias, "self_attn.k_proj")?,
            v: linear(c.width, keys, c.bias, "self_attn.v_proj")?,
            o: linear(queries, c.width, c.bias, "self_attn.o_proj")?,
            head_norms: (c.family == Family::Qwen3Vl)
                .then(|| {
                    Ok::<_, candle_core::Error>((
                        head_norm("self_attn.q_norm")?,
                        head_norm("self_attn.k_norm")?,
                    ))
                })
                .transpose()?,
            after_attention,
            before_mlp,
            after_mlp,
            gate: linear(c.width, c.hidden, false, "mlp.gate_proj")?,
            up: linear(c.width, c.hidden, false, "mlp.up_proj")?,
            down: linear(c.hidden, c.width, false, "mlp.down_proj")?,
        })
    }

    /// x is (t, d).
    fn forward(
        &self,
        c: &DecoderConfig,
        x: &Tensor,
        (cos, sin): &(Tensor, Tensor),
        (mask, window): (Mask, Option<usize>),
        cache: &mut candle_nn::kv_cache::KvCache,
    ) -> candle_core::Result<Tensor> {
        let h = nn::rms_norm(x, &self.input_norm, c.eps)?;
        let mut q = nn::split_heads(&h.apply(&self.q)?, c.heads)?;
        let mut k = nn::split_heads(&h.apply(&self.k)?, c.groups)?;
        let v = nn::split_heads(&h.apply(&self.v)?, c.groups)?;
        if let Some((of_q, of_k)) = &self.head_norms {
            q = nn::rms_norm(&q, of_q, c.eps)?;
            k = nn::rms_norm(&k, of_k, c.eps)?;
        }
        let q = nn::rotate(&q, cos, sin)?;
        let (mut k, mut v) = cache.append(&nn::rotate(&k, cos, sin)?, &v)?;
        // One query sees the window's last keys; a prompt's mask cuts them.
        let (t, n) = (q.dim(1)?, k.dim(1)?);
        if let Some(window) = window.filter(|w| t == 1 && *w < n) {
            k = k.narrow(1, n - window, window)?;
            v = v.narrow(1, n - window, window)?;
        }
        let mixed = nn::attend(&q, &k, &v, c.scale, c.score_cap, mask)?.apply(&self.o)?;
        let mixed = normed(self.after_attention.as_ref(), mixed, c.eps)?;
        let x = (x + mixed)?;
        let h = nn::rms_norm(&x, &self.before_mlp, c.eps)?;
        let gated = (c.activation.forward(&h.apply(&self.gate)?)? * h.apply(&self.up)?)?;
        let out = normed(self.after_mlp.as_ref(), gated.apply(&self.down)?, c.eps)?;
        x + out
    }
}

fn normed(norm: Option<&Tensor>, x: Tensor, eps: f64) -> candle_core::Result<Tensor> {
    match norm {
        Some(weight) => nn::rms_norm(&x, weight, eps),
        None => Ok(x),
    }
}

impl Decoder {
    /// Builds the network from `language_model` and `lm_head`.
    pub(crate) fn new(config: DecoderConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        let root = vb.pp("language_model");
        let embeddings = root.get((config.vocabulary, config.width), "embed_tokens.weight")?;
        let layers =
            (0..config.layers).map(|i| Layer::new(&config, &root.pp(format!("layers.{i}"))));
        let layers = layers.collect::<candle_core::Result<_>>()?;
        // The reference ignores a head that is saved beside tied embeddings.
        let head = if config.tied {
            embeddings.clone()
        } else {
            vb.get((config.vocabulary, config.width), "lm_head.weight")?
        };
        Ok(Self {
            embeddings,
            layers,
            norm: nn::rms_weight(config.width, config.family.is_gemma(), &root.pp("norm"))?,
            head,
            frequencies: nn::inverse_frequencies(config.theta, config.head_width),
            dtype: vb.dtype(),
            device: vb.device().clone(),
            config,
        })
    }

    pub(crate) fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Embeddings of tokens, (t, d).
    pub(crate) fn embed(&self, tokens: &[u32]) -> candle_core::Result<Tensor> {
        let ids = Tensor::from_slice(tokens, tokens.len(), &self.device)?;
        let x = self.embeddings.index_select(&ids, 0)?;
        if self.config.family.is_gemma() {
            x * (self.config.width as f64).sqrt()
        } else {
            Ok(x)
        }
    }

    /// Reads embedded tokens (t, d) and gives the scores of the next one, (vocabulary). `after` may
    /// change the states that leave a layer.
    pub(crate) fn read(
        &self,
        mut x: Tensor,
        positions: &Positions,
        mask: Mask,
        cache: &mut Cache,
        after: &dyn Fn(usize, Tensor) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Tensor> {
        let c = &self.config;
        let turns = self.turns(positions)?;
        for (i, (layer, kept)) in self.layers.iter().zip(&mut cache.layers).enumerate() {
            let window = c.windows.get(i).copied().flatten();
            let mask = match mask {
                Mask::Causal { offset, .. } => Mask::Causal { offset, window },
                Mask::None => Mask::None,
            };
            x = after(i, layer.forward(c, &x, &turns, (mask, window), kept)?)?;
        }
        cache.tokens += positions.len();
        let last = nn::rms_norm(&nn::last_row(&x)?, &self.norm, c.eps)?;
        let logits = nn::scores(&last.matmul(&self.head.t()?)?)?;
        match c.logit_cap {
            Some(cap) => (logits / cap)?.tanh()? * cap,
            None => Ok(logits),
        }
    }

    /// Reads one token that was written.
    pub(crate) fn step(&self, token: u32, cache: &mut Cache) -> candle_core::Result<Tensor> {
        let positions = text_positions(cache.position, 1);
        cache.position += 1;
        self.read(
            self.embed(&[token])?,
            &positions,
            Mask::None,
            cache,
            &|_, x| Ok(x),
        )
    }

    /// Cosines and sines of each token's angles, (t, d / 2).
    fn turns(&self, positions: &Positions) -> candle_core::Result<(Tensor, Tensor)> {
        let pairs = self.frequencies.len();
        // Interleaved: pairs 1, 4, 7 .. turn with the row, 2, 5, 8 .. with the column, each as far as
        // its section reaches; the others with time.
        let axis = |pair: usize| match self.config.sections {
            Some([_, rows, cols]) => match pair % 3 {
                1 if pair < 3 * rows => 1,
                2 if pair < 3 * cols => 2,
                _ => 0,
            },
            None => 0,
        };
        let angles: Vec<f32> = positions
            .iter()
            .flat_map(|p| {
                self.frequencies
                    .iter()
                    .enumerate()
                    .map(move |(i, f)| p[axis(i)] as f32 * f)
            })
            .collect();
        nn::cos_sin(&angles, pairs, self.dtype, &self.device)
    }
}
