//! Utility measures, audits and reports.
#![warn(missing_docs)]

mod error;
pub mod report;
pub mod synthetic;

pub use error::{EvalError, Result};
