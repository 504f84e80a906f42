//! The one error type of this crate.

use std::path::PathBuf;

/// What can go wrong while a report is made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] albumen_files::FileError),
    /// A picture cannot be decoded or made small.
    #[error("cannot use the picture {}: {reason}; run `albumen render --force` to draw it again", path.display())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// The image library's message.
        reason: String,
    },
    /// The events cannot be accounted.
    #[error("cannot account for the events of the report: {0}")]
    Accounting(#[from] albumen_accounting::AccountingError),
    /// The ledger makes no statement.
    #[error("{0}")]
    Statement(#[from] albumen_synth::SynthError),
    /// The albums' topics cannot be made.
    #[error("no topics of the albums: {0}")]
    Topics(#[from] albumen_topics::TopicsError),
    /// The numbers of curation are not those of the albums.
    #[error(
        "the curation's summary.json keeps {} of {} albums and its table {} of {}; run `albumen curate --force` to write both again",
        summary[0], summary[1], table[0], table[1]
    )]
    OtherCuration {
        /// Albums kept and sampled by the summary.
        summary: [usize; 2],
        /// The same by the table.
        table: [usize; 2],
    },
    /// The template failed.
    #[error("cannot write the report: {0}")]
    Template(#[from] minijinja::Error),
    /// A value has no JSON form.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, ReportError>;
