//! Privacy events, privacy loss distributions, Renyi, calibration and the ledger.
#![warn(missing_docs)]

mod error;
pub mod event;
pub mod ledger;

pub use error::AccountingError;
pub use event::Event;
pub use ledger::{Entry, Header, History, Ledger, LedgerError};
