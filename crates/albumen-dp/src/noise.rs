use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use crate::clip::LATTICE_BITS;
use crate::noise_exact::rounded_magnitude;
use crate::{DpError, Randomness};

/// Total variation distance between the noise drawn for one vector (of up to 2^40 coordinates) and
/// the ideal rounded Gaussian; derived in proofs/noise.md.
pub(crate) const DISTANCE_PER_VECTOR: f64 = 1.0 / (1_u128 << 110) as f64;

/// Largest noise multiplier for which [`DISTANCE_PER_VECTOR`] is derived.
pub(crate) const MAX_NOISE_MULTIPLIER: f64 = 10_000.0;

/// Bound on the error of [`upper_quantile`] in `f64`, uniform word included, for words from
/// [`MIN_FAST_WORD`]: sixty-four times the bound that the tests hold it to.
const FAST_ERROR: f64 = 1.0 / (1_u64 << 42) as f64;

/// Below this word (probability 2^-19) the tail is too thin for the fast path's error bound.
const MIN_FAST_WORD: u64 = 1 << 44;

const MAGNITUDE_MASK: u64 = u64::MAX >> 1;

/// Coordinates whose random words are drawn at once.
const BLOCK: usize = 1024;

/// Gaussian noise on the lattice of the clipped sums.
///
/// A draw is `round(s * Z)` for an ideal standard normal `Z = Q(U)`, the quantile of a uniform `U`
/// given by as many random bits as the rounding needs: 64 nearly always; where the `f64` quantile
/// lies so close to a rounding boundary that its error could matter, 128 more and a comparison in
/// exact arithmetic.
///
/// # Guarantee
/// For whole-number vectors at L2 distance at most `2^LATTICE_BITS` the outputs are, up to
/// [`DISTANCE_PER_VECTOR`] in total variation, post-processing (coordinate-wise rounding) of the
/// Gaussian mechanism with that noise multiplier. No floating-point value depends on both the sum
/// and the noise, so there are no low-order bits to attack.
///
/// # Citations
/// Mironov 2012, "On significance of the least significant bits"; Holohan and Braghin 2021, "Secure
/// random sampling in differential privacy"; Wichura 1988, algorithm AS 241 (the quantile). Proof
/// note: proofs/noise.md.
pub(crate) struct LatticeGaussian {
    words: ChaCha20Rng,
    extension: ChaCha20Rng,
    scale: f64,
    block: Vec<u8>,
}

impl LatticeGaussian {
    pub(crate) fn new(noise_multiplier: f64, randomness: Randomness) -> Result<Self, DpError> {
        Ok(Self {
            words: randomness.generator(2)?,
            extension: randomness.generator(3)?,
            // Exact: a power of two.
            scale: noise_multiplier * f64::from(1_u32 << LATTICE_BITS),
            block: vec![0; 8 * BLOCK],
        })
    }

    /// Adds one draw to every coordinate.
    pub(crate) fn add_to(&mut self, sum: &mut [i64]) {
        let margin = 0.5 - self.scale * (FAST_ERROR + 8.0 * f64::EPSILON);
        for coordinates in sum.chunks_mut(BLOCK) {
            let bytes = &mut self.block[..8 * coordinates.len()];
            self.words.fill_bytes(bytes);
            let (words, _) = bytes.as_chunks::<8>();
            for (coordinate, &word) in coordinates.iter_mut().zip(words) {
                let word = u64::from_le_bytes(word);
                let magnitude = word & MAGNITUDE_MASK;
                let scaled = self.scale * upper_quantile((magnitude as f64 + 0.5) / TWO_TO_64);
                let rounded = scaled.round_ties_even();
                let draw = if (scaled - rounded).abs() < margin && magnitude >= MIN_FAST_WORD {
                    rounded as i64
                } else {
                    exact_draw(magnitude, self.scale, &mut self.extension)
                };
                // Cannot wrap: sums stay below 2^62 and draws below 2^41.
                let signed = if word > MAGNITUDE_MASK { -draw } else { draw };
                *coordinate = coordinate.wrapping_add(signed);
            }
        }
    }
}

