//! DDIM with eta = 0: Song et al., arXiv:2010.02502, equation 12.

use candle_core::Tensor;

use super::config::{Prediction, SchedulerConfig, Spacing};
use super::{Solver, levels, sum};
use crate::error::Result;

/// DDIM in the middle of a picture.
pub(super) struct Ddim {
    timesteps: Vec<f64>,
    /// The cumulative products of alpha before and after each step.
    alphas: Vec<(f64, f64)>,
    prediction: Prediction,
    clip: Option<f64>,
}

impl Ddim {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Self {
        let spacing = config.spacing(Spacing::Leading);
        let timesteps = levels::timesteps(config, spacing, steps, true);
        let cumprod = levels::alphas_cumprod(config, false);
        let beyond = if config.set_alpha_to_one.unwrap_or(true) {
            1.0
        } else {
            cumprod[0]
        };
        let stride = (config.num_train_timesteps / steps) as f64;
        let alpha = |t: f64| match t {
            t if t < 0.0 => beyond,
            t => cumprod[(t as usize).min(cumprod.len() - 1)],
        };
        let alphas = timesteps
            .iter()
            .map(|&t| (alpha(t), alpha(t - stride)))
            .collect();
        Self {
            timesteps,
            alphas,
            prediction: config.prediction_type,
            clip: config.clip_sample.then_some(config.clip_sample_range),
        }
    }
}

impl Solver for Ddim {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        i: usize,
        output: &Tensor,
        sample: &Tensor,
        _: &mut dyn FnMut() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (now, next) = self.alphas[i];
        let (alpha, sigma) = (now.sqrt(), (1.0 - now).sqrt());
        let (x0, epsilon) = match self.prediction {
            Prediction::Epsilon => (
                sum(&[(1.0 / alpha, sample), (-sigma / alpha, output)])?,
                output.clone(),
            ),
            Prediction::Sample => (
                output.clone(),
                sum(&[(1.0 / sigma, sample), (-alpha / sigma, output)])?,
            ),
            Prediction::Velocity => (
                sum(&[(alpha, sample), (-sigma, output)])?,
                sum(&[(alpha, output), (sigma, sample)])?,
            ),
        };
        let x0 = match self.clip {
            Some(range) => x0.clamp(-range, range)?,
            None => x0,
        };
        Ok(sum(&[(next.sqrt(), &x0), ((1.0 - next).sqrt(), &epsilon)])?)
    }
}
