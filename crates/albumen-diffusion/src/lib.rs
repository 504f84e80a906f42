//! Text-to-image: frozen public diffusion models in the directory layout of diffusers.
//!
//! [`TextToImage::load`] reads a checkpoint, [`TextToImage::draw`] draws pictures from [`Request`]s,
//! and [`estimate()`] tells the memory before anything is loaded. A picture depends on its request
//! and the settings alone: see [`noise`].

mod checkpoint;
mod clip;
mod dit;
mod error;
mod estimate;
mod layers;
pub mod noise;
mod pipeline;
mod scheduler;
mod settings;
mod text;
mod tiles;
mod tokens;
mod unet;
mod vae;

pub use candle_core::{DType, Device};

pub use checkpoint::Checkpoint;
pub use error::{DiffusionError, Result};
pub use estimate::{ComponentSize, Estimate, estimate};
pub use noise::{Noise, NoiseKey};
pub use pipeline::{TextToImage, supported};
pub use scheduler::SchedulerKind;
pub use settings::{LoadOptions, Request, Settings};

#[cfg(test)]
mod tests;
