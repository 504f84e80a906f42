use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use crate::{DpError, Randomness};

/// Draws Poisson batches: each unit enters independently with the same probability.
///
/// # Guarantee
/// Each decision is one comparison of uniform bits with the binary expansion of the rate, so a unit
/// enters with probability exactly the `f64` rate that the event records (for rates from 2^-75; the
/// deviation below that is under 2^-128), and the decision about one unit does not depend on
/// whether another exists. That is the sampling that amplification by subsampling assumes.
///
/// # Citations
/// Zhu and Wang 2019, "Poisson Subsampled Renyi Differential Privacy"; Zhu, Dong and Wang 2022,
/// theorem 11. Chua et al. 2024 ("How Private are DP-SGD Implementations?") on why shuffled batches
/// must not be accounted as Poisson ones. Proof note: proofs/sampling.md.
pub(crate) struct PoissonSampler {
    generator: ChaCha20Rng,
    threshold: u128,
    always: bool,
}

impl PoissonSampler {
    /// A sampler for rates above 0 up to 1.
    pub(crate) fn new(rate: f64, randomness: Randomness) -> Result<Self, DpError> {
        Ok(Self {
            generator: randomness.generator(1)?,
            threshold: threshold(rate),
            always: rate >= 1.0,
        })
    }

    /// The indices below `units` that enter this batch, ascending.
    pub(crate) fn sample(&mut self, units: usize) -> Vec<usize> {
        (0..units).filter(|_| self.decide()).collect()
    }

    fn decide(&mut self) -> bool {
        if self.always {
            return true;
        }
        let word = self.generator.next_u64();
        enters(self.threshold, word, || self.generator.next_u64())
    }
}

/// Whether the 128-bit number of `high` and the words that `low` gives is below the threshold; the low
/// word matters, and is drawn, once in 2^64 times.
fn enters(threshold: u128, high: u64, low: impl FnOnce() -> u64) -> bool {
    let border = (threshold >> 64) as u64;
    high < border || (high == border && low() < threshold as u64)
}

/// `rate * 2^128`, exact for every `f64` from 2^-75 up to below 1.
fn threshold(rate: f64) -> u128 {
    let two_to_64 = 2_f64.powi(64);
    let high = (rate * two_to_64).floor();
    let low = (rate * two_to_64 - high) * two_to_64;
    (u128::from(high as u64) << 64) | u128::from(low as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_the_rates_bits() {
        assert_eq!(threshold(0.5), 1 << 127);
        assert_eq!(threshold(2_f64.powi(-70)), 1 << 58);
        let rate = 0.1_f64;
        let back = threshold(rate) as f64 / 2_f64.powi(128);
        assert_eq!(back, rate);
    }

    #[test]
    fn a_unit_enters_below_the_threshold_in_all_128_bits() {
        let unused = || unreachable!("the high word decides");
        let threshold = (3 << 64) | 5;
        assert!(enters(threshold, 2, unused));
        assert!(!enters(threshold, 4, unused));
        assert!(enters(threshold, 3, || 4));
        assert!(!enters(threshold, 3, || 5));
        assert!(!enters(threshold, 3, || 6));
    }

    #[test]
    fn each_unit_enters_at_the_rate_independently_of_its_place() {
        let (units, rounds, rate) = (20, 40_000, 0.3);
        let mut sampler = PoissonSampler::new(rate, Randomness::InsecureSeed(1)).unwrap();
        let mut counts = vec![0_u32; units];
        let mut pairs = 0_u32;
        let mut sizes = Vec::new();
        for _ in 0..rounds {
            let batch = sampler.sample(units);
            sizes.push(batch.len() as f64);
            pairs += u32::from(batch.contains(&0) && batch.contains(&1));
            for index in batch {
                counts[index] += 1;
            }
        }
        let n = f64::from(rounds);
        let sd = (rate * (1.0 - rate) / n).sqrt();
        for count in counts {
            assert!((f64::from(count) / n - rate).abs() < 5.0 * sd, "{count}");
        }
        assert!((f64::from(pairs) / n - rate * rate).abs() < 5.0 * (0.09 * 0.91 / n).sqrt());
        // Binomial batch sizes: a fixed-size or shuffled sampler has no variance here.
        let mean = sizes.iter().sum::<f64>() / n;
        let variance = sizes.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n;
        assert!(
            (variance / (20.0 * rate * (1.0 - rate)) - 1.0).abs() < 0.05,
            "{variance}"
        );
    }

    #[test]
    fn rate_one_takes_every_unit_and_no_unit_gives_an_empty_batch() {
        let mut sampler = PoissonSampler::new(1.0, Randomness::Os).unwrap();
        assert_eq!(sampler.sample(3), [0, 1, 2]);
        assert!(sampler.sample(0).is_empty());
    }
}
