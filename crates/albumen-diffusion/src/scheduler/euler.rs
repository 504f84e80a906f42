//! Euler's method on the noise levels of Karras et al. (arXiv:2206.00364), and its ancestral form.

use candle_core::Tensor;

use super::config::{Prediction, SchedulerConfig, Spacing};
use super::{Solver, levels, sum};
use crate::error::Result;

/// Euler in the middle of a picture.
pub(super) struct Euler {
    timesteps: Vec<f64>,
    /// One more than timesteps.
    sigmas: Vec<f64>,
    prediction: Prediction,
    initial_scale: f64,
    ancestral: bool,
}

impl Euler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Self {
        let spacing = config.spacing(Spacing::Linspace);
        let training = levels::training_sigmas(config);
        let timesteps = levels::timesteps(config, spacing, steps, false);
        let sigmas: Vec<f64> = timesteps
            .iter()
            .map(|&t| levels::sigma_at(&training, t))
            .collect();
        let (max, min) = (sigmas[0], sigmas[steps - 1]);
        let respaced = if config.use_karras_sigmas {
            Some(levels::karras(max, min, steps))
        } else if config.use_exponential_sigmas {
            Some(levels::exponential(max, min, steps))
        } else {
            None
        };
        let (timesteps, sigmas) = match respaced {
            Some(sigmas) => {
                let timestep = |&s: &f64| levels::timestep_of(&training, s);
                (sigmas.iter().map(timestep).collect(), sigmas)
            }
            None => (timesteps, sigmas),
        };
        let last = levels::last(config, training[0]);
        Self::over(config, spacing, timesteps, sigmas, last, false)
    }

    pub(super) fn ancestral(config: &SchedulerConfig, steps: usize) -> Self {
        let spacing = config.spacing(Spacing::Linspace);
        let training = levels::training_sigmas(config);
        let timesteps = levels::timesteps(config, spacing, steps, false);
        let sigma = |&t: &f64| levels::sigma_at(&training, t);
        let sigmas = timesteps.iter().map(sigma).collect();
        Self::over(config, spacing, timesteps, sigmas, 0.0, true)
    }

    fn over(
        config: &SchedulerConfig,
        spacing: Spacing,
        timesteps: Vec<f64>,
        mut sigmas: Vec<f64>,
        last: f64,
        ancestral: bool,
    ) -> Self {
        sigmas.push(last);
        let max = sigmas.iter().copied().fold(0.0, f64::max);
        Self {
            timesteps,
            sigmas,
            prediction: config.prediction_type,
            initial_scale: match spacing {
                Spacing::Linspace | Spacing::Trailing => max,
                Spacing::Leading => (max * max + 1.0).sqrt(),
            },
            ancestral,
        }
    }
}

impl Solver for Euler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn initial_scale(&self) -> f64 {
        self.initial_scale
    }

    fn input_scale(&self, i: usize) -> f64 {
        1.0 / (self.sigmas[i].powi(2) + 1.0).sqrt()
    }

    fn step(
        &mut self,
        i: usize,
        output: &Tensor,
        sample: &Tensor,
        noise: &mut dyn FnMut() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (from, to) = (self.sigmas[i], self.sigmas[i + 1]);
        // dx/dsigma = (x - x0) / sigma, equation 1 of Karras et al.
        let slope = match self.prediction {
            Prediction::Epsilon => output.clone(),
            Prediction::Sample => sum(&[(1.0 / from, sample), (-1.0 / from, output)])?,
            Prediction::Velocity => {
                let power = from * from + 1.0;
                sum(&[(from / power, sample), (1.0 / power.sqrt(), output)])?
            }
        };
        if !self.ancestral {
            return Ok(sum(&[(1.0, sample), (to - from, &slope)])?);
        }
        let up = to * ((from * from - to * to) / (from * from)).max(0.0).sqrt();
        let down = (to * to - up * up).max(0.0).sqrt();
        let stepped = sum(&[(1.0, sample), (down - from, &slope)])?;
        if up == 0.0 {
            return Ok(stepped);
        }
        Ok(sum(&[(1.0, &stepped), (up, &noise()?)])?)
    }
}
