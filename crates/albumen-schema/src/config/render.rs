//! How pictures are drawn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{Fault, names, require};
use crate::{ModelName, ModelSource};

/// The renderer that needs no image model.
pub const ILLUSTRATION: &str = "illustration";

/// `[render]`: how kept albums become pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RenderConfig {
    /// What draws: `illustration` (emoji before painted backgrounds, no image model); a text-to-image
    /// model in the directory layout of diffusers, as `path:DIRECTORY` or `hub:OWNER/NAME@REVISION`;
    /// or a server, as `endpoint:http://HOST:PORT/v1#MODEL` (docs/endpoints.md).
    #[schemars(with = "String")]
    pub model: ModelName,
    /// Width of a picture in pixels. Text-to-image models draw multiples of 8 or 16, best near the
    /// size that they were trained on: 512 (Stable Diffusion 1.5, SDXL-Turbo), 768 (Stable Diffusion
    /// 2.1) or 1024 (SDXL and later).
    #[schemars(range(min = 32, max = 4096))]
    pub width: u32,
    /// Height of a picture in pixels.
    #[schemars(range(min = 32, max = 4096))]
    pub height: u32,
    /// Steps of the scheduler: 20 to 50, or 1 to 4 for turbo and schnell models. This and all but `model`,
    /// `width` and `height` serve text-to-image models only.
    #[schemars(
        range(min = 1, max = 1000),
        extend("x-usual" = "20 to 50 are usual, or 1 to 4 for turbo and schnell models")
    )]
    pub steps: usize,
    /// Scale of classifier-free guidance: 5 to 8, or 0 for turbo and schnell models. Above 1, each step
    /// takes two passes through the network.
    #[schemars(
        range(min = 0, max = 100),
        extend("x-usual" = "5 to 8 are usual, or 0 for turbo and schnell models")
    )]
    pub guidance: f64,
    /// What no picture should show; without guidance it says nothing.
    pub negative_prompt: String,
    /// Another scheduler than the checkpoint's: `ddim`, `euler`, `euler-ancestral`, `dpm-solver`,
    /// `dpm-solver-karras`, `unipc` or `pndm`. Empty keeps the checkpoint's.
    #[schemars(
        regex(pattern = r"^(|ddim|euler|euler-ancestral|dpm-solver|dpm-solver-karras|unipc|pndm)$"),
        extend(
            "x-form" = "`ddim`, `euler`, `euler-ancestral`, `dpm-solver`, `dpm-solver-karras`, \
                        `unipc`, `pndm`, or nothing"
        )
    )]
    pub scheduler: String,
    /// Number format of the model on the device of `[compute]`: `f32`, `f16` or `bf16`.
    pub precision: RenderPrecision,
    /// Pictures drawn together on a device other than the processor. `batch`, `attention_slice` and
    /// `vae_slicing` change pictures by rounding at most, and changing them draws no picture again.
    #[schemars(range(min = 1, max = 1024), extend("x-usual" = "4 fit most devices"))]
    pub batch: usize,
    /// How many heads of how many pictures attend at a time: 1 needs the least memory, 0 takes all at
    /// once.
    #[schemars(range(min = 0, max = 65_536))]
    pub attention_slice: usize,
    /// Decode the pictures of a batch one by one, for less memory.
    pub vae_slicing: bool,
    /// Decode large pictures in overlapping, blended tiles, for less memory; colours may differ
    /// slightly between tiles.
    pub vae_tiling: bool,
    /// Share in [0, 1] of the variance of the initial noise that the photos of an album have in common:
    /// more makes their composition and colours more alike.
    #[schemars(
        range(min = 0, max = 1),
        extend("x-usual" = "0.2 leaves each photo its own composition")
    )]
    pub album_noise: f64,
    /// Put a shared photographic style, and fixed looks of the people, animals and places that recur
    /// in the album's text, before each caption.
    pub album_style: bool,
}

/// The number format of a text-to-image model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenderPrecision {
    /// 32-bit floating point.
    #[default]
    F32,
    /// 16-bit floating point: half the memory; needs a device that computes in it.
    F16,
    /// bfloat16: half the memory, a wider range than `f16` and fewer digits.
    Bf16,
}

impl Default for RenderConfig {
    fn default() -> Self {
        Self {
            model: "illustration".into(),
            width: 512,
            height: 384,
            steps: 30,
            guidance: 7.0,
            negative_prompt: String::new(),
            scheduler: String::new(),
            precision: RenderPrecision::default(),
            batch: 4,
            attention_slice: 0,
            vae_slicing: true,
            vae_tiling: false,
            album_noise: 0.2,
            album_style: true,
        }
    }
}

impl RenderConfig {
    /// Whether pictures are illustrations rather than a model's.
    pub fn is_illustration(&self) -> bool {
        self.model.source() == Ok(&ModelSource::Illustration)
    }

    /// The settings that pictures depend on: those of speed and memory, which change no more than
    /// rounding, are as by default.
    #[must_use]
    pub fn drawn(&self) -> Self {
        let Self {
            batch,
            attention_slice,
            vae_slicing,
            ..
        } = Self::default();
        Self {
            batch,
            attention_slice,
            vae_slicing,
            ..self.clone()
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        let local = self.model.has_own_files();
        names(
            &self.model,
            "render.model",
            |source| !matches!(source, ModelSource::Asset(_)),
            "renderer",
            "use `illustration`, `hub:OWNER/NAME@REVISION`, `path:` and a directory in the layout of \
             diffusers, or `endpoint:http://HOST:PORT/v1#MODEL`",
        )?;
        for (name, value) in [("width", self.width), ("height", self.height)] {
            require(
                !local || value % 8 == 0,
                &format!("render.{name}"),
                format!("is {value}, which is no multiple of 8"),
                format!("use {} or {}", value / 8 * 8, value / 8 * 8 + 8),
            )?;
        }
        Ok(())
    }
}
