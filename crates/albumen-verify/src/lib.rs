//! Is a release whole and unaltered, and is its epsilon what its ledger says?
//!
//! ```no_run
//! let report = albumen_verify::verify("release".as_ref())?;
//! println!("{:?} {:?}", report.epsilon, report.differences);
//! # Ok::<(), albumen_verify::VerifyError>(())
//! ```
//!
//! The same checks are the program `albumen-verify`, which an auditor can build from this crate and the
//! few below it: no images, no models, no network.
#![warn(missing_docs)]
#![forbid(unsafe_code)]

pub mod command;
mod error;
pub mod names;
pub mod statement;
pub mod statistics;
mod verify;

pub use error::{Result, VerifyError};
pub use verify::{VerifyReport, verify};
