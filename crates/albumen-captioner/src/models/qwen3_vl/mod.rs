//! Qwen3-VL (Bai et al. 2025, arXiv:2511.21631), dense: a vision tower for photos of any shape, whose
//! tokens enter Qwen 3 at the start and, from earlier layers of the tower, after its first layers
//! (DeepStack).
//!
//! candle-transformers' model turns one position a token where three are needed and reads the prompt
//! without a causal mask, so this is ours.

mod vision;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use self::vision::{Vision, VisionConfig};
use super::decoder::{Decoder, DecoderConfig, Positions, text_positions};
use super::{Seen, VisionLanguage, expand, with_photo};
use crate::config::Section;
use crate::error::{CaptionerError, Result};
use crate::memory::Shape;
use crate::nn::{Cache, Mask};
use crate::pixels::{ImageProcessor, Pixels};
use crate::tokenizer::Tokenizer;

const PLACEHOLDER: &str = "<|image_pad|>";

/// The conversation of the Instruct models.
const TEMPLATE: &str = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{}<|im_end|>\n\
                        <|im_start|>assistant\n";

#[derive(Clone, Debug)]
pub(crate) struct Qwen3VlConfig {
    vision: VisionConfig,
    text: DecoderConfig,
    photo: u32,
    stops: Vec<u32>,
    /// Most tokens of a photo.
    max_tokens: usize,
}

impl Qwen3VlConfig {
    pub(crate) fn read(
        root: &Section,
        processor: &ImageProcessor,
        stops: Vec<u32>,
    ) -> Result<Self> {
        let vision = VisionConfig::read(&root.section("vision_config")?)?;
        let text = DecoderConfig::read(root, &["qwen3_vl_text"], "qwen3_vl_text")?;
        let patching = Some((vision.patch, vision.frames, vision.merge));
        if processor.patching() != patching || vision.output != text.width {
            return Err(root.error(
                "vision_config",
                "does not fit preprocessor_config.json and text_config: patch_size, temporal_patch_size, \
                 spatial_merge_size and out_hidden_size must agree",
            ));
        }
        Ok(Self {
            vision,
            text,
            photo: root.token("image_token_id", 151_655)?,
            stops,
            max_tokens: processor.max_merged_patches().unwrap_or_default(),
        })
    }

    pub(crate) fn shape(&self, image_tokens: usize) -> Shape {
        let v = &self.vision;
        let tokens = image_tokens.min(self.max_tokens);
        Shape::of(
            &self.text,
            tokens * v.merge * v.merge,
            [v.width, v.hidden, v.heads],
            tokens,
        )
    }
}

/// The network.
pub(crate) struct Qwen3Vl {
    config: Qwen3VlConfig,
    vision: Vision,
    text: Decoder,
    dtype: DType,
    device: Device,
}

impl Qwen3Vl {
    pub(crate) fn new(config: Qwen3VlConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        Ok(Self {
            vision: Vision::new(config.vision.clone(), &vb.pp("visual"))?,
            text: Decoder::new(config.text.clone(), vb)?,
            config,
            dtype: vb.dtype(),
            device: vb.device().clone(),
        })
    }
}

impl VisionLanguage for Qwen3Vl {
    fn default_prompt(&self) -> &'static str {
        "Describe this photo in one short sentence."
    }

    fn stops(&self) -> &[u32] {
        &self.config.stops
    }

    fn max_positions(&self) -> usize {
        self.text.config().max_positions
    }

    fn see(&self, pixels: &Pixels) -> Result<Seen> {
        let Some((rows, cols)) = pixels.grid else {
            return Err(CaptionerError::Photo {
                reason: "it is not cut into patches".to_owned(),
            });
        };
        let values = pixels
            .values
            .to_dtype(self.dtype)?
            .to_device(&self.device)?;
        let seen = self.vision.forward(&values, (rows, cols))?;
        let merge = self.config.vision.merge;
        Ok(Seen {
            vision: seen.states,
            projected: Some(seen.merged),
            deepstack: seen.deepstack,
            grid: Some((rows / merge, cols / merge)),
        })
    }

    fn prompt(&self, text: &str, seen: &Seen, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let (_, count) = seen.tokens()?;
        let tokens = tokenizer.encode(&expand(text, PLACEHOLDER, TEMPLATE, count), true)?;
        tokenizer.photo_run(&tokens, self.config.photo, count)?;
        Ok(tokens)
    }

    fn read(&self, seen: &Seen, prompt: &[u32], room: usize) -> Result<(Tensor, Cache)> {
        let (projected, count) = seen.tokens()?;
        let (x, run) = with_photo(&self.text, prompt, self.config.photo, projected)?;
        let (rows, cols) = seen.grid.unwrap_or((1, count));
        let mut cache = Cache::new(self.text.config().layers, room);
        let (positions, next) = positions(prompt.len(), run.start, rows, cols);
        cache.position = next;
        let mask = Mask::Causal {
            offset: 0,
            window: None,
        };
        // DeepStack: layer i's states of the photo's tokens get the i-th features added.
        let add = |layer: usize, x: Tensor| match seen.deepstack.get(layer) {
            Some(features) => {
                let (t, d) = x.dims2()?;
                let before = Tensor::zeros((run.start, d), x.dtype(), x.device())?;
                let after = Tensor::zeros((t - run.end, d), x.dtype(), x.device())?;
                x + Tensor::cat(&[&before, features, &after], 0)?
            }
            None => Ok(x),
        };
        let logits = self.text.read(x, &positions, mask, &mut cache, &add)?;
        Ok((logits, cache))
    }

    fn step(&self, token: u32, cache: &mut Cache) -> Result<Tensor> {
        Ok(self.text.step(token, cache)?)
    }
}

/// Positions of a prompt of `count` tokens with a photo of rows x cols of them at `start`, and the
/// position after it: text counts on from the photo's longer side.
fn positions(count: usize, start: usize, rows: usize, cols: usize) -> (Positions, usize) {
    let mut all = text_positions(0, start);
    let place = |row: usize, col: usize| [start as u32, (start + row) as u32, (start + col) as u32];
    all.extend((0..rows).flat_map(|row| (0..cols).map(move |col| place(row, col))));
    let after = start + rows.max(cols);
    let rest = count - start - rows * cols;
    all.extend(text_positions(after, rest));
    (all, after + rest)
}
