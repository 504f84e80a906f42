//! Why a run did not do what it was asked.

use std::fmt;

/// A failed run, check or configuration.
#[derive(Debug)]
pub enum Failure {
    /// The arguments or the configuration are wrong: nothing was done.
    Usage(anyhow::Error),
    /// A check or the run failed.
    Failed(anyhow::Error),
}

impl Failure {
    /// A fault of the arguments or the configuration.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// What happened.
    pub fn error(&self) -> &anyhow::Error {
        match self {
            Self::Usage(error) | Self::Failed(error) => error,
        }
    }
}

impl fmt::Display for Failure {
    /// The whole chain of causes on one line, and the hint on the next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error())
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What a run gives.
pub type Outcome<T = ()> = Result<T, Failure>;
