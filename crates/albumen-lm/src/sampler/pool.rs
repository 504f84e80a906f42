//! The tokens that are still in the running.
//!
//! A vocabulary has some 50,000 tokens and every text draws at every step, so nothing here sorts
//! the vocabulary or allocates once warm: loops over it vectorise, and cuts are found by selection.

use super::SamplingParams;
use crate::kernels::cpu::simd::{LANES, exp, max, simd};

/// Weights of tokens; 0 is out. The largest weight is 1 until it is drawn from.
#[derive(Default)]
pub(super) struct Pool {
    weights: Vec<f32>,
    /// Ascending, beside `weights`; empty where weight i is token i's.
    tokens: Vec<u32>,
    /// Sums of `CHUNK` weights each.
    sums: Vec<f64>,
    /// Scratch of selections: a number and the index it belongs to.
    ranked: Vec<(f32, u32)>,
}

const CHUNK: usize = 1024;

simd! {
    /// `exp((logit - greatest) / temperature)`, 0 for NaN.
    fn weigh(logits: &[f32], greatest: f32, temperature: f32, weights: &mut [f32]) {
        for (w, logit) in weights.iter_mut().zip(logits) {
            let e = exp((logit - greatest) / temperature);
            *w = if e > 0.0 { e } else { 0.0 };
        }
    }
}

simd! {
    /// Puts out what is under `least`, and of what equals it all from index `end` on.
    fn cut(weights: &mut [f32], least: f32, end: u32) {
        for (w, i) in weights.iter_mut().zip(0_u32..) {
            let stays = *w > least || (*w == least && i < end);
            *w = if stays { *w } else { 0.0 };
        }
    }
}

simd! {
    fn sum(weights: &[f32]) -> f32 {
        let mut lanes = [0.0_f32; LANES];
        let (main, rest) = weights.as_chunks::<LANES>();
        for chunk in main {
            for (lane, w) in lanes.iter_mut().zip(chunk) {
                *lane += w;
            }
        }
        lanes.iter().chain(rest).sum()
    }
}

simd! {
    /// The largest logit that is a number.
    pub(super) fn greatest(logits: &[f32]) -> f32 {
        max(logits)
    }
}

impl Pool {
    /// Applies temperature, top-k, top-p and min-p, in this order.
    pub(super) fn fill(&mut self, logits: &[f32], params: &SamplingParams) {
        let greatest = greatest(logits);
        self.tokens.clear();
        self.ranked.clear();
        if params.top_k > 0 && params.top_k < logits.len() {
            self.keep_largest(logits, params.top_k);
            self.ranked.sort_unstable_by_key(|r| r.1);
            let kept: Vec<f32> = self.ranked.iter().map(|r| r.0).collect();
            self.tokens.extend(self.ranked.iter().map(|r| r.1));
            self.weights.resize(kept.len(), 0.0);
            weigh(&kept, greatest, params.temperature, &mut self.weights);
        } else {
            self.weights.resize(logits.len(), 0.0);
            weigh(logits, greatest, params.temperature, &mut self.weights);
        }
        if params.top_p < 1.0 {
            self.keep_nucleus(params.top_p);
        }
        if params.min_p > 0.0 {
            cut(&mut self.weights, params.min_p, u32::MAX);
        }
    }

    /// The token at `uniform`, in [0, 1), of the cumulative weights.
    pub(super) fn draw(&mut self, uniform: f64) -> Option<u32> {
        self.sums.clear();
        self.sums.extend(
            self.weights
                .chunks(CHUNK)
                .map(|chunk| f64::from(sum(chunk))),
        );
        let mut rest = uniform * self.sums.iter().sum::<f64>();
        let mut last = None;
        for (chunk, sum) in self.sums.iter().enumerate().filter(|(_, sum)| **sum > 0.0) {
            if rest >= *sum {
                rest -= sum;
                last = Some(chunk);
                continue;
            }
            last = Some(chunk);
            break;
        }
        let start = last? * CHUNK;
        let end = (start + CHUNK).min(self.weights.len());
        let mut drawn = None;
        for (w, i) in self.weights[start..end]
            .iter()
            .zip(start..)
            .filter(|(w, _)| **w > 0.0)
        {
            // Sums are rounded: where nothing is reached, the last token of the chunk is it.
            drawn = Some(i);
            rest -= f64::from(*w);
            if rest < 0.0 {
                break;
            }
        }
        drawn.map(|i| self.token(i))
    }

