//! Parts that the diffusion transformers share: normalisation, modulation, embeddings, attention.
//!
//! Symbols: b batch, n tokens, d width, h heads, e width of a head.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{Linear, Module, RmsNorm, VarBuilder, linear, linear_b, rms_norm};

use crate::layers::{attend, join_heads, sinusoids, split_heads};

/// Frequencies of a timestep embedding; the same in all three architectures.
const TIMESTEP_WIDTH: usize = 256;

/// Layer normalisation over the last dimension, without learnt scale and shift (epsilon 1e-6).
#[derive(Debug, Clone)]
pub(crate) struct PlainNorm {
    one: Tensor,
    zero: Tensor,
}

impl PlainNorm {
    pub(crate) fn new(d: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            one: Tensor::ones(d, vb.dtype(), vb.device())?,
            zero: Tensor::zeros(d, vb.dtype(), vb.device())?,
        })
    }
}

impl Module for PlainNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::layer_norm(&x.contiguous()?, &self.one, &self.zero, 1e-6)
    }
}

/// `x (1 + scale) + shift` with one scale and shift (b, d) for all tokens of x (b, n, d).
pub(crate) fn modulate(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    x.broadcast_mul(&(scale.unsqueeze(1)? + 1.0)?)?
        .broadcast_add(&shift.unsqueeze(1)?)
}

/// `x + gate y` with one gate (b, d) for all tokens.
pub(crate) fn gated(x: &Tensor, gate: &Tensor, y: &Tensor) -> Result<Tensor> {
    x + y.broadcast_mul(&gate.unsqueeze(1)?)?
}

/// The modulation vectors of adaLN: `silu(c) W + b`, split into `parts` of (b, d).
#[derive(Debug, Clone)]
pub(crate) struct Modulation {
    linear: Linear,
    parts: usize,
}

impl Modulation {
    pub(crate) fn load(d: usize, parts: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            linear: linear(d, parts * d, vb.pp("linear"))?,
            parts,
        })
    }

    pub(crate) fn forward(&self, c: &Tensor) -> Result<Vec<Tensor>> {
        c.silu()?.apply(&self.linear)?.chunk(self.parts, D::Minus1)
    }
}

/// The last normalisation: layer normalisation scaled and shifted by the condition, in this order.
#[derive(Debug, Clone)]
pub(crate) struct ModulatedNorm {
    norm: PlainNorm,
    modulation: Modulation,
}

impl ModulatedNorm {
    pub(crate) fn load(d: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            norm: PlainNorm::new(d, vb)?,
            modulation: Modulation::load(d, 2, vb)?,
        })
    }

    /// x (b, n, d), condition c (b, d).
    pub(crate) fn forward(&self, x: &Tensor, c: &Tensor) -> Result<Tensor> {
        let parts = self.modulation.forward(c)?;
        modulate(&self.norm.forward(x)?, &parts[0], &parts[1])
    }
}

/// Two linear maps with SiLU between, as the embedders of times, guidance and pooled text have them.
#[derive(Debug, Clone)]
pub(crate) struct Embedder {
    linear_1: Linear,
    linear_2: Linear,
}

impl Embedder {
    pub(crate) fn load(d_in: usize, d: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            linear_1: linear(d_in, d, vb.pp("linear_1"))?,
            linear_2: linear(d, d, vb.pp("linear_2"))?,
        })
    }
}

impl Module for Embedder {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.linear_1)?.silu()?.apply(&self.linear_2)
    }
}

/// The condition c (b, d) of Stable Diffusion 3 and Flux: time, guidance where the model has it, and
/// pooled text, each embedded and added up.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    time: Embedder,
    guidance: Option<Embedder>,
    text: Embedder,
}

impl Condition {
    pub(crate) fn load(d: usize, pooled: usize, guided: bool, vb: &VarBuilder) -> Result<Self> {
        let guidance = if guided {
            Some(Embedder::load(
                TIMESTEP_WIDTH,
                d,
                &vb.pp("guidance_embedder"),
            )?)
        } else {
            None
        };
        Ok(Self {
            time: Embedder::load(TIMESTEP_WIDTH, d, &vb.pp("timestep_embedder"))?,
            guidance,
            text: Embedder::load(pooled, d, &vb.pp("text_embedder"))?,
        })
    }

    /// Pooled text (b, pooled); time and guidance on the scale of 0 to 1000.
    pub(crate) fn forward(&self, pooled: &Tensor, time: f64, guidance: f64) -> Result<Tensor> {
        let embed = |value| timestep_embedding(value, pooled.dtype(), pooled.device());
        let mut c = embed(time)?.apply(&self.time)?;
        if let Some(embedder) = &self.guidance {
            c = (c + embed(guidance)?.apply(embedder)?)?;
        }
        pooled.apply(&self.text)?.broadcast_add(&c)
    }
}

