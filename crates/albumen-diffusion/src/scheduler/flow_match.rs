//! Euler's method for rectified flow (Esser et al., arXiv:2403.03206, sections 2 and 3): diffusers'
//! `FlowMatchEulerDiscreteScheduler`. The state at noise level `sigma` in [0, 1] is
//! `(1 - sigma) image + sigma noise`, and the network predicts `noise - image`.

use candle_core::Tensor;
use serde::Deserialize;

use super::Solver;
use crate::checkpoint::Component;
use crate::error::Result;

const CLASS: &str = "FlowMatchEulerDiscreteScheduler";

/// `scheduler_config.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the keys of the file")]
struct Config {
    num_train_timesteps: usize,
    shift: f64,
    use_dynamic_shifting: bool,
    base_shift: f64,
    max_shift: f64,
    base_image_seq_len: usize,
    max_image_seq_len: usize,
    time_shift_type: TimeShift,
    shift_terminal: Option<f64>,
    invert_sigmas: bool,
    use_karras_sigmas: bool,
    use_exponential_sigmas: bool,
    use_beta_sigmas: bool,
    stochastic_sampling: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum TimeShift {
    Exponential,
    Linear,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            shift: 1.0,
            use_dynamic_shifting: false,
            base_shift: 0.5,
            max_shift: 1.15,
            base_image_seq_len: 256,
            max_image_seq_len: 4096,
            time_shift_type: TimeShift::Exponential,
            shift_terminal: None,
            invert_sigmas: false,
            use_karras_sigmas: false,
            use_exponential_sigmas: false,
            use_beta_sigmas: false,
            stochastic_sampling: false,
        }
    }
}

/// Where the noise levels lie before they are shifted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spacing {
    /// From one to the smallest level of training (Stable Diffusion 3).
    ToSmallest,
    /// From one in equal steps of `1 / steps` (Flux, Z-Image).
    Even,
}

/// The scheduler that a checkpoint brings.
#[derive(Clone, Debug)]
pub(crate) struct FlowMatch {
    config: Config,
}

impl FlowMatch {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`crate::DiffusionError::Config`], and [`crate::DiffusionError::Unsupported`] for another
    /// scheduler or a variant that is not there.
    pub(crate) fn load(component: &Component) -> Result<Self> {
        let class = component.class().unwrap_or_default();
        if class != CLASS {
            return Err(component.unsupported("the scheduler", class, CLASS));
        }
        let config: Config = component.config()?;
        let refused = [
            (config.invert_sigmas, "invert_sigmas"),
            (config.use_karras_sigmas, "use_karras_sigmas"),
            (config.use_exponential_sigmas, "use_exponential_sigmas"),
            (config.use_beta_sigmas, "use_beta_sigmas"),
            (config.stochastic_sampling, "stochastic_sampling"),
        ];
        if let Some((_, setting)) = refused.iter().find(|(on, _)| *on) {
            let supported = "shift, use_dynamic_shifting, time_shift_type, shift_terminal";
            return Err(component.unsupported("the scheduler's setting", setting, supported));
        }
        Ok(Self { config })
    }

    /// A solver for a picture of `tokens` image tokens.
    pub(crate) fn solver(&self, spacing: Spacing, steps: usize, tokens: usize) -> Euler {
        self.solver_shifted(spacing, steps, self.mu(tokens))
    }

    fn solver_shifted(&self, spacing: Spacing, steps: usize, mu: f64) -> Euler {
        let config = &self.config;
        let last = match spacing {
            Spacing::Even => 1.0 / steps as f64,
            // diffusers shifts the smallest level when the scheduler is made, and all levels again.
            Spacing::ToSmallest => {
                let smallest = 1.0 / config.num_train_timesteps as f64;
                if config.use_dynamic_shifting {
                    smallest
                } else {
                    shifted(config.shift, smallest)
                }
            }
        };
        let between = |i: usize| match steps {
            1 => 1.0,
            _ => 1.0 + (last - 1.0) * i as f64 / (steps - 1) as f64,
        };
        let mut sigmas: Vec<f64> = (0..steps).map(|i| self.shift(between(i), mu)).collect();
        if let (Some(end), Some(&last)) = (config.shift_terminal, sigmas.last()) {
            let stretch = (1.0 - last) / (1.0 - end);
            for sigma in &mut sigmas {
                *sigma = 1.0 - (1.0 - *sigma) / stretch;
            }
        }
        // The reference keeps levels in f32.
        let levels = sigmas.iter().map(|&sigma| sigma as f32);
        let train = config.num_train_timesteps as f32;
        Euler {
            timesteps: levels
                .clone()
                .map(|sigma| f64::from(sigma * train))
                .collect(),
            sigmas: levels.chain([0.0]).map(f64::from).collect(),
        }
    }

    fn shift(&self, sigma: f64, mu: f64) -> f64 {
        match (
            self.config.use_dynamic_shifting,
            self.config.time_shift_type,
        ) {
            (false, _) => shifted(self.config.shift, sigma),
            (true, TimeShift::Exponential) => shifted(mu.exp(), sigma),
            (true, TimeShift::Linear) => shifted(mu, sigma),
        }
    }

    /// The dynamic shift's parameter: linear in the tokens of the image.
    fn mu(&self, tokens: usize) -> f64 {
        let config = &self.config;
        let (few, many) = (
            config.base_image_seq_len as f64,
            config.max_image_seq_len as f64,
        );
        let slope = (config.max_shift - config.base_shift) / (many - few);
        config.base_shift + slope * (tokens as f64 - few)
    }
}

/// Esser et al., equation 23, with `shift` for the root of the ratio of resolutions.
fn shifted(shift: f64, sigma: f64) -> f64 {
    shift * sigma / (1.0 + (shift - 1.0) * sigma)
}

/// The solver.
#[derive(Debug)]
pub(crate) struct Euler {
    timesteps: Vec<f64>,
    sigmas: Vec<f64>,
}

impl Solver for Euler {
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
        let change = self.sigmas[i + 1] - self.sigmas[i];
        Ok((sample + (output * change)?)?)
    }
}

#[cfg(test)]
mod tests;
