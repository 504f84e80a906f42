//! `scheduler_config.json`.

use serde::Deserialize;

use super::SchedulerKind;
use crate::checkpoint::Component;
use crate::error::Result;

/// What the network predicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Prediction {
    /// The noise.
    #[default]
    Epsilon,
    /// The picture.
    Sample,
    /// The velocity of Salimans and Ho (arXiv:2202.00512).
    #[serde(rename = "v_prediction")]
    Velocity,
}

/// How timesteps are spread: table 2 of Lin et al. (arXiv:2305.08891).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spacing {
    Linspace,
    Leading,
    Trailing,
}

/// How the variance of the noise grows with the timestep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BetaSchedule {
    #[default]
    Linear,
    ScaledLinear,
    SquaredcosCapV2,
}

/// The noise level after the last step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FinalSigma {
    #[default]
    Zero,
    SigmaMin,
}

/// The settings of all schedulers, with the defaults of diffusers; one that a class sets
/// differently is optional.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the file's own keys")]
pub(crate) struct SchedulerConfig {
    pub(crate) num_train_timesteps: usize,
    pub(crate) beta_start: f64,
    pub(crate) beta_end: f64,
    pub(crate) beta_schedule: BetaSchedule,
    pub(crate) trained_betas: Option<Vec<f64>>,
    pub(crate) prediction_type: Prediction,
    pub(crate) timestep_spacing: Option<Spacing>,
    pub(crate) steps_offset: usize,
    pub(crate) rescale_betas_zero_snr: bool,
    pub(crate) set_alpha_to_one: Option<bool>,
    pub(crate) clip_sample: bool,
    pub(crate) clip_sample_range: f64,
    pub(crate) thresholding: bool,
    pub(crate) use_karras_sigmas: bool,
    pub(crate) use_exponential_sigmas: bool,
    pub(crate) use_beta_sigmas: bool,
    pub(crate) use_lu_lambdas: bool,
    pub(crate) use_flow_sigmas: bool,
    pub(crate) final_sigmas_type: FinalSigma,
    pub(crate) interpolation_type: String,
    pub(crate) timestep_type: String,
    pub(crate) algorithm_type: String,
    pub(crate) solver_order: usize,
    pub(crate) solver_type: Option<String>,
    pub(crate) lower_order_final: bool,
    pub(crate) euler_at_final: bool,
    pub(crate) predict_x0: bool,
    pub(crate) disable_corrector: Vec<usize>,
    pub(crate) skip_prk_steps: bool,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            beta_start: 0.0001,
            beta_end: 0.02,
            beta_schedule: BetaSchedule::Linear,
            trained_betas: None,
            prediction_type: Prediction::Epsilon,
            timestep_spacing: None,
            steps_offset: 0,
            rescale_betas_zero_snr: false,
            set_alpha_to_one: None,
            clip_sample: true,
            clip_sample_range: 1.0,
            thresholding: false,
            use_karras_sigmas: false,
            use_exponential_sigmas: false,
            use_beta_sigmas: false,
            use_lu_lambdas: false,
            use_flow_sigmas: false,
            final_sigmas_type: FinalSigma::Zero,
            interpolation_type: "linear".into(),
            timestep_type: "discrete".into(),
            algorithm_type: "dpmsolver++".into(),
            solver_order: 2,
            solver_type: None,
            lower_order_final: true,
            euler_at_final: false,
            predict_x0: true,
            disable_corrector: Vec::new(),
            skip_prk_steps: false,
        }
    }
}

impl SchedulerConfig {
    /// The spacing, or the class's own where the file names none.
    pub(crate) fn spacing(&self, default: Spacing) -> Spacing {
        self.timestep_spacing.unwrap_or(default)
    }

    /// Fails where the configuration asks for a variant that `kind` does not have here.
    pub(crate) fn check(&self, file: &Component, kind: SchedulerKind) -> Result<()> {
        use SchedulerKind::{Ddim, DpmSolver, DpmSolverKarras, Euler, Pndm, UniPc};
        let own = |kinds: &[SchedulerKind]| kinds.contains(&kind);
        let sigmas = own(&[Euler, DpmSolver, DpmSolverKarras, UniPc]);
        let refused = [
            (
                self.thresholding && own(&[Ddim, DpmSolver, DpmSolverKarras, UniPc]),
                "thresholding",
            ),
            (self.use_beta_sigmas && sigmas, "use_beta_sigmas"),
            (
                self.use_lu_lambdas && own(&[DpmSolver, DpmSolverKarras]),
                "use_lu_lambdas",
            ),
            (
                self.use_flow_sigmas && own(&[DpmSolver, DpmSolverKarras, UniPc]),
                "use_flow_sigmas",
            ),
            (
                self.prediction_type == Prediction::Sample && own(&[Pndm]),
                "prediction_type = sample",
            ),
            (!self.predict_x0 && own(&[UniPc]), "predict_x0 = false"),
            (
                self.timestep_type != "discrete" && own(&[Euler]),
                "a timestep_type other than discrete",
            ),
            (
                self.interpolation_type != "linear" && own(&[Euler]),
                "an interpolation_type other than linear",
            ),
            // The checkpoint's own PNDM only: chosen in the settings, it always skips them.
            (
                !self.skip_prk_steps && own(&[Pndm]) && file.class() == Some("PNDMScheduler"),
                "PNDM with Runge-Kutta steps (skip_prk_steps = false)",
            ),
        ];
        if let Some((_, setting)) = refused.iter().find(|(refused, _)| *refused) {
            return Err(file.unsupported(
                "the scheduler's setting",
                setting,
                "the same scheduler without it, or another by `scheduler`",
            ));
        }
        if own(&[DpmSolver, DpmSolverKarras]) && self.algorithm_type != "dpmsolver++" {
            return Err(file.unsupported(
                "the scheduler's algorithm_type",
                &self.algorithm_type,
                "dpmsolver++",
            ));
        }
        if sigmas && !(1..=3).contains(&self.solver_order) {
            return Err(file.unsupported("the solver_order", self.solver_order, "1, 2 and 3"));
        }
        if self.num_train_timesteps < 2 {
            let found = self.num_train_timesteps;
            return Err(file.unsupported("num_train_timesteps", found, "2 and more"));
        }
        Ok(())
    }
}