    /// Tokens and probabilities, in order of token.
    pub(super) fn distribution(&self) -> Vec<(u32, f32)> {
        let total: f64 = self.weights.iter().map(|w| f64::from(*w)).sum();
        let kept = self.weights.iter().zip(0..).filter(|(w, _)| **w > 0.0);
        kept.map(|(w, i)| (self.token(i), (f64::from(*w) / total) as f32))
            .collect()
    }

    fn token(&self, index: usize) -> u32 {
        // Without a list, index and token are one.
        self.tokens.get(index).copied().unwrap_or(index as u32)
    }

    /// Puts the `k` largest logits, and all equal to the least of them, into `ranked`. One pass
    /// with a buffer of some `k`: whatever is under the k-th largest so far is never stored.
    fn keep_largest(&mut self, logits: &[f32], k: usize) {
        let kept = &mut self.ranked;
        let room = 2 * k + 64;
        let (mut least, mut shrink_at) = (f32::NEG_INFINITY, room);
        for (chunk, start) in logits.chunks(LANES * 4).zip((0..).step_by(LANES * 4)) {
            if greatest(chunk) < least {
                continue;
            }
            kept.extend(
                chunk
                    .iter()
                    .copied()
                    .zip(start..)
                    .filter(|(logit, _)| *logit >= least),
            );
            if kept.len() >= shrink_at {
                least = shrink(kept, k);
                // Equal logits may not shrink at all: then wait for as many again.
                shrink_at = kept.len() + room;
            }
        }
        if kept.len() > k {
            shrink(kept, k);
        }
    }

    /// Keeps the smallest set of largest weights that holds `top_p` of the mass. As in transformers,
    /// a token goes when it and all less likely ones together hold at most `1 - top_p`; of equal
    /// ones, the higher goes first.
    fn keep_nucleus(&mut self, top_p: f32) {
        // Weights are 0 to 1, and a positive float's bits order as its value: the exponent and
        // three bits of the fraction make a histogram of 8 bars an octave.
        const BARS: usize = (1.0_f32.to_bits() >> 20) as usize + 1;
        let bar = |w: f32| ((w.to_bits() >> 20) as usize).min(BARS - 1);
        let mut mass = [0.0_f64; BARS];
        for w in &self.weights {
            mass[bar(*w)] += f64::from(*w);
        }
        let budget = mass.iter().sum::<f64>() * (1.0 - f64::from(top_p));
        let mut gone = 0.0;
        let edge = mass.iter().position(|m| {
            let over = gone + m > budget;
            gone += if over { 0.0 } else { *m };
            over
        });
        // All goes only where rounding makes the budget the whole: the likeliest stays.
        let edge = edge.unwrap_or(BARS - 1);
        self.ranked.clear();
        let within = self
            .weights
            .iter()
            .copied()
            .zip(0..)
            .filter(|(w, _)| bar(*w) == edge);
        self.ranked.extend(within);
        self.ranked.sort_unstable_by(|a, b| by_rank(*b, *a));
        let stays = self.ranked.iter().find(|(w, _)| {
            gone += f64::from(*w);
            gone > budget
        });
        if let Some((least, index)) = stays.or(self.ranked.last()).copied() {
            cut(&mut self.weights, least, index + 1);
        }
    }
}

/// Larger number first, then lower index.
fn by_rank(a: (f32, u32), b: (f32, u32)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// Leaves the `k` largest and all equal to the least of them, which it returns.
fn shrink(kept: &mut Vec<(f32, u32)>, k: usize) -> f32 {
    kept.select_nth_unstable_by(k - 1, |a, b| by_rank(*a, *b));
    let least = kept[k - 1].0;
    kept.retain(|r| r.0 >= least);
    least
}
