//! What draws the pictures: the illustrator, a text-to-image model, or a server.

use std::sync::Arc;

use albumen_diffusion::{DType, LoadOptions, TextToImage};
use albumen_illustrations::Illustrator;
use albumen_lm::Device;
use albumen_models::{Found, Place};
use albumen_schema::config::{RenderConfig, RenderPrecision};
use albumen_synth::diffuse::{DiffusionPainter, settings};
use albumen_synth::render::{EndpointPainter, Painter};
use anyhow::Context;

use super::{Stage, served};

use crate::models;
use crate::runner::Runner;

impl Runner {
    /// What the configuration's `[render] model` draws with, loaded.
    pub(super) fn painter(&self) -> anyhow::Result<Box<dyn Painter>> {
        let render = &self.config.render;
        let Some(found) = self.models.renderer(render)? else {
            let icons = self.models.asset("fluent-emoji-flat", "icons.json")?;
            let cache = self.models.cache("icon-names.bin")?;
            let embedder = Arc::new(self.embedder()?);
            let painter = Illustrator::load(&icons, embedder, Some(&cache))?;
            return Ok(Box::new(painter));
        };
        if let Some(client) = served::client(&self.config, Stage::Render)? {
            self.depart(Stage::Render)?;
            return Ok(Box::new(EndpointPainter {
                client,
                negative_prompt: render.negative_prompt.clone(),
                album_style: render.album_style,
            }));
        }
        let options = load_options(render, models::device(&self.config.compute)?)?;
        let model = TextToImage::load(found.path()?, &options)
            .with_context(|| format!("cannot load the renderer {}", render.model))?;
        Ok(Box::new(DiffusionPainter::new(model, render)?))
    }

    /// What identifies the renderer's weights; nothing for the illustrator, which the tool's version
    /// covers.
    pub(crate) fn renderer_fingerprint(&self) -> anyhow::Result<Option<String>> {
        let found = self.models.renderer(&self.config.render)?;
        Ok(found.map(|found| found.fingerprint))
    }
}

/// Fails where a renderer cannot draw as configured: by its configurations and the headers of its
/// weights, before any stage runs. Of a server this is not asked.
pub(crate) fn check(found: &Found, render: &RenderConfig, device: Device) -> anyhow::Result<()> {
    if matches!(found.place, Place::Endpoint) {
        return Ok(());
    }
    let (options, settings) = (load_options(render, device)?, settings(render)?);
    albumen_diffusion::estimate(found.path()?, &options, &settings, render.batch)
        .with_context(|| format!("cannot draw with {}", render.model))?;
    Ok(())
}

fn load_options(render: &RenderConfig, device: Device) -> anyhow::Result<LoadOptions> {
    Ok(LoadOptions {
        device: match device {
            Device::Cpu => albumen_diffusion::Device::Cpu,
            Device::Cuda(ordinal) => albumen_diffusion::Device::new_cuda(ordinal)?,
            Device::Metal => albumen_diffusion::Device::new_metal(0)?,
        },
        ..options(render)
    })
}

/// How the renderer is loaded, but for the device.
pub(crate) fn options(render: &RenderConfig) -> LoadOptions {
    LoadOptions {
        dtype: match render.precision {
            RenderPrecision::F32 => DType::F32,
            RenderPrecision::F16 => DType::F16,
            RenderPrecision::Bf16 => DType::BF16,
        },
        attention_slice: (render.attention_slice > 0).then_some(render.attention_slice),
        vae_slicing: render.vae_slicing,
        vae_tiling: render.vae_tiling,
        ..LoadOptions::default()
    }
}
