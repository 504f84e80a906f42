//! Gaussian differential privacy: closed forms for the unsubsampled Gaussian mechanism.
//!
//! A composition of Gaussian mechanisms is mu-GDP with `mu^2 = sum 1 / sigma_i^2` (Dong, Roth and
//! Su 2022, corollary 3.3), and delta(epsilon) is theirs and Balle and Wang's (2018, theorem 8).

use crate::normal::{cdf, density, mills_ratio, upper_quantile};

/// Delta at `epsilon >= 0` of mu-GDP.
pub fn gdp_delta(mu: f64, epsilon: f64) -> f64 {
    if mu <= 0.0 {
        return 0.0;
    }
    let a = epsilon / mu - mu / 2.0;
    let b = epsilon / mu + mu / 2.0;
    if a < 0.0 {
        // e^epsilon * upper_tail(b) = density(a) * mills_ratio(b).
        return cdf(-a) - density(a) * mills_ratio(b);
    }
    density(a) * (mills_ratio(a) - mills_ratio(b))
}

/// The smallest epsilon >= 0 at which mu-GDP gives `delta`.
pub fn gdp_epsilon(mu: f64, delta: f64) -> f64 {
    if gdp_delta(mu, 0.0) <= delta {
        return 0.0;
    }
    let mut low = 0.0;
    let mut high = mu * (mu / 2.0 + upper_quantile(delta));
    // delta(high) <= upper_tail(high / mu - mu / 2) = delta.
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if gdp_delta(mu, middle) > delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The best true-positive rate at this false-positive rate under mu-GDP.
pub fn gdp_true_positive_rate(mu: f64, false_positive_rate: f64) -> f64 {
    cdf(mu - upper_quantile(false_positive_rate))
}