/// The same draw with 128 more bits of the uniform and exact comparisons.
#[cold]
fn exact_draw(magnitude: u64, scale: f64, extension: &mut ChaCha20Rng) -> i64 {
    let low = (u128::from(extension.next_u64()) << 64) | u128::from(extension.next_u64());
    let p = (magnitude as f64 + (low as f64 + 0.5) / TWO_TO_128) / TWO_TO_64;
    let estimate = scale * upper_quantile(p);
    rounded_magnitude(magnitude, low, scale, estimate.round_ties_even() as i64)
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
const TWO_TO_128: f64 = TWO_TO_64 * TWO_TO_64;

/// The `z >= 0` that a standard normal exceeds with probability `p` in (0, 1/2]: AS 241, PPND16.
pub(crate) fn upper_quantile(p: f64) -> f64 {
    let q = 0.5 - p;
    if q <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &CENTRAL);
    }
    let r = (-p.ln()).sqrt();
    if r <= 5.0 {
        ratio(r - 1.6, &MIDDLE)
    } else {
        ratio(r - 5.0, &FAR)
    }
}

fn ratio(r: f64, [numerator, denominator]: &[[f64; 8]; 2]) -> f64 {
    let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, &c| sum * r + c);
    horner(numerator) / horner(denominator)
}

#[expect(clippy::excessive_precision, reason = "as published")]
const CENTRAL: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_608,
        133.141_667_891_784_377_45,
        1_971.590_950_306_551_442_7,
        13_731.693_765_509_461_125,
        45_921.953_931_549_871_457,
        67_265.770_927_008_700_853,
        33_430.575_583_588_128_105,
        2_509.080_928_730_122_672_7,
    ],
    [
        1.0,
        42.313_330_701_600_911_252,
        687.187_007_492_057_908_3,
        5_394.196_021_424_751_107_7,
        21_213.794_301_586_595_867,
        39_307.895_800_092_710_61,
        28_729.085_735_721_942_674,
        5_226.495_278_852_854_561,
    ],
];

#[expect(clippy::excessive_precision, reason = "as published")]
const MIDDLE: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_9,
        5.769_497_221_460_691_405_5,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        0.241_780_725_177_450_611_77,
        0.022_723_844_989_269_184_187,
        7.745_450_142_783_414_076_4e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_4,
        0.689_767_334_985_100_004_55,
        0.148_103_976_427_480_074_59,
        0.015_198_666_563_616_457_175,
        5.475_938_084_995_344_946e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
];

