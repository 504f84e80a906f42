//! Drawing a token from logits.
//!
//! Order and meaning of the filters are those of transformers' logits processors: repetition
//! penalty, temperature, top-k, top-p, min-p; then one draw from what is left. Equal logits at a
//! cut: top-k keeps them all, top-p prefers the lower token.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};

use crate::error::LmError;

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

/// A token that is still in the running: its weight, at most 1, and itself.
type Candidate = (f32, u32);

/// The random stream and the scratch space of one text.
pub struct Sampler {
    params: SamplingParams,
    rng: ChaCha20Rng,
    seen: Vec<bool>,
    candidates: Vec<Candidate>,
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
            rng,
            seen: Vec::new(),
            candidates: Vec::new(),
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

    /// Draws the token that follows. `logits` (vocab_size) are overwritten by the repetition
    /// penalty; `history` are the tokens it applies to. A NaN counts as impossible; where no logit is a
    /// number, the answer is token 0.
    pub fn next(&mut self, logits: &mut [f32], history: &[u32]) -> u32 {
        self.penalise(logits, history);
        if self.params.temperature == 0.0 {
            return argmax(logits);
        }
        self.filter(logits);
        // One draw a token whatever the filters, so that streams stay in step.
        let uniform: f64 = self.rng.random();
        draw(&self.candidates, uniform).unwrap_or_else(|| argmax(logits))
    }

    /// The tokens that may be drawn with their probabilities, in order of token. For tests and for
    /// showing what a setting does.
    pub fn distribution(&mut self, logits: &mut [f32], history: &[u32]) -> Vec<(u32, f32)> {
        self.penalise(logits, history);
        if self.params.temperature == 0.0 {
            return vec![(argmax(logits), 1.0)];
        }
        self.filter(logits);
        let total = mass(&self.candidates);
        self.candidates
            .iter()
            .map(|&(w, t)| (t, (f64::from(w) / total) as f32))
            .collect()
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

    /// Leaves in `candidates`, in order of token, what the filters let through. A candidate's weight
    /// is `exp((logit - max) / temperature)`; weights need no sum to be filtered by.
    fn filter(&mut self, logits: &[f32]) {
        let SamplingParams {
            temperature,
            top_k,
            top_p,
            min_p,
            ..
        } = self.params;
        self.candidates.clear();
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| ((logit - max) / temperature).exp();
        if top_k > 0 && top_k < logits.len() {
            keep_largest(&mut self.candidates, logits, top_k);
            self.candidates
                .iter_mut()
                .for_each(|(w, _)| *w = weight(*w));
        } else {
            let all = logits.iter().zip(0..).map(|(l, token)| (weight(*l), token));
            self.candidates.extend(all);
        }
        // Drops NaN as well.
        self.candidates.retain(|(w, _)| *w > 0.0);
        if top_p < 1.0 {
            keep_nucleus(&mut self.candidates, top_p);
        }
        if min_p > 0.0 {
            self.candidates.retain(|(w, _)| *w >= min_p);
        }
        // Selection leaves its own order; drawing must not depend on it.
        if !self.candidates.is_sorted_by_key(|c| c.1) {
            self.candidates.sort_unstable_by_key(|c| c.1);
        }
    }
}

fn argmax(logits: &[f32]) -> u32 {
    let mut best = (f32::NEG_INFINITY, 0);
    for (&logit, token) in logits.iter().zip(0..) {
        if logit > best.0 {
            best = (logit, token);
        }
    }
    best.1
}

fn mass(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|(w, _)| f64::from(*w)).sum()
}

/// Larger weight first, then lower token.
fn by_rank(a: Candidate, b: Candidate) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// Puts the `k` largest logits, and all equal to the least of them, into `kept`. One pass with a
/// buffer of some `k`: whatever is under the k-th largest so far is never stored.
fn keep_largest(kept: &mut Vec<Candidate>, logits: &[f32], k: usize) {
    let room = 2 * k + 64;
    let mut least = f32::NEG_INFINITY;
    let mut shrink_at = room;
    let shrink = |kept: &mut Vec<Candidate>| {
        kept.select_nth_unstable_by(k - 1, |a, b| by_rank(*a, *b));
        let least = kept[k - 1].0;
        kept.retain(|c| c.0 >= least);
        least
    };
    for (&logit, token) in logits.iter().zip(0..) {
        if logit >= least {
            kept.push((logit, token));
            if kept.len() >= shrink_at {
                least = shrink(kept);
                // Equal logits may not shrink at all: then wait for as many again.
                shrink_at = kept.len() + room;
            }
        }
    }
    if kept.len() > k {
        shrink(kept);
    }
}

/// Keeps the smallest set of largest weights that holds more than `top_p` of the mass, as
/// transformers does: a token goes when it and all less likely ones together hold at most
/// `1 - top_p`. Halving by selection finds the cut in linear time, without a sort.
fn keep_nucleus(candidates: &mut Vec<Candidate>, top_p: f32) {
    let total = mass(candidates);
    let budget = total * (1.0 - f64::from(top_p));
    // A token lighter than an even share of the budget goes with all its lessers.
    let share = (budget / candidates.len() as f64) as f32;
    let light = |c: &Candidate| c.0 < share;
    let mut below: f64 = candidates
        .iter()
        .filter(|c| light(c))
        .map(|c| f64::from(c.0))
        .sum();
    candidates.retain(|c| !light(c));
    // Invariant: all before `from` stay, all from `to` on go, and `below` is the mass of what goes.
    let (mut from, mut to) = (0, candidates.len());
    while from < to {
        let middle = usize::midpoint(from, to);
        candidates[from..to].select_nth_unstable_by(middle - from, |a, b| by_rank(*a, *b));
        let half = mass(&candidates[middle..to]);
        if below + half <= budget {
            below += half;
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    candidates.truncate(to.max(1));
}

/// The token at `uniform`, in [0, 1), of the cumulative weights.
fn draw(candidates: &[Candidate], uniform: f64) -> Option<u32> {
    let mut rest = uniform * mass(candidates);
    for &(weight, token) in candidates {
        rest -= f64::from(weight);
        if rest < 0.0 {
            return Some(token);
        }
    }
    // Rounding can leave a remainder of some 1e-16.
    candidates.last().map(|c| c.1)
}
