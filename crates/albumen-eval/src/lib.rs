//! Utility measures, audits and reports.
#![warn(missing_docs)]

pub mod compare;
mod error;
pub mod internal;
pub mod report;
pub mod synthetic;

pub use error::{EvalError, Result};
