//! What a guarantee means to an attacker who must say whether a unit took part.

use crate::event::check;
use crate::{AccountingError, Composition};

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
        let profile = (0..POINTS)
            .map(|i| {
                let epsilon = end * (i as f64 / (POINTS - 1) as f64).powf(1.2);
                Ok((epsilon, composition.delta(epsilon)?.upper))
            })
            .collect::<Result<_, AccountingError>>()?;
        Ok(Self { profile })
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
                let steep = delta + epsilon.exp() * rate;
                let flat = 1.0 - (-epsilon).exp() * (1.0 - delta - rate);
                best.min(steep).min(flat)
            });
        Ok(best.max(rate))
    }

    /// The largest advantage over guessing of a test at even odds: the total variation distance,
    /// delta at epsilon 0.
    pub fn advantage(&self) -> f64 {
        self.profile[0].1
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