#[expect(clippy::excessive_precision, reason = "as published")]
const FAR: [[f64; 8]; 2] = [
    [
        6.657_904_643_501_103_777_2,
        5.463_784_911_164_114_369_9,
        1.784_826_539_917_291_335_8,
        0.296_560_571_828_504_891_23,
        0.026_532_189_526_576_123_093,
        0.001_242_660_947_388_078_438_6,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        0.599_832_206_555_887_937_69,
        0.136_929_880_922_735_805_31,
        0.014_875_361_290_850_615_025,
        7.868_691_311_456_132_591e-4,
        1.846_318_317_510_054_681_8e-5,
        1.421_511_758_316_445_888_7e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(noise_multiplier: f64, n: usize, seed: u64) -> Vec<f64> {
        let mut noise =
            LatticeGaussian::new(noise_multiplier, Randomness::InsecureSeed(seed)).unwrap();
        let mut sum = vec![0; n];
        noise.add_to(&mut sum);
        let unit = f64::from(1_u32 << LATTICE_BITS);
        sum.iter().map(|&n| n as f64 / unit).collect()
    }

    fn normal_cdf(z: f64) -> f64 {
        // Abramowitz and Stegun 26.2.11 in f64; ample for statistics.
        let (mut term, mut sum, mut odd) = (z, 0.0, 1.0);
        while term.abs() > 1e-17 {
            sum += term;
            odd += 2.0;
            term *= z * z / odd;
        }
        0.5 + sum * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    /// sqrt(n) times the Kolmogorov-Smirnov distance from N(0, sigma^2).
    fn ks(mut sample: Vec<f64>, sigma: f64) -> f64 {
        sample.sort_by(f64::total_cmp);
        let n = sample.len() as f64;
        let distance = sample.iter().enumerate().fold(0.0_f64, |worst, (i, x)| {
            let f = normal_cdf(x / sigma);
            worst
                .max((f - i as f64 / n).abs())
                .max((f - (i + 1) as f64 / n).abs())
        });
        distance * n.sqrt()
    }

    /// Chi-square statistic over 20 equally likely cells of N(0, sigma^2); 19 degrees of freedom.
    fn chi_square(sample: &[f64], sigma: f64) -> f64 {
        let mut cells = [0.0_f64; 20];
        for x in sample {
            cells[((normal_cdf(x / sigma) * 20.0) as usize).min(19)] += 1.0;
        }
        let expected = sample.len() as f64 / 20.0;
        cells
            .iter()
            .map(|c| (c - expected).powi(2) / expected)
            .sum()
    }

    #[test]
    fn noise_is_gaussian_of_the_stated_width_and_of_no_other() {
        for sigma in [0.5, 1.0, 37.5] {
            let sample = draws(sigma, 20_000, 7);
            // 1.95 and 43.8 are the 0.1% points.
            assert!(ks(sample.clone(), sigma) < 1.95);
            assert!(chi_square(&sample, sigma) < 43.8);
            for wrong in [2.0 / 3.0, 1.5] {
                assert!(ks(sample.clone(), sigma * wrong) > 10.0);
                assert!(chi_square(&sample, sigma * wrong) > 500.0);
            }
        }
    }

    #[test]
    fn coordinates_and_calls_are_independent() {
        let n = 20_000;
        let mut noise = LatticeGaussian::new(1.0, Randomness::Os).unwrap();
        let (mut a, mut b) = (vec![0; n], vec![0; n]);
        noise.add_to(&mut a);
        noise.add_to(&mut b);
        let unit = f64::from(1_u32 << LATTICE_BITS);
        let mean_product = |x: &[i64], y: &[i64]| {
            x.iter()
                .zip(y)
                .map(|(&x, &y)| x as f64 * y as f64)
                .sum::<f64>()
                / n as f64
                / unit
                / unit
        };
        let bound = 5.0 / (n as f64).sqrt();
        assert!(mean_product(&a, &b).abs() < bound);
        assert!(mean_product(&a[1..], &a[..n - 1]).abs() < bound);
        assert!(mean_product(&a, &a) > 0.9);
    }

    #[test]
    fn exact_path_rounds_as_the_fast_one() {
        let mut noise = LatticeGaussian::new(1.3, Randomness::InsecureSeed(3)).unwrap();
        for _ in 0..300 {
            let magnitude = (noise.words.next_u64() & MAGNITUDE_MASK).max(MIN_FAST_WORD);
            let z = upper_quantile((magnitude as f64 + 0.5) / TWO_TO_64);
            assert_eq!(
                exact_draw(magnitude, noise.scale, &mut noise.extension),
                (noise.scale * z).round_ties_even() as i64
            );
        }
        // Words too small for the fast path: the far tail.
        for magnitude in [0, 1, 1 << 20, 1 << 40] {
            let z = exact_draw(magnitude, noise.scale, &mut noise.extension) as f64 / noise.scale;
            assert!(z > 5.0 && z < 15.0, "{z}");
        }
    }

    #[test]
    fn noise_is_added_to_the_sum_and_differs_each_time() {
        let mut noise = LatticeGaussian::new(0.5, Randomness::InsecureSeed(5)).unwrap();
        let offset = 1_i64 << 50;
        let mut first = vec![offset; 3000];
        noise.add_to(&mut first);
        let mut second = vec![offset; 3000];
        noise.add_to(&mut second);
        assert!(first.iter().all(|x| (x - offset).abs() < 1 << 25));
        assert!(first.iter().zip(&second).filter(|(a, b)| a == b).count() < 3);
    }
}
