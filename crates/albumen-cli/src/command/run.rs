//! `albumen run` and the commands of single stages.

mod check;

use std::path::{Path, PathBuf};

use albumen_schema::Config;
use albumen_train::read_public;
use anyhow::Context;
use serde_json::json;

use crate::args::{RunArgs, StageArgs, TrainArgs};
use crate::budget::Budget;
use crate::command::read_config;
use crate::failure::{Failure, Outcome};
use crate::memory::{ensure_fits, needs};
use crate::models::Models;
use crate::progress::{print_json, say};
use crate::run_dir::RunDir;
use crate::stages::{Runner, Stage, preamble};

/// Runs `albumen run`.
pub(crate) fn run(args: &RunArgs) -> Outcome {
    let config = read_config(&args.config)?;
    let out = run_directory(&config, args.out.as_deref());
    if args.check {
        check_public(&config)?;
        return check::check(&config, args.json);
    }
    let mut runner = runner(config, &out, args.insecure_seed)?;
    runner.show_private_metrics = args.show_private_metrics;
    runner.run(args.until.unwrap_or(Stage::Report), args.force)?;
    let guarantee = runner.spent()?;
    if args.json {
        print_json(&json!({
            "run": out,
            "release": runner.dir.release(),
            "report": out.join("report.html"),
            "epsilon": guarantee.epsilon,
            "epsilon_lower": guarantee.epsilon_lower,
            "epsilon_rdp": guarantee.epsilon_rdp,
            "delta": guarantee.delta,
        }));
    }
    say(&format!(
        "spent epsilon {:.3} at delta {:.0e} by {}",
        guarantee.epsilon, guarantee.delta, runner.config.privacy.unit
    ));
    Ok(())
}

/// Runs one stage, and before it those that it needs and that are not finished.
pub(crate) fn single(args: &StageArgs, stage: Stage) -> Outcome {
    let config = read_config(&args.config)?;
    let out = run_directory(&config, args.out.as_deref());
    let mut runner = runner(config, &out, None)?;
    runner.run(stage, args.force.then_some(stage))
}

/// Trains the models.
pub(crate) fn train(args: &TrainArgs) -> Outcome {
    let StageArgs { config, out, force } = &args.stage;
    let config = read_config(config)?;
    let out = run_directory(&config, out.as_deref());
    let mut runner = runner(config, &out, None)?;
    runner.show_private_metrics = args.show_private_metrics;
    let last = runner.trained().last().copied();
    let last = last.context("there is nothing to train")?;
    runner.run(last, force.then_some(last))
}

fn run_directory(config: &Config, out: Option<&Path>) -> PathBuf {
    out.map_or_else(|| Path::new("runs").join(&config.name), Path::to_owned)
}

/// A run directory that is there, with the configuration that it was made with.
pub(crate) fn existing(run: &Path) -> Outcome<Runner> {
    let config = run.join("run.toml");
    if !config.is_file() {
        return Err(Failure::usage(anyhow::anyhow!(
            "{} is no run directory: it has no run.toml\n  hint: name what `albumen run CONFIG` made, \
             normally runs/NAME",
            run.display()
        )));
    }
    runner(read_config(&config)?, run, None)
}

/// Solves for the budget, finds the models, opens the run directory: all that can fail before
/// private data is read.
pub(crate) fn runner(config: Config, out: &Path, insecure_seed: Option<u64>) -> Outcome<Runner> {
    let budget = Budget::solve(&config)?;
    let models = Models::new()?;
    models.check(&config)?;
    ensure_fits(&config, &needs(&config, &models)?)?;
    check_public(&config)?;
    if insecure_seed.is_some() {
        say("warning: private randomness comes from a seed; this run guarantees nothing");
    }
    let dir = RunDir::open(out, &config)?;
    Ok(Runner {
        config,
        dir,
        budget,
        models,
        insecure_seed,
        show_private_metrics: false,
    })
}

/// Fails where the public albums that the configuration names cannot be read, or are private ones.
fn check_public(config: &Config) -> anyhow::Result<()> {
    if let Some(public) = &config.train.public {
        ensure_apart("train.public.path", &public.path, &config.corpus.path)?;
        read_public(&public.path).context("[train.public]")?;
    }
    if let Some(path) = config.train.preamble_file() {
        ensure_apart("train.preamble", path, &config.corpus.path)?;
        preamble::albums(&config.train.preamble)?;
    }
    Ok(())
}

/// Refuses public albums that lie in the private corpus: they would be learnt without protection.
pub(crate) fn ensure_apart(key: &str, public: &Path, corpus: &Path) -> anyhow::Result<()> {
    // What is not there is refused where it is read.
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    anyhow::ensure!(
        !whole(public).starts_with(whole(corpus)),
        "`{key}` {} lies inside `corpus.path` {}: albums of the \
         private corpus are not public\n  hint: keep the public albums in a file outside the corpus",
        public.display(),
        corpus.display()
    );
    Ok(())
}
