//! What captions the photos: the embedded tagger, or the vision-language model or server that the
//! configuration names.

use albumen_captioner::{CaptionSettings, Captioner, DType};
use albumen_corpus::{EndpointCaptioner, FrozenCaptioner, PhotoCaptioner};
use albumen_lm::Device;
use albumen_models::Kind;
use albumen_schema::config::{CaptionConfig, ComputeConfig, ComputePrecision};
use anyhow::Context;

use super::{Stage, served};

use crate::models;
use crate::runner::Runner;

impl Runner {
    pub(super) fn captioner(&self) -> anyhow::Result<Box<dyn PhotoCaptioner>> {
        let config = &self.config.caption;
        if let Some(client) = served::client(&self.config, Stage::Caption)? {
            let captioner = EndpointCaptioner::rehearsed(
                client,
                config.prompt.as_deref(),
                config.max_tokens,
                &self.refusals(Stage::Caption),
            );
            let captioner = captioner.map_err(|e| self.with_words(e))?;
            self.depart(Stage::Caption)?;
            return Ok(Box::new(captioner));
        }
        let kinds = [Kind::Captioner, Kind::Tagger];
        let found = self
            .models
            .find_for("caption.model", &config.model, &kinds)?;
        if found.kind() == Some(Kind::Tagger) {
            return self.tagger();
        }
        let device = models::device(&self.config.compute)?;
        let dtype = captioner_format(&self.config.compute, device);
        let device = device.candle()?;
        let failed = || format!("cannot caption with the model {}", config.model);
        let captioner = Captioner::load(found.path()?, &device, dtype).with_context(failed)?;
        let settings = caption_settings(config);
        // Nothing may fail later for a reason that is not a photo's own.
        captioner.rehearse(&settings).with_context(failed)?;
        Ok(Box::new(FrozenCaptioner {
            captioner,
            settings,
        }))
    }

    fn tagger(&self) -> anyhow::Result<Box<dyn PhotoCaptioner>> {
        let tagger = "efficientnet-lite0-57934424.pth";
        let tagger = self.models.asset("efficientnet-lite0", tagger)?;
        let detector = self.models.asset("nanodet", "nanodet.bin")?;
        let detector = detector.parent().context("an asset has no folder")?;
        Ok(Box::new(albumen_vision::Describer::load(
            &tagger, detector,
        )?))
    }
}

/// The number format of a captioner on a device.
pub(crate) fn captioner_format(compute: &ComputeConfig, device: Device) -> DType {
    match (device, compute.precision) {
        (Device::Cpu, _) | (_, ComputePrecision::F32) => DType::F32,
        (_, ComputePrecision::Bf16) => DType::BF16,
    }
}

/// How a captioner writes.
pub(crate) fn caption_settings(config: &CaptionConfig) -> CaptionSettings {
    CaptionSettings {
        prompt: config.prompt.clone(),
        max_tokens: config.max_tokens,
        min_tokens: config.min_tokens,
        temperature: config.temperature,
        top_p: config.top_p,
        repetition_penalty: config.repetition_penalty,
        seed: config.seed,
        max_image_tokens: Some(config.max_image_tokens),
    }
}
