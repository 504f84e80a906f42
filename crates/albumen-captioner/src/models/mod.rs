//! The architectures, and what a captioner asks of each.

mod blip;
pub(crate) mod decoder;
mod llava;
mod paligemma;
mod qwen3_vl;

use std::fmt;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::config::Section;
use crate::error::{CaptionerError, Result};
use crate::memory::Shape;
use crate::nn::Cache;
use crate::pixels::{ImageProcessor, Pixels};
use crate::tokenizer::Tokenizer;

/// An architecture of `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// BLIP, base and large.
    Blip,
    /// Qwen3-VL, dense.
    Qwen3Vl,
    /// PaliGemma 1 and 2.
    PaliGemma,
    /// LLaVA 1.5: a CLIP tower and a Llama.
    Llava,
}

impl Architecture {
    /// All that are supported.
    pub const ALL: [Self; 4] = [Self::Blip, Self::Qwen3Vl, Self::PaliGemma, Self::Llava];

    /// The name in `architectures`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blip => "BlipForConditionalGeneration",
            Self::Qwen3Vl => "Qwen3VLForConditionalGeneration",
            Self::PaliGemma => "PaliGemmaForConditionalGeneration",
            Self::Llava => "LlavaForConditionalGeneration",
        }
    }

    /// The architecture with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    pub(crate) fn read(config: &Section) -> Result<Self> {
        let named = config.get("architectures").and_then(|v| v.as_array());
        let names: Vec<&str> = named
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str())
            .collect();
        if let Some(architecture) = names.iter().find_map(|n| Self::from_name(n)) {
            return Ok(architecture);
        }
        let found = match names.first() {
            Some(name) => (*name).to_owned(),
            None => config.string("model_type", "unknown")?,
        };
        Err(CaptionerError::Architecture {
            path: config.path().to_owned(),
            found,
            supported: Self::ALL.map(Self::name).join(", "),
        })
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the vision side makes of a photo.
pub(crate) struct Seen {
    /// States of the vision tower, (patches, d).
    pub(crate) vision: Tensor,
    /// Tokens of the language model, (tokens, d); none where it looks at the states themselves.
    pub(crate) projected: Option<Tensor>,
    /// What is added to those tokens after the language model's first layers.
    pub(crate) deepstack: Vec<Tensor>,
    /// Rows and columns of those tokens, where the model has positions in two directions.
    pub(crate) grid: Option<(usize, usize)>,
}

impl Seen {
    fn of(vision: Tensor) -> Self {
        Self {
            vision,
            projected: None,
            deepstack: Vec::new(),
            grid: None,
        }
    }

    fn projected(vision: Tensor, projected: Tensor) -> Self {
        Self {
            projected: Some(projected),
            ..Self::of(vision)
        }
    }

    fn tokens(&self) -> candle_core::Result<(&Tensor, usize)> {
        let projected = self.projected.as_ref().unwrap_or(&self.vision);
        Ok((projected, projected.dim(0)?))
    }
}

/// One network with its weights.
pub(crate) trait VisionLanguage: Send + Sync {
    /// What it is asked where the settings do not say.
    fn default_prompt(&self) -> &'static str;

    /// Whether the caption starts with the prompt.
    fn keeps_prompt(&self) -> bool {
        false
    }

    /// Tokens that end a caption.
    fn stops(&self) -> &[u32];

    /// The longest text it was made for, in tokens.
    fn max_positions(&self) -> usize;

    /// The vision tower and projector.
    fn see(&self, pixels: &Pixels) -> Result<Seen>;

    /// The prompt's tokens, with places for the photo's.
    fn prompt(&self, text: &str, seen: &Seen, tokenizer: &Tokenizer) -> Result<Vec<u32>>;

    /// Reads the prompt: scores of the next token, and the cache, with room for so many tokens.
    fn read(&self, seen: &Seen, prompt: &[u32], room: usize) -> Result<(Tensor, Cache)>;

    /// Reads a token that was written: scores of the next one.
    fn step(&self, token: u32, cache: &mut Cache) -> Result<Tensor>;
}

