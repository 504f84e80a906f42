//! Stable Diffusion 1.x and 2.x.

use candle_core::{Device, Tensor};

use super::{Pipeline, denoise, initial_noise};
use crate::checkpoint::Checkpoint;
use crate::clip::ClipText;
use crate::error::Result;
use crate::estimate::Activations;
use crate::scheduler::Scheduler;
use crate::settings::{LoadOptions, Request, Settings};
use crate::tokens::ClipTokenizer;
use crate::unet::{Unet, UnetConfig};
use crate::vae::{Vae, VaeConfig};

struct StableDiffusion {
    tokenizer: ClipTokenizer,
    text: ClipText,
    unet: Unet,
    vae: Vae,
    scheduler: Scheduler,
    device: Device,
}

pub(super) fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Box<dyn Pipeline>> {
    let scheduler = Scheduler::load(checkpoint.scheduler()?)?;
    let text = ClipText::load(&checkpoint.component("text_encoder")?, options)?;
    let length = text.config().max_position_embeddings;
    Ok(Box::new(StableDiffusion {
        tokenizer: ClipTokenizer::load(&checkpoint.directory("tokenizer")?, length)?,
        text,
        unet: Unet::load(&checkpoint.component("unet")?, options)?,
        vae: Vae::load(&checkpoint.component("vae")?, options)?,
        scheduler,
        device: options.device.clone(),
    }))
}

pub(super) fn activations(checkpoint: &Checkpoint, of: &Activations) -> Result<u64> {
    let unet = UnetConfig::read(&checkpoint.component("unet")?)?;
    let vae = VaeConfig::read(&checkpoint.component("vae")?)?;
    Ok(of.unet(&unet, &vae))
}

impl StableDiffusion {
    /// The states of texts, (b, t, d).
    fn encode<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Tensor> {
        let tokens = texts.map(|text| self.tokenizer.encode(text));
        Ok(self.text.encode(&tokens.collect::<Result<Vec<_>>>()?)?.last)
    }
}

impl Pipeline for StableDiffusion {
    fn multiple(&self) -> u32 {
        self.vae.factor() as u32
    }

    fn sample(&self, requests: &[Request], settings: &Settings) -> Result<Tensor> {
        let mut text = self.encode(requests.iter().map(|r| r.prompt.as_str()))?;
        if settings.guided() {
            let negative = self.encode(requests.iter().map(|r| r.negative_prompt.as_str()))?;
            text = Tensor::cat(&[negative, text], 0)?;
        }
        let latents = latents(settings, self.vae.factor(), self.unet.config().in_channels);
        let noise = initial_noise(requests, latents, &self.device)?;
        let mut solver = self.scheduler.solver(settings.scheduler, settings.steps)?;
        denoise(solver.as_mut(), &noise, requests, |sample, timestep| {
            guided(sample, settings, |sample| {
                self.unet.forward(sample, timestep, &text, None)
            })
        })
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.vae.decode(latents)
    }
}

/// Channels, rows and columns of the latents of a size.
pub(super) fn latents(
    settings: &Settings,
    factor: usize,
    channels: usize,
) -> (usize, usize, usize) {
    (
        channels,
        settings.height as usize / factor,
        settings.width as usize / factor,
    )
}

/// Classifier-free guidance: `predict` sees the sample twice, first for the negative prompt.
pub(super) fn guided(
    sample: &Tensor,
    settings: &Settings,
    predict: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    if !settings.guided() {
        return predict(sample);
    }
    let b = sample.dim(0)?;
    let both = predict(&Tensor::cat(&[sample, sample], 0)?)?;
    let (negative, wanted) = (both.narrow(0, 0, b)?, both.narrow(0, b, b)?);
    Ok((&negative + ((wanted - &negative)? * settings.guidance)?)?)
}
