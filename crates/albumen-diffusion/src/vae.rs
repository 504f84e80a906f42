//! The decoder of the variational autoencoder: latents to pixels (Rombach et al., arXiv:2112.10752,
//! appendix G; diffusers' `AutoencoderKL`).

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, GroupNorm, Linear, VarBuilder, conv2d, group_norm, linear};
use image::RgbImage;
use serde::Deserialize;

use crate::checkpoint::Component;
use crate::error::{DiffusionError, Result};
use crate::estimate::score_bytes;
use crate::layers::{Resnet, Upsample, attend, conv3x3};
use crate::settings::LoadOptions;
use crate::tiles;

/// Of every norm in the autoencoder.
const EPS: f64 = 1e-6;

/// `vae/config.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct VaeConfig {
    out_channels: usize,
    up_block_types: Vec<String>,
    block_out_channels: Vec<usize>,
    layers_per_block: usize,
    act_fn: String,
    latent_channels: usize,
    norm_num_groups: usize,
    sample_size: SampleSize,
    scaling_factor: f64,
    shift_factor: Option<f64>,
    latents_mean: Option<Vec<f64>>,
    latents_std: Option<Vec<f64>>,
    force_upcast: bool,
    use_post_quant_conv: bool,
    mid_block_add_attention: bool,
}

/// Some files give rows and columns.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum SampleSize {
    Side(usize),
    Sides(Vec<usize>),
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self {
            out_channels: 3,
            up_block_types: vec!["UpDecoderBlock2D".into()],
            block_out_channels: vec![64],
            layers_per_block: 1,
            act_fn: "silu".into(),
            latent_channels: 4,
            norm_num_groups: 32,
            sample_size: SampleSize::Side(32),
            scaling_factor: 0.18215,
            shift_factor: None,
            latents_mean: None,
            latents_std: None,
            force_upcast: true,
            use_post_quant_conv: true,
            mid_block_add_attention: true,
        }
    }
}

impl VaeConfig {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] and [`DiffusionError::Unsupported`].
    pub(crate) fn read(component: &Component) -> Result<Self> {
        if let Some(class) = component.class()
            && class != "AutoencoderKL"
        {
            return Err(component.unsupported("the autoencoder", class, "AutoencoderKL"));
        }
        let config: Self = component.config()?;
        if let Some(other) = config
            .up_block_types
            .iter()
            .find(|kind| *kind != "UpDecoderBlock2D")
        {
            return Err(component.unsupported("the block", other, "UpDecoderBlock2D"));
        }
        if config.act_fn != "silu" {
            return Err(component.unsupported("act_fn", &config.act_fn, "silu"));
        }
        if config.latents_mean.is_some() || config.latents_std.is_some() {
            let supported = "scaling_factor and shift_factor";
            return Err(component.unsupported("the scaling", "latents_mean", supported));
        }
        let blocks = config.block_out_channels.len();
        if blocks == 0 || config.up_block_types.len() != blocks || config.out_channels != 3 {
            return Err(DiffusionError::Config {
                path: component.file().into(),
                reason: "block_out_channels, up_block_types and out_channels do not fit".into(),
            });
        }
        Ok(config)
    }

    /// Pixels a side for each latent.
    pub(crate) fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }

    /// Latents a side of a tile.
    fn tile(&self) -> usize {
        let side = match &self.sample_size {
            SampleSize::Side(side) => *side,
            SampleSize::Sides(sides) => sides.first().copied().unwrap_or(32),
        };
        (side / self.factor()).max(4)
    }

    /// The format of decoding: some autoencoders overflow in half precision.
    pub(crate) fn dtype(&self, wanted: DType) -> DType {
        if self.force_upcast && wanted == DType::F16 {
            DType::F32
        } else {
            wanted
        }
    }

    /// About the most bytes of activations while one picture of `pixels` is decoded: input, output
    /// and scratch (nine neighbours a pixel) of a convolution of the widest block at full size, or
    /// the scores of all latents to all.
    pub(crate) fn activation_bytes(&self, pixels: u64, dtype: DType) -> u64 {
        let dtype = self.dtype(dtype);
        let widest = self.block_out_channels.get(..2).map_or(64, |c| c[1]) as u64;
        let convolution = pixels * widest * 11 * dtype.size_in_bytes() as u64;
        let latents = pixels / (self.factor() * self.factor()) as u64;
        convolution.max(latents * latents * score_bytes(dtype))
    }
}

