//! Vision-language captioners: frozen public models, one caption a photo, each photo alone.
//!
//! A model is a local directory as the Hugging Face hub lays it out (`config.json`, safetensors,
//! `tokenizer.json`, `preprocessor_config.json`). A photo's caption is a function of that photo, the
//! model and the settings: no state passes between photos, and none is batched with another, so that
//! its bits do not depend on what else is captioned. Privacy rests on that.

mod captioner;
mod config;
mod decoding;
mod error;
mod memory;
mod models;
mod names;
mod nn;
mod pixels;
mod tokenizer;

pub use candle_core::{DType, Device, Tensor};
pub use captioner::{Captioner, Stages};
pub use decoding::CaptionSettings;
pub use error::{CaptionerError, Result};
pub use memory::{MemoryEstimate, estimate};
pub use models::Architecture;
pub use pixels::{ImageProcessor, Pixels};
