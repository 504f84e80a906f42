//! Counts, histograms and quantiles of private values, released once with noise by OpenDP.
//!
//! ```
//! # use albumen_accounting::Unit;
//! # use albumen_dp::{Released, Sensitive};
//! # use albumen_oneshot::{Drawn, OneShot, OneShotError};
//! # use albumen_schema::NoisyCounts;
//! # fn main() -> Result<(), OneShotError> {
//! let settings = OneShot {
//!     unit: Unit::Owner,
//!     declared_units: 100,
//!     epsilon: 0.5,
//!     max_per_unit: 3,
//! };
//! let albums_per_owner = Sensitive::new(vec![1, 2, 40]);
//! let planned = settings.counts_event(1)?;
//! let released: Released<NoisyCounts, Drawn> = settings.count("albums", &albums_per_owner)?;
//! assert_eq!(*released.event(), planned);
//! # Ok(())
//! # }
//! ```
//!
//! A crate of its own, so that training does not carry OpenDP. Proof note: proofs/oneshot.md.
#![warn(missing_docs)]
#![forbid(unsafe_code)]

mod error;
mod oneshot;

pub use error::OneShotError;
pub use oneshot::{Drawn, OneShot};
