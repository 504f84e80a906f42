//! The run engine: from a configuration to a release, stage by stage, in a directory that a killed run
//! goes on in.
//!
//! [`Runner::open`] does all that can fail before private data is read, [`Runner::run`] runs the stages.
//! What happens is told to an [`Observer`]; nothing is printed here. Whatever a front end does, the
//! guarantee is kept below it: nothing trained on private albums leaves a stage before the ledger holds
//! its event.

mod budget;
mod check;
mod departures;
mod failure;
pub mod memory;
pub mod models;
mod observer;
mod pseudo;
mod run_dir;
mod runner;
mod stages;
mod sweep;
mod words;

pub use budget::{Budget, Forecast, Model, SignalToNoise, Sweep};
pub use check::{Checked, check};
pub use failure::{Failure, Outcome};
pub use observer::{News, Observer, Progress, Shared, Silent};
pub use pseudo::{Pseudo, pseudo};
pub use run_dir::RunDir;
pub use runner::{Options, Runner, Work};
pub use stages::{Ring, STAMP, Stage, UnknownStage, Written};
pub use sweep::{Swept, sweep};
pub use words::bytes;
