//! Blocks that the UNet and the autoencoder share. Shapes: `b` pictures, `c` channels, `h` and `w`
//! rows and columns, `t` tokens, `d` numbers a token.

use candle_core::{D, DType, Module, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, GroupNorm, Linear, VarBuilder, conv2d, group_norm, linear};

/// A convolution of 3 x 3 that keeps the size.
pub(crate) fn conv3x3(from: usize, to: usize, vb: VarBuilder) -> Result<Conv2d> {
    let config = Conv2dConfig {
        padding: 1,
        ..Conv2dConfig::default()
    };
    conv2d(from, to, 3, config, vb)
}

/// A residual block: two convolutions, each after group norm and SiLU, with what the network is told
/// about the noise level added between them (Dhariwal and Nichol, arXiv:2105.05233).
#[derive(Debug)]
pub(crate) struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

impl Resnet {
    /// From `from` to `to` channels; `time` is the width of the noise level's embedding, if any.
    pub(crate) fn new(
        from: usize,
        to: usize,
        time: Option<usize>,
        groups: usize,
        eps: f64,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let shortcut = (from != to)
            .then(|| conv2d(from, to, 1, Conv2dConfig::default(), vb.pp("conv_shortcut")));
        let time = time.map(|width| linear(width, to, vb.pp("time_emb_proj")));
        Ok(Self {
            norm1: group_norm(groups, from, eps, vb.pp("norm1"))?,
            conv1: conv3x3(from, to, vb.pp("conv1"))?,
            time: time.transpose()?,
            norm2: group_norm(groups, to, eps, vb.pp("norm2"))?,
            conv2: conv3x3(to, to, vb.pp("conv2"))?,
            shortcut: shortcut.transpose()?,
        })
    }

    /// `x` (b, from, h, w) and `time` (b, width) to (b, to, h, w).
    pub(crate) fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let mut y = self.conv1.forward(&self.norm1.forward(x)?.silu()?)?;
        if let (Some(project), Some(time)) = (&self.time, time) {
            let shift = project.forward(&time.silu()?)?; // (b, to)
            let (b, c) = shift.dims2()?;
            y = y.broadcast_add(&shift.reshape((b, c, 1, 1))?)?;
        }
        let y = self.conv2.forward(&self.norm2.forward(&y)?.silu()?)?;
        match &self.shortcut {
            Some(shortcut) => shortcut.forward(x)? + y,
            None => x + y,
        }
    }
}

/// Doubles the size: nearest neighbours, then a convolution.
#[derive(Debug)]
pub(crate) struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    pub(crate) fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            conv: conv3x3(channels, channels, vb.pp("conv"))?,
        })
    }

    /// `x` (b, c, h, w) to `size` (rows, columns), by default twice its own.
    pub(crate) fn forward(&self, x: &Tensor, size: Option<(usize, usize)>) -> Result<Tensor> {
        let (_, _, h, w) = x.dims4()?;
        let (rows, columns) = size.unwrap_or((2 * h, 2 * w));
        self.conv.forward(&x.upsample_nearest2d(rows, columns)?)
    }
}

/// Softmax attention over heads, in slices.
///
/// `q` (n, t, d), `k` and `v` (n, s, d), where `n` counts heads of all pictures, to (n, t, d). With
/// `upcast` scores are formed in f32; the softmax always is. `slice` bounds how many of `n` are in
/// memory at a time.
pub(crate) fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    upcast: bool,
    slice: Option<usize>,
) -> Result<Tensor> {
    let (n, _, d) = q.dims3()?;
    let scale = 1.0 / (d as f64).sqrt();
    let part = |q: &Tensor, k: &Tensor, v: &Tensor| {
        let (q, k) = if upcast {
            (q.to_dtype(DType::F32)?, k.to_dtype(DType::F32)?)
        } else {
            (q.clone(), k.clone())
        };
        let scores = (q * scale)?.matmul(&k.transpose(1, 2)?)?; // (n, t, s)
        let shares = candle_nn::ops::softmax_last_dim(&scores.to_dtype(DType::F32)?)?;
        shares.to_dtype(v.dtype())?.matmul(v)
    };
    match slice {
        Some(size) if size < n => {
            let starts = (0..n).step_by(size);
            let parts = starts.map(|start| {
                let len = size.min(n - start);
                part(
                    &q.narrow(0, start, len)?,
                    &k.narrow(0, start, len)?,
                    &v.narrow(0, start, len)?,
                )
            });
            Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
        }
        _ => part(q, k, v),
    }
}

/// (b, t, heads * d) to (b * heads, t, d).
pub(crate) fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (b, t, width) = x.dims3()?;
    x.reshape((b, t, heads, width / heads))?
        .transpose(1, 2)?
        .reshape((b * heads, t, width / heads))?
        .contiguous()
}

/// (b * heads, t, d) to (b, t, heads * d).
pub(crate) fn join_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (n, t, d) = x.dims3()?;
    x.reshape((n / heads, heads, t, d))?
        .transpose(1, 2)?
        .reshape((n / heads, t, heads * d))
}

/// Sinusoids of `values` (n), of width `width`, to (n, width) in f32: Vaswani et al.
/// (arXiv:1706.03762) section 3.5 with the frequencies `10000^(-i / (width / 2 - shift))`.
pub(crate) fn sinusoids(
    values: &Tensor,
    width: usize,
    cosine_first: bool,
    shift: f64,
) -> Result<Tensor> {
    let half = width / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|i| (-(10_000f64.ln()) * i as f64 / (half as f64 - shift)).exp() as f32)
        .collect();
    let frequencies = Tensor::from_vec(frequencies, (1, half), values.device())?;
    let n = values.dim(0)?;
    let angles = values
        .to_dtype(DType::F32)?
        .reshape((n, 1))?
        .broadcast_mul(&frequencies)?;
    let (sin, cos) = (angles.sin()?, angles.cos()?);
    if cosine_first {
        Tensor::cat(&[cos, sin], D::Minus1)
    } else {
        Tensor::cat(&[sin, cos], D::Minus1)
    }
}
