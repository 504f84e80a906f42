#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod accountant;
mod calibrate;
mod distance;
mod error;
pub mod event;
mod gaussian;
pub mod ledger;
mod normal;
mod pld;
mod renyi;
mod rounding;
mod runs;
mod tradeoff;
mod tuning;
mod unit;

pub use accountant::{Bounds, Composition, Guarantee, account};
pub use calibrate::{Calibration, Part, calibrate};
pub use error::AccountingError;
pub use event::Event;
pub use gaussian::{gdp_delta, gdp_epsilon, gdp_true_positive_rate};
pub use ledger::{Entry, Header, History, Ledger, LedgerError};
pub use normal::upper_quantile;
pub use renyi::{orders, renyi_divergence, renyi_epsilon, renyi_epsilon_classic};
pub use rounding::{rounded_down, rounded_up, rounded_up_scientific};
pub use runs::TuningRuns;
pub use tradeoff::TradeOff;
pub use tuning::{account_tuned, tuned_epsilon};
pub use unit::Unit;
