//! Events: inert records of mechanism runs.

use serde::{Deserialize, Serialize};

use crate::AccountingError;

/// Smallest noise multiplier that the accountant takes.
pub const MIN_NOISE_MULTIPLIER: f64 = 0.01;
/// Largest noise multiplier that the accountant takes.
pub const MAX_NOISE_MULTIPLIER: f64 = 1e6;
/// Most steps of one event.
pub const MAX_STEPS: u64 = 100_000_000;

/// One run of a mechanism on the private data, as the ledger and `privacy.json` record it.
///
/// An event holds public numbers only and does nothing; epsilon is always recomputed from a list of
/// them. Adjacency is add/remove of one unit throughout, and every scale is normalised by the
/// mechanism's sensitivity under that adjacency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mechanism", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// `steps` Gaussian mechanisms, each on its own Poisson sample of the units.
    PoissonGaussian {
        /// Standard deviation of the noise over the clipping norm.
        noise_multiplier: f64,
        /// Probability with which each unit enters a step's batch.
        sampling_rate: f64,
        /// Number of steps.
        steps: u64,
        /// Total variation distance, summed over the steps, between the noise that was drawn and
        /// the ideal Gaussian; charged to delta.
        #[serde(default, skip_serializing_if = "is_zero")]
        statistical_distance: f64,
    },
    /// One Gaussian mechanism on all units.
    Gaussian {
        /// Standard deviation of the noise over the L2 sensitivity.
        noise_multiplier: f64,
    },
    /// One Laplace mechanism (continuous) on all units.
    Laplace {
        /// Scale of the noise over the L1 sensitivity.
        scale: f64,
    },
    /// One discrete Gaussian mechanism on an integer query (Canonne, Kamath and Steinke 2020).
    DiscreteGaussian {
        /// The distribution's sigma parameter over the sensitivity.
        noise_multiplier: f64,
        /// The query's sensitivity, a whole number.
        sensitivity: u32,
    },
    /// One mechanism known only to be pure epsilon-DP: discrete Laplace, the exponential mechanism,
    /// report noisy max. Accounted as the randomised response that dominates all of them.
    PureDp {
        /// The mechanism's own epsilon.
        epsilon: f64,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Event {
    /// An event of Poisson-subsampled Gaussian steps with exact Gaussian noise.
    pub fn poisson_gaussian(noise_multiplier: f64, sampling_rate: f64, steps: u64) -> Self {
        Self::PoissonGaussian {
            noise_multiplier,
            sampling_rate,
            steps,
            statistical_distance: 0.0,
        }
    }

    /// The mechanism's name, as in the serialised form.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::PoissonGaussian { .. } => "poisson_gaussian",
            Self::Gaussian { .. } => "gaussian",
            Self::Laplace { .. } => "laplace",
            Self::DiscreteGaussian { .. } => "discrete_gaussian",
            Self::PureDp { .. } => "pure_dp",
        }
    }

    /// Noise standard deviation (or Laplace scale) over sensitivity; for a pure mechanism, the
    /// scale `1 / epsilon` of the discrete Laplace noise that would give the same guarantee.
    pub fn noise_multiplier(&self) -> f64 {
        match *self {
            Self::PoissonGaussian {
                noise_multiplier, ..
            }
            | Self::Gaussian { noise_multiplier }
            | Self::DiscreteGaussian {
                noise_multiplier, ..
            } => noise_multiplier,
            Self::Laplace { scale } => scale,
            Self::PureDp { epsilon } => 1.0 / epsilon,
        }
    }

    /// Probability with which a unit takes part; 1 for one-shot releases.
    pub fn sampling_rate(&self) -> f64 {
        match *self {
            Self::PoissonGaussian { sampling_rate, .. } => sampling_rate,
            Self::Gaussian { .. }
            | Self::Laplace { .. }
            | Self::DiscreteGaussian { .. }
            | Self::PureDp { .. } => 1.0,
        }
    }

    /// Number of runs of the mechanism; 1 for one-shot releases.
    pub fn steps(&self) -> u64 {
        match *self {
            Self::PoissonGaussian { steps, .. } => steps,
            Self::Gaussian { .. }
            | Self::Laplace { .. }
            | Self::DiscreteGaussian { .. }
            | Self::PureDp { .. } => 1,
        }
    }

    /// Total variation distance from the ideal mechanism that the event charges to delta.
    pub fn statistical_distance(&self) -> f64 {
        match *self {
            Self::PoissonGaussian {
                statistical_distance,
                ..
            } => statistical_distance,
            Self::Gaussian { .. }
            | Self::Laplace { .. }
            | Self::DiscreteGaussian { .. }
            | Self::PureDp { .. } => 0.0,
        }
    }

    /// Checks every number against the range in which the accountant's bounds hold.
    ///
    /// # Errors
    /// [`AccountingError::OutOfRange`] names the number, its value and the range.
    pub fn validate(&self) -> Result<(), AccountingError> {
        match *self {
            Self::PoissonGaussian {
                noise_multiplier,
                sampling_rate,
                steps,
                statistical_distance,
            } => {
                check_noise_multiplier(noise_multiplier)?;
                check(
                    "sampling_rate",
                    sampling_rate,
                    (1e-12..=1.0).contains(&sampling_rate),
                    "a probability from 1e-12 to 1",
                )?;
                check(
                    "steps",
                    steps as f64,
                    steps <= MAX_STEPS,
                    "at most 100,000,000 steps",
                )?;
                check(
                    "statistical_distance",
                    statistical_distance,
                    (0.0..1.0).contains(&statistical_distance),
                    "from 0 to below 1",
                )
            }
            Self::Gaussian { noise_multiplier } => check_noise_multiplier(noise_multiplier),
            Self::Laplace { scale } => check(
                "scale",
                scale,
                (0.01..=1e9).contains(&scale),
                "a Laplace scale over sensitivity from 0.01 to 1e9",
            ),
            Self::DiscreteGaussian {
                noise_multiplier,
                sensitivity,
            } => {
                check_noise_multiplier(noise_multiplier)?;
                let sigma = noise_multiplier * f64::from(sensitivity);
                check(
                    "sensitivity",
                    f64::from(sensitivity),
                    sensitivity > 0 && sigma <= 1e5,
                    "a whole number from 1, with noise_multiplier * sensitivity at most 1e5",
                )
            }
            Self::PureDp { epsilon } => check(
                "epsilon",
                epsilon,
                (1e-9..=100.0).contains(&epsilon),
                "an epsilon from 1e-9 to 100",
            ),
        }
    }
}

