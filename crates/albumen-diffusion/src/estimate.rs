//! Memory that a checkpoint will need, from headers and configurations alone: nothing is loaded.

use std::path::Path;

use candle_core::DType;

use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::pipeline::kind;
use crate::settings::{LoadOptions, Settings};
use crate::text::weight_dtype;
use crate::unet::UnetConfig;
use crate::vae::VaeConfig;

/// One network of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSize {
    /// Its name, such as `unet`.
    pub name: String,
    /// Numbers in its weights.
    pub parameters: u64,
    /// Bytes of its weights on disk.
    pub file_bytes: u64,
    /// Bytes of its weights in the format that it is loaded in.
    pub weight_bytes: u64,
}

/// What a pipeline will need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The pipeline's class.
    pub class: &'static str,
    /// Its networks.
    pub components: Vec<ComponentSize>,
    /// About the most bytes of activations while a batch is drawn.
    pub activation_bytes: u64,
}

impl Estimate {
    /// Bytes of all weights.
    pub fn weight_bytes(&self) -> u64 {
        self.components.iter().map(|c| c.weight_bytes).sum()
    }

    /// Bytes in all.
    pub fn total_bytes(&self) -> u64 {
        self.weight_bytes() + self.activation_bytes
    }
}

/// Estimates the memory for drawing `batch` pictures at a time.
///
/// Weights are counted exactly; activations are the largest of the UNet's or transformer's and the
/// decoder's, by the sizes of their widest tensors, without the allocator's reserve.
///
/// # Errors
/// Those of opening the checkpoint.
pub fn estimate(
    dir: &Path,
    options: &LoadOptions,
    settings: &Settings,
    batch: usize,
) -> Result<Estimate> {
    let checkpoint = Checkpoint::open(dir)?;
    let kind = kind(&checkpoint)?;
    options.check()?;
    let mut components = Vec::new();
    for &name in kind.networks {
        if !checkpoint.has(name) {
            continue;
        }
        let component = checkpoint.component(name)?;
        let weights = component.weights(options.dtype)?;
        let dtype = match name {
            "vae" => VaeConfig::read(&component)?.dtype(options.dtype),
            _ => weight_dtype(&component, options),
        };
        components.push(ComponentSize {
            name: name.to_owned(),
            parameters: weights.parameters(),
            file_bytes: weights.parameter_bytes(),
            weight_bytes: weights.parameters() * dtype.size_in_bytes() as u64,
        });
    }
    let activations = Activations {
        width: u64::from(settings.width),
        height: u64::from(settings.height),
        batch: batch.max(1) as u64,
        guided: settings.guided(),
        dtype: options.dtype,
        attention_slice: options.attention_slice.map(|n| n as u64),
        vae_slicing: options.vae_slicing,
    };
    Ok(Estimate {
        class: kind.class,
        components,
        activation_bytes: (kind.activations)(&checkpoint, &activations)?,
    })
}

/// The most bytes that one score of an attention takes: with its copy for the softmax, where it is
/// not f32 itself, and its share.
pub(crate) fn score_bytes(dtype: DType) -> u64 {
    let copy = if dtype == DType::F32 { 0 } else { 4 };
    dtype.size_in_bytes() as u64 + copy + 4
}

/// The sequence of a transformer.
pub(crate) struct Tokens {
    /// Pixels to a side of a token.
    pub(crate) side: usize,
    /// Tokens of the text.
    pub(crate) text: usize,
    pub(crate) heads: usize,
    /// Numbers a token.
    pub(crate) width: usize,
    /// Sequences a picture in one pass.
    pub(crate) rows: u64,
}

/// What activations depend on.
pub(crate) struct Activations {
    pub(crate) width: u64,
    pub(crate) height: u64,
    pub(crate) batch: u64,
    pub(crate) guided: bool,
    pub(crate) dtype: DType,
    pub(crate) attention_slice: Option<u64>,
    pub(crate) vae_slicing: bool,
}

impl Activations {
    /// Bytes for a transformer and its autoencoder: the larger of the two, which never run together.
    pub(crate) fn transformer(&self, tokens: &Tokens, vae: &VaeConfig) -> u64 {
        let bytes = self.dtype.size_in_bytes() as u64;
        let rows = self.batch * tokens.rows;
        let side = tokens.side as u64;
        let n = (self.width / side) * (self.height / side) + tokens.text as u64;
        let heads = rows * tokens.heads as u64;
        let heads = self.attention_slice.map_or(heads, |slice| heads.min(slice));
        let scores = heads * n * n * score_bytes(self.dtype);
        // The stream, its norm, queries, keys and values with their rotation in f32; a feed-forward
        // network, four times as wide, takes less.
        let stream = rows * n * tokens.width as u64 * (6 * bytes + 8);
        (scores + stream).max(self.decoding(vae))
    }

    fn decoding(&self, vae: &VaeConfig) -> u64 {
        let pictures = if self.vae_slicing { 1 } else { self.batch };
        vae.activation_bytes(self.width * self.height, self.dtype) * pictures
    }

    /// Bytes for a UNet and its autoencoder: the larger of the two, which never run together.
    pub(crate) fn unet(&self, unet: &UnetConfig, vae: &VaeConfig) -> u64 {
        let bytes = self.dtype.size_in_bytes() as u64;
        let rows = self.batch * if self.guided { 2 } else { 1 };
        let factor = vae.factor() as u64;
        let mut positions = (self.width / factor) * (self.height / factor);
        let mut skips = 0;
        let mut widest = 0;
        for block in &unet.blocks {
            let channels = block.channels as u64;
            skips += rows * positions * channels * (block.layers as u64 + 1) * bytes;
            // A convolution's input on the way up, its nine neighbours, and its output.
            widest = widest.max(rows * positions * channels * 2 * 11 * bytes);
            if let Some(attention) = block.down.or(block.up) {
                let heads = rows * attention.heads as u64;
                let heads = self.attention_slice.map_or(heads, |slice| heads.min(slice));
                let scores = heads * positions * positions * score_bytes(self.dtype);
                widest = widest.max(scores + rows * positions * channels * 8 * bytes);
            }
            positions = positions.div_ceil(4);
        }
        (skips + widest).max(self.decoding(vae))
    }
}
