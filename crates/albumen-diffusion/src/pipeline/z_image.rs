//! Z-Image: Z-Image Team, arXiv:2511.22699.

use candle_core::{DType, Device, Tensor};

use super::sd::latents;
use super::{Pipeline, denoise, initial_noise, own_scheduler, width_fits};
use crate::checkpoint::Checkpoint;
use crate::dit::{ZImage as Transformer, ZImageConfig};
use crate::error::{DiffusionError, Result};
use crate::estimate::{Activations, Tokens};
use crate::scheduler::flow_match::{FlowMatch, Spacing};
use crate::settings::{LoadOptions, Request, Settings};
use crate::text::QwenText;
use crate::vae::{Vae, VaeConfig};

/// The most tokens of a caption.
const CAPTION: usize = 512;
/// Latents to a side of a token.
const PATCH: usize = 2;
/// Timesteps count down from here; the network is told the share that is done.
const TIMES: f64 = 1000.0;

struct ZImage {
    text: QwenText,
    transformer: Transformer,
    vae: Vae,
    scheduler: FlowMatch,
    dtype: DType,
    device: Device,
}

pub(super) fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Box<dyn Pipeline>> {
    Ok(Box::new(ZImage::load(checkpoint, options)?))
}

pub(super) fn activations(checkpoint: &Checkpoint, of: &Activations) -> Result<u64> {
    let config: ZImageConfig = checkpoint.component("transformer")?.config()?;
    let vae = VaeConfig::read(&checkpoint.component("vae")?)?;
    let tokens = Tokens {
        side: vae.factor() * PATCH,
        text: CAPTION,
        heads: config.n_heads,
        width: config.dim,
        rows: 1,
    };
    // Pictures are drawn one by one.
    let one = Activations { batch: 1, ..*of };
    Ok(one.transformer(&tokens, &vae))
}

impl ZImage {
    fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Self> {
        let scheduler = FlowMatch::load(&checkpoint.scheduler()?)?;
        let text = QwenText::load(
            &checkpoint.component("text_encoder")?,
            &checkpoint.directory("tokenizer")?,
            options,
        )?;
        let component = checkpoint.component("transformer")?;
        let config: ZImageConfig = component.config()?;
        width_fits(
            &component,
            "cap_feat_dim",
            config.cap_feat_dim,
            text.width(),
        )?;
        let vae = Vae::load(&checkpoint.component("vae")?, options)?;
        width_fits(
            &component,
            "in_channels",
            config.in_channels,
            vae.latent_channels(),
        )?;
        let slice = options.attention_slice;
        let transformer = component.build(options.dtype, &options.device, |vb| {
            Transformer::load(&config, slice, &vb)
        })?;
        Ok(Self {
            text,
            transformer,
            vae,
            scheduler,
            dtype: options.dtype,
            device: options.device.clone(),
        })
    }

    /// The states of a prompt, (tokens, d).
    fn encode(&self, text: &str) -> Result<Tensor> {
        Ok(self.text.encode(text)?.to_dtype(self.dtype)?)
    }

    /// The velocity from image to noise of one sample in f32.
    fn predict(&self, sample: &Tensor, caption: &Tensor, timestep: f64) -> Result<Tensor> {
        let done = (TIMES - timestep) / TIMES;
        let sample = sample.to_dtype(self.dtype)?;
        let output = self.transformer.forward(&sample, caption, done)?;
        Ok(output.to_dtype(DType::F32)?.neg()?)
    }

    /// The latents (1, c, h, w) of one picture.
    fn one(&self, request: &Request, settings: &Settings) -> Result<Tensor> {
        let caption = self.encode(&request.prompt)?;
        // This model's guidance counts from zero: `wanted + w (wanted - negative)`.
        let negative = if settings.guidance > 0.0 {
            Some(self.encode(&request.negative_prompt)?)
        } else {
            None
        };
        let latents = latents(settings, self.vae.factor(), self.vae.latent_channels());
        let tokens = latents.1 * latents.2 / (PATCH * PATCH);
        let requests = std::slice::from_ref(request);
        let noise = initial_noise(requests, latents, &self.device)?;
        let mut solver = self.scheduler.solver(Spacing::Even, settings.steps, tokens);
        denoise(&mut solver, &noise, requests, |sample, timestep| {
            let wanted = self.predict(sample, &caption, timestep)?;
            let Some(negative) = &negative else {
                return Ok(wanted);
            };
            let negative = self.predict(sample, negative, timestep)?;
            Ok((&wanted + ((&wanted - negative)? * settings.guidance)?)?)
        })
    }
}

impl Pipeline for ZImage {
    fn multiple(&self) -> u32 {
        (self.vae.factor() * PATCH) as u32
    }

    fn check(&self, settings: &Settings) -> Result<()> {
        own_scheduler(settings)?;
        let [_, rows, columns] = self.transformer.config().axes_lens;
        let (most_high, most_wide) = (
            rows as u32 * self.multiple(),
            columns as u32 * self.multiple(),
        );
        if settings.width > most_wide || settings.height > most_high {
            return Err(DiffusionError::Settings(format!(
                "a picture of {} x {} pixels is larger than the model's {most_wide} x {most_high}\n  \
                 hint: ask for a smaller one",
                settings.width, settings.height
            )));
        }
        Ok(())
    }

    fn sample(&self, requests: &[Request], settings: &Settings) -> Result<Tensor> {
        let samples = requests.iter().map(|request| self.one(request, settings));
        Ok(Tensor::cat(&samples.collect::<Result<Vec<_>>>()?, 0)?)
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.vae.decode(latents)
    }
}

#[cfg(test)]
mod tests;
