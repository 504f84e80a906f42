//! DPM-Solver++ multistep, orders 1 to 3: Lu et al., arXiv:2211.01095, algorithm 2.

use candle_core::Tensor;

use super::config::{BetaSchedule, FinalSigma, Prediction, SchedulerConfig, Spacing};
use super::levels::{self, lambda, variance_preserving};
use super::{Solver, sum};
use crate::error::Result;

/// Below this many steps the last ones are of lower order.
const FEW_STEPS: usize = 15;

/// DPM-Solver++ in the middle of a picture.
pub(super) struct DpmSolver {
    timesteps: Vec<f64>,
    /// One more than timesteps.
    sigmas: Vec<f64>,
    prediction: Prediction,
    order: usize,
    heun: bool,
    lower_order_final: bool,
    /// Whether the last step is of first order whatever the number of steps.
    euler_at_final: bool,
    /// The predicted pictures of the last steps, newest last.
    x0s: Vec<Tensor>,
}

impl DpmSolver {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Self {
        let (timesteps, sigmas) = multistep_levels(config, steps, false);
        Self {
            timesteps,
            sigmas,
            prediction: config.prediction_type,
            order: config.solver_order,
            heun: config.solver_type.as_deref() == Some("heun"),
            lower_order_final: config.lower_order_final,
            euler_at_final: config.euler_at_final || config.final_sigmas_type == FinalSigma::Zero,
            x0s: Vec::new(),
        }
    }

    fn order_of(&self, i: usize) -> usize {
        let steps = self.timesteps.len();
        let few = self.lower_order_final && steps < FEW_STEPS;
        let allowed = match steps - i {
            1 if self.euler_at_final || few => 1,
            2 if few => 2,
            _ => self.order,
        };
        allowed.min(self.order).min(self.x0s.len())
    }
}

/// Timesteps and levels of the multistep solvers, which differ in how they round respaced ones.
pub(super) fn multistep_levels(
    config: &SchedulerConfig,
    steps: usize,
    unipc: bool,
) -> (Vec<f64>, Vec<f64>) {
    let training = levels::training_sigmas(config);
    let (min, max) = (training[0], training[training.len() - 1]);
    let respaced = if config.use_karras_sigmas {
        Some(levels::karras(max, min, steps))
    } else if config.use_exponential_sigmas {
        Some(levels::exponential(max, min, steps))
    } else {
        None
    };
    let (timesteps, mut sigmas) = if let Some(sigmas) = respaced {
        // Whole timesteps: rounded for Karras' levels, cut for exponential ones.
        let rounded = config.use_karras_sigmas
            && (unipc || config.beta_schedule != BetaSchedule::SquaredcosCapV2);
        let whole = |&sigma: &f64| {
            let t = levels::timestep_of(&training, sigma);
            if rounded {
                t.round_ties_even()
            } else {
                t.floor()
            }
        };
        (sigmas.iter().map(whole).collect(), sigmas)
    } else {
        let spacing = config.spacing(Spacing::Linspace);
        let timesteps = levels::multistep_timesteps(config, spacing, steps);
        let sigmas = timesteps
            .iter()
            .map(|&t| levels::sigma_at(&training, t))
            .collect();
        (timesteps, sigmas)
    };
    sigmas.push(levels::last(config, min));
    (timesteps, sigmas)
}

/// The picture that the network's output means, from a level of the variance-preserving form.
pub(super) fn predicted(
    prediction: Prediction,
    sigma: f64,
    output: &Tensor,
    sample: &Tensor,
) -> candle_core::Result<Tensor> {
    let (alpha, sigma) = variance_preserving(sigma);
    match prediction {
        Prediction::Epsilon => sum(&[(1.0 / alpha, sample), (-sigma / alpha, output)]),
        Prediction::Sample => Ok(output.clone()),
        Prediction::Velocity => sum(&[(alpha, sample), (-sigma, output)]),
    }
}

impl Solver for DpmSolver {
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
        let x0 = predicted(self.prediction, self.sigmas[i], output, sample)?;
        self.x0s.push(x0);
        if self.x0s.len() > self.order {
            self.x0s.remove(0);
        }
        let (alpha_t, sigma_t) = variance_preserving(self.sigmas[i + 1]);
        let (_, sigma_s) = variance_preserving(self.sigmas[i]);
        let at = |back: usize| lambda(self.sigmas[i - back]);
        // To a level of zero the step is infinite, and exp(-h) zero.
        let h = lambda(self.sigmas[i + 1]) - at(0);
        let phi = (-h).exp_m1();
        let newest = self.x0s.len() - 1;
        let keep = (sigma_t / sigma_s, sample);
        let m0 = &self.x0s[newest];
        let first = (-alpha_t * phi, m0);
        let next = match self.order_of(i) {
            0 | 1 => sum(&[keep, first])?,
            2 => {
                let r0 = (at(0) - at(1)) / h;
                let d1 = sum(&[(1.0 / r0, m0), (-1.0 / r0, &self.x0s[newest - 1])])?;
                let weight = if self.heun {
                    alpha_t * (phi / h + 1.0)
                } else {
                    -0.5 * alpha_t * phi
                };
                sum(&[keep, first, (weight, &d1)])?
            }
            _ => {
                let (r0, r1) = ((at(0) - at(1)) / h, (at(1) - at(2)) / h);
                let (m1, m2) = (&self.x0s[newest - 1], &self.x0s[newest - 2]);
                let d10 = sum(&[(1.0 / r0, m0), (-1.0 / r0, m1)])?;
                let d11 = sum(&[(1.0 / r1, m1), (-1.0 / r1, m2)])?;
                let bend = sum(&[(1.0, &d10), (-1.0, &d11)])?;
                let d1 = sum(&[(1.0, &d10), (r0 / (r0 + r1), &bend)])?;
                sum(&[
                    keep,
                    first,
                    (alpha_t * (phi / h + 1.0), &d1),
                    (-alpha_t * ((phi + h) / (h * h) - 0.5) / (r0 + r1), &bend),
                ])?
            }
        };
        Ok(next)
    }
}
