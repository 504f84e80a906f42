//! Flux.1, dev and schnell.

use candle_core::{DType, Device, Tensor};

use super::sd::latents;
use super::{Pipeline, denoise, initial_noise, own_scheduler, width_fits};
use crate::checkpoint::Checkpoint;
use crate::clip::ClipText;
use crate::dit::{Flux as Transformer, FluxConfig};
use crate::error::{DiffusionError, Result};
use crate::estimate::{Activations, Tokens};
use crate::scheduler::flow_match::{FlowMatch, Spacing};
use crate::settings::{LoadOptions, Request, Settings};
use crate::text::T5Text;
use crate::tokens::ClipTokenizer;
use crate::vae::{Vae, VaeConfig};

/// T5's tokens, as in diffusers' pipeline.
const T5_LENGTH: usize = 512;
/// Latents to a side of a token.
const PATCH: usize = 2;

struct Flux {
    clip: (ClipTokenizer, ClipText),
    t5: T5Text,
    transformer: Transformer,
    vae: Vae,
    scheduler: FlowMatch,
    dtype: DType,
    device: Device,
}

pub(super) fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Box<dyn Pipeline>> {
    Ok(Box::new(Flux::load(checkpoint, options)?))
}

pub(super) fn activations(checkpoint: &Checkpoint, of: &Activations) -> Result<u64> {
    let config: FluxConfig = checkpoint.component("transformer")?.config()?;
    let vae = VaeConfig::read(&checkpoint.component("vae")?)?;
    let tokens = Tokens {
        side: vae.factor() * PATCH,
        text: T5_LENGTH,
        heads: config.num_attention_heads,
        width: config.num_attention_heads * config.attention_head_dim,
        rows: 1,
    };
    Ok(of.transformer(&tokens, &vae))
}

impl Flux {
    fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Self> {
        let scheduler = FlowMatch::load(&checkpoint.scheduler()?)?;
        let clip = ClipText::load(&checkpoint.component("text_encoder")?, options)?;
        let length = clip.config().max_position_embeddings;
        let tokenizer = ClipTokenizer::load(&checkpoint.directory("tokenizer")?, length)?;
        let t5 = T5Text::load(
            &checkpoint.component("text_encoder_2")?,
            &checkpoint.directory("tokenizer_2")?,
            T5_LENGTH,
            options,
        )?;
        let component = checkpoint.component("transformer")?;
        let config: FluxConfig = component.config()?;
        let pooled = clip.config().hidden_size;
        width_fits(
            &component,
            "pooled_projection_dim",
            config.pooled_projection_dim,
            pooled,
        )?;
        width_fits(
            &component,
            "joint_attention_dim",
            config.joint_attention_dim,
            t5.width(),
        )?;
        let vae = Vae::load(&checkpoint.component("vae")?, options)?;
        let packed = PATCH * PATCH * vae.latent_channels();
        width_fits(&component, "in_channels", config.in_channels, packed)?;
        let slice = options.attention_slice;
        let transformer = component.build(options.dtype, &options.device, |vb| {
            Transformer::load(&config, slice, &vb)
        })?;
        Ok(Self {
            clip: (tokenizer, clip),
            t5,
            transformer,
            vae,
            scheduler,
            dtype: options.dtype,
            device: options.device.clone(),
        })
    }

    /// T5's states (b, 512, joint) and CLIP's pooled state (b, pooled).
    fn encode(&self, texts: &[&str]) -> Result<(Tensor, Tensor)> {
        let (tokenizer, clip) = &self.clip;
        let tokens = texts.iter().map(|text| tokenizer.encode(text));
        let pooled = clip.encode(&tokens.collect::<Result<Vec<_>>>()?)?.pooled;
        Ok((self.t5.encode(texts)?.to_dtype(self.dtype)?, pooled))
    }
}

impl Pipeline for Flux {
    fn multiple(&self) -> u32 {
        (self.vae.factor() * PATCH) as u32
    }

    fn check(&self, settings: &Settings) -> Result<()> {
        own_scheduler(settings)
    }

    fn sample(&self, requests: &[Request], settings: &Settings) -> Result<Tensor> {
        if requests.iter().any(|r| !r.negative_prompt.is_empty()) {
            return Err(DiffusionError::Settings(
                "Flux takes no negative prompt: its guidance is an input of the network\n  hint: leave \
                 the negative prompt out"
                    .into(),
            ));
        }
        let texts: Vec<&str> = requests.iter().map(|r| r.prompt.as_str()).collect();
        let (text, pooled) = self.encode(&texts)?;
        let latents = latents(settings, self.vae.factor(), self.vae.latent_channels());
        let tokens = latents.1 * latents.2 / (PATCH * PATCH);
        let noise = initial_noise(requests, latents, &self.device)?;
        let mut solver = self.scheduler.solver(Spacing::Even, settings.steps, tokens);
        let guidance = settings.guidance;
        denoise(&mut solver, &noise, requests, |sample, timestep| {
            let sample = sample.to_dtype(self.dtype)?;
            let output = self
                .transformer
                .forward(&sample, &text, &pooled, timestep, guidance)?;
            Ok(output.to_dtype(DType::F32)?)
        })
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.vae.decode(latents)
    }
}

#[cfg(test)]
mod tests;
