use albumen_accounting::AccountingError;
use thiserror::Error;

/// What can go wrong with a one-shot release. No variant carries a private value.
#[derive(Debug, Error)]
pub enum OneShotError {
    /// A public setting is out of range.
    #[error("{name} = {value} is out of range: {expected}")]
    OutOfRange {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The values allowed, in words.
        expected: &'static str,
    },
    /// What the mechanism charges is outside the accountant's range.
    #[error(transparent)]
    Accounting(#[from] AccountingError),
    /// OpenDP refused the mechanism.
    #[error("opendp: {0}")]
    OpenDp(String),
}

/// `Ok` where `holds`, else the typed error.
pub(crate) fn check(
    name: &'static str,
    value: f64,
    holds: bool,
    expected: &'static str,
) -> Result<(), OneShotError> {
    if holds {
        Ok(())
    } else {
        Err(OneShotError::OutOfRange {
            name,
            value,
            expected,
        })
    }
}
