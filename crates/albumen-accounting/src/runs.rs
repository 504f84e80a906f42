//! The declaration of tuning runs that configuration, ledger and release carry.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the number of runs came about from which one was chosen.
///
/// Every kind charges for runs that spent no more than this one: the same noise or more, the same
/// rates, steps and releases or fewer. A run made earlier without the declaration spent more, and has
/// to be added: `albumen account --ledger A --ledger B`.
///
/// `fixed` then holds whatever was looked at. The `secret_` kinds are cheaper and hold only where the number
/// was drawn from that distribution before the first run, is told to nobody, and only the run with the
/// best score is released (Papernot and Steinke 2022).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "number", rename_all = "snake_case", deny_unknown_fields)]
pub enum TuningRuns {
    /// So many runs, this one included; each is charged as much as this one spends, as if all were
    /// released. Declare it in the first of them.
    Fixed {
        /// Number of runs, from 1 to 1000.
        #[cfg_attr(feature = "schemars", schemars(range(min = 1, max = 1000)))]
        count: u32,
    },
    /// Drawn from a Poisson distribution; where 0 is drawn, nothing is released.
    SecretPoisson {
        /// Expected number of runs, from 0.1 to 10,000.
        #[cfg_attr(feature = "schemars", schemars(range(min = 0.1, max = 10_000)))]
        mean: f64,
    },
    /// Drawn from a truncated negative binomial distribution: geometric at `eta` = 1, logarithmic at
    /// 0.
    SecretNegativeBinomial {
        /// Shape, from -0.9 to 100.
        #[cfg_attr(feature = "schemars", schemars(range(min = -0.9, max = 100)))]
        eta: f64,
        /// Success probability, from 1e-4 to 0.9999; a geometric draw has mean 1 / gamma.
        #[cfg_attr(feature = "schemars", schemars(range(min = 1e-4, max = 0.9999)))]
        gamma: f64,
    },
}

impl TuningRuns {
    /// Expected number of runs.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Fixed { count } => f64::from(count),
            Self::SecretPoisson { mean } => mean,
            Self::SecretNegativeBinomial { eta: 0.0, gamma } => {
                (1.0 / gamma - 1.0) / (1.0 / gamma).ln()
            }
            Self::SecretNegativeBinomial { eta, gamma } => {
                eta * (1.0 - gamma) / (gamma * -(eta * gamma.ln()).exp_m1())
            }
        }
    }

    /// The first number out of range: its name, its value, and what is allowed.
    pub fn out_of_range(&self) -> Option<(&'static str, f64, &'static str)> {
        let named =
            |name, value, holds: bool, expected| (!holds).then_some((name, value, expected));
        match *self {
            Self::Fixed { count } => named(
                "count",
                f64::from(count),
                (1..=1000).contains(&count),
                "from 1 to 1000 runs",
            ),
            Self::SecretPoisson { mean } => named(
                "mean",
                mean,
                (0.1..=1e4).contains(&mean),
                "an expected number of runs from 0.1 to 10,000",
            ),
            Self::SecretNegativeBinomial { eta, gamma } => named(
                "eta",
                eta,
                (-0.9..=100.0).contains(&eta),
                "a shape from -0.9 to 100",
            )
            .or_else(|| {
                named(
                    "gamma",
                    gamma,
                    (1e-4..=0.9999).contains(&gamma),
                    "a probability from 1e-4 to 0.9999",
                )
            }),
        }
    }
}

impl fmt::Display for TuningRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fixed { count: 1 } => f.write_str("one run"),
            Self::Fixed { count } => write!(f, "{count} runs, each charged in full"),
            Self::SecretPoisson { mean } => write!(
                f,
                "the best of a secret Poisson number of runs with mean {mean}"
            ),
            Self::SecretNegativeBinomial { eta, gamma } => write!(
                f,
                "the best of a secret negative binomial number of runs with eta {eta}, gamma {gamma} \
                 (mean {:.2})",
                self.mean()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_distributions() {
        let mean = |eta, gamma| TuningRuns::SecretNegativeBinomial { eta, gamma }.mean();
        assert!((mean(1.0, 0.1) - 10.0).abs() < 1e-12);
        // Logarithmic is the limit of small shapes.
        assert!((mean(0.0, 0.1) / mean(1e-9, 0.1) - 1.0).abs() < 1e-6);
        // Summing k (1 - gamma)^k / k! * eta (eta + 1) ... (eta + k - 1) / (gamma^-eta - 1).
        let (eta, gamma) = (2.5_f64, 0.3_f64);
        let mut weight = 1.0;
        let sum: f64 = (1..400)
            .map(|k| {
                weight *= (eta + f64::from(k - 1)) / f64::from(k) * (1.0 - gamma);
                f64::from(k) * weight / (gamma.powf(-eta) - 1.0)
            })
            .sum();
        assert!((mean(eta, gamma) / sum - 1.0).abs() < 1e-12);
    }
}
