//! What a caller asks for.

use candle_core::{DType, Device};

use crate::error::{DiffusionError, Result};
use crate::noise::Noise;
use crate::scheduler::SchedulerKind;

/// How a checkpoint is loaded. None of these changes what is drawn, but for rounding.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where the networks run.
    pub device: Device,
    /// `F32`, `F16` or, on other devices than the processor, `BF16`: the format of weights and
    /// activations. Latents and schedulers stay in f32.
    pub dtype: DType,
    /// How many heads of how many pictures attend at a time; all at once where none is given. One
    /// needs the least memory.
    pub attention_slice: Option<usize>,
    /// Decode the pictures of a batch one by one.
    pub vae_slicing: bool,
    /// Decode large pictures in overlapping tiles, blended; their colours may differ slightly from
    /// those of a whole one.
    pub vae_tiling: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            dtype: DType::F32,
            attention_slice: None,
            vae_slicing: false,
            vae_tiling: false,
        }
    }
}

impl LoadOptions {
    pub(crate) fn check(&self) -> Result<()> {
        if !matches!(self.dtype, DType::F32 | DType::F16 | DType::BF16) {
            return Err(DiffusionError::Settings(format!(
                "pictures cannot be drawn in {:?}\n  hint: take f32, f16 or bf16",
                self.dtype
            )));
        }
        if self.dtype == DType::BF16 && self.device.is_cpu() {
            return Err(DiffusionError::Settings(
                "the processor cannot draw in bf16\n  hint: take f32, or f16 for half the memory"
                    .into(),
            ));
        }
        if self.attention_slice == Some(0) {
            return Err(DiffusionError::Settings(
                "a slice of attention holds no head\n  hint: one needs the least memory".into(),
            ));
        }
        Ok(())
    }
}

/// One picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What it shows.
    pub prompt: String,
    /// What it should not show; only with guidance. Empty for none.
    pub negative_prompt: String,
    /// What it starts from.
    pub noise: Noise,
}

/// How pictures are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Steps of the scheduler.
    pub steps: usize,
    /// Scale of classifier-free guidance (Ho and Salimans, arXiv:2207.12598); none up to 1.
    pub guidance: f64,
    /// Another scheduler than the checkpoint's.
    pub scheduler: Option<SchedulerKind>,
}

impl Settings {
    /// Fails where no picture can be drawn; `multiple` is what the pipeline's sizes are
    /// multiples of, in pixels.
    pub(crate) fn check(&self, multiple: u32) -> Result<()> {
        for (side, name) in [(self.width, "width"), (self.height, "height")] {
            if side == 0 || !side.is_multiple_of(multiple) {
                let below = side / multiple * multiple;
                return Err(DiffusionError::Settings(format!(
                    "a {name} of {side} pixels is no multiple of {multiple}\n  hint: take {} or {}",
                    below.max(multiple),
                    below.max(multiple) + multiple
                )));
            }
        }
        if self.steps == 0 {
            return Err(DiffusionError::Settings(
                "no picture is drawn in 0 steps\n  hint: turbo and schnell models need 1 to 4, \
                 others 20 to 50"
                    .into(),
            ));
        }
        if !(0.0..=100.0).contains(&self.guidance) {
            return Err(DiffusionError::Settings(format!(
                "a guidance of {} is out of range\n  hint: 0 for turbo models, 5 to 8 for others",
                self.guidance
            )));
        }
        Ok(())
    }

    /// Whether a second, unconditional prediction is made.
    pub(crate) fn guided(&self) -> bool {
        self.guidance > 1.0
    }
}
