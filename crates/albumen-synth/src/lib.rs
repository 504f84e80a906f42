//! Generate, curate, render, export: pure post-processing of released models.
//!
//! Nothing here sees the corpus: this crate does not depend on `albumen-corpus`, and every
//! function takes synthetic text, released models or public rules only. Whatever it computes is
//! therefore covered by the guarantee of the models that wrote the text (closure under
//! post-processing, Dwork & Roth 2014, proposition 2.1).
#![warn(missing_docs)]

pub mod curate;
pub mod diffuse;
mod error;
pub mod export;
mod files;
mod flat;
pub mod generate;
pub mod render;
pub mod statistics;
pub mod storage;
pub mod style;
mod table;
pub mod topics;

pub use error::{Result, SynthError};
