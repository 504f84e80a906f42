//! How errors reach the user: one message on stderr, and an exit code.

use std::process::ExitCode;

/// A command that did not do what it was asked.
pub(crate) enum Failure {
    /// Bad arguments or configuration: exit code 2.
    Usage(anyhow::Error),
    /// The check or run failed: exit code 1.
    Failed(anyhow::Error),
}

impl Failure {
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// Prints the error and gives the exit code.
    #[expect(clippy::print_stderr, reason = "this is where errors reach people")]
    pub(crate) fn report(self) -> ExitCode {
        let (error, code) = match self {
            Self::Usage(error) => (error, 2),
            Self::Failed(error) => (error, 1),
        };
        eprintln!("error: {error:#}");
        ExitCode::from(code)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What a command gives.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;
