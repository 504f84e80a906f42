//! The price of choosing hyper-parameters on the private data.

use serde::{Deserialize, Serialize};

use crate::event::check;
use crate::renyi::{orders, renyi_curve};
use crate::{AccountingError, Composition, Event};

/// How the number of tuning runs is drawn; the draw itself must stay secret, and only the best
/// run's output may be released.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "distribution", rename_all = "snake_case", deny_unknown_fields)]
pub enum TuningRuns {
    /// Poisson with this mean; may draw 0, and nothing is released then.
    Poisson {
        /// Expected number of runs.
        mean: f64,
    },
    /// Truncated negative binomial: geometric at `eta` = 1, logarithmic at 0.
    NegativeBinomial {
        /// Shape, above -1.
        eta: f64,
        /// Success probability, in (0, 1).
        gamma: f64,
    },
}

impl TuningRuns {
    /// Expected number of runs.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Poisson { mean } => mean,
            Self::NegativeBinomial { eta: 0.0, gamma } => (1.0 / gamma - 1.0) / (1.0 / gamma).ln(),
            Self::NegativeBinomial { eta, gamma } => {
                eta * (1.0 - gamma) / (gamma * (1.0 - gamma.powf(eta)))
            }
        }
    }

    fn validate(&self) -> Result<(), AccountingError> {
        match *self {
            Self::Poisson { mean } => check(
                "mean",
                mean,
                (0.01..=1e6).contains(&mean),
                "an expected number of runs from 0.01 to 1e6",
            ),
            Self::NegativeBinomial { eta, gamma } => {
                check(
                    "eta",
                    eta,
                    eta > -1.0 && eta <= 100.0,
                    "above -1, up to 100",
                )?;
                check(
                    "gamma",
                    gamma,
                    gamma > 0.0 && gamma < 1.0,
                    "above 0 and below 1",
                )
            }
        }
    }
}

/// Epsilon of running these events a random number of times and releasing only the best run.
///
/// # Guarantee
/// The released run, chosen by any score of the runs' outputs (a private score's own events belong
/// among `events`), is (epsilon, delta)-DP. It holds for a number of runs drawn as `runs` says and
/// kept secret; for a fixed number of runs account for each of them instead.
///
/// # Citations
/// Papernot and Steinke 2022, "Hyperparameter Tuning with Renyi Differential Privacy", theorems 2
/// (negative binomial) and 6 (Poisson).
///
/// # Errors
/// [`AccountingError::OutOfRange`].
pub fn tuned_epsilon(
    events: &[Event],
    delta: f64,
    runs: TuningRuns,
) -> Result<f64, AccountingError> {
    runs.validate()?;
    check(
        "delta",
        delta,
        delta > 0.0 && delta < 1.0,
        "above 0 and below 1",
    )?;
    let composition = Composition::new(events)?;
    let orders = orders();
    let base = renyi_curve(events, &orders);
    let convert = |rdp: f64, order: f64| {
        (rdp + (-1.0 / order).ln_1p() - (delta * order).ln() / (order - 1.0)).max(0.0)
    };
    let log_mean = runs.mean().ln();
    let mut best = f64::INFINITY;
    match runs {
        TuningRuns::NegativeBinomial { eta, gamma } => {
            // The second order only enters through this term, so its best value serves all.
            let second = (orders.iter().zip(&base))
                .map(|(order, rdp)| (1.0 + eta) * ((1.0 - 1.0 / order) * rdp - gamma.ln() / order))
                .fold(f64::INFINITY, f64::min);
            for (&order, &rdp) in orders.iter().zip(&base) {
                let tuned = rdp + second + log_mean / (order - 1.0);
                best = best.min(convert(tuned, order));
            }
        }
        TuningRuns::Poisson { mean } => {
            // Delta falls as epsilon-hat rises, that is as the order falls: try orders from the
            // best untuned one downwards, where the cross term is small.
            for (&order, &rdp) in orders.iter().zip(&base).step_by(4) {
                if convert(rdp, order) >= best {
                    continue;
                }
                let hat = (1.0 / (order - 1.0)).ln_1p();
                let cross = mean * composition.delta(hat)?.upper;
                best = best.min(convert(rdp + cross + log_mean / (order - 1.0), order));
            }
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account;

    fn event() -> Event {
        Event::poisson_gaussian(2.0, 0.02, 500)
    }

    #[test]
    fn one_geometric_run_in_expectation_costs_little_and_more_runs_cost_more() {
        let untuned = account(&[event()], 1e-6).unwrap().epsilon_rdp;
        let mut last = untuned;
        for mean in [2.0, 10.0, 100.0] {
            let runs = TuningRuns::NegativeBinomial {
                eta: 1.0,
                gamma: 1.0 / mean,
            };
            assert!((runs.mean() - mean).abs() < 1e-9);
            let tuned = tuned_epsilon(&[event()], 1e-6, runs).unwrap();
            assert!(
                tuned > last && tuned < 6.0 * untuned,
                "{mean} {tuned} {untuned}"
            );
            last = tuned;
        }
    }

    #[test]
    fn poisson_runs_cost_less_than_composing_them() {
        let tuned = tuned_epsilon(&[event()], 1e-6, TuningRuns::Poisson { mean: 30.0 }).unwrap();
        let all = account(&vec![event(); 30], 1e-6).unwrap().epsilon;
        let one = account(&[event()], 1e-6).unwrap().epsilon;
        assert!(tuned > one && tuned < all, "{one} {tuned} {all}");
    }

    #[test]
    fn logarithmic_is_the_limit_of_small_shapes() {
        let mean = |eta| TuningRuns::NegativeBinomial { eta, gamma: 0.1 }.mean();
        assert!((mean(0.0) / mean(1e-6) - 1.0).abs() < 1e-4);
    }
}
