//! Loading a captioner and captioning with it.

use std::path::Path;

use albumen_weights::Weights;
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use rayon::prelude::*;

use crate::config::{read_config, stop_tokens};
use crate::decoding::{CaptionSettings, Decoder};
use crate::error::{CaptionerError, Result};
use crate::models::{Architecture, ModelConfig, VisionLanguage};
use crate::names::canonical;
use crate::pixels::ImageProcessor;
use crate::tokenizer::Tokenizer;

/// A frozen vision-language model in memory.
pub struct Captioner {
    architecture: Architecture,
    processor: ImageProcessor,
    tokenizer: Tokenizer,
    model: Box<dyn VisionLanguage>,
    device: Device,
    dtype: DType,
}

/// What each stage makes of one photo, to be held against another implementation. All in f32 on the
/// processor.
#[derive(Clone, Debug)]
pub struct Stages {
    /// The network's input.
    pub pixels: Tensor,
    /// Rows and columns of patches, where photos keep their shape.
    pub grid: Option<(usize, usize)>,
    /// The vision tower's states, (patches, d).
    pub vision: Tensor,
    /// The photo's tokens in the language model, (tokens, d), where there are any.
    pub projected: Option<Tensor>,
    /// What is added to them after its first layers.
    pub deepstack: Vec<Tensor>,
    /// The prompt's tokens, the photo's among them.
    pub prompt: Vec<u32>,
    /// Scores for each token that was chosen and for the end, (tokens, vocabulary).
    pub scores: Tensor,
    /// The caption's tokens.
    pub tokens: Vec<u32>,
    /// The caption.
    pub caption: String,
    /// Bytes of keys and values at the end.
    pub cache_bytes: usize,
}

/// Everything of a directory but its tokenizer and the weights' numbers.
pub(crate) fn open(dir: &Path) -> Result<(Architecture, ModelConfig, Weights, ImageProcessor)> {
    let config = read_config(dir)?;
    let architecture = Architecture::read(&config)?;
    let processor = ImageProcessor::load(dir)?;
    let stops = |default| stop_tokens(&config, dir, default);
    let model = ModelConfig::read(architecture, &config, &processor, stops)?;
    let weights = Weights::open(dir, false, canonical)?;
    weights.check_all()?;
    Ok((architecture, model, weights, processor))
}

/// What a run is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Caption,
    Scores,
    /// The first token shows that it works.
    Nothing,
}

impl Captioner {
    /// Loads the model of a directory onto a device. The processor computes in f32 whatever `dtype`
    /// says: the tensor library has no faster products there.
    ///
    /// # Errors
    /// Where a file is missing or damaged, the architecture is not supported, or the weights are not
    /// of this configuration.
    pub fn load(dir: &Path, device: &Device, dtype: DType) -> Result<Self> {
        let dtype = if device.is_cpu() { DType::F32 } else { dtype };
        let (architecture, config, weights, processor) = open(dir)?;
        let tokenizer = Tokenizer::load(dir)?;
        let model = weights.build(dtype, device, |vb| config.build(&vb))?;
        Ok(Self {
            architecture,
            processor,
            tokenizer,
            model,
            device: device.clone(),
            dtype,
        })
    }

    /// The architecture that `config.json` names.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The number format of weights and activations.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// What the model is asked where the settings do not say.
    pub fn default_prompt(&self) -> &'static str {
        self.model.default_prompt()
    }

    /// One caption for each photo, in order, on one line each. Each is computed from its own photo
    /// alone: on the processor several at a time, on a device one after the other, so that its bits do
    /// not depend on the others.
    ///
    /// # Errors
    /// Where the settings do not fit the model, a photo cannot be used, or the model fails.
    pub fn caption(&self, photos: &[RgbImage], settings: &CaptionSettings) -> Result<Vec<String>> {
        self.caption_each(photos, settings).into_iter().collect()
    }

    /// The same, with an error of its own for each photo.
    pub fn caption_each(
        &self,
        photos: &[RgbImage],
        settings: &CaptionSettings,
    ) -> Vec<Result<String>> {
        let one = |photo: &RgbImage| Ok(self.run(photo, settings, Keep::Caption)?.caption);
        if self.device.is_cpu() {
            photos.par_iter().map(one).collect()
        } else {
            photos.iter().map(one).collect()
        }
    }

    /// Reads a grey photo and writes one token: whatever is wrong with the model or the settings is
    /// found without any photo of the user's.
    ///
    /// # Errors
    /// As [`Self::caption`].
    pub fn rehearse(&self, settings: &CaptionSettings) -> Result<()> {
        let grey = RgbImage::from_pixel(64, 64, image::Rgb([128; 3]));
        self.run(&grey, settings, Keep::Nothing).map(drop)
    }

    /// What each stage makes of a photo.
    ///
    /// # Errors
    /// As [`Self::caption`].
    pub fn stages(&self, photo: &RgbImage, settings: &CaptionSettings) -> Result<Stages> {
        self.run(photo, settings, Keep::Scores)
    }

    fn run(&self, photo: &RgbImage, settings: &CaptionSettings, keep: Keep) -> Result<Stages> {
        settings.check()?;
        let model = self.model.as_ref();
        let text = settings.prompt.as_deref().unwrap_or(model.default_prompt());
        let pixels = self.processor.prepare(photo, settings.max_image_tokens)?;
        let seen = model.see(&pixels)?;
        let prompt = model.prompt(text, &seen, &self.tokenizer)?;
        let longest = prompt.len() + settings.max_tokens;
        if longest > model.max_positions() {
            return Err(CaptionerError::Settings {
                reason: format!(
                    "a prompt of {} tokens and max_tokens {} are more than the {} that the model sees; lower \
                     max_tokens or max_image_tokens, or shorten the prompt",
                    prompt.len(),
                    settings.max_tokens,
                    model.max_positions()
                ),
            });
        }
        let (mut logits, mut cache) = model.read(&seen, &prompt, longest)?;
        let mut decoder = Decoder::new(settings, model.stops(), photo, &prompt)?;
        let mut scores = Vec::new();
        let keep_scores = keep == Keep::Scores;
        let most = if keep == Keep::Nothing {
            1
        } else {
            settings.max_tokens
        };
        while let Some(token) = decoder.next(logits.to_vec1()?)? {
            if keep_scores {
                scores.push(logits.clone());
            }
            if decoder.written().len() == most {
                break;
            }
            logits = model.step(token, &mut cache)?;
        }
        let tokens = decoder.written().to_vec();
        if keep_scores && tokens.len() < settings.max_tokens {
            scores.push(logits);
        }
        let written = self.tokenizer.decode(&tokens)?;
        let all = if model.keeps_prompt() {
            format!("{text} {written}")
        } else {
            written
        };
        let plain = |t: &Tensor| t.to_dtype(DType::F32)?.to_device(&Device::Cpu);
        let empty = || Tensor::zeros((0, 0), DType::F32, &Device::Cpu);
        Ok(Stages {
            pixels: pixels.values,
            grid: pixels.grid,
            vision: plain(&seen.vision)?,
            projected: seen.projected.as_ref().map(plain).transpose()?,
            deepstack: seen
                .deepstack
                .iter()
                .map(plain)
                .collect::<candle_core::Result<_>>()?,
            scores: if scores.is_empty() {
                empty()?
            } else {
                Tensor::stack(&scores, 0)?
            },
            caption: all.split_whitespace().collect::<Vec<_>>().join(" "),
            cache_bytes: cache.bytes(),
            prompt,
            tokens,
        })
    }
}
