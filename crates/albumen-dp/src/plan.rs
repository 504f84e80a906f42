use albumen_accounting::{Event, Unit};
use serde::{Deserialize, Serialize};

use crate::error::{DpError, check};
use crate::noise::DISTANCE_PER_VECTOR;

/// One private training run, in public numbers: sampler, clip, noise and event all come from here,
/// so the accountant cannot describe another run than the one that ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What adjacency adds or removes.
    pub unit: Unit,
    /// The public number that stands for the corpus's size; never measured.
    pub declared_units: u64,
    /// Expected batch size in units; sampling rate and normalisation both follow from it.
    pub expected_batch: u64,
    /// Noisy steps.
    pub steps: u64,
    /// Standard deviation of the noise over the clipping norm.
    pub noise_multiplier: f64,
    /// How a unit's gradient is bounded.
    pub clipping: Clipping,
}

/// How a unit's gradient is bounded; both give an L2 norm of at most [`Clipping::norm`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Clipping {
    /// Scale down to the norm where longer (Abadi et al. 2016, algorithm 1).
    Flat {
        /// Clipping norm C.
        norm: f64,
    },
    /// Scale every gradient to `norm * g / (|g| + gamma)` (AUTO-S: Bu et al. 2023, section 4).
    Normalize {
        /// Clipping norm C.
        norm: f64,
        /// Stabiliser, in the gradient's units; 0.01 in the paper.
        gamma: f64,
    },
}

impl Clipping {
    /// The bound C on one unit's contribution.
    pub fn norm(self) -> f64 {
        match self {
            Self::Flat { norm } | Self::Normalize { norm, .. } => norm,
        }
    }

    /// The factor that bounds a gradient of this norm, before rounding to the lattice.
    pub(crate) fn factor(self, gradient_norm: f64) -> f64 {
        match self {
            Self::Flat { norm } if gradient_norm <= norm => 1.0,
            Self::Flat { norm } => norm / gradient_norm,
            Self::Normalize { norm, gamma } => norm / (gradient_norm + gamma),
        }
    }
}

impl Plan {
    /// Probability with which each unit enters a step's batch.
    pub fn sampling_rate(&self) -> f64 {
        self.expected_batch as f64 / self.declared_units as f64
    }

    /// What the accountant must charge for the whole run, the noise's distance from the ideal
    /// Gaussian included (see proofs/noise.md).
    pub fn event(&self) -> Event {
        Event::PoissonGaussian {
            noise_multiplier: self.noise_multiplier,
            sampling_rate: self.sampling_rate(),
            steps: self.steps,
            statistical_distance: self.steps as f64 * DISTANCE_PER_VECTOR,
        }
    }

    /// Largest possible norm of an average step's clipped sum over the expected norm of its noise,
    /// for `dimension` parameters: `expected_batch / (noise_multiplier * sqrt(dimension))`.
    pub fn signal_to_noise(&self, dimension: usize) -> f64 {
        self.expected_batch as f64 / (self.noise_multiplier * (dimension as f64).sqrt())
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`DpError::OutOfRange`] or [`DpError::Accounting`], with the number and its range.
    pub fn validate(&self) -> Result<(), DpError> {
        check(
            "declared_units",
            self.declared_units as f64,
            self.declared_units > 0,
            "at least 1",
        )?;
        check(
            "expected_batch",
            self.expected_batch as f64,
            self.expected_batch > 0 && self.expected_batch <= self.declared_units,
            "from 1 to declared_units",
        )?;
        check("steps", self.steps as f64, self.steps > 0, "at least 1")?;
        let norm = self.clipping.norm();
        check(
            "norm",
            norm,
            norm.is_finite() && (1e-30..=1e30).contains(&norm),
            "a clipping norm from 1e-30 to 1e30",
        )?;
        if let Clipping::Normalize { gamma, .. } = self.clipping {
            check(
                "gamma",
                gamma,
                gamma.is_finite() && gamma > 0.0,
                "a finite number above 0",
            )?;
        }
        check(
            "noise_multiplier",
            self.noise_multiplier,
            self.noise_multiplier <= crate::noise::MAX_NOISE_MULTIPLIER,
            "at most 10,000 in training",
        )?;
        self.event().validate()?;
        Ok(())
    }
}
