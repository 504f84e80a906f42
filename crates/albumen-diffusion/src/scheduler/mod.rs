//! Schedulers: which noise levels a network is asked about, and how its answers move the sample.
//!
//! Each is the sampler of its paper with the choices of diffusers (spacing of timesteps, final noise
//! level, order of the last steps), read from `scheduler_config.json`. Samples stay in f32.

mod config;
mod ddim;
mod dpm;
mod euler;
pub(crate) mod flow_match;
mod levels;
mod pndm;
mod unipc;

use std::fmt;
use std::str::FromStr;

use candle_core::Tensor;

pub(crate) use config::SchedulerConfig;

use crate::checkpoint::Component;
use crate::error::{DiffusionError, Result};

/// A scheduler, with the spacing of noise levels where that is part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedulerKind {
    /// DDIM (Song et al., arXiv:2010.02502), deterministic.
    Ddim,
    /// Euler's method on the noise levels of Karras et al. (arXiv:2206.00364, algorithm 2 without
    /// churn).
    Euler,
    /// Euler's method with fresh noise in each step (k-diffusion's `euler_ancestral`).
    EulerAncestral,
    /// DPM-Solver++ multistep (Lu et al., arXiv:2211.01095).
    DpmSolver,
    /// The same on Karras' noise levels.
    DpmSolverKarras,
    /// UniPC (Zhao et al., arXiv:2302.04867).
    UniPc,
    /// PNDM without its Runge-Kutta steps (Liu et al., arXiv:2202.09778).
    Pndm,
}

impl SchedulerKind {
    /// Every kind, with the name that settings use and the class of diffusers.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Ddim, "ddim", "DDIMScheduler"),
        (Self::Euler, "euler", "EulerDiscreteScheduler"),
        (
            Self::EulerAncestral,
            "euler-ancestral",
            "EulerAncestralDiscreteScheduler",
        ),
        (Self::DpmSolver, "dpm-solver", "DPMSolverMultistepScheduler"),
        (
            Self::DpmSolverKarras,
            "dpm-solver-karras",
            "DPMSolverMultistepScheduler",
        ),
        (Self::UniPc, "unipc", "UniPCMultistepScheduler"),
        (Self::Pndm, "pndm", "PNDMScheduler"),
    ];

    fn names() -> String {
        Self::ALL.map(|(_, name, _)| name).join(", ")
    }

    fn classes() -> String {
        let mut classes = Self::ALL.map(|(.., class)| class).to_vec();
        classes.dedup();
        classes.join(", ")
    }
}

impl fmt::Display for SchedulerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(kind, ..)| kind == self);
        f.write_str(name.map_or("", |(_, name, _)| name))
    }
}

impl FromStr for SchedulerKind {
    type Err = DiffusionError;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(_, known, _)| *known == name);
        found.map(|(kind, ..)| *kind).ok_or_else(|| {
            DiffusionError::Settings(format!(
                "there is no scheduler {name:?}\n  hint: there are {}",
                Self::names()
            ))
        })
    }
}

/// A sampler in the middle of a picture, or of a batch of them.
pub(crate) trait Solver: Send {
    /// What the network is told about the noise level, for each of its calls.
    fn timesteps(&self) -> &[f64];

    /// Standard deviation of the sample that the first call sees.
    fn initial_scale(&self) -> f64 {
        1.0
    }

    /// What the sample is multiplied by before the network sees it in call `i`.
    fn input_scale(&self, _i: usize) -> f64 {
        1.0
    }

    /// The sample after call `i`, from the network's `output` and the `sample` before it (both f32,
    /// of one shape). `noise` gives fresh unit noise of that shape to samplers that add some.
    ///
    /// # Errors
    /// The device's.
    fn step(
        &mut self,
        i: usize,
        output: &Tensor,
        sample: &Tensor,
        noise: &mut dyn FnMut() -> Result<Tensor>,
    ) -> Result<Tensor>;
}

/// The scheduler that a checkpoint brings, ready to make solvers.
#[derive(Clone, Debug)]
pub(crate) struct Scheduler {
    component: Component,
    config: SchedulerConfig,
}

impl Scheduler {
    /// Reads `scheduler_config.json`.
    ///
    /// # Errors
    /// [`DiffusionError::Config`].
    pub(crate) fn load(component: Component) -> Result<Self> {
        let config = component.config()?;
        Ok(Self { component, config })
    }

    /// The kind that the configuration names.
    ///
    /// # Errors
    /// [`DiffusionError::Unsupported`].
    pub(crate) fn kind(&self) -> Result<SchedulerKind> {
        let class = self.component.class().unwrap_or_default();
        match SchedulerKind::ALL
            .iter()
            .find(|(.., known)| *known == class)
        {
            Some((kind, ..)) => Ok(*kind),
            None => Err(self.component.unsupported(
                "the scheduler",
                class,
                &format!(
                    "{}; or choose one by `scheduler`: {}",
                    SchedulerKind::classes(),
                    SchedulerKind::names()
                ),
            )),
        }
    }

    /// A solver for one batch: the checkpoint's scheduler, or another with its noise schedule.
    ///
    /// # Errors
    /// [`DiffusionError::Unsupported`] where the configuration asks for what is not there,
    /// [`DiffusionError::Settings`] for more steps than the network was trained on.
    pub(crate) fn solver(
        &self,
        other: Option<SchedulerKind>,
        steps: usize,
    ) -> Result<Box<dyn Solver>> {
        let kind = match other {
            Some(kind) => kind,
            None => self.kind()?,
        };
        let mut config = self.config.clone();
        config.check(&self.component, kind)?;
        if steps > config.num_train_timesteps {
            return Err(DiffusionError::Settings(format!(
                "{steps} steps are more than the {} noise levels of the model\n  hint: take 1 to 100",
                config.num_train_timesteps
            )));
        }
        Ok(match kind {
            SchedulerKind::Ddim => Box::new(ddim::Ddim::new(&config, steps)),
            SchedulerKind::Euler => Box::new(euler::Euler::new(&config, steps)),
            SchedulerKind::EulerAncestral => Box::new(euler::Euler::ancestral(&config, steps)),
            SchedulerKind::DpmSolver => Box::new(dpm::DpmSolver::new(&config, steps)),
            SchedulerKind::DpmSolverKarras => {
                config.use_karras_sigmas = true;
                Box::new(dpm::DpmSolver::new(&config, steps))
            }
            SchedulerKind::UniPc => Box::new(unipc::UniPc::new(&config, steps)),
            SchedulerKind::Pndm => Box::new(pndm::Pndm::new(&config, steps)),
        })
    }
}

/// The weighted sum of tensors of one shape.
fn sum(terms: &[(f64, &Tensor)]) -> candle_core::Result<Tensor> {
    let mut total: Option<Tensor> = None;
    for (weight, tensor) in terms {
        let term = (*tensor * *weight)?;
        total = Some(match total {
            Some(total) => (total + term)?,
            None => term,
        });
    }
    total.ok_or_else(|| candle_core::Error::Msg("a sum of no tensors".into()))
}
