//! Stable Diffusion 3 and 3.5: Esser et al., arXiv:2403.03206.

use candle_core::{D, DType, Device, Tensor};

use super::sd::{guided, latents};
use super::{Pipeline, denoise, initial_noise, own_scheduler, width_fits};
use crate::checkpoint::Checkpoint;
use crate::clip::ClipText;
use crate::dit::{Mmdit, MmditConfig};
use crate::error::{DiffusionError, Result};
use crate::estimate::{Activations, Tokens};
use crate::scheduler::flow_match::{FlowMatch, Spacing};
use crate::settings::{LoadOptions, Request, Settings};
use crate::text::T5Text;
use crate::tokens::ClipTokenizer;
use crate::vae::{Vae, VaeConfig};

/// T5's tokens, as in diffusers' pipeline.
const T5_LENGTH: usize = 256;

struct StableDiffusion3 {
    clips: [(ClipTokenizer, ClipText); 2],
    /// Where the checkpoint does without, its states are zeros.
    t5: Option<T5Text>,
    transformer: Mmdit,
    vae: Vae,
    scheduler: FlowMatch,
    dtype: DType,
    device: Device,
}

/// What the network is told of texts.
struct Conditions {
    /// CLIP's states, then T5's: (b, m, joint).
    text: Tensor,
    /// Both CLIPs' side by side: (b, pooled).
    pooled: Tensor,
}

pub(super) fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Box<dyn Pipeline>> {
    Ok(Box::new(StableDiffusion3::load(checkpoint, options)?))
}

pub(super) fn activations(checkpoint: &Checkpoint, of: &Activations) -> Result<u64> {
    let config: MmditConfig = checkpoint.component("transformer")?.config()?;
    let vae = VaeConfig::read(&checkpoint.component("vae")?)?;
    let tokens = Tokens {
        side: vae.factor() * config.patch_size,
        text: 77 + T5_LENGTH,
        heads: config.num_attention_heads,
        width: config.num_attention_heads * config.attention_head_dim,
        rows: if of.guided { 2 } else { 1 },
    };
    Ok(of.transformer(&tokens, &vae))
}

impl StableDiffusion3 {
    fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Self> {
        let scheduler = FlowMatch::load(&checkpoint.scheduler()?)?;
        let clip = |tokenizer: &str, encoder: &str| {
            let text = ClipText::load(&checkpoint.component(encoder)?, options)?;
            let length = text.config().max_position_embeddings;
            let tokenizer = ClipTokenizer::load(&checkpoint.directory(tokenizer)?, length)?;
            Ok::<_, DiffusionError>((tokenizer, text))
        };
        let clips = [
            clip("tokenizer", "text_encoder")?,
            clip("tokenizer_2", "text_encoder_2")?,
        ];
        let component = checkpoint.component("transformer")?;
        let config: MmditConfig = component.config()?;
        let t5 = if checkpoint.has("text_encoder_3") {
            let encoder = checkpoint.component("text_encoder_3")?;
            let tokenizer = checkpoint.directory("tokenizer_3")?;
            Some(T5Text::load(&encoder, &tokenizer, T5_LENGTH, options)?)
        } else {
            None
        };
        let of_clips = |width: fn(&ClipText) -> usize| clips.iter().map(|c| width(&c.1)).sum();
        let pooled: usize = of_clips(|clip| clip.config().projection_dim);
        let states: usize = of_clips(|clip| clip.config().hidden_size);
        let joint = config.joint_attention_dim;
        width_fits(
            &component,
            "pooled_projection_dim",
            config.pooled_projection_dim,
            pooled,
        )?;
        // CLIP's states are filled up with zeros to T5's width.
        width_fits(&component, "joint_attention_dim", joint, joint.max(states))?;
        if let Some(t5) = &t5 {
            width_fits(&component, "joint_attention_dim", joint, t5.width())?;
        }
        let vae = Vae::load(&checkpoint.component("vae")?, options)?;
        width_fits(
            &component,
            "in_channels",
            config.in_channels,
            vae.latent_channels(),
        )?;
        let slice = options.attention_slice;
        let transformer = component.build(options.dtype, &options.device, |vb| {
            Mmdit::load(&config, slice, &vb)
        })?;
        Ok(Self {
            clips,
            t5,
            transformer,
            vae,
            scheduler,
            dtype: options.dtype,
            device: options.device.clone(),
        })
    }

