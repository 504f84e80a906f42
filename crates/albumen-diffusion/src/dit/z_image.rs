//! The transformer of Z-Image (Z-Image Team 2025, arXiv 2511.22699): one stream of image and caption
//! tokens, after two refiners for each alone, with sandwich normalisation and rotary positions over
//! caption, rows and columns. Read from diffusers' `ZImageTransformer2DModel`.

use candle_core::{D, Result, Tensor, bail};
use candle_nn::{Linear, Module, RmsNorm, VarBuilder, linear, linear_no_bias, rms_norm};
use serde::Deserialize;

use super::layers::{
    Heads, PlainNorm, ProjectionNames, Projections, Rotary, gated, timestep_embedding,
};

/// Sequences are filled up to a multiple of this with a learnt token, which is attended to.
const MULTIPLE: usize = 32;
/// Width of the condition; narrow models use their own width.
const CONDITION: usize = 256;
const TIME_HIDDEN: usize = 1024;
const TIME_FREQUENCIES: usize = 256;
const QK_EPSILON: f64 = 1e-5;
/// Latents to a side of a token, and the name of the layers for it: frames one by one.
const PATCH: usize = 2;
const PATCH_NAME: &str = "2-1";

const NAMES: ProjectionNames = ProjectionNames {
    qkv: ["to_q", "to_k", "to_v"],
    norms: ["norm_q", "norm_k"],
    bias: false,
};

/// What transformer/config.json says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ZImageConfig {
    /// Latents to a side of a token, one entry a set of embedding layers; 2 must be there.
    pub(crate) all_patch_size: Vec<usize>,
    /// Channels of the latents.
    pub(crate) in_channels: usize,
    /// Width.
    pub(crate) dim: usize,
    /// Blocks of the joint stream.
    pub(crate) n_layers: usize,
    /// Blocks of each refiner.
    pub(crate) n_refiner_layers: usize,
    /// Heads.
    pub(crate) n_heads: usize,
    /// Epsilon of the normalisations.
    pub(crate) norm_eps: f64,
    /// Whether queries and keys are normalised.
    pub(crate) qk_norm: bool,
    /// Width of the caption's states.
    pub(crate) cap_feat_dim: usize,
    /// Base of the rotary frequencies.
    pub(crate) rope_theta: f64,
    /// What the time of 0 to 1 is multiplied by.
    pub(crate) t_scale: f64,
    /// Widths of the rotary axes; they add up to that of a head.
    pub(crate) axes_dims: [usize; 3],
    /// Positions that each axis has.
    pub(crate) axes_lens: [usize; 3],
}

/// Attention and gated feed-forward network, each between two normalisations.
#[derive(Debug, Clone)]
struct Block {
    projections: Projections,
    out: Linear,
    attention_norms: [RmsNorm; 2],
    wide_norms: [RmsNorm; 2],
    w1: Linear,
    w2: Linear,
    w3: Linear,
    modulation: Option<Linear>,
}

impl Block {
    fn load(config: &ZImageConfig, heads: Heads, modulated: bool, vb: &VarBuilder) -> Result<Self> {
        let d = config.dim;
        let wide = (d as f64 / 3.0 * 8.0) as usize;
        let norm = |name: &str| rms_norm(d, config.norm_eps, vb.pp(name));
        let attn = vb.pp("attention");
        let qk_norm = config.qk_norm.then_some(QK_EPSILON);
        let modulation = if modulated {
            Some(linear(
                d.min(CONDITION),
                4 * d,
                vb.pp("adaLN_modulation.0"),
            )?)
        } else {
            None
        };
        Ok(Self {
            projections: Projections::load(d, heads, qk_norm, &NAMES, &attn)?,
            out: linear_no_bias(d, d, attn.pp("to_out.0"))?,
            attention_norms: [norm("attention_norm1")?, norm("attention_norm2")?],
            wide_norms: [norm("ffn_norm1")?, norm("ffn_norm2")?],
            w1: linear_no_bias(d, wide, vb.pp("feed_forward.w1"))?,
            w2: linear_no_bias(wide, d, vb.pp("feed_forward.w2"))?,
            w3: linear_no_bias(d, wide, vb.pp("feed_forward.w3"))?,
            modulation,
        })
    }

