//! Spatial transformers: every position attends to every other and to the text (Rombach et al.,
//! arXiv:2112.10752, section 3.3).

use candle_core::{D, Module, Result, Tensor};
use candle_nn::{
    Conv2d, Conv2dConfig, GroupNorm, LayerNorm, Linear, VarBuilder, conv2d, group_norm, layer_norm,
    linear, linear_no_bias,
};

use super::config::AttentionConfig;
use crate::layers::{attend, join_heads, split_heads};

/// Of the norm before the transformer, whatever the others' is.
const GROUP_EPS: f64 = 1e-6;
const LAYER_EPS: f64 = 1e-5;

#[derive(Debug)]
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: usize,
    upcast: bool,
    slice: Option<usize>,
}

impl Attention {
    fn new(
        width: usize,
        context: usize,
        config: &AttentionConfig,
        slice: Option<usize>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        Ok(Self {
            q: linear_no_bias(width, width, vb.pp("to_q"))?,
            k: linear_no_bias(context, width, vb.pp("to_k"))?,
            v: linear_no_bias(context, width, vb.pp("to_v"))?,
            out: linear(width, width, vb.pp("to_out.0"))?,
            heads: config.heads,
            upcast: config.upcast,
            slice,
        })
    }

    /// `x` (b, t, d) attends to `context` (b, s, d').
    fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let split = |y: Tensor| split_heads(&y, self.heads);
        let y = attend(
            &split(self.q.forward(x)?)?,
            &split(self.k.forward(context)?)?,
            &split(self.v.forward(context)?)?,
            self.upcast,
            self.slice,
        )?;
        self.out.forward(&join_heads(&y, self.heads)?)
    }
}

#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    own: Attention,
    norm2: LayerNorm,
    text: Attention,
    norm3: LayerNorm,
    /// GEGLU (Shazeer, arXiv:2002.05202): values and gates side by side.
    widen: Linear,
    narrow: Linear,
}

impl Block {
    fn new(
        width: usize,
        config: &AttentionConfig,
        slice: Option<usize>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let norm = |name: &str| layer_norm(width, LAYER_EPS, vb.pp(name));
        let text_width = config.text_width;
        Ok(Self {
            norm1: norm("norm1")?,
            own: Attention::new(width, width, config, slice, &vb.pp("attn1"))?,
            norm2: norm("norm2")?,
            text: Attention::new(width, text_width, config, slice, &vb.pp("attn2"))?,
            norm3: norm("norm3")?,
            widen: linear(width, 8 * width, vb.pp("ff.net.0.proj"))?,
            narrow: linear(4 * width, width, vb.pp("ff.net.2"))?,
        })
    }

    fn forward(&self, x: &Tensor, text: &Tensor) -> Result<Tensor> {
        let y = self.norm1.forward(x)?;
        let x = (x + self.own.forward(&y, &y)?)?;
        let x = (&x + self.text.forward(&self.norm2.forward(&x)?, text)?)?;
        let wide = self.widen.forward(&self.norm3.forward(&x)?)?;
        let half = wide.dim(D::Minus1)? / 2;
        let values = wide.narrow(D::Minus1, 0, half)?;
        let gates = wide.narrow(D::Minus1, half, half)?.contiguous()?;
        // The exact GELU, not its tanh form.
        x + self.narrow.forward(&(values * gates.gelu_erf()?)?)?
    }
}

#[derive(Debug)]
enum Way {
    Linear(Linear),
    Conv(Conv2d),
}

/// A stack of transformer blocks over the positions of a feature map.
#[derive(Debug)]
pub(super) struct SpatialTransformer {
    norm: GroupNorm,
    way_in: Way,
    blocks: Vec<Block>,
    way_out: Way,
}

impl SpatialTransformer {
    pub(super) fn new(
        channels: usize,
        groups: usize,
        config: &AttentionConfig,
        slice: Option<usize>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let way = |name: &str| {
            let vb = vb.pp(name);
            if config.linear {
                linear(channels, channels, vb).map(Way::Linear)
            } else {
                conv2d(channels, channels, 1, Conv2dConfig::default(), vb).map(Way::Conv)
            }
        };
        let blocks = (0..config.depth).map(|i| {
            let vb = vb.pp(format!("transformer_blocks.{i}"));
            Block::new(channels, config, slice, &vb)
        });
        Ok(Self {
            norm: group_norm(groups, channels, GROUP_EPS, vb.pp("norm"))?,
            way_in: way("proj_in")?,
            blocks: blocks.collect::<Result<_>>()?,
            way_out: way("proj_out")?,
        })
    }

    /// `x` (b, c, h, w) and the text's states (b, s, d).
    pub(super) fn forward(&self, x: &Tensor, text: &Tensor) -> Result<Tensor> {
        let (b, c, h, w) = x.dims4()?;
        let tokens = |x: &Tensor| x.reshape((b, c, h * w))?.transpose(1, 2)?.contiguous();
        let map = |y: &Tensor| y.transpose(1, 2)?.reshape((b, c, h, w))?.contiguous();
        let y = self.norm.forward(x)?;
        let mut y = match &self.way_in {
            Way::Conv(conv) => tokens(&conv.forward(&y)?)?,
            Way::Linear(linear) => linear.forward(&tokens(&y)?)?,
        }; // (b, h * w, c)
        for block in &self.blocks {
            y = block.forward(&y, text)?;
        }
        let y = match &self.way_out {
            Way::Conv(conv) => conv.forward(&map(&y)?)?,
            Way::Linear(linear) => map(&linear.forward(&y)?)?,
        };
        x + y
    }
}
