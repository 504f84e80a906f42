//! What a guarantee means to an attacker who must say whether a unit took part.

use crate::event::check;
use crate::tuning::SecretRuns;
use crate::{AccountingError, Composition, Event, TuningRuns};

/// Points of the privacy profile at which the trade-off is taken.
const POINTS: usize = 40;

/// The best that any membership test can do against a composition.
///
/// # Guarantee
/// Rates and advantage are upper bounds: each (epsilon, delta) pair bounds the trade-off between
/// false and true positives by two lines, and so do all of them together.
///
/// # Citations
/// Wasserman and Zhou 2010; Kairouz, Oh and Viswanath 2017; Dong, Roth and Su 2022, proposition 2.5.
#[derive(Clone, Debug)]
pub struct TradeOff {
    /// (epsilon, certified upper delta).
    profile: Vec<(f64, f64)>,
}

impl TradeOff {
    /// Takes the privacy profile of a composition.
    ///
    /// # Errors
    /// As [`Composition::epsilon`].
    pub fn new(composition: &Composition) -> Result<Self, AccountingError> {
        let end = composition.epsilon(1e-6)?.upper.clamp(1e-6, 700.0);
        let epsilons: Vec<f64> = (0..POINTS)
            .map(|i| end * (i as f64 / (POINTS - 1) as f64).powf(1.2))
            .collect();
        let mut deltas = composition.deltas_upper(&epsilons)?;
        // The advantage is worth the full accuracy.
        deltas[0] = deltas[0].min(composition.delta(0.0)?.upper);
        Ok(Self {
            profile: epsilons.into_iter().zip(deltas).collect(),
        })
    }

    /// The same for the events of one run, chosen as `runs` says.
    ///
    /// # Errors
    /// As [`crate::account_tuned`].
    pub fn tuned(events: &[Event], runs: Option<&TuningRuns>) -> Result<Self, AccountingError> {
        match runs {
            None => Self::new(&Composition::new(events)?),
            Some(TuningRuns::Fixed { count }) => {
                let copies = (0..*count).flat_map(|_| events.iter().cloned());
                Self::new(&Composition::new(&copies.collect::<Vec<_>>())?)
            }
            Some(runs) => {
                let tuned = SecretRuns::new(events, runs)?;
                let deltas = (0..POINTS).map(|i| 10_f64.powf(-0.2 * (i as f64 + 0.5)));
                let profile = deltas.map(|delta| (tuned.epsilon(delta), delta)).collect();
                Ok(Self { profile })
            }
        }
    }

    /// The largest true-positive rate at this false-positive rate.
    ///
    /// # Errors
    /// [`AccountingError::OutOfRange`] for a rate outside [0, 1].
    pub fn true_positive_rate(&self, false_positive_rate: f64) -> Result<f64, AccountingError> {
        let rate = false_positive_rate;
        check(
            "false_positive_rate",
            rate,
            (0.0..=1.0).contains(&rate),
            "from 0 to 1",
        )?;
        let best = self
            .profile
            .iter()
            .fold(1.0_f64, |best, &(epsilon, delta)| {
                // At an infinite epsilon and rate 0 the product would not be a number.
                let steep = delta + epsilon.min(700.0).exp() * rate;
                let flat = 1.0 - (-epsilon).exp() * (1.0 - delta - rate);
                best.min(steep).min(flat)
            });
        Ok(best.max(rate))
    }

    /// The largest advantage over guessing of a test at even odds (true-positive rate less false-positive
    /// rate): the total variation distance, delta at epsilon 0 where the profile holds it.
    pub fn advantage(&self) -> f64 {
        let each = self.profile.iter().map(|&(epsilon, delta)| {
            let odds = epsilon.exp();
            1.0 - 2.0 * (1.0 - delta) / (1.0 + odds)
        });
        each.fold(1.0, f64::min)
    }

    /// (false-positive rate, largest true-positive rate) at `points >= 2` rates from 1e-4 to 1, evenly
    /// spaced in the logarithm.
    ///
    /// # Errors
    /// None in practice: the rates are in range.
    pub fn curve(&self, points: usize) -> Result<Vec<(f64, f64)>, AccountingError> {
        (0..points)
            .map(|i| {
                let t = i as f64 / (points - 1).max(1) as f64;
                let rate = 10_f64.powf(-4.0 * (1.0 - t));
                Ok((rate, self.true_positive_rate(rate)?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, gdp_true_positive_rate};

    #[test]
    fn gaussian_trade_off_is_the_closed_form_from_above() {
        let event = Event::Gaussian {
            noise_multiplier: 1.5,
        };
        let trade_off = TradeOff::new(&Composition::new(&[event]).unwrap()).unwrap();
        for (rate, found) in trade_off.curve(30).unwrap() {
            let exact = gdp_true_positive_rate(1.0 / 1.5, rate);
            assert!(
                found >= exact - 1e-9 && found < exact + 0.01,
                "{rate} {found} {exact}"
            );
        }
        // 2 Phi(mu / 2) - 1.
        assert!((trade_off.advantage() - 0.261_117_319_636_471_9).abs() < 1e-6);
    }

    #[test]
    fn choosing_among_runs_helps_the_attacker() {
        let events = [Event::poisson_gaussian(2.0, 0.02, 500)];
        let rates = |runs: Option<TuningRuns>| {
            let found = TradeOff::tuned(&events, runs.as_ref()).unwrap();
            (found.true_positive_rate(0.01).unwrap(), found.advantage())
        };
        let (one, advantage) = rates(None);
        for runs in [
            TuningRuns::Fixed { count: 3 },
            TuningRuns::SecretPoisson { mean: 10.0 },
        ] {
            let (more, larger) = rates(Some(runs));
            assert!(more > one && more < 1.0, "{runs:?} {more} {one}");
            assert!(larger > advantage && larger < 1.0, "{runs:?} {larger}");
        }
        assert_eq!(
            rates(Some(TuningRuns::Fixed { count: 1 })),
            (one, advantage)
        );
    }

    #[test]
    fn subsampling_keeps_the_profile_above_chance() {
        let event = Event::poisson_gaussian(1.0, 0.01, 1000);
        let trade_off = TradeOff::new(&Composition::new(&[event]).unwrap()).unwrap();
        let mut last = 0.0;
        for (rate, found) in trade_off.curve(20).unwrap() {
            assert!(found >= rate && found >= last);
            last = found;
        }
        assert!(trade_off.true_positive_rate(1.5).is_err());
    }
}
