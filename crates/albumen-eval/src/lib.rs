//! Utility measures, audits and reports.
#![warn(missing_docs)]

mod error;
pub mod report;

pub use error::{EvalError, Result};
