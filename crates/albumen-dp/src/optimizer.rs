use serde::{Deserialize, Serialize};

use crate::error::{DpError, check};

/// How noisy gradients move the parameters: post-processing, so none of it costs privacy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The update rule.
    pub rule: Rule,
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// Decoupled weight decay per step and unit of learning rate (Loshchilov and Hutter 2019).
    pub weight_decay: f64,
    /// Decay of an exponential moving average of the parameters; the average is what is released
    /// (De et al. 2022, section 3.4).
    pub ema_decay: Option<f64>,
}

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Gradient descent with heavy-ball momentum (0 for none).
    Sgd {
        /// Momentum, from 0 to below 1.
        momentum: f64,
    },
    /// Adam (Kingma and Ba 2015).
    Adam {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
    /// DP-AdamBC (Tang et al. 2024, AAAI 38, algorithm 1): Adam whose second moment is freed of the
    /// variance that the privacy noise brought into it.
    AdamBc {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// The corrected second moment counts as at least this, in squared gradient units.
        floor: f64,
    },
}

/// The learning rate over the steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Learning rate after the warm-up.
    pub peak: f64,
    /// Steps of linear warm-up from 0.
    pub warmup_steps: u64,
    /// What follows the warm-up.
    pub decay: Decay,
}

/// What follows the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// The peak to the end.
    Constant,
    /// Half a cosine down to this fraction of the peak at the last step.
    Cosine {
        /// Fraction of the peak, from 0 to 1.
        final_fraction: f64,
    },
    /// A straight line down to this fraction of the peak at the last step.
    Linear {
        /// Fraction of the peak, from 0 to 1.
        final_fraction: f64,
    },
}

impl Schedule {
    /// The learning rate of step `step` of `steps` (from 0).
    pub fn learning_rate(&self, step: u64, steps: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let rest = steps
            .saturating_sub(self.warmup_steps)
            .saturating_sub(1)
            .max(1);
        let t = ((step - self.warmup_steps) as f64 / rest as f64).min(1.0);
        match self.decay {
            Decay::Constant => self.peak,
            Decay::Linear { final_fraction } => self.peak * (1.0 - t * (1.0 - final_fraction)),
            Decay::Cosine { final_fraction } => {
                let cosine = f64::midpoint(1.0, (std::f64::consts::PI * t).cos());
                self.peak * (final_fraction + (1.0 - final_fraction) * cosine)
            }
        }
    }
}

impl Optimizer {
    /// Adam with the usual moments at a constant learning rate.
    pub fn adam(learning_rate: f64) -> Self {
        Self {
            rule: Rule::Adam {
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
            },
            schedule: Schedule {
                peak: learning_rate,
                warmup_steps: 0,
                decay: Decay::Constant,
            },
            weight_decay: 0.0,
            ema_decay: None,
        }
    }

    /// Gradient descent at a constant learning rate.
    pub fn sgd(learning_rate: f64, momentum: f64) -> Self {
        Self {
            rule: Rule::Sgd { momentum },
            ..Self::adam(learning_rate)
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`DpError::OutOfRange`] names the number, its value and the range.
    pub fn validate(&self) -> Result<(), DpError> {
        let below_one = |name, value: f64| {
            check(
                name,
                value,
                (0.0..1.0).contains(&value),
                "from 0 to below 1",
            )
        };
        let above_zero =
            |name, value: f64| check(name, value, value > 0.0 && value.is_finite(), "above 0");
        match self.rule {
            Rule::Sgd { momentum } => below_one("momentum", momentum)?,
            Rule::Adam {
                beta1,
                beta2,
                epsilon,
            } => {
                below_one("beta1", beta1)?;
                below_one("beta2", beta2)?;
                above_zero("epsilon", epsilon)?;
            }
            Rule::AdamBc {
                beta1,
                beta2,
                floor,
            } => {
                below_one("beta1", beta1)?;
                below_one("beta2", beta2)?;
                above_zero("floor", floor)?;
            }
        }
        let peak = self.schedule.peak;
        above_zero("learning rate", peak)?;
        match self.schedule.decay {
            Decay::Constant => {}
            Decay::Cosine { final_fraction } | Decay::Linear { final_fraction } => check(
                "final_fraction",
                final_fraction,
                (0.0..=1.0).contains(&final_fraction),
                "from 0 to 1",
            )?,
        }
        let decay = self.weight_decay;
        check(
            "weight_decay",
            decay,
            (0.0..1.0).contains(&(decay * peak)),
            "from 0 to below 1 / learning rate",
        )?;
        self.ema_decay
            .map_or(Ok(()), |decay| below_one("ema_decay", decay))
    }
}

/// Parameters and moments of an [`Optimizer`]. In a private training it lives inside
/// [`crate::DpTraining`] and sees only noised sums; a public one may hold its own.
pub struct OptimizerState {
    optimizer: Optimizer,
    params: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    average: Option<Vec<f32>>,
}

impl OptimizerState {
    /// The state before the first step, from `initial` (`[dimension]`) parameters.
    pub fn new(optimizer: Optimizer, initial: Vec<f32>) -> Self {
        let d = initial.len();
        let adaptive = !matches!(optimizer.rule, Rule::Sgd { .. });
        Self {
            optimizer,
            first: vec![0.0; d],
            second: vec![0.0; if adaptive { d } else { 0 }],
            average: optimizer.ema_decay.map(|_| initial.clone()),
            params: initial,
        }
    }