    /// x (b, n, d); the condition c (b, 256) is read where the block is modulated.
    fn forward(&self, x: &Tensor, c: &Tensor, rotary: &Rotary) -> Result<Tensor> {
        // scale and gate of the attention, then of the feed-forward network
        let parts = match &self.modulation {
            Some(linear) => Some(c.apply(linear)?.chunk(4, D::Minus1)?),
            None => None,
        };
        let scaled = |x: Tensor, part: usize| match &parts {
            Some(parts) => x.broadcast_mul(&(parts[part].unsqueeze(1)? + 1.0)?),
            None => Ok(x),
        };
        let added = |x: &Tensor, y: Tensor, part: usize| match &parts {
            Some(parts) => gated(x, &parts[part].tanh()?, &y),
            None => x + y,
        };
        let normal = scaled(x.apply(&self.attention_norms[0])?, 0)?;
        let qkv = self.projections.forward(&normal)?;
        let attended = self
            .projections
            .attend(qkv, Some(rotary))?
            .apply(&self.out)?;
        let x = added(x, attended.apply(&self.attention_norms[1])?, 1)?;

        let normal = scaled(x.apply(&self.wide_norms[0])?, 2)?;
        let wide = (normal.apply(&self.w1)?.silu()? * normal.apply(&self.w3)?)?.apply(&self.w2)?;
        added(&x, wide.apply(&self.wide_norms[1])?, 3)
    }
}

/// The transformer.
#[derive(Debug, Clone)]
pub(crate) struct ZImage {
    image: Linear,
    image_pad: Tensor,
    caption_norm: RmsNorm,
    caption: Linear,
    caption_pad: Tensor,
    time: [Linear; 2],
    noise_refiner: Vec<Block>,
    context_refiner: Vec<Block>,
    blocks: Vec<Block>,
    norm: PlainNorm,
    modulation: Linear,
    out: Linear,
    config: ZImageConfig,
}

impl ZImage {
    /// Reads the weights.
    ///
    /// # Errors
    /// Where a tensor is missing or of another shape, or the configuration contradicts itself.
    pub(crate) fn load(
        config: &ZImageConfig,
        slice: Option<usize>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let d = config.dim;
        let heads = Heads {
            count: config.n_heads,
            slice,
        };
        if config.axes_dims.iter().sum::<usize>() * config.n_heads != d {
            bail!(
                "axes_dims {:?} does not add up to the width of a head, dim / n_heads = {d} / {}",
                config.axes_dims,
                config.n_heads
            );
        }
        if !config.all_patch_size.contains(&PATCH) {
            bail!(
                "all_patch_size is {:?}; tokens of {PATCH} by {PATCH} latents are supported",
                config.all_patch_size
            );
        }
        let condition = d.min(CONDITION);
        let token = PATCH * PATCH * config.in_channels;
        let blocks = |name: &str, count: usize, modulated: bool| {
            (0..count)
                .map(|i| Block::load(config, heads, modulated, &vb.pp(format!("{name}.{i}"))))
                .collect::<Result<Vec<_>>>()
        };
        let last = vb.pp(format!("all_final_layer.{PATCH_NAME}"));
        let time = vb.pp("t_embedder.mlp");
        Ok(Self {
            image: linear(token, d, vb.pp(format!("all_x_embedder.{PATCH_NAME}")))?,
            image_pad: vb.get((1, d), "x_pad_token")?,
            caption_norm: rms_norm(
                config.cap_feat_dim,
                config.norm_eps,
                vb.pp("cap_embedder.0"),
            )?,
            caption: linear(config.cap_feat_dim, d, vb.pp("cap_embedder.1"))?,
            caption_pad: vb.get((1, d), "cap_pad_token")?,
            time: [
                linear(TIME_FREQUENCIES, TIME_HIDDEN, time.pp("0"))?,
                linear(TIME_HIDDEN, condition, time.pp("2"))?,
            ],
            noise_refiner: blocks("noise_refiner", config.n_refiner_layers, true)?,
            context_refiner: blocks("context_refiner", config.n_refiner_layers, false)?,
            blocks: blocks("layers", config.n_layers, true)?,
            norm: PlainNorm::new(d, vb)?,
            modulation: linear(condition, d, last.pp("adaLN_modulation.1"))?,
            out: linear(d, token, last.pp("linear"))?,
            config: config.clone(),
        })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &ZImageConfig {
        &self.config
    }

    /// Predicts the velocity towards the image, of the opposite sign to the other models': latents x
    /// (1, c, height, width) of even sides, caption states (l, caption width), time of 0 (noise) to 1
    /// (image) -> (1, c, height, width). One image at a time, since captions differ in length.
    ///
    /// # Errors
    /// Where shapes do not fit, or image or caption pass the positions that the model has.
    pub(crate) fn forward(&self, x: &Tensor, caption: &Tensor, time: f64) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let (rows, columns) = (height / PATCH, width / PATCH);
        let (l, _) = caption.dims2()?;
        let (l, n) = (l.next_multiple_of(MULTIPLE), rows * columns);
        let [image_at, caption_at] = self.positions(rows, columns, l)?;
        let c = self.condition(time, x)?;

        let rotary = self.rotary(&image_at, x)?;
        let mut image = pad(&tokens(x)?.apply(&self.image)?, &self.image_pad)?;
        for block in &self.noise_refiner {
            image = block.forward(&image, &c, &rotary)?;
        }
        let rotary = self.rotary(&caption_at, x)?;
        let caption = caption.apply(&self.caption_norm)?.apply(&self.caption)?;
        let mut caption = pad(&caption.unsqueeze(0)?, &self.caption_pad)?; // (1, l, d)
        for block in &self.context_refiner {
            caption = block.forward(&caption, &c, &rotary)?;
        }
        let rotary = self.rotary(&[image_at, caption_at].concat(), x)?;
        let mut both = Tensor::cat(&[image, caption], 1)?; // image first
        for block in &self.blocks {
            both = block.forward(&both, &c, &rotary)?;
        }
        let image = self.norm.forward(&both.narrow(1, 0, n)?)?;
        let scale = (c.silu()?.apply(&self.modulation)?.unsqueeze(1)? + 1.0)?;
        let image = image.broadcast_mul(&scale)?.apply(&self.out)?; // (1, n, 2 2 c)
        let channels = self.config.in_channels;
        image
            .reshape((1, rows, columns, PATCH, PATCH, channels))?
            .permute((0, 5, 1, 3, 2, 4))? // (1, c, rows, 2, columns, 2)
            .reshape((1, channels, height, width))
    }

