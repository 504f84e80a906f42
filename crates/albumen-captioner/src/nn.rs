//! What the networks share. There is no batch dimension: a photo is never computed with another.

use std::ops::Range;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::{Module, VarBuilder};

use crate::config::Section;
use crate::error::Result;

/// Scores of attention held at once. More query rows are done in turn, which changes no number: each
/// row is its own sum.
pub(crate) const MAX_SCORES: usize = 1 << 26;

/// A nonlinearity by its name in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Gelu,
    GeluTanh,
    Silu,
}

impl Activation {
    pub(crate) fn read(config: &Section, key: &str, default: &str) -> Result<Self> {
        let name = config.string(key, default)?;
        config.require(
            key,
            &name,
            &["gelu", "gelu_pytorch_tanh", "gelu_new", "silu"],
        )?;
        Ok(match name.as_str() {
            "gelu" => Self::Gelu,
            "silu" => Self::Silu,
            _ => Self::GeluTanh,
        })
    }
}

impl Module for Activation {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
            Self::Silu => x.silu(),
        }
    }
}

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mask {
    /// All.
    None,
    /// Those up to its own place; with a window, only the last so many of them.
    Causal {
        /// The place of the first query.
        offset: usize,
        /// Keys seen, the query's own among them.
        window: Option<usize>,
    },
}

impl Mask {
    /// What is added to the scores of some queries, (rows, keys), or nothing.
    fn rows(
        self,
        rows: Range<usize>,
        keys: usize,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Option<Tensor>> {
        let Self::Causal { offset, window } = self else {
            return Ok(None);
        };
        let seen = |row: usize, key: usize| {
            let place = offset + row;
            key <= place && window.is_none_or(|w| key + w > place)
        };
        let (start, count) = (rows.start, rows.len());
        if rows.clone().all(|row| seen(row, 0) && seen(row, keys - 1)) {
            return Ok(None);
        }
        let values = rows.flat_map(|row| {
            (0..keys).map(move |key| {
                if seen(row, key) {
                    0.0
                } else {
                    f32::NEG_INFINITY
                }
            })
        });
        let values: Vec<f32> = values.collect();
        debug_assert_eq!(values.len(), count * keys, "rows from {start}");
        Tensor::from_vec(values, (count, keys), &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)
            .map(Some)
    }
}

/// Scaled dot-product attention: softmax(q k' scale + mask) v, with the scores bent by a soft cap
/// where there is one. q is (heads, t, d), k and v are (groups, n, d): each group of keys serves
/// heads / groups heads. Gives (t, heads d).
pub(crate) fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    soft_cap: Option<f64>,
    mask: Mask,
) -> candle_core::Result<Tensor> {
    let (heads, t, d) = q.dims3()?;
    let (groups, n, _) = k.dims3()?;
    let each = heads / groups;
    let keys = k.transpose(1, 2)?;
    let rows = (MAX_SCORES / (heads * n)).clamp(1, t);
    let mut parts = Vec::new();
    for start in (0..t).step_by(rows) {
        let r = rows.min(t - start);
        let part = q.narrow(1, start, r)?.contiguous()?;
        let part = part.reshape((groups, each * r, d))?;
        let scores = (part.matmul(&keys)? * scale)?;
        let scores = match soft_cap {
            Some(cap) => ((scores / cap)?.tanh()? * cap)?,
            None => scores,
        };
        let scores = scores.reshape((heads, r, n))?;
        let scores = match mask.rows(start..start + r, n, q.dtype(), q.device())? {
            Some(mask) => scores.broadcast_add(&mask)?,
            None => scores,
        };
        let weights = candle_nn::ops::softmax_last_dim(&scores)?;
        let mixed = weights.reshape((groups, each * r, n))?.matmul(v)?;
        parts.push(
            mixed
                .reshape((heads, r, d))?
                .transpose(0, 1)?
                .reshape((r, heads * d))?,
        );
    }
    match parts.len() {
        1 => Ok(parts.remove(0)),
        _ => Tensor::cat(&parts, 0),
    }
}

/// (t, heads d) to (heads, t, d).
pub(crate) fn split_heads(x: &Tensor, heads: usize) -> candle_core::Result<Tensor> {
    let (t, width) = x.dims2()?;
    x.reshape((t, heads, width / heads))?
        .transpose(0, 1)?
        .contiguous()
}

/// Rotates halves of each head by the angles whose cosines and sines are (t, d / 2).
pub(crate) fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> candle_core::Result<Tensor> {
    let x = x.unsqueeze(0)?;
    candle_nn::rotary_emb::rope(&x, cos, sin)?.squeeze(0)
}

