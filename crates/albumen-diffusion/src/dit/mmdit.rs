//! The transformer of Stable Diffusion 3 and 3.5: MMDiT (Esser et al. 2024, arXiv 2403.03206,
//! section 4), and MMDiT-X of 3.5 medium, read from diffusers' `SD3Transformer2DModel`.

use candle_core::{Result, Tensor, bail};
use candle_nn::{Conv2d, Conv2dConfig, Linear, VarBuilder, conv2d, linear};
use serde::Deserialize;

use super::joint::{BlockShape, JointBlock};
use super::layers::{Condition, Heads, ModulatedNorm};

/// What transformer/config.json says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MmditConfig {
    /// Latents to a side of a token.
    pub(crate) patch_size: usize,
    /// Channels of the latents.
    pub(crate) in_channels: usize,
    /// Blocks.
    pub(crate) num_layers: usize,
    /// Width of a head.
    pub(crate) attention_head_dim: usize,
    /// Heads.
    pub(crate) num_attention_heads: usize,
    /// Width of the text states.
    pub(crate) joint_attention_dim: usize,
    /// Width of the text states after their projection; equal to the model's.
    pub(crate) caption_projection_dim: usize,
    /// Width of the pooled text.
    pub(crate) pooled_projection_dim: usize,
    /// Channels that come out.
    pub(crate) out_channels: usize,
    /// Tokens to a side of the learnt grid of positions.
    pub(crate) pos_embed_max_size: usize,
    /// Blocks with a second attention (3.5 medium).
    #[serde(default)]
    pub(crate) dual_attention_layers: Vec<usize>,
    /// `rms_norm` (3.5) or none (3.0).
    #[serde(default)]
    pub(crate) qk_norm: Option<String>,
}

/// The transformer.
#[derive(Debug, Clone)]
pub(crate) struct Mmdit {
    patches: Conv2d,
    positions: Tensor,
    condition: Condition,
    context: Linear,
    blocks: Vec<JointBlock>,
    norm: ModulatedNorm,
    out: Linear,
    config: MmditConfig,
}

impl Mmdit {
    /// Reads the weights.
    ///
    /// # Errors
    /// Where a tensor is missing or of another shape, or the configuration asks for what is not
    /// known.
    pub(crate) fn load(
        config: &MmditConfig,
        slice: Option<usize>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let d = config.num_attention_heads * config.attention_head_dim;
        if config.caption_projection_dim != d {
            bail!(
                "caption_projection_dim is {} where the model's width is {d}",
                config.caption_projection_dim
            );
        }
        let qk_norm = match config.qk_norm.as_deref() {
            None => None,
            Some("rms_norm") => Some(1e-6),
            Some(other) => bail!("qk_norm {other:?} is not known; rms_norm and null are"),
        };
        let blocks = (0..config.num_layers)
            .map(|i| {
                let shape = BlockShape {
                    d,
                    heads: Heads {
                        count: config.num_attention_heads,
                        slice,
                    },
                    qk_norm,
                    dual: config.dual_attention_layers.contains(&i),
                    reads_text_only: i + 1 == config.num_layers,
                };
                JointBlock::load(shape, &vb.pp(format!("transformer_blocks.{i}")))
            })
            .collect::<Result<_>>()?;
        let patch = config.patch_size;
        let stride = Conv2dConfig {
            stride: patch,
            ..Conv2dConfig::default()
        };
        let grid = config.pos_embed_max_size;
        Ok(Self {
            patches: conv2d(
                config.in_channels,
                d,
                patch,
                stride,
                vb.pp("pos_embed.proj"),
            )?,
            positions: vb
                .get((1, grid * grid, d), "pos_embed.pos_embed")?
                .reshape((grid, grid, d))?,
            condition: Condition::load(
                d,
                config.pooled_projection_dim,
                false,
                &vb.pp("time_text_embed"),
            )?,
            context: linear(config.joint_attention_dim, d, vb.pp("context_embedder"))?,
            blocks,
            norm: ModulatedNorm::load(d, &vb.pp("norm_out"))?,
            out: linear(d, patch * patch * config.out_channels, vb.pp("proj_out"))?,
            config: config.clone(),
        })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &MmditConfig {
        &self.config
    }

    /// Predicts the velocity: latents x (b, c, height, width), text states (b, m, joint), pooled text
    /// (b, pooled), time of 0 to 1000 -> (b, c, height, width).
    ///
    /// # Errors
    /// Where shapes do not fit or the image is larger than the grid of positions.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        text: &Tensor,
        pooled: &Tensor,
        time: f64,
    ) -> Result<Tensor> {
        let (b, _, height, width) = x.dims4()?;
        let patch = self.config.patch_size;
        let (rows, columns) = (height / patch, width / patch);
        let tokens = x.apply(&self.patches)?.flatten_from(2)?.transpose(1, 2)?; // (b, n, d)
        let mut x = tokens.broadcast_add(&self.positions_of(rows, columns)?)?;
        let mut y = text.apply(&self.context)?;
        let c = self.condition.forward(pooled, time, 0.0)?;
        for block in &self.blocks {
            (x, y) = block.forward(&x, &y, &c, None)?;
        }
        let x = self.norm.forward(&x, &c)?.apply(&self.out)?; // (b, n, patch patch c)
        let channels = self.config.out_channels;
        x.reshape((b, rows, columns, patch, patch, channels))?
            .permute((0, 5, 1, 3, 2, 4))? // (b, c, rows, patch, columns, patch)
            .reshape((b, channels, rows * patch, columns * patch))
    }

    /// The middle of the learnt grid: (rows columns, d).
    fn positions_of(&self, rows: usize, columns: usize) -> Result<Tensor> {
        let (grid, _, d) = self.positions.dims3()?;
        if rows > grid || columns > grid {
            bail!(
                "an image of {columns} by {rows} tokens is larger than the {grid} by {grid} that this \
                 model has positions for; ask for a smaller one"
            );
        }
        self.positions
            .narrow(0, (grid - rows) / 2, rows)?
            .narrow(1, (grid - columns) / 2, columns)?
            .reshape((rows * columns, d))
    }
}
