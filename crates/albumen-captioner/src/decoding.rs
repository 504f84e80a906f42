//! Choosing a caption's tokens.

use std::collections::BTreeSet;

use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
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
        fine(
            self.temperature.is_finite() && self.temperature >= 0.0,
            "temperature must be 0 or more",
        )?;
        fine(
            self.top_p > 0.0 && self.top_p <= 1.0,
            "top_p must lie above 0 and up to 1",
        )?;
        fine(
            self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0,
            "repetition_penalty must be above 0; 1 is none",
        )?;
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
    rng: ChaCha20Rng,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(settings: &'a CaptionSettings, stops: &'a [u32], photo: &RgbImage) -> Self {
        let mut hash = Sha256::new();
        hash.update(settings.seed.to_le_bytes());
        hash.update(photo.width().to_le_bytes());
        hash.update(photo.as_raw());
        Self {
            settings,
            stops,
            rng: ChaCha20Rng::from_seed(hash.finalize().into()),
        }
    }

    /// The next token after a prompt and what is written; none at the caption's end. `logits` are
    /// the scores of the vocabulary.
    pub(crate) fn next(
        &mut self,
        mut logits: Vec<f32>,
        prompt: &[u32],
        written: &[u32],
    ) -> Result<Option<u32>> {
        if logits.iter().any(|l| l.is_nan() || *l == f32::INFINITY) {
            return Err(CaptionerError::NotFinite);
        }
        let penalty = self.settings.repetition_penalty;
        if penalty != 1.0 {
            let there: BTreeSet<u32> = prompt.iter().chain(written).copied().collect();
            for token in there {
                if let Some(logit) = logits.get_mut(token as usize) {
                    *logit = if *logit < 0.0 {
                        *logit * penalty
                    } else {
                        *logit / penalty
                    };
                }
            }
        }
        if written.len() < self.settings.min_tokens {
            for stop in self.stops {
                if let Some(logit) = logits.get_mut(*stop as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        let token = if self.settings.temperature == 0.0 {
            most_likely(&logits)
        } else {
            self.draw(&logits)
        };
        Ok(Some(token).filter(|t| !self.stops.contains(t)))
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |l: f32| f64::from((l - largest) / self.settings.temperature).exp();
        let mut all: Vec<(f64, u32)> = logits
            .iter()
            .enumerate()
            .map(|(i, l)| (weight(*l), i as u32))
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let total: f64 = all.iter().map(|(w, _)| w).sum();
        let mut kept = 0.0;
        let enough = f64::from(self.settings.top_p) * total;
        let count = all.iter().take_while(|(w, _)| {
            let wanted = kept < enough;
            kept += w;
            wanted
        });
        let count = count.count().max(1);
        let nucleus = &all[..count];
        let total: f64 = nucleus.iter().map(|(w, _)| w).sum();
        let mut at = self.rng.random::<f64>() * total;
        for (weight, token) in nucleus {
            at -= weight;
            if at < 0.0 {
                return *token;
            }
        }
        nucleus[count - 1].1
    }
}

/// The first of the largest scores.
fn most_likely(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best as u32
}
