//! The `[privacy]` table, and the declaration of tuning runs that ledger and release carry on.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Unit;

/// `[privacy]`: the guarantee that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyConfig {
    /// What add/remove adjacency adds or removes: `album` or `owner`.
    pub unit: Unit,
    /// Epsilon of the whole release.
    pub epsilon: f64,
    /// Delta of the whole release; below 1 / declared_units.
    pub delta: f64,
    /// A public number that stands for the number of units; never measured from the corpus.
    pub declared_units: u64,
    /// Albums an owner contributes at most (unit `owner`); the first ones by identifier.
    #[serde(default = "default_max_albums")]
    pub max_albums_per_owner: usize,
    /// Share of the budget for the summary model, in (0, 1); the caption model has the rest.
    #[serde(default = "default_split")]
    pub summary_share: f64,
    /// How many runs on the same albums this release is chosen from; one where absent. The charge is
    /// part of epsilon: the noise is raised so that the total still meets it. See docs/privacy.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning_runs: Option<TuningRuns>,
}

fn default_max_albums() -> usize {
    4
}
fn default_split() -> f64 {
    0.5
}

/// How the number of runs came about from which one was chosen.
///
/// Every kind charges for runs that spent no more than this one: the same noise or more, the same
/// rates, steps and releases or fewer. A run made earlier without the declaration spent more, and has
/// to be added: `albumen account --ledger A --ledger B`.
///
/// `fixed` then holds whatever was looked at. The `secret_` kinds are cheaper and hold only where the number
/// was drawn from that distribution before the first run, is told to nobody, and only the run with the
/// best score is released (Papernot and Steinke 2022).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "number", rename_all = "snake_case", deny_unknown_fields)]
pub enum TuningRuns {
    /// So many runs, this one included; each is charged as much as this one spends, as if all were
    /// released. Declare it in the first of them.
    Fixed {
        /// Number of runs, from 1 to 1000.
        count: u32,
    },
    /// Drawn from a Poisson distribution; where 0 is drawn, nothing is released.
    SecretPoisson {
        /// Expected number of runs, from 0.1 to 10,000.
        mean: f64,
    },
    /// Drawn from a truncated negative binomial distribution: geometric at `eta` = 1, logarithmic at
    /// 0.
    SecretNegativeBinomial {
        /// Shape, from -0.9 to 100.
        eta: f64,
        /// Success probability, from 1e-4 to 0.9999; a geometric draw has mean 1 / gamma.
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
        let (low, high) = (1e-4, 0.9999);
        match *self {
            Self::Fixed { count } if !(1..=1000).contains(&count) => {
                Some(("count", f64::from(count), "from 1 to 1000 runs"))
            }
            Self::SecretPoisson { mean } if !(0.1..=1e4).contains(&mean) => Some((
                "mean",
                mean,
                "an expected number of runs from 0.1 to 10,000",
            )),
            Self::SecretNegativeBinomial { eta, .. } if !(-0.9..=100.0).contains(&eta) => {
                Some(("eta", eta, "a shape from -0.9 to 100"))
            }
            Self::SecretNegativeBinomial { gamma, .. } if !(low..=high).contains(&gamma) => {
                Some(("gamma", gamma, "a probability from 1e-4 to 0.9999"))
            }
            _ => None,
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