/// A configuration that was read and found supported.
pub(crate) enum ModelConfig {
    Blip(blip::BlipConfig),
    Qwen3Vl(qwen3_vl::Qwen3VlConfig),
    PaliGemma(paligemma::PaliGemmaConfig),
    Llava(llava::LlavaConfig),
}

impl ModelConfig {
    /// Reads a checkpoint's configuration; `stops` are the tokens that end a text.
    pub(crate) fn read(
        architecture: Architecture,
        root: &Section,
        processor: &ImageProcessor,
        stops: impl Fn(u32) -> Result<Vec<u32>>,
    ) -> Result<Self> {
        match architecture {
            Architecture::Blip => {
                let config = blip::BlipConfig::read(root)?;
                config.check(root, processor)?;
                Ok(Self::Blip(config))
            }
            Architecture::Qwen3Vl => {
                let config = qwen3_vl::Qwen3VlConfig::read(root, processor, stops(151_645)?)?;
                Ok(Self::Qwen3Vl(config))
            }
            Architecture::PaliGemma => {
                let config = paligemma::PaliGemmaConfig::read(root, processor, stops(1)?)?;
                Ok(Self::PaliGemma(config))
            }
            Architecture::Llava => {
                let config = llava::LlavaConfig::read(root, processor, stops(2)?)?;
                Ok(Self::Llava(config))
            }
        }
    }

    /// Loads the network.
    pub(crate) fn build(self, vb: &VarBuilder) -> candle_core::Result<Box<dyn VisionLanguage>> {
        Ok(match self {
            Self::Blip(config) => Box::new(blip::Blip::new(config, vb)?),
            Self::Qwen3Vl(config) => Box::new(qwen3_vl::Qwen3Vl::new(config, vb)?),
            Self::PaliGemma(config) => Box::new(paligemma::PaliGemma::new(config, vb)?),
            Self::Llava(config) => Box::new(llava::Llava::new(config, vb)?),
        })
    }

    /// Sizes that memory depends on, for a photo of so many tokens where its shape is kept.
    pub(crate) fn shape(&self, image_tokens: usize) -> Shape {
        match self {
            Self::Blip(config) => config.shape(),
            Self::Qwen3Vl(config) => config.shape(image_tokens),
            Self::PaliGemma(config) => config.shape(),
            Self::Llava(config) => config.shape(),
        }
    }
}

/// Fails where the processor's photos do not have the vision tower's size.
fn check_size(root: &Section, processor: &ImageProcessor, side: usize) -> Result<()> {
    match processor.fixed_size() {
        Some((height, width)) if (height, width) == (side, side) => Ok(()),
        found => {
            let made = found.map_or("photos of many shapes".to_owned(), |(h, w)| {
                format!("{w} x {h} pixels")
            });
            Err(root.error(
                "vision_config.image_size",
                format!("is {side}, but preprocessor_config.json makes {made}; they are not of one checkpoint"),
            ))
        }
    }
}

/// The prompt with `placeholder` said once for each token of the photo: a text that has it already is
/// the whole prompt, any other goes into `template` in place of `{}`.
fn expand(text: &str, placeholder: &str, template: &str, count: usize) -> String {
    let whole = if text.contains(placeholder) {
        text.to_owned()
    } else {
        template.replace("{}", text)
    };
    whole.replace(placeholder, &placeholder.repeat(count))
}

/// Embeddings of a prompt with the photo's tokens in their place, (t, d).
fn with_photo(
    decoder: &decoder::Decoder,
    prompt: &[u32],
    photo: u32,
    projected: &Tensor,
) -> candle_core::Result<(Tensor, std::ops::Range<usize>)> {
    let start = prompt.iter().position(|t| *t == photo).unwrap_or_default();
    let run = start..start + projected.dim(0)?;
    let mut parts = vec![projected.clone()];
    if run.start > 0 {
        parts.insert(0, decoder.embed(&prompt[..run.start])?);
    }
    if run.end < prompt.len() {
        parts.push(decoder.embed(&prompt[run.end..])?);
    }
    Ok((Tensor::cat(&parts, 0)?, run))
}