    fn encode(&self, texts: &[&str]) -> Result<Conditions> {
        let mut states = Vec::new();
        let mut pooled = Vec::new();
        for (tokenizer, clip) in &self.clips {
            let tokens = texts.iter().map(|text| tokenizer.encode(text));
            let encoded = clip.encode(&tokens.collect::<Result<Vec<_>>>()?)?;
            states.push(encoded.penultimate);
            pooled.push(encoded.pooled);
        }
        let clip = Tensor::cat(&states, D::Minus1)?;
        let (b, _, d) = clip.dims3()?;
        let joint = self.transformer.config().joint_attention_dim;
        let clip = clip.pad_with_zeros(D::Minus1, 0, joint - d)?;
        let t5 = match &self.t5 {
            Some(t5) => t5.encode(texts)?.to_dtype(self.dtype)?,
            None => Tensor::zeros((b, T5_LENGTH, joint), self.dtype, &self.device)?,
        };
        Ok(Conditions {
            text: Tensor::cat(&[clip, t5], 1)?,
            pooled: Tensor::cat(&pooled, D::Minus1)?,
        })
    }

    /// The network on samples in f32.
    fn predict(&self, sample: &Tensor, text: &Conditions, timestep: f64) -> Result<Tensor> {
        let sample = sample.to_dtype(self.dtype)?;
        let Conditions { text, pooled } = text;
        let output = self.transformer.forward(&sample, text, pooled, timestep)?;
        Ok(output.to_dtype(DType::F32)?)
    }
}

impl Pipeline for StableDiffusion3 {
    fn multiple(&self) -> u32 {
        (self.vae.factor() * self.transformer.config().patch_size) as u32
    }

    fn check(&self, settings: &Settings) -> Result<()> {
        own_scheduler(settings)?;
        let most = self.transformer.config().pos_embed_max_size as u32 * self.multiple();
        if settings.width > most || settings.height > most {
            return Err(DiffusionError::Settings(format!(
                "a picture of {} x {} pixels is larger than the model's {most} x {most}\n  hint: ask \
                 for a smaller one",
                settings.width, settings.height
            )));
        }
        Ok(())
    }

    fn sample(&self, requests: &[Request], settings: &Settings) -> Result<Tensor> {
        let texts: Vec<&str> = requests.iter().map(|r| r.prompt.as_str()).collect();
        let mut conditions = self.encode(&texts)?;
        if settings.guided() {
            let texts: Vec<&str> = requests
                .iter()
                .map(|r| r.negative_prompt.as_str())
                .collect();
            let negative = self.encode(&texts)?;
            conditions = Conditions {
                text: Tensor::cat(&[negative.text, conditions.text], 0)?,
                pooled: Tensor::cat(&[negative.pooled, conditions.pooled], 0)?,
            };
        }
        let config = self.transformer.config();
        let latents = latents(settings, self.vae.factor(), config.in_channels);
        let tokens = latents.1 * latents.2 / (config.patch_size * config.patch_size);
        let noise = initial_noise(requests, latents, &self.device)?;
        let mut solver = self
            .scheduler
            .solver(Spacing::ToSmallest, settings.steps, tokens);
        denoise(&mut solver, &noise, requests, |sample, timestep| {
            guided(sample, settings, |sample| {
                self.predict(sample, &conditions, timestep)
            })
        })
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.vae.decode(latents)
    }
}

#[cfg(test)]
mod tests;