/// Sinusoids of a time (1, 256), cosines first.
pub(crate) fn timestep_embedding(time: f64, dtype: DType, device: &Device) -> Result<Tensor> {
    let time = Tensor::new(&[time as f32], device)?;
    sinusoids(&time, TIMESTEP_WIDTH, true, 0.0)?.to_dtype(dtype)
}

/// The feed-forward network of diffusers: GELU (tanh) between two linear maps, four times as wide.
#[derive(Debug, Clone)]
pub(crate) struct FeedForward {
    up: Linear,
    down: Linear,
}

impl FeedForward {
    pub(crate) fn load(d: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            up: linear(d, 4 * d, vb.pp("net.0.proj"))?,
            down: linear(4 * d, d, vb.pp("net.2"))?,
        })
    }
}

impl Module for FeedForward {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.up)?.gelu()?.apply(&self.down)
    }
}

/// How an attention is split up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// Heads of a picture.
    pub(crate) count: usize,
    /// Heads of all pictures that attend at a time, to spare memory.
    pub(crate) slice: Option<usize>,
}

/// Names of the tensors of one stream's projections.
pub(crate) struct ProjectionNames {
    pub(crate) qkv: [&'static str; 3],
    pub(crate) norms: [&'static str; 2],
    pub(crate) bias: bool,
}

/// Queries, keys and values (b h, n, e) of one stream of tokens, with root mean square normalisation
/// of queries and keys where the model has it.
#[derive(Debug, Clone)]
pub(crate) struct Projections {
    qkv: [Linear; 3],
    norms: Option<[RmsNorm; 2]>,
    heads: Heads,
}

impl Projections {
    pub(crate) fn load(
        d: usize,
        heads: Heads,
        norm_epsilon: Option<f64>,
        names: &ProjectionNames,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let project = |i: usize| linear_b(d, d, names.bias, vb.pp(names.qkv[i]));
        let norms = match norm_epsilon {
            Some(epsilon) => {
                let norm = |i: usize| rms_norm(d / heads.count, epsilon, vb.pp(names.norms[i]));
                Some([norm(0)?, norm(1)?])
            }
            None => None,
        };
        Ok(Self {
            qkv: [project(0)?, project(1)?, project(2)?],
            norms,
            heads,
        })
    }

    /// x (b, n, d) -> queries, keys, values (b h, n, e).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        let project = |i: usize| split_heads(&x.apply(&self.qkv[i])?, self.heads.count);
        let (mut q, mut k) = (project(0)?, project(1)?);
        if let Some([q_norm, k_norm]) = &self.norms {
            q = q.apply(q_norm)?;
            k = k.apply(k_norm)?;
        }
        Ok([q, k, project(2)?])
    }

    /// Attention of all tokens to all, after the rotation where there is one: (b h, n, e) -> (b, n, d).
    pub(crate) fn attend(&self, qkv: [Tensor; 3], rotary: Option<&Rotary>) -> Result<Tensor> {
        let [mut q, mut k, v] = qkv;
        if let Some(rotary) = rotary {
            q = rotary.apply(&q)?;
            k = rotary.apply(&k)?;
        }
        join_heads(
            &attend(&q, &k, &v, false, self.heads.slice)?,
            self.heads.count,
        )
    }
}

/// Rotary position embedding over several axes: cosines and sines (n, e / 2) in f32.
#[derive(Debug, Clone)]
pub(crate) struct Rotary {
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    /// The widths in `axes` add up to that of a head; `positions` holds a position an axis for each
    /// token. `round` says that the reference rounds angles to f32 (Z-Image) before the sinusoids.
    pub(crate) fn new(
        positions: &[[usize; 3]],
        axes: [usize; 3],
        theta: f64,
        round: bool,
        device: &Device,
    ) -> Result<Self> {
        let half: usize = axes.iter().map(|width| width / 2).sum();
        let mut cos = Vec::with_capacity(positions.len() * half);
        let mut sin = Vec::with_capacity(positions.len() * half);
        for position in positions {
            for (&p, &width) in position.iter().zip(&axes) {
                for i in 0..width / 2 {
                    let mut angle = p as f64 / theta.powf((2 * i) as f64 / width as f64);
                    if round {
                        angle = f64::from(angle as f32);
                    }
                    cos.push(angle.cos() as f32);
                    sin.push(angle.sin() as f32);
                }
            }
        }
        Ok(Self {
            cos: Tensor::from_vec(cos, (positions.len(), half), device)?,
            sin: Tensor::from_vec(sin, (positions.len(), half), device)?,
        })
    }

    /// Turns each pair of neighbouring numbers of x (b h, n, e) by its token's angle, in f32.
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let wide = x.to_dtype(DType::F32)?.unsqueeze(0)?.contiguous()?;
        let turned = candle_nn::rotary_emb::rope_i(&wide, &self.cos, &self.sin)?;
        turned.squeeze(0)?.to_dtype(x.dtype())
    }
}
