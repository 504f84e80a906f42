use std::path::{Path, PathBuf};

use albumen_files::FileError;

/// What keeps a release from being verified, or a ledger from being read.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no directory to verify.
    #[error("{} is no directory; name the release directory, the one that holds privacy.json", path.display())]
    NotARelease {
        /// What was named.
        path: PathBuf,
    },
    /// The ledger is damaged.
    #[error(transparent)]
    Ledger(#[from] albumen_accounting::LedgerError),
    /// The ledger's events cannot be accounted.
    #[error("cannot recompute epsilon from the ledger: {0}")]
    Accounting(#[from] albumen_accounting::AccountingError),
    /// The ledger names no release.
    #[error(
        "the ledger holds no event, so no model was trained under it; run `albumen train` first"
    )]
    EmptyLedger,
    /// A value has no JSON form.
    #[error("cannot write JSON: {0}")]
    Json(#[source] serde_json::Error),
}

/// The crate's result.
pub type Result<T, E = VerifyError> = std::result::Result<T, E>;

/// A system's error with the path that could not be read.
pub(crate) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> VerifyError {
    move |source| FileError::at("read", path)(source).into()
}