    fn condition(&self, time: f64, like: &Tensor) -> Result<Tensor> {
        timestep_embedding(time * self.config.t_scale, like.dtype(), like.device())?
            .apply(&self.time[0])?
            .silu()?
            .apply(&self.time[1])
    }

    fn rotary(&self, positions: &[[usize; 3]], like: &Tensor) -> Result<Rotary> {
        let config = &self.config;
        Rotary::new(
            positions,
            config.axes_dims,
            config.rope_theta,
            true,
            like.device(),
        )
    }

    /// Positions of image and caption tokens, those that fill up included: the caption runs from 1 on
    /// the first axis, the image stands behind it; what fills up the image stands at the origin.
    fn positions(&self, rows: usize, columns: usize, l: usize) -> Result<[Vec<[usize; 3]>; 2]> {
        let lens = self.config.axes_lens;
        if l + 1 >= lens[0] || rows > lens[1] || columns > lens[2] {
            bail!(
                "a caption of {l} tokens and an image of {columns} by {rows} pass the positions that \
                 this model has, {lens:?}; ask for a smaller image"
            );
        }
        let mut image: Vec<_> = (0..rows)
            .flat_map(|r| (0..columns).map(move |c| [l + 1, r, c]))
            .collect();
        image.resize(image.len().next_multiple_of(MULTIPLE), [0; 3]);
        Ok([image, (1..=l).map(|i| [i, 0, 0]).collect()])
    }
}

/// Latents (1, c, height, width) -> tokens (1, n, 2 2 c), channels innermost.
fn tokens(x: &Tensor) -> Result<Tensor> {
    let (b, c, height, width) = x.dims4()?;
    let (rows, columns) = (height / PATCH, width / PATCH);
    x.reshape((b, c, rows, PATCH, columns, PATCH))?
        .permute((0, 2, 4, 3, 5, 1))?
        .reshape((b, rows * columns, PATCH * PATCH * c))
}

/// Fills x (1, n, d) up to a multiple of 32 tokens with `token` (1, d).
fn pad(x: &Tensor, token: &Tensor) -> Result<Tensor> {
    let (_, n, d) = x.dims3()?;
    let missing = n.next_multiple_of(MULTIPLE) - n;
    if missing == 0 {
        return Ok(x.clone());
    }
    Tensor::cat(&[x, &token.unsqueeze(0)?.broadcast_as((1, missing, d))?], 1)
}
