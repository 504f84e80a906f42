//! PNDM's linear multistep method: Liu et al., arXiv:2202.09778, equations 9, 12 and 13, started as
//! in Stable Diffusion by a second call at the second timestep instead of Runge-Kutta steps.

use candle_core::Tensor;

use super::config::{Prediction, SchedulerConfig, Spacing};
use super::{Solver, levels, sum};
use crate::error::Result;

/// PNDM in the middle of a picture.
pub(super) struct Pndm {
    timesteps: Vec<f64>,
    stride: f64,
    cumprod: Vec<f64>,
    beyond: f64,
    prediction: Prediction,
    /// The last outputs, newest last.
    outputs: Vec<Tensor>,
    /// The sample before the first step, which is taken twice.
    first: Option<Tensor>,
}

impl Pndm {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Self {
        let spacing = config.spacing(Spacing::Leading);
        let mut timesteps = levels::timesteps(config, spacing, steps, true);
        if steps > 1 {
            timesteps.insert(1, timesteps[1]);
        }
        let cumprod = levels::alphas_cumprod(config, false);
        Self {
            timesteps,
            stride: (config.num_train_timesteps / steps) as f64,
            beyond: if config.set_alpha_to_one.unwrap_or(false) {
                1.0
            } else {
                cumprod[0]
            },
            cumprod,
            prediction: config.prediction_type,
            outputs: Vec::new(),
            first: None,
        }
    }

    fn alpha(&self, t: f64) -> f64 {
        if t < 0.0 {
            return self.beyond;
        }
        self.cumprod[(t as usize).min(self.cumprod.len() - 1)]
    }

    /// Equation 9, from timestep `from` to `to`.
    fn transfer(
        &self,
        sample: &Tensor,
        output: &Tensor,
        from: f64,
        to: f64,
    ) -> candle_core::Result<Tensor> {
        let (now, next) = (self.alpha(from), self.alpha(to));
        let epsilon = match self.prediction {
            Prediction::Velocity => sum(&[(now.sqrt(), output), ((1.0 - now).sqrt(), sample)])?,
            Prediction::Epsilon | Prediction::Sample => output.clone(),
        };
        let denominator = now * (1.0 - next).sqrt() + (now * (1.0 - now) * next).sqrt();
        sum(&[
            ((next / now).sqrt(), sample),
            (-(next - now) / denominator, &epsilon),
        ])
    }
}

impl Solver for Pndm {
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
        let t = self.timesteps[i];
        if i == 1
            && let Some(first) = self.first.take()
        {
            let mean = sum(&[(0.5, output), (0.5, &self.outputs[0])])?;
            return Ok(self.transfer(&first, &mean, t + self.stride, t)?);
        }
        self.outputs.push(output.clone());
        if self.outputs.len() > 4 {
            self.outputs.remove(0);
        }
        // Adams-Bashforth of the order that the outputs so far allow.
        let mixed = match self.outputs.as_slice() {
            [a] => a.clone(),
            [b, a] => sum(&[(1.5, a), (-0.5, b)])?,
            [c, b, a] => sum(&[(23.0 / 12.0, a), (-16.0 / 12.0, b), (5.0 / 12.0, c)])?,
            [d, c, b, a, ..] => sum(&[
                (55.0 / 24.0, a),
                (-59.0 / 24.0, b),
                (37.0 / 24.0, c),
                (-9.0 / 24.0, d),
            ])?,
            [] => output.clone(),
        };
        if i == 0 {
            self.first = Some(sample.clone());
        }
        Ok(self.transfer(sample, &mixed, t, t - self.stride)?)
    }
}
