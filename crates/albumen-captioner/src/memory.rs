//! What a captioner takes, by count, before it is loaded.

use std::path::Path;

use candle_core::DType;

use crate::captioner::open;
use crate::decoding::CaptionSettings;
use crate::error::Result;
use crate::models::Architecture;
use crate::models::decoder::DecoderConfig;

/// Bytes by count. The tensor library's own buffers and a device's context come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// What is estimated.
    pub architecture: Architecture,
    /// Numbers in the checkpoint.
    pub parameters: u64,
    /// The weights in memory.
    pub weights_bytes: u64,
    /// The largest set of numbers that live at once while one photo is captioned: a layer of the
    /// vision tower, or of the language model over the whole prompt.
    pub activations_bytes: u64,
    /// Keys and values of one photo, its prompt and its caption.
    pub cache_bytes: u64,
    /// Tokens of one photo in the language model.
    pub image_tokens: usize,
}

impl MemoryEstimate {
    /// With so many photos under way at once: one on a device, as many as threads on the processor.
    pub fn total_bytes(&self, photos: u64) -> u64 {
        self.weights_bytes + photos * (self.activations_bytes + self.cache_bytes)
    }
}

/// Tokens of a chat prompt's words, about; its photo's are counted.
const PROMPT_TOKENS: usize = 32;

/// Reads the configuration and the weights' headers of a directory. `dtype` is what the weights will
/// have in memory.
///
/// # Errors
/// Where loading would fail before any weight is read.
pub fn estimate(dir: &Path, dtype: DType, settings: &CaptionSettings) -> Result<MemoryEstimate> {
    let (architecture, config, weights, processor) = open(dir)?;
    let most = processor.max_merged_patches();
    let asked = settings.max_image_tokens.unwrap_or(usize::MAX);
    let shape = config.shape(most.unwrap_or_default().min(asked));
    let bytes = dtype.size_in_bytes() as u64;
    let tokens = (shape.text_tokens + shape.prompt_tokens + settings.max_tokens) as u64;
    Ok(MemoryEstimate {
        architecture,
        parameters: weights.parameters(),
        weights_bytes: weights.parameters() * bytes,
        activations_bytes: shape.activations() * bytes + 4 * shape.vocabulary as u64,
        cache_bytes: (tokens * shape.cache_numbers_a_token as u64
            + shape.cache_numbers_a_photo as u64)
            * bytes,
        image_tokens: shape.text_tokens,
    })
}

/// The sizes that memory depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) vision_tokens: usize,
    pub(crate) vision_width: usize,
    pub(crate) vision_hidden: usize,
    pub(crate) vision_heads: usize,
    /// Of a photo, in the language model.
    pub(crate) text_tokens: usize,
    /// Of the prompt's words, about.
    pub(crate) prompt_tokens: usize,
    pub(crate) text_width: usize,
    pub(crate) text_hidden: usize,
    pub(crate) text_heads: usize,
    pub(crate) vocabulary: usize,
    pub(crate) cache_numbers_a_token: usize,
    pub(crate) cache_numbers_a_photo: usize,
}

impl Shape {
    /// `tower` is width, perceptron's width and heads of the vision tower.
    pub(crate) fn of(
        text: &DecoderConfig,
        vision_tokens: usize,
        [vision_width, vision_hidden, vision_heads]: [usize; 3],
        text_tokens: usize,
    ) -> Self {
        Self {
            vision_tokens,
            vision_width,
            vision_hidden,
            vision_heads,
            text_tokens,
            prompt_tokens: PROMPT_TOKENS,
            text_width: text.width,
            text_hidden: text.hidden,
            text_heads: text.heads,
            vocabulary: text.vocabulary,
            cache_numbers_a_token: text.cache_bytes(DType::F32) as usize / 4,
            cache_numbers_a_photo: 0,
        }
    }

    /// Numbers that live at once: a layer's states and its input, queries, keys and values or the
    /// perceptron's inner states, and the scores of attention before and after the softmax.
    fn activations(&self) -> u64 {
        let layer = |tokens: usize, width: usize, hidden: usize, heads: usize| {
            let [t, w, h, n] = [tokens, width, hidden, heads].map(|v| v as u64);
            let scores = (2 * n * t * t).min(2 * crate::nn::MAX_SCORES as u64);
            2 * t * w + (4 * t * w + scores).max(3 * t * h)
        };
        let vision = layer(
            self.vision_tokens,
            self.vision_width,
            self.vision_hidden,
            self.vision_heads,
        );
        let prompt = self.text_tokens + self.prompt_tokens;
        let text = layer(prompt, self.text_width, self.text_hidden, self.text_heads);
        vision.max(text)
    }
}
