//! The stages of a run: the table, and the function of each.

mod captioner;
mod check_public;
mod curate;
mod evaluate;
mod ledger;
mod metrics;
pub(crate) mod preamble;
mod private;
mod public;
pub(crate) mod renderer;
pub(crate) mod served;
mod stage;
mod statistics;
mod table;
mod texts;
mod topics;
mod warm_up;
mod without_privacy;

pub(crate) use captioner::{caption_settings, captioner_format};
pub(crate) use check_public::check_public;
pub(crate) use check_public::ensure_apart;
pub use evaluate::Written;
pub use metrics::STAMP;
pub(crate) use stage::trained;
pub use stage::{Ring, Stage, UnknownStage};
