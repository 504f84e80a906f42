//! The noise a picture starts from, as a function of (seed, album, photo) alone.
//!
//! Each stream is ChaCha20 with the 32-byte key `seed | album | photo | purpose`, little-endian
//! words of 64 bits. Numbers are made from pairs of uniforms `u, v` of 53 bits by the transform of
//! Box and Muller (Ann. Math. Stat. 29, 1958), in f64 with `libm`'s functions (the same on every
//! system), and rounded to f32: `sqrt(-2 ln(1 - u)) cos(2 pi v)`, then the same with `sin`. They are
//! made on the processor whatever the device, so that a picture does not depend on batch, shard,
//! thread or device order.

use std::f64::consts::TAU;

use rand::RngCore;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::error::{DiffusionError, Result};

/// What a stream is for: the last word of its key. Step `i` of an ancestral sampler adds `i`.
const PHOTO: u64 = 0;
const ALBUM: u64 = 1;
const STEPS: u64 = 1 << 32;

/// Whose noise it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseKey {
    /// The seed of the whole run.
    pub seed: u64,
    /// The album's index.
    pub album: u64,
    /// The photo's index in the album.
    pub photo: u64,
    /// Share `w` in [0, 1] of the initial noise's variance that the photos of an album have in
    /// common: `z = sqrt(w) z_album + sqrt(1 - w) z_photo`, so that the variance stays one.
    pub album_weight: f64,
}

/// The noise of one picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Noise {
    /// Drawn from the streams of a key.
    Stream(NoiseKey),
    /// Given number by number, row by row of each channel: to hold a pipeline against another
    /// implementation.
    Given {
        /// The initial noise.
        initial: Vec<f32>,
        /// What an ancestral sampler adds in each step.
        steps: Vec<Vec<f32>>,
    },
}

impl Noise {
    /// `len` numbers to start from, of variance one.
    ///
    /// # Errors
    /// [`DiffusionError::Settings`] where the weight is out of range, or given noise of another
    /// length.
    pub fn initial(&self, len: usize) -> Result<Vec<f32>> {
        match self {
            Self::Given { initial, .. } => given(Some(initial), len),
            Self::Stream(key) => {
                let w = key.album_weight;
                if !(0.0..=1.0).contains(&w) {
                    return Err(DiffusionError::Settings(format!(
                        "the album's share of the noise is {w}\n  hint: it must lie in [0, 1]"
                    )));
                }
                let mut own = Gaussian::new([key.seed, key.album, key.photo, PHOTO]);
                let mut common = Gaussian::new([key.seed, key.album, 0, ALBUM]);
                let mut next = || {
                    let (own, common) = (own.next(), common.next());
                    (w.sqrt() * common + (1.0 - w).sqrt() * own) as f32
                };
                Ok((0..len).map(|_| next()).collect())
            }
        }
    }

    /// `len` numbers that an ancestral sampler adds in `step`, from the photo's own stream.
    ///
    /// # Errors
    /// [`DiffusionError::Settings`] where given noise is of another length.
    pub fn step(&self, step: usize, len: usize) -> Result<Vec<f32>> {
        match self {
            Self::Given { steps, .. } => given(steps.get(step), len),
            Self::Stream(key) => {
                let purpose = STEPS + step as u64;
                let mut own = Gaussian::new([key.seed, key.album, key.photo, purpose]);
                Ok((0..len).map(|_| own.next() as f32).collect())
            }
        }
    }
}

fn given(noise: Option<&Vec<f32>>, len: usize) -> Result<Vec<f32>> {
    match noise {
        Some(noise) if noise.len() == len => Ok(noise.clone()),
        other => Err(DiffusionError::Settings(format!(
            "the given noise holds {} numbers where {len} are needed",
            other.map_or(0, Vec::len)
        ))),
    }
}

struct Gaussian {
    rng: ChaCha20Rng,
    second: Option<f64>,
}

impl Gaussian {
    fn new(key: [u64; 4]) -> Self {
        let mut seed = [0; 32];
        for (place, word) in seed.chunks_exact_mut(8).zip(key) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Self {
            rng: ChaCha20Rng::from_seed(seed),
            second: None,
        }
    }

    /// A uniform in [0, 1) with 53 bits.
    fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        // 1 - u lies in (0, 1]: its logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        let angle = TAU * self.uniform();
        self.second = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn key(album: u64, photo: u64, album_weight: f64) -> Noise {
        Noise::Stream(NoiseKey {
            seed: 7,
            album,
            photo,
            album_weight,
        })
    }

    fn product(a: &[f32], b: &[f32]) -> f64 {
        let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum();
        sum / a.len() as f64
    }

    const N: usize = 40_000;
    /// Five standard errors of a mean of N products of unit variance.
    const SLACK: f64 = 0.025;

    #[test]
    fn photos_of_an_album_share_the_weight_and_keep_unit_variance() {
        for w in [0.0, 0.3, 1.0] {
            let a = key(1, 0, w).initial(N).unwrap();
            let b = key(1, 1, w).initial(N).unwrap();
            let other = key(2, 0, w).initial(N).unwrap();
            assert!((product(&a, &b) - w).abs() < SLACK, "{w}");
            assert!(product(&a, &other).abs() < SLACK);
            assert!((product(&a, &a) - 1.0).abs() < 2.0 * SLACK);
            assert!(a.iter().sum::<f32>().abs() / (N as f32) < 0.025);
        }
    }

    #[test]
    fn the_tails_are_those_of_a_gaussian() {
        let z = key(0, 0, 0.5).initial(N).unwrap();
        for (bound, share) in [(1.0, 0.3173), (2.0, 0.0455), (3.0, 0.0027)] {
            let beyond = z.iter().filter(|z| z.abs() > bound).count() as f64 / N as f64;
            let error = 5.0 * (share * (1.0 - share) / N as f64).sqrt();
            assert!((beyond - share).abs() < error, "{bound}: {beyond}");
        }
    }

    #[test]
    fn a_stream_is_a_prefix_of_itself_and_steps_have_their_own() {
        let noise = key(3, 4, 0.5);
        let long = noise.initial(64).unwrap();
        assert_eq!(noise.initial(10).unwrap(), long[..10]);
        let first = noise.step(0, 4096).unwrap();
        let second = noise.step(1, 4096).unwrap();
        assert!(product(&first, &second).abs() < 0.08);
        assert!(product(&first, &noise.initial(4096).unwrap()).abs() < 0.08);
    }

    #[test]
    fn the_numbers_stay_the_same_from_version_to_version() {
        let z = key(3, 4, 0.25).initial(3).unwrap();
        assert_eq!(z, GOLDEN);
    }

    /// Also computed by scripts/golden/diffusion_noise.py, from its own ChaCha20.
    const GOLDEN: [f32; 3] = [0.18001576, -0.6214207, 1.3728417];

    #[test]
    fn a_weight_out_of_range_is_refused() {
        let error = key(0, 0, 1.5).initial(1).unwrap_err().to_string();
        assert!(error.contains("1.5") && error.contains("[0, 1]"), "{error}");
    }
}