    /// The current parameters (`[dimension]`).
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// One step with a mean gradient (`[dimension]`) in which noise of this variance lies; `step`
    /// counts from 0.
    pub fn apply(&mut self, gradient: &[f32], noise_variance: f64, step: u64, steps: u64) {
        let rate = self.optimizer.schedule.learning_rate(step, steps);
        let keep = (1.0 - rate * self.optimizer.weight_decay) as f32;
        let t = (step + 1) as f64;
        match self.optimizer.rule {
            Rule::Sgd { momentum } => {
                let (rate, momentum) = (rate as f32, momentum as f32);
                for ((p, m), &g) in self.params.iter_mut().zip(&mut self.first).zip(gradient) {
                    *m = momentum * *m + g;
                    *p = keep * *p - rate * *m;
                }
            }
            Rule::Adam {
                beta1,
                beta2,
                epsilon,
            } => {
                let epsilon = epsilon as f32;
                self.adam(gradient, t, (rate, keep), (beta1, beta2), |v| {
                    v.sqrt() + epsilon
                });
            }
            Rule::AdamBc {
                beta1,
                beta2,
                floor,
            } => {
                let (variance, floor) = (noise_variance as f32, floor as f32);
                self.adam(gradient, t, (rate, keep), (beta1, beta2), |v| {
                    (v - variance).max(floor).sqrt()
                });
            }
        }
        if let (Some(average), Some(decay)) = (&mut self.average, self.optimizer.ema_decay) {
            // The first steps count fully, so that the average does not remember the start.
            let decay = decay.min(t / (t + 10.0)) as f32;
            for (a, &p) in average.iter_mut().zip(&self.params) {
                *a = decay * *a + (1.0 - decay) * p;
            }
        }
    }

    /// Adam's moments and update; `divisor` of the bias-corrected second moment.
    fn adam(
        &mut self,
        gradient: &[f32],
        t: f64,
        (rate, keep): (f64, f32),
        (beta1, beta2): (f64, f64),
        divisor: impl Fn(f32) -> f32,
    ) {
        let rate = (rate / (1.0 - beta1.powf(t))) as f32;
        let correction = (1.0 / (1.0 - beta2.powf(t))) as f32;
        let (b1, b2) = (beta1 as f32, beta2 as f32);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((p, (m, v)), &g) in self.params.iter_mut().zip(moments).zip(gradient) {
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *p = keep * *p - rate * *m / divisor(*v * correction);
        }
    }

    /// The parameters to use: the average where one is kept.
    pub fn into_params(self) -> Vec<f32> {
        self.average.unwrap_or(self.params)
    }

    /// Everything that the next step depends on.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &Vec<f32>> {
        [&self.params, &self.first, &self.second]
            .into_iter()
            .chain(&self.average)
    }

    /// Sets what [`OptimizerState::arrays`] gave, end to end; false where the length differs.
    pub(crate) fn set_arrays(&mut self, mut values: &[f32]) -> bool {
        let total: usize = self.arrays().map(Vec::len).sum();
        if values.len() != total {
            return false;
        }
        let arrays = [&mut self.params, &mut self.first, &mut self.second];
        for array in arrays.into_iter().chain(&mut self.average) {
            let (now, rest) = values.split_at(array.len());
            array.copy_from_slice(now);
            values = rest;
        }
        true
    }
}
