//! The one-shot releases of a configuration: fixed charges, known before any data is read.

use albumen_accounting::Event;
use albumen_schema::Config;

/// A one-shot release: the stage that the ledger will name, and what it charges.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamedEvent {
    /// The stage's name in ledger, plan and release.
    pub(crate) stage: String,
    /// What the ledger will hold for it.
    pub(crate) event: Event,
}

/// The one-shot releases that `config` asks for, in the order in which they run.
pub(crate) fn configured(_config: &Config) -> Vec<NamedEvent> {
    Vec::new()
}
