//! The transformer of Flux.1 (Black Forest Labs 2024; there is no paper): double-stream blocks, then
//! single-stream ones with attention and feed-forward side by side (as in Dehghani et al. 2023, arXiv
//! 2302.05442, section 2), rotary positions over three axes. Read from diffusers'
//! `FluxTransformer2DModel`.

use candle_core::{Result, Tensor, bail};
use candle_nn::{Linear, Module, VarBuilder, linear};
use serde::Deserialize;

use super::joint::{BlockShape, IMAGE, JointBlock, clip_half};
use super::layers::{
    Condition, Heads, ModulatedNorm, Modulation, PlainNorm, Projections, Rotary, gated, modulate,
};

const QK_EPSILON: f64 = 1e-6;
const THETA: f64 = 10_000.0;

/// What transformer/config.json says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FluxConfig {
    /// Channels of a packed token: four times those of the latents.
    pub(crate) in_channels: usize,
    /// Double-stream blocks.
    pub(crate) num_layers: usize,
    /// Single-stream blocks.
    pub(crate) num_single_layers: usize,
    /// Width of a head.
    pub(crate) attention_head_dim: usize,
    /// Heads.
    pub(crate) num_attention_heads: usize,
    /// Width of the text states.
    pub(crate) joint_attention_dim: usize,
    /// Width of the pooled text.
    pub(crate) pooled_projection_dim: usize,
    /// Whether the guidance scale is an input (dev) or not (schnell).
    #[serde(default)]
    pub(crate) guidance_embeds: bool,
    /// Widths of the rotary axes; they add up to that of a head.
    #[serde(default = "rope_axes")]
    pub(crate) axes_dims_rope: [usize; 3],
}

fn rope_axes() -> [usize; 3] {
    [16, 56, 56]
}

/// Attention and feed-forward of one stream side by side.
#[derive(Debug, Clone)]
struct SingleBlock {
    modulation: Modulation,
    norm: PlainNorm,
    projections: Projections,
    up: Linear,
    out: Linear,
}

impl SingleBlock {
    fn load(d: usize, heads: Heads, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            modulation: Modulation::load(d, 3, &vb.pp("norm"))?,
            norm: PlainNorm::new(d, vb)?,
            projections: Projections::load(d, heads, Some(QK_EPSILON), &IMAGE, &vb.pp("attn"))?,
            up: linear(d, 4 * d, vb.pp("proj_mlp"))?,
            out: linear(d + 4 * d, d, vb.pp("proj_out"))?,
        })
    }

    /// Tokens x (b, m + n, d), condition c (b, d).
    fn forward(&self, x: &Tensor, c: &Tensor, rotary: &Rotary) -> Result<Tensor> {
        let parts = self.modulation.forward(c)?; // shift, scale, gate
        let x_normal = modulate(&self.norm.forward(x)?, &parts[1], &parts[0])?;
        let qkv = self.projections.forward(&x_normal)?;
        let attended = self.projections.attend(qkv, Some(rotary))?;
        let wide = x_normal.apply(&self.up)?.gelu()?;
        let both = Tensor::cat(&[attended, wide], 2)?; // (b, m + n, d + 4 d)
        clip_half(gated(x, &parts[2], &both.apply(&self.out)?)?)
    }
}

/// The transformer.
#[derive(Debug, Clone)]
pub(crate) struct Flux {
    image: Linear,
    text: Linear,
    condition: Condition,
    double: Vec<JointBlock>,
    single: Vec<SingleBlock>,
    norm: ModulatedNorm,
    out: Linear,
    config: FluxConfig,
}

