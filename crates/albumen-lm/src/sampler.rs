//! Drawing a token from logits.
//!
//! Order and meaning of the filters are those of transformers' logits processors: repetition
//! penalty, temperature, top-k, top-p, min-p; then one draw from what is left. Equal logits at a
//! cut: top-k keeps them all, top-p prefers the lower token.

mod pool;
mod ranks;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};

use crate::error::LmError;
use pool::Pool;

/// How a token is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingParams {
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f32,
    /// Keeps the `top_k` likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Keeps the smallest set of likeliest tokens whose probabilities reach `top_p`
    /// (Holtzman et al. 2020, arXiv:1904.09751); 1 keeps all.
    pub top_p: f32,
    /// Keeps tokens at least `min_p` times as likely as the likeliest (arXiv:2407.01082); 0 keeps
    /// all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens that occurred (Keskar et al. 2019,
    /// arXiv:1909.05858, section 4.1); 1 leaves them.
    pub repetition_penalty: f32,
}

impl Default for SamplingParams {
    /// The model's own distribution.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
        }
    }
}

impl SamplingParams {
    /// The likeliest token at each step.
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            ..Self::default()
        }
    }

    /// # Errors
    /// [`LmError::Decoding`] naming a setting out of its range.
    pub fn check(&self) -> Result<(), LmError> {
        let refuse = |why: String| Err(LmError::Decoding(why));
        let Self {
            temperature,
            top_p,
            min_p,
            repetition_penalty,
            ..
        } = *self;
        if !(temperature.is_finite() && temperature >= 0.0) {
            return refuse(format!(
                "temperature is {temperature}; it must be 0 or more"
            ));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return refuse(format!("top_p is {top_p}; it must be over 0 and at most 1"));
        }
        if !(0.0..=1.0).contains(&min_p) {
            return refuse(format!("min_p is {min_p}; it must be 0 to 1"));
        }
        if !(repetition_penalty.is_finite() && repetition_penalty > 0.0) {
            return refuse(format!(
                "repetition_penalty is {repetition_penalty}; it must be over 0"
            ));
        }
        Ok(())
    }
}

/// In which order the tokens left stand when one of them is drawn: with the same random number another
/// order is another token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By number, summed in f32: fast enough for every album at every step.
    Token,
    /// The likeliest first, summed in f64: what captions of photos have been drawn by from the start.
    Rank,
}

/// The random stream and the scratch space of one text.
pub struct Sampler {
    params: SamplingParams,
    order: Order,
    rng: ChaCha20Rng,
    seen: Vec<bool>,
    pool: Pool,
}

impl Sampler {
    /// A sampler whose draws follow from `key` alone.
    ///
    /// # Errors
    /// [`LmError::Decoding`] where a setting is out of its range.
    pub fn new(params: SamplingParams, key: [u8; 32]) -> Result<Self, LmError> {
        params.check()?;
        let rng = ChaCha20Rng::from_seed(key);
        Ok(Self {
            params,
            order: Order::Token,
            rng,
            seen: Vec::new(),
            pool: Pool::default(),
        })
    }

    /// The sampler of text number `stream` under a public seed; streams do not overlap.
    ///
    /// # Errors
    /// [`LmError::Decoding`] where a setting is out of its range.
    pub fn from_seed(params: SamplingParams, seed: u64, stream: u64) -> Result<Self, LmError> {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut sampler = Self::new(params, key)?;
        sampler.rng.set_stream(stream);
        Ok(sampler)
    }

    /// The same with another order.
    #[must_use]
    pub fn with_order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// Draws the token that follows. `logits` (vocab_size) are overwritten by the repetition
    /// penalty; `history` are the tokens it applies to. A NaN counts as impossible; where no logit is a
    /// number, the answer is token 0.
    pub fn next(&mut self, logits: &mut [f32], history: &[u32]) -> u32 {
        self.penalise(logits, history);
        if self.params.temperature == 0.0 {
            return argmax(logits);
        }
        // One draw a token whatever the filters, so that streams stay in step.
        let uniform: f64 = self.rng.random();
        let drawn = match self.order {
            Order::Token => {
                self.pool.fill(logits, &self.params);
                self.pool.draw(uniform)
            }
            Order::Rank => ranks::draw(logits, &self.params, uniform),
        };
        drawn.unwrap_or_else(|| argmax(logits))
    }

    /// The tokens that may be drawn with their probabilities, in order of token. For tests and for
    /// showing what a setting does.
    pub fn distribution(&mut self, logits: &mut [f32], history: &[u32]) -> Vec<(u32, f32)> {
        self.penalise(logits, history);
        if self.params.temperature == 0.0 {
            return vec![(argmax(logits), 1.0)];
        }
        self.pool.fill(logits, &self.params);
        self.pool.distribution()
    }

    fn penalise(&mut self, logits: &mut [f32], history: &[u32]) {
        let penalty = self.params.repetition_penalty;
        if penalty == 1.0 {
            return;
        }
        self.seen.resize(logits.len(), false);
        for &token in history {
            let Some(seen) = self.seen.get_mut(token as usize) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                let logit = &mut logits[token as usize];
                *logit = if *logit < 0.0 {
                    *logit * penalty
                } else {
                    *logit / penalty
                };
            }
        }
        for &token in history {
            if let Some(seen) = self.seen.get_mut(token as usize) {
                *seen = false;
            }
        }
    }
}

/// The first of the largest logits.
fn argmax(logits: &[f32]) -> u32 {
    let greatest = pool::greatest(logits);
    logits
        .iter()
        .zip(0..)
        .find(|(logit, _)| **logit == greatest)
        .map_or(0, |(_, token)| token)
}
