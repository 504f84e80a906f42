//! SDXL and SDXL-Turbo: Podell et al., arXiv:2307.01952.

use candle_core::{D, Device, Tensor};

use super::sd::{guided, latents};
use super::{Pipeline, denoise, initial_noise};
use crate::checkpoint::Checkpoint;
use crate::clip::ClipText;
use crate::error::{DiffusionError, Result};
use crate::estimate::Activations;
use crate::scheduler::Scheduler;
use crate::settings::{LoadOptions, Request, Settings};
use crate::tokens::ClipTokenizer;
use crate::unet::{Addition, Unet, UnetConfig};
use crate::vae::{Vae, VaeConfig};

struct StableDiffusionXl {
    encoders: [(ClipTokenizer, ClipText); 2],
    unet: Unet,
    vae: Vae,
    scheduler: Scheduler,
    device: Device,
    /// Whether an empty negative prompt is zeros rather than an encoded empty text.
    zeros_for_empty: bool,
}

/// What the network is told of texts.
struct Conditions {
    /// (b, t, d), both encoders side by side.
    text: Tensor,
    /// (b, d).
    pooled: Tensor,
}

pub(super) fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Box<dyn Pipeline>> {
    let scheduler = Scheduler::load(checkpoint.scheduler()?)?;
    let encoder = |tokenizer: &str, encoder: &str| {
        let text = ClipText::load(&checkpoint.component(encoder)?, options)?;
        let length = text.config().max_position_embeddings;
        let tokenizer = ClipTokenizer::load(&checkpoint.directory(tokenizer)?, length)?;
        Ok::<_, DiffusionError>((tokenizer, text))
    };
    let encoders = [
        encoder("tokenizer", "text_encoder")?,
        encoder("tokenizer_2", "text_encoder_2")?,
    ];
    let component = checkpoint.component("unet")?;
    let unet = Unet::load(&component, options)?;
    check_widths(&unet, &encoders[1].1, component.file())?;
    Ok(Box::new(StableDiffusionXl {
        encoders,
        unet,
        vae: Vae::load(&checkpoint.component("vae")?, options)?,
        scheduler,
        device: options.device.clone(),
        zeros_for_empty: checkpoint
            .flag("force_zeros_for_empty_prompt")
            .unwrap_or(true),
    }))
}

/// Sizes that the network is told: original, crop and target, two numbers each.
const SIZES: usize = 6;

fn check_widths(unet: &Unet, text: &ClipText, path: &std::path::Path) -> Result<()> {
    let given = text.config().projection_dim;
    match unet.config().addition {
        Some(a) if a.input_width == given + SIZES * a.time_width => Ok(()),
        Some(a) => Err(DiffusionError::Config {
            path: path.into(),
            reason: format!(
                "add_embedding takes {} numbers where the text encoder and {SIZES} sizes give {}",
                a.input_width,
                given + SIZES * a.time_width
            ),
        }),
        None => Err(DiffusionError::Config {
            path: path.into(),
            reason: "SDXL's network needs addition_embed_type = text_time".into(),
        }),
    }
}

pub(super) fn activations(checkpoint: &Checkpoint, of: &Activations) -> Result<u64> {
    let unet = UnetConfig::read(&checkpoint.component("unet")?)?;
    let vae = VaeConfig::read(&checkpoint.component("vae")?)?;
    Ok(of.unet(&unet, &vae))
}

impl StableDiffusionXl {
    fn encode(&self, texts: &[&str]) -> Result<Conditions> {
        let mut states = Vec::new();
        let mut pooled = None;
        for (tokenizer, encoder) in &self.encoders {
            let tokens = texts.iter().map(|text| tokenizer.encode(text));
            let encoded = encoder.encode(&tokens.collect::<Result<Vec<_>>>()?)?;
            states.push(encoded.penultimate);
            pooled = Some(encoded.pooled);
        }
        let pooled = pooled.ok_or_else(|| DiffusionError::Settings("no text encoder".into()))?;
        Ok(Conditions {
            text: Tensor::cat(&states, D::Minus1)?,
            pooled,
        })
    }

    /// The negative prompts' conditions, each zeros where it is empty and the checkpoint says so.
    fn encode_negative(&self, requests: &[Request]) -> Result<Conditions> {
        let texts: Vec<&str> = requests
            .iter()
            .map(|r| r.negative_prompt.as_str())
            .collect();
        let mut negative = self.encode(&texts)?;
        if self.zeros_for_empty {
            let keep: Vec<f32> = texts
                .iter()
                .map(|text| if text.is_empty() { 0.0 } else { 1.0 })
                .collect();
            let keep = Tensor::from_vec(keep, (texts.len(), 1), &self.device)?
                .to_dtype(negative.pooled.dtype())?;
            negative.pooled = negative.pooled.broadcast_mul(&keep)?;
            negative.text = negative.text.broadcast_mul(&keep.unsqueeze(2)?)?;
        }
        Ok(negative)
    }
}

impl Pipeline for StableDiffusionXl {
    fn multiple(&self) -> u32 {
        self.vae.factor() as u32
    }

    fn sample(&self, requests: &[Request], settings: &Settings) -> Result<Tensor> {
        let texts: Vec<&str> = requests.iter().map(|r| r.prompt.as_str()).collect();
        let mut conditions = self.encode(&texts)?;
        if settings.guided() {
            let negative = self.encode_negative(requests)?;
            conditions = Conditions {
                text: Tensor::cat(&[negative.text, conditions.text], 0)?,
                pooled: Tensor::cat(&[negative.pooled, conditions.pooled], 0)?,
            };
        }
        let (height, width) = (settings.height as f32, settings.width as f32);
        let sizes = [height, width, 0.0, 0.0, height, width];
        let rows = conditions.pooled.dim(0)?;
        let addition = Addition {
            pooled: conditions.pooled,
            sizes: Tensor::new(&sizes, &self.device)?.repeat((rows, 1))?,
        };
        let text = conditions.text;
        let latents = latents(settings, self.vae.factor(), self.unet.config().in_channels);
        let noise = initial_noise(requests, latents, &self.device)?;
        let mut solver = self.scheduler.solver(settings.scheduler, settings.steps)?;
        denoise(solver.as_mut(), &noise, requests, |sample, timestep| {
            guided(sample, settings, |sample| {
                self.unet.forward(sample, timestep, &text, Some(&addition))
            })
        })
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.vae.decode(latents)
    }
}