impl Flux {
    /// Reads the weights.
    ///
    /// # Errors
    /// Where a tensor is missing or of another shape, or the configuration contradicts itself.
    pub(crate) fn load(config: &FluxConfig, slice: Option<usize>, vb: &VarBuilder) -> Result<Self> {
        let heads = Heads {
            count: config.num_attention_heads,
            slice,
        };
        let e = config.attention_head_dim;
        let d = heads.count * e;
        if config.axes_dims_rope.iter().sum::<usize>() != e {
            bail!(
                "axes_dims_rope {:?} does not add up to attention_head_dim {e}",
                config.axes_dims_rope
            );
        }
        let shape = BlockShape {
            d,
            heads,
            qk_norm: Some(QK_EPSILON),
            dual: false,
            reads_text_only: false,
        };
        let guided = config.guidance_embeds;
        Ok(Self {
            image: linear(config.in_channels, d, vb.pp("x_embedder"))?,
            text: linear(config.joint_attention_dim, d, vb.pp("context_embedder"))?,
            condition: Condition::load(
                d,
                config.pooled_projection_dim,
                guided,
                &vb.pp("time_text_embed"),
            )?,
            double: (0..config.num_layers)
                .map(|i| JointBlock::load(shape, &vb.pp(format!("transformer_blocks.{i}"))))
                .collect::<Result<_>>()?,
            single: (0..config.num_single_layers)
                .map(|i| {
                    SingleBlock::load(d, heads, &vb.pp(format!("single_transformer_blocks.{i}")))
                })
                .collect::<Result<_>>()?,
            norm: ModulatedNorm::load(d, &vb.pp("norm_out"))?,
            out: linear(d, config.in_channels, vb.pp("proj_out"))?,
            config: config.clone(),
        })
    }

    /// Predicts the velocity: latents x (b, c, height, width) of even sides, text states (b, m,
    /// joint), pooled text (b, pooled), time of 0 to 1000 -> (b, c, height, width). The guidance scale
    /// is read where the model has an input for it.
    ///
    /// # Errors
    /// Where shapes do not fit.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        text: &Tensor,
        pooled: &Tensor,
        time: f64,
        guidance: f64,
    ) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let (_, m, _) = text.dims3()?;
        let rotary = self.rotary(m, height / 2, width / 2, x)?;
        let mut y = text.apply(&self.text)?;
        let mut x = pack(x)?.apply(&self.image)?; // (b, n, d)
        let c = self.condition.forward(pooled, time, 1000.0 * guidance)?;
        for block in &self.double {
            (x, y) = block.forward(&x, &y, &c, Some(&rotary))?;
        }
        let mut both = Tensor::cat(&[y, x], 1)?; // (b, m + n, d)
        for block in &self.single {
            both = block.forward(&both, &c, &rotary)?;
        }
        let (_, all, _) = both.dims3()?;
        let x = both.narrow(1, m, all - m)?;
        unpack(&self.norm.forward(&x, &c)?.apply(&self.out)?, height, width)
    }

    /// Text tokens stand at the origin, image tokens at their row and column.
    fn rotary(&self, m: usize, rows: usize, columns: usize, like: &Tensor) -> Result<Rotary> {
        let mut positions = vec![[0; 3]; m];
        positions.extend((0..rows).flat_map(|r| (0..columns).map(move |c| [0, r, c])));
        Rotary::new(
            &positions,
            self.config.axes_dims_rope,
            THETA,
            false,
            like.device(),
        )
    }
}

/// Latents (b, c, height, width) -> tokens (b, height / 2 width / 2, 4 c), channels outermost.
fn pack(x: &Tensor) -> Result<Tensor> {
    let (b, c, height, width) = x.dims4()?;
    x.reshape((b, c, height / 2, 2, width / 2, 2))?
        .permute((0, 2, 4, 1, 3, 5))?
        .reshape((b, (height / 2) * (width / 2), 4 * c))
}

/// The way back.
fn unpack(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (b, _, wide) = x.dims3()?;
    x.reshape((b, height / 2, width / 2, wide / 4, 2, 2))?
        .permute((0, 3, 1, 4, 2, 5))?
        .reshape((b, wide / 4, height, width))
}
