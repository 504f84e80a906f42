//! A checkpoint's tensors in safetensors: one file, or shards with their index.
//!
//! [`Weights::open`] reads the headers and holds them against the sizes of their files, so that a file
//! that is cut short is found before a network is built. Tensors are read when a network asks for
//! them, one at a time: the peak is one tensor above the network itself. Files are read, not mapped: one
//! that changes or shrinks under the program gives an error, not a signal.

pub mod error;
mod store;

pub use error::{Result, WeightsError};
pub use store::Weights;
