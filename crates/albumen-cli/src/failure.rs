//! How errors reach the user: one message on stderr, and an exit code.

use std::process::ExitCode;

pub(crate) use albumen_run::{Failure, Outcome};

/// Prints the error and gives the exit code.
#[expect(clippy::print_stderr, reason = "this is where errors reach people")]
pub(crate) fn report(failure: &Failure) -> ExitCode {
    eprintln!("error: {failure}");
    ExitCode::from(match failure {
        Failure::Usage(_) => 2,
        Failure::Failed(_) => 1,
    })
}
