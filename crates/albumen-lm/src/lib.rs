//! The language model: loading, LoRA, per-sequence gradients, decoding; knows nothing of privacy.
//!
//! [`Lm`] holds frozen weights. Training asks it for [`Lm::gradients`] of units of [`Example`]s with
//! respect to one flat vector of LoRA parameters described by a [`LoraLayout`]; generation asks it
//! for [`Lm::generate`].

mod backward;
pub mod config;
pub mod decode;
pub mod device;
pub mod error;
pub mod gradient;
pub mod kernels;
mod layer;
pub mod lora;
pub mod memory;
pub mod model;
mod packed;
pub mod sampler;
pub mod sequence;
pub mod states;
pub mod tokenizer;
pub mod weights;

pub use config::{Family, ModelConfig};
pub use decode::{Branch, DecodeOptions, Generation, Prefix, Request, Stop};
pub use device::{AnyLm, AnyPrefix, Device};
pub use error::LmError;
pub use gradient::{Budget, Example};
pub use kernels::Precision;
pub use lora::{Adapter, LoraConfig, LoraLayout, Target};
pub use memory::{DecodingMemory, TrainingMemory};
pub use model::Lm;
pub use sequence::{Mask, Sequence, SequenceBuilder};
pub use states::{PrefixStates, StateFormat};
pub use weights::Weights;
