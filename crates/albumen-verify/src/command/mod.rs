//! The commands `verify` and `account`: arguments, output and exit codes, for this crate's program and
//! for `albumen`.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these are help texts for a terminal: a bracket in them is no link"
)]

mod account;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use account::{AccountArgs, account};
pub use verify::{VerifyArgs, verify};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Bad arguments: exit code 2.
    Usage(anyhow::Error),
    /// The check failed: exit code 1.
    Failed(anyhow::Error),
}

impl Failure {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// Prints the error and gives the exit code.
    #[expect(clippy::print_stderr, reason = "this is where errors reach people")]
    fn report(self) -> ExitCode {
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
pub type Outcome<T = ()> = Result<T, Failure>;

/// Verifies a release of synthetic albums, and accounts for its privacy.
#[derive(Debug, Parser)]
#[command(name = "albumen-verify", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every hash of a release, and recompute its epsilon from the ledger
    Verify(VerifyArgs),
    /// Compute the epsilon of events, ledgers and releases, or the noise that meets one
    Account(AccountArgs),
}

/// Runs the command that the process was started with.
///
/// Exit codes: 0 done, 1 the check failed, 2 bad arguments.
pub fn main() -> ExitCode {
    let out = &mut std::io::stdout();
    let done = match Cli::parse().command {
        Command::Verify(args) => verify(&args, out),
        Command::Account(args) => account(&args, out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
