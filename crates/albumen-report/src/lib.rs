//! `report.html`, and the measures of synthetic albums alone.
//!
//! Everything here is a function of released albums, the ledger and public settings, so what it writes may
//! be shared like the release. What compares with private albums is `albumen-evaluate`.
#![warn(missing_docs)]

mod error;
mod page;
pub mod shell;
pub mod synthetic;

pub use error::{ReportError, Result};
pub use page::{
    AlbumTopic, AlbumTopics, MOST_CLUSTERED, MOST_TOPICS, ReportData, render_report, write_report,
};
