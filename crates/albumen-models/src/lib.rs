//! What lies behind a model's name ([`albumen_names::ModelName`]), whatever it is for.
//!
//! [`Found`] says where it is, what it is
//! ([`Kind`] and architecture, read from `config.json`, `model_index.json` or a GGUF header), its
//! licence and revision. Nothing here loads a weight; [`Header`] reads what a safetensors file says of
//! itself.

pub mod detect;
pub mod error;
mod found;
mod gguf;
#[cfg(feature = "hub")]
mod hub;
pub mod inspect;
pub mod kind;
mod known;
pub mod layout;
pub mod safetensors;

pub use detect::detect;
pub use error::Error;
pub use found::{Found, Place, find_path, fingerprint, licence, require};
#[cfg(feature = "hub")]
pub use hub::Hub;
pub use kind::{Architecture, Kind};
pub use known::Known;
pub use safetensors::Header;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
