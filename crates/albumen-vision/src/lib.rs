//! Frozen public models beside the language model: tagger, detector, sentence embeddings.
//!
//! Nothing here learns, and no call carries state from one image or text to the next: what comes
//! out for an item depends on that item alone. The privacy argument of the caption stage rests on
//! this (a photo's caption is a function of that photo), so every batched call is
//! batch-size-invariant and tested for it.

mod arrays;
pub mod describe;
pub mod detector;
pub mod embedder;
pub mod error;
pub mod facts;
mod ops;
pub mod preprocess;
pub mod tagger;

pub use describe::Describer;
pub use detector::Detector;
pub use embedder::Embedder;
pub use error::{Result, VisionError};
pub use tagger::Tagger;
