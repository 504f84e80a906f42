use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::distance::Distance;
use crate::event::check;
use crate::gaussian::{gdp_delta, gdp_epsilon};
use crate::pld::{Law, Problem};
use crate::renyi::renyi_epsilon;
use crate::{AccountingError, Event};

/// What a list of events guarantees under add/remove adjacency of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guarantee {
    /// Certified: the events are (epsilon, delta)-DP.
    pub epsilon: f64,
    /// Certified: the mechanisms recorded are not (e, delta)-DP for any e below this.
    pub epsilon_lower: f64,
    /// The Renyi accountant's epsilon, an independent and looser upper bound.
    pub epsilon_rdp: f64,
    /// The delta at which these hold.
    pub delta: f64,
}

/// A certified interval around a true value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The true value is not below this.
    pub lower: f64,
    /// The true value is not above this.
    pub upper: f64,
}

/// Accounts for these events together, at `delta`.
///
/// # Guarantee
/// Whoever sees every output of the mechanisms recorded (chosen adaptively or not) sees an
/// (epsilon, delta)-differentially private output, with the returned epsilon, under add/remove
/// adjacency. The order of the events does not matter.
///
/// # Citations
/// Sommer, Meiser and Mohammadi 2019 and Koskela, Jalko and Honkela 2020 (privacy loss
/// distributions and FFT); Doroshenko et al. 2022 (the upper cut); Zhu, Dong and Wang 2022
/// (dominating pairs and their composition). Proof note: proofs/pld.md.
///
/// # Errors
/// [`AccountingError::OutOfRange`] for an event out of range or a delta outside (0, 1).
pub fn account(events: &[Event], delta: f64) -> Result<Guarantee, AccountingError> {
    let bounds = Composition::new(events)?.epsilon(delta)?;
    Ok(Guarantee {
        epsilon: bounds.upper,
        epsilon_lower: bounds.lower,
        epsilon_rdp: renyi_epsilon(events, delta),
        delta,
    })
}

/// A float that can stand in a key.
#[derive(Clone, Copy, Debug)]
struct Total(f64);

impl Ord for Total {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Total {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Total {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Total {}

/// What runs of one mechanism have in common, whatever their number of steps. Laws are composed in the
/// order of the variants, then of their numbers: the bits of epsilon hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// Noise multiplier and sampling rate below 1.
    PoissonGaussian(Total, Total),
    /// Noise multiplier; steps on all units are among these.
    Gaussian(Total),
    /// Scale.
    Laplace(Total),
    /// Noise multiplier and sensitivity.
    DiscreteGaussian(Total, u32),
    /// Epsilon.
    PureDp(Total),
}

impl Key {
    fn of(event: &Event) -> Self {
        match *event {
            Event::PoissonGaussian {
                noise_multiplier,
                sampling_rate,
                steps: _,
                statistical_distance: _,
            } if sampling_rate < 1.0 => {
                Self::PoissonGaussian(Total(noise_multiplier), Total(sampling_rate))
            }
            Event::PoissonGaussian {
                noise_multiplier, ..
            }
            | Event::Gaussian { noise_multiplier } => Self::Gaussian(Total(noise_multiplier)),
            Event::Laplace { scale } => Self::Laplace(Total(scale)),
            Event::DiscreteGaussian {
                noise_multiplier,
                sensitivity,
            } => Self::DiscreteGaussian(Total(noise_multiplier), sensitivity),
            Event::PureDp { epsilon } => Self::PureDp(Total(epsilon)),
        }
    }
}

/// A list of events ready for questions.
pub struct Composition {
    /// Unsubsampled Gaussian mechanisms compose to one with this mu.
    mu: f64,
    others: bool,
    problem: Problem,
}

impl Composition {
    /// Checks and groups the events.
    ///
    /// # Errors
    /// [`AccountingError::OutOfRange`].
    pub fn new(events: &[Event]) -> Result<Self, AccountingError> {
        let mut distance = Distance::default();
        // Equal mechanisms together, in a fixed order: the order given cannot matter.
        let mut steps_of: BTreeMap<Key, u64> = BTreeMap::new();
        for event in events {
            event.validate()?;
            if event.steps() == 0 {
                continue;
            }
            distance.add(event);
            *steps_of.entry(Key::of(event)).or_default() += event.steps();
        }
        let mut mu_squared = 0.0;
        let mut laws = Vec::new();
        for (key, steps) in steps_of {
            match key {
                Key::PoissonGaussian(Total(sigma), Total(q)) => {
                    laws.push((Law::PoissonGaussian { sigma, q }, steps));
                }
                Key::Gaussian(Total(sigma)) => mu_squared += steps as f64 / (sigma * sigma),
                Key::Laplace(Total(scale)) => laws.push((Law::Laplace { scale }, steps)),
                Key::DiscreteGaussian(Total(ratio), sensitivity) => {
                    let sigma = ratio * f64::from(sensitivity);
                    laws.push((Law::discrete_gaussian(sigma, sensitivity), steps));
                }
                Key::PureDp(Total(epsilon)) => {
                    laws.push((Law::randomised_response(epsilon), steps));
                }
            }
        }
        let mu = f64::sqrt(mu_squared);
        let others = !laws.is_empty();
        if mu > 0.0 && others {
            let law = Law::PoissonGaussian {
                sigma: 1.0 / mu,
                q: 1.0,
            };
            laws.push((law, 1));
        }
        Ok(Self {
            mu,
            others,
            problem: Problem { laws, distance },
        })
    }

