//! The block of two token streams, image and text, that attend to each other: MMDiT (Esser et al.
//! 2024, arXiv 2403.03206, section 4 and figure 2), MMDiT-X of Stable Diffusion 3.5 medium (a second
//! attention of the image to itself), and the double-stream block of Flux (with rotary positions).

use candle_core::{DType, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};

use super::layers::{
    FeedForward, Heads, ModulatedNorm, Modulation, PlainNorm, ProjectionNames, Projections, Rotary,
    gated, modulate,
};

/// Projections of the image stream, in diffusers' names.
pub(crate) const IMAGE: ProjectionNames = ProjectionNames {
    qkv: ["to_q", "to_k", "to_v"],
    norms: ["norm_q", "norm_k"],
    bias: true,
};
const TEXT: ProjectionNames = ProjectionNames {
    qkv: ["add_q_proj", "add_k_proj", "add_v_proj"],
    norms: ["norm_added_q", "norm_added_k"],
    bias: true,
};

/// What one block is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockShape {
    pub(crate) d: usize,
    pub(crate) heads: Heads,
    /// Epsilon of the normalisation of queries and keys, where there is one.
    pub(crate) qk_norm: Option<f64>,
    /// A second attention of the image to itself.
    pub(crate) dual: bool,
    /// The last block of Stable Diffusion 3 reads the text and leaves it as it is.
    pub(crate) reads_text_only: bool,
}

/// The second attention of MMDiT-X.
#[derive(Debug, Clone)]
struct SelfAttention {
    projections: Projections,
    out: Linear,
}

/// The text's side of a block: what it gives to the attention, and how it goes on.
#[derive(Debug, Clone)]
enum TextStream {
    Goes {
        modulation: Modulation,
        norm: PlainNorm,
        out: Linear,
        feed_forward: FeedForward,
    },
    Ends(ModulatedNorm),
}

/// One block.
#[derive(Debug, Clone)]
pub(crate) struct JointBlock {
    modulation: Modulation,
    norm: PlainNorm,
    image: Projections,
    text: Projections,
    out: Linear,
    second: Option<SelfAttention>,
    feed_forward: FeedForward,
    text_stream: TextStream,
}

impl JointBlock {
    pub(crate) fn load(shape: BlockShape, vb: &VarBuilder) -> Result<Self> {
        let BlockShape {
            d, heads, qk_norm, ..
        } = shape;
        let attn = vb.pp("attn");
        let second = if shape.dual {
            let attn = vb.pp("attn2");
            Some(SelfAttention {
                projections: Projections::load(d, heads, qk_norm, &IMAGE, &attn)?,
                out: linear(d, d, attn.pp("to_out.0"))?,
            })
        } else {
            None
        };
        let text_stream = if shape.reads_text_only {
            TextStream::Ends(ModulatedNorm::load(d, &vb.pp("norm1_context"))?)
        } else {
            TextStream::Goes {
                modulation: Modulation::load(d, 6, &vb.pp("norm1_context"))?,
                norm: PlainNorm::new(d, vb)?,
                out: linear(d, d, attn.pp("to_add_out"))?,
                feed_forward: FeedForward::load(d, &vb.pp("ff_context"))?,
            }
        };
        Ok(Self {
            modulation: Modulation::load(d, if shape.dual { 9 } else { 6 }, &vb.pp("norm1"))?,
            norm: PlainNorm::new(d, vb)?,
            image: Projections::load(d, heads, qk_norm, &IMAGE, &attn)?,
            text: Projections::load(d, heads, qk_norm, &TEXT, &attn)?,
            out: linear(d, d, attn.pp("to_out.0"))?,
            second,
            feed_forward: FeedForward::load(d, &vb.pp("ff"))?,
            text_stream,
        })
    }

    /// Image x (b, n, d), text y (b, m, d), condition c (b, d) -> x and y after the block. The
    /// rotary table, where there is one, has the text's tokens first.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        y: &Tensor,
        c: &Tensor,
        rotary: Option<&Rotary>,
    ) -> Result<(Tensor, Tensor)> {
        let (_, n, _) = x.dims3()?;
        let (_, m, _) = y.dims3()?;
        let parts = self.modulation.forward(c)?; // shift, scale, gate; the same of the network
        let x_normal = self.norm.forward(x)?;
        let image = self
            .image
            .forward(&modulate(&x_normal, &parts[1], &parts[0])?)?;
        let text_parts = match &self.text_stream {
            TextStream::Goes { modulation, .. } => modulation.forward(c)?,
            TextStream::Ends(_) => Vec::new(),
        };
        let text = self.text.forward(&match &self.text_stream {
            TextStream::Goes { norm, .. } => {
                modulate(&norm.forward(y)?, &text_parts[1], &text_parts[0])?
            }
            TextStream::Ends(norm) => norm.forward(y, c)?,
        })?;

        let join = |i: usize| Tensor::cat(&[&text[i], &image[i]], 1);
        let joined = self.image.attend([join(0)?, join(1)?, join(2)?], rotary)?; // (b, m + n, d)
        let attended = joined.narrow(1, m, n)?.contiguous()?.apply(&self.out)?;
        let mut x = gated(x, &parts[2], &attended)?;
        if let Some(second) = &self.second {
            let qkv = second
                .projections
                .forward(&modulate(&x_normal, &parts[7], &parts[6])?)?;
            let attended = second.projections.attend(qkv, None)?.apply(&second.out)?;
            x = gated(&x, &parts[8], &attended)?;
        }
        let wide = modulate(&self.norm.forward(&x)?, &parts[4], &parts[3])?;
        let x = gated(&x, &parts[5], &wide.apply(&self.feed_forward)?)?;

        let y = match &self.text_stream {
            TextStream::Ends(_) => y.clone(),
            TextStream::Goes {
                norm,
                out,
                feed_forward,
                ..
            } => {
                let attended = joined.narrow(1, 0, m)?.contiguous()?.apply(out)?;
                let y = gated(y, &text_parts[2], &attended)?;
                let wide = modulate(&norm.forward(&y)?, &text_parts[4], &text_parts[3])?;
                clip_half(gated(&y, &text_parts[5], &wide.apply(feed_forward)?)?)?
            }
        };
        Ok((x, y))
    }
}

/// Keeps an f16 stream finite: trained models reach the format's limit.
pub(crate) fn clip_half(x: Tensor) -> Result<Tensor> {
    if x.dtype() == DType::F16 {
        x.clamp(-65504f32, 65504f32)
    } else {
        Ok(x)
    }
}
