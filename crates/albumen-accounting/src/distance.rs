//! What the noise's distance from the ideal adds to delta.

use crate::Event;
use crate::normal::upper_tail;

/// Splits of the range searched for the cheapest cut of one step's loss.
const CUTS: i32 = 300;

/// The charges of a composition for outputs that are only close to their ideals in total variation.
///
/// # Guarantee
/// With each step's outputs within total variation distance tau of the ideal ones, on both data sets,
/// delta(epsilon) grows by at most the sum over the steps of the smaller of `(1 + e^epsilon) tau`
/// and, for any x, `(1 + e^x) tau + H`, where H is the ideal step's own delta at x. The second does not
/// grow with epsilon: a step of bounded loss passes the error of its own noise on by that loss only.
/// Proof note: proofs/pld.md, step 8.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distance {
    charges: Vec<Charge>,
}

#[derive(Clone, Copy, Debug)]
struct Charge {
    /// Summed over the steps.
    distance: f64,
    /// The bound that holds at every epsilon.
    most: f64,
}

impl Distance {
    /// Takes in the charge of an event; nothing for an exact one.
    pub(crate) fn add(&mut self, event: &Event) {
        let distance = event.statistical_distance();
        if distance > 0.0 {
            let most = most(event, distance);
            self.charges.push(Charge { distance, most });
        }
    }

    /// What is added to delta at this epsilon.
    pub(crate) fn charge(&self, epsilon: f64) -> f64 {
        let grown = 1.0 + epsilon.exp();
        let charges = self.charges.iter();
        charges.map(|c| (grown * c.distance).min(c.most)).sum()
    }

    /// What is added to delta at most, whatever epsilon is.
    pub(crate) fn most(&self) -> f64 {
        self.charges.iter().map(|c| c.most).sum()
    }

    /// The distances themselves, summed.
    pub(crate) fn sum(&self) -> f64 {
        self.charges.iter().map(|c| c.distance).sum()
    }
}

/// The least over x of `(1 + e^x) distance + steps H(x)`.
fn most(event: &Event, distance: f64) -> f64 {
    let (sigma, q) = (event.noise_multiplier(), event.sampling_rate());
    let end = -distance.ln();
    (0..=CUTS)
        .map(|i| end * f64::from(i) / f64::from(CUTS))
        .map(|x| (1.0 + x.exp()) * distance + event.steps() as f64 * step_delta(sigma, q, x))
        .fold(f64::INFINITY, f64::min)
        * (1.0 + 1e-9)
}

/// An upper bound on the delta at `x >= 0` of one Poisson-subsampled Gaussian step, in both directions.
fn step_delta(sigma: f64, q: f64, x: f64) -> f64 {
    // H_alpha(q N1 + (1 - q) N0 || N0) = q H_beta(N1 || N0) with beta = 1 + (alpha - 1) / q, and
    // H_beta of two Gaussians is at most P(loss > ln beta).
    let tail = |log_beta: f64| upper_tail(sigma * log_beta - 0.5 / sigma);
    let remove = q * tail((x.exp_m1() / q).ln_1p());
    // H_alpha(N0 || q N1 + (1 - q) N0) = r H_beta(N0 || N1) with r = 1 - alpha (1 - q) and
    // beta = alpha q / r; nothing is left where r <= 0.
    let rest = 1.0 - x.exp() * (1.0 - q);
    let add = if rest > 0.0 {
        rest * tail(x + (q / rest).ln())
    } else {
        0.0
    };
    remove.max(add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gaussian::gdp_delta;

    #[test]
    fn one_step_is_bounded_by_its_closed_form() {
        for sigma in [0.3, 1.0, 4.0] {
            for x in [0.0, 0.5, 3.0, 20.0] {
                assert!(step_delta(sigma, 1.0, x) >= gdp_delta(1.0 / sigma, x));
                assert!(step_delta(sigma, 0.1, x) <= step_delta(sigma, 1.0, x));
            }
        }
    }

    #[test]
    fn the_charge_stops_growing() {
        let event = Event::PoissonGaussian {
            noise_multiplier: 0.5,
            sampling_rate: 0.5,
            steps: 10_000,
            statistical_distance: 1e4 * 2_f64.powi(-110),
        };
        let mut distance = Distance::default();
        distance.add(&event);
        let most = distance.most();
        assert!(most < 1e-13, "{most}");
        assert!(distance.charge(1.0) < most);
        assert_eq!(distance.charge(1000.0), most);
    }
}
