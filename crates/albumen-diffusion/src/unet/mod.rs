//! The UNet of Stable Diffusion and SDXL, driven by diffusers' configuration: Rombach et al.
//! (arXiv:2112.10752) and Podell et al. (arXiv:2307.01952).

mod attention;
mod config;

use candle_core::{D, DType, Device, Module, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, GroupNorm, Linear, VarBuilder, conv2d, group_norm, linear};

use attention::SpatialTransformer;
use config::{AttentionConfig, BlockConfig};

pub(crate) use config::UnetConfig;

use crate::checkpoint::Component;
use crate::error::Result;
use crate::layers::{Resnet, Upsample, conv3x3, sinusoids};
use crate::settings::LoadOptions;

/// Two linear layers with SiLU between them.
#[derive(Debug)]
struct Embedding {
    first: Linear,
    second: Linear,
}

impl Embedding {
    fn new(from: usize, to: usize, vb: &VarBuilder) -> candle_core::Result<Self> {
        Ok(Self {
            first: linear(from, to, vb.pp("linear_1"))?,
            second: linear(to, to, vb.pp("linear_2"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.second.forward(&self.first.forward(x)?.silu()?)
    }
}

/// Residual blocks, each with its transformer where the block has them.
#[derive(Debug)]
struct Layer {
    resnet: Resnet,
    transformer: Option<SpatialTransformer>,
}

impl Layer {
    fn forward(&self, x: &Tensor, time: &Tensor, text: &Tensor) -> candle_core::Result<Tensor> {
        let x = self.resnet.forward(x, Some(time))?;
        match &self.transformer {
            Some(transformer) => transformer.forward(&x, text),
            None => Ok(x),
        }
    }
}

#[derive(Debug)]
struct Down {
    layers: Vec<Layer>,
    downsample: Option<Conv2d>,
}

#[derive(Debug)]
struct Up {
    layers: Vec<Layer>,
    upsample: Option<Upsample>,
}

/// What SDXL is told beside the text's states.
pub(crate) struct Addition {
    /// Pooled text, (b, d).
    pub(crate) pooled: Tensor,
    /// Height and width of the original, its crop's corner, height and width of the target: (b, 6)
    /// in f32.
    pub(crate) sizes: Tensor,
}

/// The network, loaded.
#[derive(Debug)]
pub(crate) struct Unet {
    config: UnetConfig,
    dtype: DType,
    device: Device,
    time: Embedding,
    addition: Option<Embedding>,
    conv_in: Conv2d,
    down: Vec<Down>,
    mid: (Resnet, SpatialTransformer, Resnet),
    up: Vec<Up>,
    norm: GroupNorm,
    conv_out: Conv2d,
}

impl Unet {
    /// Loads the component.
    ///
    /// # Errors
    /// Those of [`UnetConfig::read`] and of the weights.
    pub(crate) fn load(component: &Component, options: &LoadOptions) -> Result<Self> {
        let config = UnetConfig::read(component)?;
        let (dtype, device) = (options.dtype, &options.device);
        component.build(dtype, device, |vb| {
            Self::new(config, options.attention_slice, &vb)
        })
    }

    fn new(config: UnetConfig, slice: Option<usize>, vb: &VarBuilder) -> candle_core::Result<Self> {
        let c = &config;
        let first = c.blocks[0].channels;
        let last = c.blocks[c.blocks.len() - 1].channels;
        let width = 4 * first;
        let resnet =
            |from, to, vb: &VarBuilder| Resnet::new(from, to, Some(width), c.groups, c.eps, vb);
        let transformer = |channels, attention: &AttentionConfig, vb: &VarBuilder| {
            SpatialTransformer::new(channels, c.groups, attention, slice, vb)
        };
        let layer = |from, to, attention: Option<&AttentionConfig>, vb: &VarBuilder, j: usize| {
            let attention = attention
                .map(|a| transformer(to, a, &vb.pp(format!("attentions.{j}"))))
                .transpose()?;
            Ok::<_, candle_core::Error>(Layer {
                resnet: resnet(from, to, &vb.pp(format!("resnets.{j}")))?,
                transformer: attention,
            })
        };

        let mut down = Vec::new();
        // Channels of what each layer on the way up gets from the way down.
        let mut skips = vec![first];
        let mut from = first;
        for (i, block) in c.blocks.iter().enumerate() {
            let vb = vb.pp(format!("down_blocks.{i}"));
            let mut layers = Vec::new();
            for j in 0..block.layers {
                layers.push(layer(from, block.channels, block.down.as_ref(), &vb, j)?);
                from = block.channels;
                skips.push(from);
            }
            let more = i + 1 < c.blocks.len();
            let downsample = more.then(|| {
                skips.push(from);
                let config = Conv2dConfig {
                    padding: c.downsample_padding,
                    stride: 2,
                    ..Conv2dConfig::default()
                };
                conv2d(from, from, 3, config, vb.pp("downsamplers.0.conv"))
            });
            down.push(Down {
                layers,
                downsample: downsample.transpose()?,
            });
        }

        let mid = vb.pp("mid_block");
        let mid = (
            resnet(last, last, &mid.pp("resnets.0"))?,
            transformer(last, &c.mid, &mid.pp("attentions.0"))?,
            resnet(last, last, &mid.pp("resnets.1"))?,
        );

        let mut up = Vec::new();
        let mut from = last;
        let upward: Vec<&BlockConfig> = c.blocks.iter().rev().collect();
        for (i, block) in upward.iter().enumerate() {
            let vb = vb.pp(format!("up_blocks.{i}"));
            let mut layers = Vec::new();
            for j in 0..=block.layers {
                let skip = skips.pop().unwrap_or_default();
                let attention = block.up.as_ref();
                layers.push(layer(from + skip, block.channels, attention, &vb, j)?);
                from = block.channels;
            }
            let more = i + 1 < upward.len();
            let upsample = more.then(|| Upsample::new(from, &vb.pp("upsamplers.0")));
            up.push(Up {
                layers,
                upsample: upsample.transpose()?,
            });
        }

        let addition = c
            .addition
            .map(|a| Embedding::new(a.input_width, width, &vb.pp("add_embedding")));
        Ok(Self {
            time: Embedding::new(first, width, &vb.pp("time_embedding"))?,
            addition: addition.transpose()?,
            conv_in: conv3x3(c.in_channels, first, vb.pp("conv_in"))?,
            down,
            mid,
            up,
            norm: group_norm(c.groups, first, c.eps, vb.pp("conv_norm_out"))?,
            conv_out: conv3x3(first, c.out_channels, vb.pp("conv_out"))?,
            dtype: vb.dtype(),
            device: vb.device().clone(),
            config,
        })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// The network's answer (b, out_channels, h, w), in f32, to a `sample` (b, in_channels, h, w) at
    /// `timestep` beside the text's states (b, s, d).
    ///
    /// # Errors
    /// The device's.
    pub(crate) fn forward(
        &self,
        sample: &Tensor,
        timestep: f64,
        text: &Tensor,
        addition: Option<&Addition>,
    ) -> Result<Tensor> {
        let (b, _, h, w) = sample.dims4()?;
        let text = text.to_dtype(self.dtype)?;
        let mut x = sample.to_dtype(self.dtype)?;
        if self.config.center_input {
            x = ((x * 2.0)? - 1.0)?;
        }
        let time = self.embed(b, timestep, addition)?;

        let mut x = self.conv_in.forward(&x)?;
        let mut skips = vec![x.clone()];
        for block in &self.down {
            for layer in &block.layers {
                x = layer.forward(&x, &time, &text)?;
                skips.push(x.clone());
            }
            if let Some(conv) = &block.downsample {
                x = conv.forward(&x)?;
                skips.push(x.clone());
            }
        }
        x = self.mid.0.forward(&x, Some(&time))?;
        x = self.mid.1.forward(&x, &text)?;
        x = self.mid.2.forward(&x, Some(&time))?;
        // Halving loses an odd row or column: then the size comes from the way down.
        let odd = [h, w].iter().any(|n| n % (1 << (self.up.len() - 1)) != 0);
        for block in &self.up {
            for layer in &block.layers {
                let Some(skip) = skips.pop() else {
                    break;
                };
                x = layer.forward(&Tensor::cat(&[x, skip], 1)?, &time, &text)?;
            }
            if let Some(upsample) = &block.upsample {
                let size = match skips.last() {
                    Some(next) if odd => {
                        let (_, _, h, w) = next.dims4()?;
                        Some((h, w))
                    }
                    _ => None,
                };
                x = upsample.forward(&x, size)?;
            }
        }
        let x = self.conv_out.forward(&self.norm.forward(&x)?.silu()?)?;
        Ok(x.to_dtype(DType::F32)?)
    }

    /// The noise level's embedding (b, width), with SDXL's additions.
    fn embed(
        &self,
        b: usize,
        timestep: f64,
        addition: Option<&Addition>,
    ) -> candle_core::Result<Tensor> {
        let c = &self.config;
        let levels = Tensor::full(timestep as f32, b, &self.device)?;
        let waves = |values: &Tensor, width| {
            sinusoids(values, width, c.cosine_first, c.freq_shift)?.to_dtype(self.dtype)
        };
        let time = self.time.forward(&waves(&levels, c.blocks[0].channels)?)?;
        match (&self.addition, &c.addition, addition) {
            (Some(embedding), Some(config), Some(addition)) => {
                let (b, n) = addition.sizes.dims2()?;
                let sizes = waves(&addition.sizes.flatten_all()?, config.time_width)?
                    .reshape((b, n * config.time_width))?;
                let pooled = addition.pooled.to_dtype(self.dtype)?;
                time + embedding.forward(&Tensor::cat(&[pooled, sizes], D::Minus1)?)?
            }
            _ => Ok(time),
        }
    }
}
