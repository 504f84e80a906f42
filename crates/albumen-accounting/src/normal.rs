//! The standard normal distribution, with small relative errors in the tails.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// P(Z > z).
pub(crate) fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// P(Z <= z).
pub(crate) fn cdf(z: f64) -> f64 {
    upper_tail(-z)
}

/// The density at `z`.
pub(crate) fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// `upper_tail(z) / density(z)` (Mills's ratio), without underflow.
pub(crate) fn mills_ratio(z: f64) -> f64 {
    if z < 6.0 {
        return upper_tail(z) / density(z);
    }
    // Continued fraction z + 1/(z + 2/(z + 3/(z + ...))), Abramowitz and Stegun 26.2.14.
    1.0 / (1..=60).rev().fold(z, |tail, k| z + f64::from(k) / tail)
}

/// ln P(Z > z), without underflow.
pub(crate) fn log_upper_tail(z: f64) -> f64 {
    if z < 6.0 {
        upper_tail(z).ln()
    } else {
        mills_ratio(z).ln() - 0.5 * z * z - 0.5 * (2.0 * PI).ln()
    }
}

/// P(a < Z + shift <= b) for `a <= b`, with a bound on its relative error.
///
/// Narrow intervals by the density's Taylor series around the middle, others as a difference of
/// tails on the side where both are small.
pub(crate) fn shifted_interval(a: f64, b: f64, shift: f64) -> (f64, f64) {
    let width = b - a;
    // Two equal infinities give no number.
    if width.is_nan() || width <= 0.0 {
        return (0.0, 0.0);
    }
    let middle = 0.5 * (a + b) - shift;
    let reach = middle.abs().max(1.0);
    if width * reach < 0.02 {
        let (m2, w2) = (middle * middle, width * width);
        let series = 1.0 + (m2 - 1.0) * w2 / 24.0 + (m2 * m2 - 6.0 * m2 + 3.0) * w2 * w2 / 1920.0;
        return (
            density(middle) * width * series,
            16.0 * f64::EPSILON * reach * reach,
        );
    }
    let (near, far) = if middle >= 0.0 {
        (a - shift, b - shift)
    } else {
        (shift - b, shift - a)
    };
    let near_tail = upper_tail(near);
    let mass = near_tail - upper_tail(far);
    if mass <= 0.0 {
        return (0.0, 0.0);
    }
    let reach = near.abs().max(1.0);
    (mass, 4.0 * f64::EPSILON * reach * reach * near_tail / mass)
}

/// The `z` that a standard normal exceeds with probability `p` in (0, 1).
pub fn upper_quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -upper_quantile(1.0 - p);
    }
    if p <= 0.0 {
        return f64::INFINITY;
    }
    // Newton on the logarithm of the tail, from the asymptotic guess; the logarithm is concave, so
    // the iteration converges from every start.
    let target = p.ln();
    let mut z = if p > 0.1 {
        0.0
    } else {
        (-2.0 * target).sqrt() - 0.5
    };
    for _ in 0..50 {
        let step = (log_upper_tail(z) - target) * mills_ratio(z);
        z += step;
        if step.abs() <= 1e-14 * z.abs().max(1e-3) {
            break;
        }
    }
    z.max(0.0)
}

/// sqrt(2 pi), for saddle-point approximations.
pub(crate) const SQRT_2_PI: f64 = 2.506_628_274_631_000_7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_inverts_the_tail() {
        for exponent in 0..280 {
            let p = 0.5 * 10_f64.powi(-exponent);
            let z = upper_quantile(p);
            assert!((log_upper_tail(z) - p.ln()).abs() < 1e-11, "{p:e} {z}");
        }
        assert!((upper_quantile(0.9) + 1.281_551_565_544_600_5).abs() < 1e-13);
    }

    #[test]
    fn narrow_and_wide_intervals_agree() {
        for a in [-9.0, -1.0, -0.001, 0.0, 0.7, 4.0, 11.0_f64] {
            for width in [0.003, 0.01, 0.019, 0.021, 0.05] {
                let (whole, _) = shifted_interval(a, a + width, 0.0);
                let pieces: f64 = (0..16)
                    .map(|i| {
                        let edge = |i: i32| a + width * f64::from(i) / 16.0;
                        shifted_interval(edge(i), edge(i + 1), 0.0).0
                    })
                    .sum();
                assert!((whole / pieces - 1.0).abs() < 1e-11, "{a} {width}");
            }
        }
    }
}
