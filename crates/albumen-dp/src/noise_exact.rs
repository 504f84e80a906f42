//! The rare draws that `f64` cannot round: decided in exact arithmetic.

use dashu::float::round::mode::Zero;
use dashu::float::{ConstCache, FBig};
use dashu::integer::{IBig, UBig};

type Real = FBig<Zero, 2>;

/// Working precision: the probabilities compared have 193 bits.
const PRECISION_BITS: usize = 320;

/// No draw is larger: the scale is below 2^36, and the tail beyond 17 below 2^-193.
const MAX_DRAW: i64 = 17 << 36;

/// `round(scale * Q(p))` for `p = (high + (low + 1/2) / 2^128) / 2^64`, where `Q` is the upper
/// quantile of the standard normal; searched up or down from `estimate`.
pub(crate) fn rounded_magnitude(high: u64, low: u128, scale: f64, estimate: i64) -> i64 {
    let bits = (UBig::from(high) << 129) + (UBig::from(low) << 1) + UBig::ONE;
    let p = power_of_two_multiple(bits.into(), -193);
    let mut m = estimate.clamp(0, MAX_DRAW);
    // The draw exceeds a boundary exactly where p is below the tail beyond it.
    while m > 0 && p >= tail_beyond(m - 1, scale) {
        m -= 1;
    }
    while m < MAX_DRAW && p < tail_beyond(m, scale) {
        m += 1;
    }
    m
}

/// P(scale * Z > m + 1/2).
fn tail_beyond(m: i64, scale: f64) -> Real {
    let boundary = power_of_two_multiple(IBig::from(2 * m + 1), -1);
    upper_tail(&(boundary / exact(scale)))
}

/// P(Z > b) for `b >= 0`: `1/2 - phi(b) * sum_n b^(2n+1) / (2n+1)!!` (Abramowitz and Stegun
/// 26.2.11).
fn upper_tail(b: &Real) -> Real {
    let square = b * b;
    let half = power_of_two_multiple(IBig::ONE, -1);
    let smallest = power_of_two_multiple(IBig::ONE, -(PRECISION_BITS as isize));
    let mut sum = power_of_two_multiple(IBig::ZERO, 0);
    let mut term = b.clone();
    let mut odd = 1_u32;
    while term > smallest {
        sum += &term;
        odd += 2;
        term = term * &square / power_of_two_multiple(odd.into(), 0);
    }
    let two_pi = ConstCache::new().pi::<2, Zero>(PRECISION_BITS).value()
        * power_of_two_multiple(2.into(), 0);
    let density = (-(square * &half)).exp() / two_pi.sqrt();
    half - density * sum
}

fn power_of_two_multiple(significand: IBig, exponent: isize) -> Real {
    Real::from_parts(significand, exponent)
        .with_precision(PRECISION_BITS)
        .value()
}

/// A positive normal `f64`, exactly.
fn exact(value: f64) -> Real {
    let bits = value.to_bits();
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    power_of_two_multiple(mantissa.into(), (bits >> 52) as isize - 1075)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::upper_quantile;

    #[test]
    fn tails_match_published_values() {
        // Abramowitz and Stegun, tables 26.1 and 26.2.
        for (b, tail) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457_05),
            (2.0, 0.022_750_131_948_179_21),
            (5.0, 2.866_515_718_791_939e-7),
            (10.0, 7.619_853_024_160_527e-24),
            (15.0, 3.670_966_199_312_751e-51),
        ] {
            let b = if b == 0.0 {
                power_of_two_multiple(IBig::ZERO, 0)
            } else {
                exact(b)
            };
            let found = upper_tail(&b).to_f64().value();
            assert!((found / tail - 1.0).abs() < 4e-16, "{found:e} {tail:e}");
        }
    }

    #[test]
    fn fast_quantile_is_far_within_its_error_bound() {
        let error = 2_f64.powi(-48);
        for i in 0..3000 {
            let p = 0.5 * 2_f64.powf(-f64::from(i) / 3000.0 * 19.0);
            let z = upper_quantile(p);
            let p = exact(p);
            assert!(upper_tail(&exact(z + error)) < p);
            if z > error {
                assert!(upper_tail(&exact(z - error)) > p, "{z}");
            }
        }
    }

    #[test]
    fn search_finds_the_same_draw_from_any_start() {
        let scale = 50.0;
        for high in [1_u64 << 62, 1 << 50, 3 << 40, 12_345] {
            let p = high as f64 / 2_f64.powi(64);
            let expected = (scale * upper_quantile(p)).round_ties_even() as i64;
            for start in [expected - 3, expected, expected + 3] {
                assert_eq!(rounded_magnitude(high, 1 << 90, scale, start), expected);
            }
        }
    }
}
