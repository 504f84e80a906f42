//! Whole pipelines: text in, pictures out.

mod flux;
#[cfg(test)]
mod golden;
mod sd;
mod sd3;
mod sdxl;
mod z_image;

use std::path::Path;

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::checkpoint::{Checkpoint, Component};
use crate::error::{DiffusionError, Result};
use crate::estimate::Activations;
use crate::scheduler::Solver;
use crate::settings::{LoadOptions, Request, Settings};
use crate::vae::to_pictures;

/// A loaded pipeline.
pub(crate) trait Pipeline: Send + Sync {
    /// What widths and heights must be multiples of, in pixels.
    fn multiple(&self) -> u32;

    /// Fails where the pipeline cannot draw with settings that are sound in themselves.
    ///
    /// # Errors
    /// [`DiffusionError::Settings`].
    fn check(&self, _settings: &Settings) -> Result<()> {
        Ok(())
    }

    /// The latents of a batch after the last step, (b, c, h, w) in f32; the settings have been
    /// checked.
    ///
    /// # Errors
    /// The device's, and those of prompts and noise.
    fn sample(&self, requests: &[Request], settings: &Settings) -> Result<Tensor>;

    /// Latents to pixels about [-1, 1], (b, 3, h, w) in f32.
    ///
    /// # Errors
    /// The device's.
    fn decode(&self, latents: &Tensor) -> Result<Tensor>;
}

/// A kind of pipeline that this crate draws with.
pub(crate) struct Kind {
    /// Its class in `model_index.json`.
    pub(crate) class: &'static str,
    /// The models that have it.
    pub(crate) models: &'static str,
    /// The components whose weights are loaded; one that the checkpoint does without is passed over.
    pub(crate) networks: &'static [&'static str],
    load: fn(&Checkpoint, &LoadOptions) -> Result<Box<dyn Pipeline>>,
    /// Memory of activations, from the configurations alone.
    pub(crate) activations: fn(&Checkpoint, &Activations) -> Result<u64>,
}

/// Every kind.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        class: "StableDiffusionPipeline",
        models: "Stable Diffusion 1.x and 2.x",
        networks: &["text_encoder", "unet", "vae"],
        load: sd::load,
        activations: sd::activations,
    },
    Kind {
        class: "StableDiffusionXLPipeline",
        models: "SDXL, SDXL-Turbo",
        networks: &["text_encoder", "text_encoder_2", "unet", "vae"],
        load: sdxl::load,
        activations: sdxl::activations,
    },
    Kind {
        class: "StableDiffusion3Pipeline",
        models: "Stable Diffusion 3 and 3.5",
        networks: &[
            "text_encoder",
            "text_encoder_2",
            "text_encoder_3",
            "transformer",
            "vae",
        ],
        load: sd3::load,
        activations: sd3::activations,
    },
    Kind {
        class: "FluxPipeline",
        models: "Flux.1 dev and schnell",
        networks: &["text_encoder", "text_encoder_2", "transformer", "vae"],
        load: flux::load,
        activations: flux::activations,
    },
    Kind {
        class: "ZImagePipeline",
        models: "Z-Image, Z-Image-Turbo",
        networks: &["text_encoder", "transformer", "vae"],
        load: z_image::load,
        activations: z_image::activations,
    },
];

/// The kind of a checkpoint.
///
/// # Errors
/// [`DiffusionError::Unsupported`] with every kind there is.
pub(crate) fn kind(checkpoint: &Checkpoint) -> Result<&'static Kind> {
    let class = checkpoint.class()?;
    let found = KINDS.iter().find(|kind| kind.class == class);
    found.ok_or_else(|| DiffusionError::Unsupported {
        path: checkpoint.index_path(),
        what: "the pipeline",
        found: class.to_owned(),
        supported: supported(),
    })
}

/// Every kind in words.
pub fn supported() -> String {
    let words = KINDS
        .iter()
        .map(|k| format!("{} ({})", k.class, k.models))
        .collect::<Vec<_>>();
    words.join(", ")
}

/// A text-to-image model in memory.
pub struct TextToImage {
    pub(crate) pipeline: Box<dyn Pipeline>,
    class: &'static str,
    device: Device,
}

