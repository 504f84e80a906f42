//! The `albumen` command: arguments and progress in front of the run engine, `albumen-run`.
//!
//! A library behind a one-line binary, so that the reference pages are generated from the code.

pub mod args;
mod command;
mod failure;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use albumen_run::Stage;
use args::{Cli, Command};

/// Runs the command that the process was started with.
///
/// Exit codes: 0 done, 1 the check or run failed, 2 bad arguments or configuration.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Run(args) => command::run::run(args),
        Command::Ingest(args) => command::run::single(args, Stage::Ingest),
        Command::Caption(args) => command::run::single(args, Stage::Caption),
        Command::Summarize(args) => command::run::single(args, Stage::Summarize),
        Command::Statistics(args) => command::run::single(args, Stage::Statistics),
        Command::Train(args) => command::run::train(args),
        Command::Generate(args) => command::run::single(args, Stage::Generate),
        Command::Curate(args) => command::run::single(args, Stage::Curate),
        Command::Render(args) => command::run::single(args, Stage::Render),
        Command::Export(args) => command::run::single(args, Stage::Export),
        Command::Report(args) => command::run::single(args, Stage::Report),
        Command::Plan(args) => command::plan::plan(args),
        Command::Account(args) => command::auditor::run(albumen_verify::command::account, args),
        Command::Verify(args) => command::auditor::run(albumen_verify::command::verify, args),
        Command::Evaluate(args) => command::evaluate::evaluate(args),
        Command::Sweep(args) => command::sweep::sweep(args),
        Command::Assets(args) => command::assets::assets(args),
        Command::Models(args) => command::models::models(args),
        Command::Dataset(args) => command::dataset::dataset(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&failure),
    }
}