fn check_noise_multiplier(value: f64) -> Result<(), AccountingError> {
    check(
        "noise_multiplier",
        value,
        (MIN_NOISE_MULTIPLIER..=MAX_NOISE_MULTIPLIER).contains(&value),
        "from 0.01 to 1e6",
    )
}

/// `Ok` where `holds`, else the typed error.
pub(crate) fn check(
    name: &'static str,
    value: f64,
    holds: bool,
    expected: &'static str,
) -> Result<(), AccountingError> {
    if holds {
        Ok(())
    } else {
        Err(AccountingError::OutOfRange {
            name,
            value,
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_json_bit_for_bit() {
        let events = [
            Event::poisson_gaussian(0.1 + 0.2, 1.0 / 3.0, 7),
            Event::Gaussian {
                noise_multiplier: 1.1,
            },
            Event::Laplace { scale: 3.3 },
            Event::DiscreteGaussian {
                noise_multiplier: 2.2,
                sensitivity: 3,
            },
            Event::PureDp { epsilon: 0.7 },
        ];
        for event in events {
            let text = serde_json::to_string(&event).unwrap();
            assert!(text.contains(event.mechanism()), "{text}");
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = r#"{"mechanism":"gaussian","noise_multiplier":1.0,"epsilon":0.0}"#;
        assert!(serde_json::from_str::<Event>(text).is_err());
    }

    #[test]
    fn out_of_range_values_are_named() {
        for (event, name) in [
            (
                Event::poisson_gaussian(f64::NAN, 0.1, 1),
                "noise_multiplier",
            ),
            (Event::poisson_gaussian(1.0, 1.1, 1), "sampling_rate"),
            (Event::poisson_gaussian(1.0, 0.1, u64::MAX), "steps"),
            (Event::Laplace { scale: -1.0 }, "scale"),
            (Event::PureDp { epsilon: 0.0 }, "epsilon"),
        ] {
            match event.validate() {
                Err(AccountingError::OutOfRange { name: found, .. }) => assert_eq!(found, name),
                other => panic!("{event:?}: {other:?}"),
            }
        }
    }
}
