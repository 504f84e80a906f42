//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong after the models are released.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}; check that it exists, that you may use it, and that the disk has room", path.display())]
    Io {
        /// What was tried: `read`, `write`, `rename` ...
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's message.
        source: std::io::Error,
    },
    /// A word list is not a JSON array of strings.
    #[error(
        "{origin} is no word list: {reason}; it must be a JSON array of strings: fetch it again with `albumen assets fetch`"
    )]
    WordList {
        /// Where the list came from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A language code that no language has.
    #[error(
        "`{0}` is no language that can be told from others; use ISO 639-3 codes such as eng, deu, fra in `curate.languages`"
    )]
    Language(String),
    /// The public topics could not be made, or a file does not hold them.
    #[error("no public topics: {0}")]
    Topics(#[from] albumen_topics::TopicsError),
    /// The public model could not be read out.
    #[error("the public language model failed: {0}")]
    LanguageModel(#[source] Box<albumen_lm::LmError>),
    /// A released histogram is of other topics than the run's.
    #[error(
        "the released topic histogram is of {released} other topics than the run's {topics}; put the topics of that run back, or start a new run"
    )]
    OtherTopics {
        /// Categories of the histogram.
        released: usize,
        /// Topics of the run.
        topics: usize,
    },
    /// A Parquet file is not the table that it should be.
    #[error("{} is not the table it should be: {reason}; run the stage that makes it again with `--force`", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An album could not be drawn.
    #[error("cannot draw {album}: {reason}")]
    Paint {
        /// The album.
        album: String,
        /// The renderer's message.
        reason: String,
    },
    /// The server that draws gave no usable picture.
    #[error("cannot draw {album}: {source}")]
    Endpoint {
        /// The album.
        album: String,
        /// What came instead.
        source: albumen_endpoint::EndpointError,
    },
    /// No threads to draw with.
    #[error("cannot start threads to draw with: {0}; lower `endpoint.concurrency`")]
    Threads(String),
    /// The renderer cannot draw with the settings of `[render]`.
    #[error("{0}")]
    Renderer(String),
    /// A picture could not be encoded.
    #[error("cannot encode {}: {reason}", path.display())]
    Encode {
        /// Where the picture was to go.
        path: PathBuf,
        /// The encoder's message.
        reason: String,
    },
    /// The ledger is damaged.
    #[error("{0}")]
    Ledger(#[from] albumen_accounting::LedgerError),
    /// A statistic of the run is not the one that the ledger paid for.
    #[error("{} is not what the ledger paid for; put the file of that run back, or start a new run", path.display())]
    Statistic {
        /// The file.
        path: PathBuf,
    },
    /// The ledger does not give a guarantee.
    #[error(transparent)]
    Guarantee(#[from] albumen_verify::VerifyError),
    /// The ledger spends more than the configuration allows.
    #[error(
        "the ledger spends epsilon {spent} at delta {delta}, and the configuration allows {asked}; nothing was exported: raise `privacy.epsilon` if that is acceptable, or start a new run"
    )]
    Overspent {
        /// Epsilon recomputed from the ledger.
        spent: f64,
        /// Epsilon that the configuration allows.
        asked: f64,
        /// Delta of both.
        delta: f64,
    },
    /// The ledger is about another guarantee than the configuration.
    #[error(
        "the ledger was kept for {field} = {ledger}, and the configuration says {configured}; nothing was exported: use the configuration that the run was made with"
    )]
    OtherGuarantee {
        /// The field of `[privacy]`.
        field: &'static str,
        /// What the ledger says.
        ledger: String,
        /// What the configuration says.
        configured: String,
    },
    /// Curation kept no album.
    #[error(
        "curation kept none of {sampled} albums, so there is nothing to release; see the reasons in the report, then loosen `[curate]` or sample more albums"
    )]
    NothingKept {
        /// Albums sampled.
        sampled: usize,
    },
    /// A kept album has no picture.
    #[error("picture {} is missing; run `albumen render` again", path.display())]
    MissingPicture {
        /// Where it should be.
        path: PathBuf,
    },
    /// A kept album's picture does not read as one.
    #[error("{} is no picture: {reason}; draw it again with `albumen render --force`", path.display())]
    DamagedPicture {
        /// The file.
        path: PathBuf,
        /// The decoder's message.
        reason: String,
    },
    /// The data card's template failed.
    #[error("cannot write the data card: {0}")]
    Card(#[from] minijinja::Error),
    /// A value has no JSON form.
    #[error("cannot write JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// Sentence embeddings failed, or have the wrong number of rows.
    #[error("cannot embed the texts for the coherence filter: {0}")]
    Embedding(String),
}

impl From<albumen_files::FileError> for SynthError {
    fn from(error: albumen_files::FileError) -> Self {
        Self::Io {
            action: error.action,
            path: error.path,
            source: error.source,
        }
    }
}

impl From<albumen_lm::LmError> for SynthError {
    fn from(error: albumen_lm::LmError) -> Self {
        Self::LanguageModel(Box::new(error))
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, SynthError>;

/// An I/O error with what was tried on which path.
pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> SynthError {
    let path = path.to_owned();
    move |source| SynthError::Io {
        action,
        path,
        source,
    }
}
