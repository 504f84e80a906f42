//! Choosing a caption's tokens.

use albumen_lm::sampler::{Order, Sampler, SamplingParams};
use image::RgbImage;
use sha2::{Digest, Sha256};

use crate::error::{CaptionerError, Result};

/// How captions are written.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionSettings {
    /// What the model is asked, or for BLIP how the caption starts. None is the architecture's own.
    /// LLaVA and Qwen3-VL take a text with their placeholder for the photo (`<image>`,
    /// `<|image_pad|>`) as the whole prompt, and put any other into their chat format.
    pub prompt: Option<String>,
    /// Longest caption, in tokens.
    pub max_tokens: usize,
    /// The end is not chosen before so many tokens.
    pub min_tokens: usize,
    /// 0 takes the most likely token; else scores are divided by this and a token is drawn.
    pub temperature: f32,
    /// Where tokens are drawn: from the most likely that hold this much probability.
    pub top_p: f32,
    /// Scores of tokens that are there already are divided by this (multiplied where negative).
    pub repetition_penalty: f32,
    /// Where tokens are drawn: a photo's stream comes from this and its pixels, not from its place.
    pub seed: u64,
    /// Models that keep a photo's shape get at most so many tokens of it; None leaves the limit of the
    /// checkpoint's image processor (16,384 for Qwen3-VL, whose cost grows with the square).
    pub max_image_tokens: Option<usize>,
}

impl Default for CaptionSettings {
    fn default() -> Self {
        Self {
            prompt: None,
            max_tokens: 40,
            min_tokens: 0,
            temperature: 0.0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 0,
            max_image_tokens: Some(1024),
        }
    }
}

impl CaptionSettings {
    fn sampling(&self) -> SamplingParams {
        SamplingParams {
            temperature: self.temperature,
            top_p: self.top_p,
            repetition_penalty: self.repetition_penalty,
            ..SamplingParams::default()
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let fine = |ok: bool, reason: &str| {
            let refused = || CaptionerError::Settings {
                reason: reason.to_owned(),
            };
            if ok { Ok(()) } else { Err(refused()) }
        };
        fine(
            self.max_tokens > 0,
            "max_tokens is 0; it must be at least 1",
        )?;
        fine(
            self.min_tokens <= self.max_tokens,
            "min_tokens is larger than max_tokens",
        )?;
        self.sampling().check().map_err(refused)?;
        fine(
            self.max_image_tokens != Some(0),
            "max_image_tokens is 0; it must be at least 1",
        )
    }
}

/// Chooses one caption's tokens.
pub(crate) struct Decoder<'a> {
    settings: &'a CaptionSettings,
    stops: &'a [u32],
    sampler: Sampler,
    /// The prompt's tokens and the caption's.
    tokens: Vec<u32>,
    prompt: usize,
}

impl<'a> Decoder<'a> {
    /// Fails where the settings are out of range.
    pub(crate) fn new(
        settings: &'a CaptionSettings,
        stops: &'a [u32],
        photo: &RgbImage,
        prompt: &[u32],
    ) -> Result<Self> {
        let mut hash = Sha256::new();
        hash.update(settings.seed.to_le_bytes());
        hash.update(photo.width().to_le_bytes());
        hash.update(photo.as_raw());
        let sampler = Sampler::new(settings.sampling(), hash.finalize().into());
        Ok(Self {
            settings,
            stops,
            sampler: sampler.map_err(refused)?.with_order(Order::Rank),
            tokens: prompt.to_vec(),
            prompt: prompt.len(),
        })
    }

    /// The caption's tokens so far.
    pub(crate) fn written(&self) -> &[u32] {
        &self.tokens[self.prompt..]
    }

    /// The next token; none at the caption's end. `logits` are the scores of the vocabulary.
    pub(crate) fn next(&mut self, mut logits: Vec<f32>) -> Result<Option<u32>> {
        if logits.iter().any(|l| l.is_nan() || *l == f32::INFINITY) {
            return Err(CaptionerError::NotFinite);
        }
        if self.written().len() < self.settings.min_tokens {
            for stop in self.stops {
                if let Some(logit) = logits.get_mut(*stop as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        let token = self.sampler.next(&mut logits, &self.tokens);
        if self.stops.contains(&token) {
            return Ok(None);
        }
        self.tokens.push(token);
        Ok(Some(token))
    }
}

fn refused(error: impl std::fmt::Display) -> CaptionerError {
    CaptionerError::Settings {
        reason: error.to_string(),
    }
}
