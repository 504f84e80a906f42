//! `verify`: every hash, and epsilon recomputed from the ledger.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::{Failure, Outcome};

/// What `verify` is asked.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The release directory
    pub release: PathBuf,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Runs `verify`, and writes the answer to `out`.
///
/// # Errors
/// [`Failure::Failed`] where anything differs, or the release cannot be read.
pub fn verify(args: &VerifyArgs, out: &mut dyn Write) -> Outcome {
    let report = crate::verify(&args.release)?;
    if args.json {
        writeln!(out, "{:#}", serde_json::to_value(&report)?)?;
    } else {
        for difference in &report.differences {
            writeln!(out, "differs: {difference}")?;
        }
    }
    if !report.intact() {
        return Err(Failure::Failed(anyhow::anyhow!(
            "{} does not hold what it says",
            args.release.display()
        )));
    }
    if !args.json {
        writeln!(out, "every hash and the recomputed epsilon hold")?;
    }
    Ok(())
}
