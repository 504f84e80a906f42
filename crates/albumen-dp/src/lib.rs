//! Sealed private values, clipping, sampling, noise, and the plan that couples them.
//!
//! A step reads "sample, clip, sum, noise, update":
//! ```
//! # use albumen_dp::*;
//! # use albumen_accounting::Unit;
//! # fn gradient(_: &[f32], _: usize) -> Vec<f32> { vec![0.1; 4] }
//! # fn main() -> Result<(), DpError> {
//! let plan = Plan {
//!     unit: Unit::Album,
//!     declared_units: 100,
//!     expected_batch: 10,
//!     steps: 5,
//!     noise_multiplier: 1.0,
//!     clipping: Clipping::Flat { norm: 1.0 },
//! };
//! let unit_count = Sensitive::new(97);
//! let mut training =
//!     DpTraining::begin(plan, Optimizer::adam(1e-3), vec![0.0; 4], &unit_count, Randomness::Os)?;
//! while let Some(batch) = training.sample()? {
//!     let mut sum = training.clipped_sum(&batch);
//!     # #[allow(clippy::disallowed_methods)]
//!     for (position, &unit) in batch.units().expose().iter().enumerate() {
//!         sum.add_unit(position, &gradient(training.params(), unit))?;
//!     }
//!     training.update(batch, sum)?;
//! }
//! let released: Released<Vec<f32>> = training.finish()?;
//! # let _ = released;
//! # Ok(())
//! # }
//! ```
#![warn(missing_docs)]
#![forbid(unsafe_code)]

mod checkpoint;
mod clip;
mod error;
mod noise;
mod noise_exact;
mod optimizer;
mod plan;
mod randomness;
mod released;
mod sampler;
mod sensitive;
mod training;

pub use clip::{BatchMetrics, ClippedSum};
pub use error::DpError;
pub use optimizer::{Decay, Optimizer, OptimizerState, Rule, Schedule};
pub use plan::{Clipping, Plan};
pub use randomness::Randomness;
pub use released::{Released, Scope, Trained, decode_f32, encode_f32, recover};
pub use sensitive::Sensitive;
pub use training::{Batch, DpTraining};