    /// Bounds on the smallest epsilon at this delta; the upper one is infinite where delta is below what
    /// is charged for the noise's distance from the ideal (see proofs/pld.md, step 8).
    ///
    /// # Errors
    /// [`AccountingError::OutOfRange`] for a delta outside (0, 1).
    pub fn epsilon(&self, delta: f64) -> Result<Bounds, AccountingError> {
        check(
            "delta",
            delta,
            delta > 0.0 && delta < 1.0,
            "above 0 and below 1",
        )?;
        if self.others {
            let found = self.problem.epsilon(delta);
            return Ok(Bounds {
                lower: found.lower,
                upper: found.upper,
            });
        }
        let exact = gdp_epsilon(self.mu, delta);
        Ok(Bounds {
            lower: exact * (1.0 - 1e-9),
            upper: self.charged_epsilon(exact, delta) * (1.0 + 1e-9),
        })
    }

    /// The epsilon of the closed form with the charge for the noise's distance, from the one without.
    fn charged_epsilon(&self, exact: f64, delta: f64) -> f64 {
        let distance = &self.problem.distance;
        let holds = |epsilon: f64| gdp_delta(self.mu, epsilon) + distance.charge(epsilon) <= delta;
        if distance.sum() == 0.0 || holds(exact) {
            return exact;
        }
        // Every epsilon at which it holds will do; the charge is at most `most`, and where that is too
        // much, half of delta is tried for it.
        let tried = [delta - distance.most(), 0.5 * delta];
        let starts = tried.iter().filter(|d| **d > 0.0);
        let high = starts.map(|&d| gdp_epsilon(self.mu, d)).find(|&e| holds(e));
        let Some(mut high) = high else {
            return f64::INFINITY;
        };
        let mut low = exact;
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if holds(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }

    /// Bounds on the smallest delta at this epsilon.
    ///
    /// # Errors
    /// [`AccountingError::OutOfRange`] for an epsilon that is negative or not finite.
    pub fn delta(&self, epsilon: f64) -> Result<Bounds, AccountingError> {
        check(
            "epsilon",
            epsilon,
            epsilon >= 0.0 && epsilon.is_finite(),
            "0 or above",
        )?;
        if self.others {
            let found = self.problem.delta(epsilon);
            return Ok(Bounds {
                lower: found.lower,
                upper: found.upper,
            });
        }
        let exact = gdp_delta(self.mu, epsilon);
        let charge = self.problem.distance.charge(epsilon);
        Ok(Bounds {
            lower: exact * (1.0 - 1e-9),
            upper: (exact * (1.0 + 1e-9) + charge).min(1.0),
        })
    }

    /// Upper bounds on delta at several epsilons, coarser than [`Self::delta`] and much cheaper.
    ///
    /// # Errors
    /// As [`Self::delta`].
    pub(crate) fn deltas_upper(&self, epsilons: &[f64]) -> Result<Vec<f64>, AccountingError> {
        if self.others {
            return Ok(self.problem.deltas_upper(epsilons));
        }
        epsilons.iter().map(|&e| Ok(self.delta(e)?.upper)).collect()
    }

    /// Total variation distance of the outputs from the ideal ones, summed over the events.
    pub(crate) fn distance(&self) -> f64 {
        self.problem.distance.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_in_which_laws_are_composed() {
        let discrete = |noise_multiplier, sensitivity| Event::DiscreteGaussian {
            noise_multiplier,
            sensitivity,
        };
        let ordered = [
            Event::poisson_gaussian(0.5, 0.2, 7),
            Event::poisson_gaussian(1.0, 0.1, 7),
            Event::poisson_gaussian(1.0, 0.2, 7),
            Event::Gaussian {
                noise_multiplier: 0.5,
            },
            Event::poisson_gaussian(0.7, 1.0, 7),
            Event::Laplace { scale: 0.3 },
            discrete(1.0, 2),
            discrete(1.0, 10),
            Event::PureDp { epsilon: 0.1 },
        ];
        let keys: Vec<Key> = ordered.iter().map(Key::of).collect();
        assert!(keys.windows(2).all(|k| k[0] < k[1]), "{keys:?}");
        // Steps on all units are plain Gaussian mechanisms.
        let all = Event::Gaussian {
            noise_multiplier: 0.7,
        };
        assert_eq!(keys[4], Key::of(&all));
    }

    #[test]
    fn equal_mechanisms_are_composed_as_one_law() {
        let discrete = Event::DiscreteGaussian {
            noise_multiplier: 2.0,
            sensitivity: 3,
        };
        let laws = |events: &[Event]| {
            let laws = Composition::new(events).unwrap().problem.laws;
            format!("{laws:?}")
        };
        let one = laws(&[Event::poisson_gaussian(1.0, 0.1, 5), discrete.clone()]);
        let two = laws(&[
            Event::poisson_gaussian(1.0, 0.1, 3),
            discrete.clone(),
            Event::poisson_gaussian(1.0, 0.1, 0),
            Event::poisson_gaussian(1.0, 0.1, 2),
        ]);
        assert_eq!(one, two);
        let expected = format!("{:?}", (Law::discrete_gaussian(6.0, 3), 1));
        assert!(one.contains(&expected), "{one}");
    }
}
