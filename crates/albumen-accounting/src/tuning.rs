//! The price of choosing hyper-parameters on the private data.

use crate::event::check;
use crate::renyi::{orders, renyi_curve};
use crate::{AccountingError, Composition, Event, Guarantee, TuningRuns, account};

/// Accounts for these events, chosen as `runs` says from several runs of the same events; `None` is
/// one run, and the same as [`account`].
///
/// # Guarantee
/// With a fixed number of runs, none of which spent more than these events: all of them together,
/// whatever is chosen and shown, are (epsilon, delta)-DP; this is the composition of that many copies. With a secret random number: the
/// run chosen by any score of the runs' outputs is (epsilon, delta)-DP, provided that the number was
/// drawn as `runs` says, independently of the data, and stays secret, that nothing of the other runs
/// is shown, and that every run's events are no worse than these (a private score's own events belong
/// among them). The lower bound is that of a constant score, which is a score.
///
/// # Citations
/// Papernot and Steinke 2022, "Hyperparameter Tuning with Renyi Differential Privacy", theorems 2
/// (negative binomial) and 6 (Poisson). Proof note: proofs/tuning.md.
///
/// # Errors
/// [`AccountingError::OutOfRange`].
pub fn account_tuned(
    events: &[Event],
    delta: f64,
    runs: Option<&TuningRuns>,
) -> Result<Guarantee, AccountingError> {
    let Some(runs) = runs else {
        return account(events, delta);
    };
    validate(runs)?;
    let released = match *runs {
        TuningRuns::Fixed { count } => {
            let copies = (0..count).flat_map(|_| events.iter().cloned());
            return account(&copies.collect::<Vec<_>>(), delta);
        }
        TuningRuns::SecretPoisson { mean } => -(-mean).exp_m1(),
        TuningRuns::SecretNegativeBinomial { .. } => 1.0,
    };
    let epsilon = tuned_epsilon(events, delta, runs)?;
    // Where nothing is drawn nothing is released: that dilutes delta.
    let diluted = delta / released;
    let lower = if diluted < 1.0 {
        Composition::new(events)?.epsilon(diluted)?.lower
    } else {
        0.0
    };
    Ok(Guarantee {
        epsilon,
        epsilon_lower: lower.min(epsilon),
        epsilon_rdp: epsilon,
        delta,
    })
}

/// Checks the declaration's numbers.
pub(crate) fn validate(runs: &TuningRuns) -> Result<(), AccountingError> {
    match runs.out_of_range() {
        None => Ok(()),
        Some((name, value, expected)) => check(name, value, false, expected),
    }
}

/// Epsilon of running these events a secret random number of times and releasing only the best run, or
/// of running them a fixed number of times; see [`account_tuned`].
///
/// # Errors
/// [`AccountingError::OutOfRange`].
pub fn tuned_epsilon(
    events: &[Event],
    delta: f64,
    runs: &TuningRuns,
) -> Result<f64, AccountingError> {
    validate(runs)?;
    check(
        "delta",
        delta,
        delta > 0.0 && delta < 1.0,
        "above 0 and below 1",
    )?;
    if let TuningRuns::Fixed { .. } = runs {
        return Ok(account_tuned(events, delta, Some(runs))?.epsilon);
    }
    Ok(SecretRuns::new(events, runs)?.epsilon(delta))
}

/// The best of a secret random number of runs, ready for questions.
pub(crate) struct SecretRuns {
    /// (order, Renyi divergence) of the chosen run.
    curve: Vec<(f64, f64)>,
    /// Total variation distance of the chosen output from the ideal one.
    distance: f64,
}

impl SecretRuns {
    /// `runs` must be one of the secret kinds.
    pub(crate) fn new(events: &[Event], runs: &TuningRuns) -> Result<Self, AccountingError> {
        validate(runs)?;
        let composition = Composition::new(events)?;
        Ok(Self {
            curve: tuned_curve(events, &composition, runs)?,
            // Each run adds its own.
            distance: runs.mean() * composition.distance(),
        })
    }

    /// The certified epsilon at this delta; infinite where the distance uses delta up.
    pub(crate) fn epsilon(&self, delta: f64) -> f64 {
        let charge = |epsilon: f64| {
            if self.distance == 0.0 {
                0.0
            } else {
                (1.0 + epsilon.exp()) * self.distance
            }
        };
        let mut epsilon = self.convert(delta);
        for _ in 0..50 {
            let rest = delta - charge(epsilon);
            if rest <= 0.0 {
                return f64::INFINITY;
            }
            let charged = self.convert(rest);
            if charged <= epsilon {
                return epsilon;
            }
            epsilon = charged * (1.0 + 1e-12);
        }
        f64::INFINITY
    }

    /// Canonne, Kamath and Steinke 2020, proposition 12.
    fn convert(&self, delta: f64) -> f64 {
        let each = self.curve.iter().map(|&(order, rdp)| {
            rdp + (-1.0 / order).ln_1p() - (delta * order).ln() / (order - 1.0)
        });
        each.filter(|e| !e.is_nan())
            .fold(f64::INFINITY, f64::min)
            .max(0.0)
    }
}

/// (order, Renyi divergence of that order) of the chosen run.
fn tuned_curve(
    events: &[Event],
    composition: &Composition,
    runs: &TuningRuns,
) -> Result<Vec<(f64, f64)>, AccountingError> {
    let orders = orders();
    let base = renyi_curve(events, &orders);
    let log_mean = runs.mean().ln();
    let curve = match *runs {
        TuningRuns::SecretNegativeBinomial { eta, gamma } => {
            // The second order only enters through this term, so its best value serves all.
            let second = (orders.iter().zip(&base))
                .map(|(order, rdp)| (1.0 + eta) * ((1.0 - 1.0 / order) * rdp - gamma.ln() / order))
                .fold(f64::INFINITY, f64::min);
            let tuned =
                |(&order, &rdp): (&f64, &f64)| (order, rdp + second + log_mean / (order - 1.0));
            orders.iter().zip(&base).map(tuned).collect()
        }
        TuningRuns::SecretPoisson { mean } => {
            let hats: Vec<f64> = orders.iter().map(|a| (1.0 / (a - 1.0)).ln_1p()).collect();
            let deltas = composition.deltas_upper(&hats)?;
            let each = orders.iter().zip(&base).zip(deltas);
            each.map(|((&order, &rdp), delta)| {
                let chosen = rdp + mean * delta + log_mean / (order - 1.0);
                // Theorem 6 bounds what is released; the case of no run adds P(K = 0), which matters
                // at small means only (proofs/tuning.md).
                let none = -mean;
                let log_sum = log_add((order - 1.0) * chosen, none);
                (order, log_sum / (order - 1.0))
            })
            .collect()
        }
        TuningRuns::Fixed { .. } => orders.into_iter().zip(base).collect(),
    };
    Ok(curve)
}

fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}