/// Self-attention over all latents, one head.
#[derive(Debug)]
struct Attention {
    norm: GroupNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

impl Attention {
    fn new(channels: usize, groups: usize, vb: &VarBuilder) -> candle_core::Result<Self> {
        // Checkpoints of 2022 carry other names.
        let old = vb.contains_tensor("query.weight");
        let project = |new: &str, older: &str| {
            let name = if old { older } else { new };
            linear(channels, channels, vb.pp(name))
        };
        Ok(Self {
            norm: group_norm(groups, channels, EPS, vb.pp("group_norm"))?,
            q: project("to_q", "query")?,
            k: project("to_k", "key")?,
            v: project("to_v", "value")?,
            out: project("to_out.0", "proj_attn")?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (b, c, h, w) = x.dims4()?;
        let tokens = self
            .norm
            .forward(x)?
            .reshape((b, c, h * w))?
            .transpose(1, 2)?
            .contiguous()?; // (b, h * w, c)
        let y = attend(
            &self.q.forward(&tokens)?,
            &self.k.forward(&tokens)?,
            &self.v.forward(&tokens)?,
            false,
            None,
        )?;
        let y = self.out.forward(&y)?.transpose(1, 2)?;
        x + y.reshape((b, c, h, w))?
    }
}

/// Residual blocks at one size, and the way to the next.
#[derive(Debug)]
struct UpBlock {
    resnets: Vec<Resnet>,
    upsample: Option<Upsample>,
}

#[derive(Debug)]
struct Decoder {
    post_quant: Option<Conv2d>,
    conv_in: Conv2d,
    mid: (Resnet, Option<Attention>, Resnet),
    blocks: Vec<UpBlock>,
    norm: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    fn new(c: &VaeConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        let post_quant = c.use_post_quant_conv.then(|| {
            let (n, vb) = (c.latent_channels, vb.pp("post_quant_conv"));
            conv2d(n, n, 1, Conv2dConfig::default(), vb)
        });
        let vb = vb.pp("decoder");
        let groups = c.norm_num_groups;
        let widths: Vec<usize> = c.block_out_channels.iter().rev().copied().collect();
        let (widest, narrowest) = (widths[0], widths[widths.len() - 1]);
        let mid = vb.pp("mid_block");
        let resnet = |from, to, vb: &VarBuilder| Resnet::new(from, to, None, groups, EPS, vb);
        let attention = c
            .mid_block_add_attention
            .then(|| Attention::new(widest, groups, &mid.pp("attentions.0")));
        let mut blocks = Vec::new();
        let mut from = widest;
        for (i, &to) in widths.iter().enumerate() {
            let vb = vb.pp(format!("up_blocks.{i}"));
            let mut resnets = Vec::new();
            for j in 0..=c.layers_per_block {
                resnets.push(resnet(from, to, &vb.pp(format!("resnets.{j}")))?);
                from = to;
            }
            let last = i + 1 == widths.len();
            let upsample = (!last).then(|| Upsample::new(to, &vb.pp("upsamplers.0")));
            blocks.push(UpBlock {
                resnets,
                upsample: upsample.transpose()?,
            });
        }
        Ok(Self {
            post_quant: post_quant.transpose()?,
            conv_in: conv3x3(c.latent_channels, widest, vb.pp("conv_in"))?,
            mid: (
                resnet(widest, widest, &mid.pp("resnets.0"))?,
                attention.transpose()?,
                resnet(widest, widest, &mid.pp("resnets.1"))?,
            ),
            blocks,
            norm: group_norm(groups, narrowest, EPS, vb.pp("conv_norm_out"))?,
            conv_out: conv3x3(narrowest, c.out_channels, vb.pp("conv_out"))?,
        })
    }

    /// Latents (b, c, h, w) to pixels (b, 3, factor h, factor w) about [-1, 1].
    fn forward(&self, z: &Tensor) -> candle_core::Result<Tensor> {
        let z = match &self.post_quant {
            Some(conv) => conv.forward(z)?,
            None => z.clone(),
        };
        let x = self.conv_in.forward(&z)?;
        let x = self.mid.0.forward(&x, None)?;
        let x = match &self.mid.1 {
            Some(attention) => attention.forward(&x)?,
            None => x,
        };
        let mut x = self.mid.2.forward(&x, None)?;
        for block in &self.blocks {
            for resnet in &block.resnets {
                x = resnet.forward(&x, None)?;
            }
            if let Some(upsample) = &block.upsample {
                x = upsample.forward(&x, None)?;
            }
        }
        self.conv_out.forward(&self.norm.forward(&x)?.silu()?)
    }
}

/// The autoencoder's decoder, loaded.
#[derive(Debug)]
pub(crate) struct Vae {
    config: VaeConfig,
    decoder: Decoder,
    dtype: DType,
    slicing: bool,
    tiling: bool,
}

impl Vae {
    /// Loads the component.
    ///
    /// # Errors
    /// Those of [`VaeConfig::read`] and of the weights.
    pub(crate) fn load(component: &Component, options: &LoadOptions) -> Result<Self> {
        let config = VaeConfig::read(component)?;
        let dtype = config.dtype(options.dtype);
        let decoder = component.build(dtype, &options.device, |vb| Decoder::new(&config, &vb))?;
        Ok(Self {
            config,
            decoder,
            dtype,
            slicing: options.vae_slicing,
            tiling: options.vae_tiling,
        })
    }

    /// Channels of a latent.
    pub(crate) fn latent_channels(&self) -> usize {
        self.config.latent_channels
    }

    /// Pixels a side for each latent.
    pub(crate) fn factor(&self) -> usize {
        self.config.factor()
    }

    /// What the sampler left, (b, c, h, w) in f32, to pixels (b, 3, factor h, factor w) in f32 about
    /// [-1, 1].
    ///
    /// # Errors
    /// The device's.
    pub(crate) fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let shift = self.config.shift_factor.unwrap_or(0.0);
        let z = ((latents / self.config.scaling_factor)? + shift)?.to_dtype(self.dtype)?;
        let (b, _, h, w) = z.dims4()?;
        let side = self.config.tile();
        let tiled = self.tiling && (h > side || w > side);
        let one = |z: &Tensor| {
            if tiled {
                tiles::decode(z, side, self.factor(), |tile| self.decoder.forward(tile))
            } else {
                self.decoder.forward(z)
            }
        };
        let pixels = if self.slicing && b > 1 {
            let parts = (0..b).map(|i| one(&z.narrow(0, i, 1)?));
            Tensor::cat(&parts.collect::<candle_core::Result<Vec<_>>>()?, 0)?
        } else {
            one(&z)?
        };
        Ok(pixels.to_dtype(DType::F32)?)
    }
}

/// Pixels (b, 3, h, w) about [-1, 1] to pictures, rounded to 8 bits.
///
/// # Errors
/// The device's.
pub(crate) fn to_pictures(pixels: &Tensor) -> Result<Vec<RgbImage>> {
    let (b, _, h, w) = pixels.dims4()?;
    let levels = ((pixels * 0.5)? + 0.5)?.clamp(0.0, 1.0)?;
    let levels = (levels * 255.0)?
        .round()?
        .to_dtype(DType::U8)?
        .to_device(&Device::Cpu)?
        .permute((0, 2, 3, 1))?;
    (0..b)
        .map(|i| {
            let bytes = levels.get(i)?.flatten_all()?.to_vec1::<u8>()?;
            RgbImage::from_raw(w as u32, h as u32, bytes)
                .ok_or_else(|| candle_core::Error::Msg("a picture of another size".into()).into())
        })
        .collect()
}