/// Frequencies of rotary positions, 1 / theta^(2i/d), as the reference computes them in f32.
pub(crate) fn inverse_frequencies(theta: f64, dim: usize) -> Vec<f32> {
    let power = |i: usize| f64::from(theta as f32).powf(f64::from(i as f32 / dim as f32)) as f32;
    (0..dim).step_by(2).map(|i| 1.0 / power(i)).collect()
}

/// Cosines and sines of a table of angles with `width` columns.
pub(crate) fn cos_sin(
    angles: &[f32],
    width: usize,
    dtype: DType,
    device: &Device,
) -> candle_core::Result<(Tensor, Tensor)> {
    let table = |f: fn(f32) -> f32| {
        let values: Vec<f32> = angles.iter().map(|a| f(*a)).collect();
        Tensor::from_vec(values, (angles.len() / width, width), &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)
    };
    Ok((table(f32::cos)?, table(f32::sin)?))
}

/// A two-layer perceptron.
pub(crate) struct Mlp {
    up: candle_nn::Linear,
    activation: Activation,
    down: candle_nn::Linear,
}

impl Mlp {
    pub(crate) fn new(
        [input, hidden, output]: [usize; 3],
        activation: Activation,
        [up, down]: [&str; 2],
        vb: &VarBuilder,
    ) -> candle_core::Result<Self> {
        Ok(Self {
            up: candle_nn::linear(input, hidden, vb.pp(up))?,
            activation,
            down: candle_nn::linear(hidden, output, vb.pp(down))?,
        })
    }
}

impl Module for Mlp {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        x.apply(&self.up)?
            .apply(&self.activation)?
            .apply(&self.down)
    }
}

/// A convolution over patches that do not overlap is a product: (3, h, w) to (patches, 3 p p).
pub(crate) fn unfold(pixels: &Tensor, side: usize) -> candle_core::Result<Tensor> {
    let (c, h, w) = pixels.dims3()?;
    let (rows, cols) = (h / side, w / side);
    pixels
        .reshape((c, rows, side, cols, side))?
        .permute((1, 3, 0, 2, 4))?
        .reshape((rows * cols, c * side * side))
}

/// What a language model keeps of the tokens that it has read, and where the next one stands.
pub(crate) struct Cache {
    /// Keys and values of each layer.
    pub(crate) layers: Vec<KvCache>,
    /// Keys and values of the photo for each layer, where the model looks at it across.
    pub(crate) across: Vec<(Tensor, Tensor)>,
    /// Tokens held.
    pub(crate) tokens: usize,
    /// The next token's position: a photo's tokens may take fewer positions than places.
    pub(crate) position: usize,
}

impl Cache {
    /// An empty cache with room for this many tokens.
    pub(crate) fn new(layers: usize, room: usize) -> Self {
        Self {
            layers: (0..layers).map(|_| KvCache::new(1, room)).collect(),
            across: Vec::new(),
            tokens: 0,
            position: 0,
        }
    }

    /// Bytes that the keys and values take.
    pub(crate) fn bytes(&self) -> usize {
        let of = |t: &Tensor| t.elem_count() * t.dtype().size_in_bytes();
        let kept = |c: &KvCache| {
            let both = [c.k_cache().all_data(), c.v_cache().all_data()];
            both.into_iter().flatten().map(of).sum::<usize>()
        };
        let across = self
            .across
            .iter()
            .map(|(k, v)| of(k) + of(v))
            .sum::<usize>();
        self.layers.iter().map(kept).sum::<usize>() + across
    }
}

/// The last row of a (t, d) tensor, as (1, d).
pub(crate) fn last_row(x: &Tensor) -> candle_core::Result<Tensor> {
    let t = x.dim(0)?;
    x.narrow(0, t - 1, 1)?.contiguous()
}

/// Scores of the vocabulary, (vocabulary), in f32 on the processor.
pub(crate) fn scores(logits: &Tensor) -> candle_core::Result<Tensor> {
    logits
        .flatten_all()?
        .to_dtype(DType::F32)?
        .to_device(&Device::Cpu)
}

/// An RMS norm's weight; Gemma's stand for 1 + weight.
pub(crate) fn rms_weight(
    size: usize,
    unit_offset: bool,
    vb: &VarBuilder,
) -> candle_core::Result<Tensor> {
    let weight = vb.get(size, "weight")?;
    if unit_offset {
        weight + 1.0
    } else {
        Ok(weight)
    }
}

/// x / rms(x) * weight over the last dimension.
pub(crate) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> candle_core::Result<Tensor> {
    debug_assert_eq!(x.dim(D::Minus1).ok(), weight.dim(0).ok());
    candle_nn::ops::rms_norm(&x.contiguous()?, weight, eps as f32)
}
