//! Synthetic albums beside the private ones: measures, `report.internal.html` and the page of a sweep.
//!
//! **Nothing here is differentially private.** See [`compare`] for what that means for its numbers. What may
//! be shared is `albumen-report`.
#![warn(missing_docs)]

pub mod compare;
mod error;
pub mod internal;

pub use error::{EvaluateError, Result};