impl TextToImage {
    /// Loads the checkpoint in `dir`, in the directory layout of diffusers.
    ///
    /// A safety checker that the checkpoint brings is not loaded: pictures are drawn from text that
    /// has been curated.
    ///
    /// # Errors
    /// [`DiffusionError`] that names the file, tensor or setting that is missing or not supported.
    pub fn load(dir: &Path, options: &LoadOptions) -> Result<Self> {
        options.check()?;
        let checkpoint = Checkpoint::open(dir)?;
        let kind = kind(&checkpoint)?;
        Ok(Self {
            pipeline: (kind.load)(&checkpoint, options)?,
            class: kind.class,
            device: options.device.clone(),
        })
    }

    /// The pipeline's class.
    pub fn class(&self) -> &'static str {
        self.class
    }

    /// Fails where no picture can be drawn with these settings: to be asked before any work.
    ///
    /// # Errors
    /// [`DiffusionError::Settings`].
    pub fn check(&self, settings: &Settings) -> Result<()> {
        settings.check(self.pipeline.multiple())?;
        self.pipeline.check(settings)
    }

    /// Draws one picture a request.
    ///
    /// On the processor pictures are drawn one after another, so that each is the same to the bit
    /// whatever is drawn beside it; on other devices they are one batch, and equal up to rounding.
    ///
    /// # Errors
    /// [`DiffusionError::Settings`] and [`DiffusionError::Device`].
    pub fn draw(&self, requests: &[Request], settings: &Settings) -> Result<Vec<RgbImage>> {
        self.check(settings)?;
        let together = if self.device.is_cpu() {
            1
        } else {
            requests.len().max(1)
        };
        let mut pictures = Vec::with_capacity(requests.len());
        for batch in requests.chunks(together) {
            let latents = self.pipeline.sample(batch, settings)?;
            pictures.extend(to_pictures(&self.pipeline.decode(&latents)?)?);
        }
        Ok(pictures)
    }
}

/// Fails where settings choose a scheduler for a model of rectified flow.
fn own_scheduler(settings: &Settings) -> Result<()> {
    match settings.scheduler {
        None => Ok(()),
        Some(kind) => Err(DiffusionError::Settings(format!(
            "this model cannot be drawn with the scheduler {kind}\n  hint: leave `scheduler` out: it \
             is drawn with its own, flow-match Euler"
        ))),
    }
}

/// Fails where `key` of a component's configuration is not the width that another component has.
fn width_fits(component: &Component, key: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(DiffusionError::Config {
        path: component.file().into(),
        reason: format!("{key} is {expected} where the pipeline's other components give {found}"),
    })
}

/// Initial noise of a batch: (b, c, h, w) of unit variance, f32.
///
/// # Errors
/// [`DiffusionError::Settings`] where given noise does not fit.
pub(crate) fn initial_noise(
    requests: &[Request],
    (c, h, w): (usize, usize, usize),
    device: &Device,
) -> Result<Tensor> {
    let rows = requests.iter().map(|r| r.noise.initial(c * h * w));
    let rows = rows.collect::<Result<Vec<_>>>()?.concat();
    Ok(Tensor::from_vec(rows, (requests.len(), c, h, w), device)?)
}

/// Runs a solver to its end. `predict` gives the network's output for a scaled sample and what the
/// network is told about the noise level, both with guidance applied; samples are
/// (b, c, h, w) in f32.
///
/// # Errors
/// The device's.
pub(crate) fn denoise(
    solver: &mut dyn Solver,
    noise: &Tensor,
    requests: &[Request],
    mut predict: impl FnMut(&Tensor, f64) -> Result<Tensor>,
) -> Result<Tensor> {
    let (b, c, h, w) = noise.dims4()?;
    let mut sample = (noise * solver.initial_scale())?;
    for i in 0..solver.timesteps().len() {
        let timestep = solver.timesteps()[i];
        let input = (&sample * solver.input_scale(i))?;
        let output = predict(&input, timestep)?;
        let mut fresh = || {
            let rows = requests.iter().map(|r| r.noise.step(i, c * h * w));
            let rows = rows.collect::<Result<Vec<_>>>()?.concat();
            Ok(Tensor::from_vec(rows, (b, c, h, w), noise.device())?)
        };
        sample = solver.step(i, &output, &sample, &mut fresh)?;
    }
    Ok(sample)
}
