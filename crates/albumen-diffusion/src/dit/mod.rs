//! Diffusion transformers: Stable Diffusion 3, Flux, Z-Image.
//!
//! Written anew from the papers and the configurations, over shared parts, in the tensor names of
//! diffusers. candle-transformers has these models in the names of their first repositories; its MMDiT
//! computes time embeddings in f16 whatever the weights, and its Z-Image has no padding tokens.

mod flux;
mod joint;
mod layers;
mod mmdit;
mod z_image;

pub(crate) use flux::{Flux, FluxConfig};
pub(crate) use mmdit::{Mmdit, MmditConfig};
pub(crate) use z_image::{ZImage, ZImageConfig};
