//! `albumen run` and the commands of single stages.

use std::path::{Path, PathBuf};

use albumen_accounting::{rounded_up, rounded_up_scientific};
use albumen_run::memory::{ensure_fits, table};
use albumen_run::{Options, Runner, Stage, check};
use albumen_schema::Config;
use anyhow::Context;
use serde_json::json;

use crate::args::{RunArgs, StageArgs, TrainArgs};
use crate::command::{read_config, read_kept_config};
use crate::failure::{Failure, Outcome};
use crate::progress::{print_json, print_text, say, terminal};

/// Runs `albumen run`.
pub(crate) fn run(args: &RunArgs) -> Outcome {
    let config = read_config(&args.config)?;
    let out = run_directory(&config, args.out.as_deref());
    if args.check {
        return run_check(&config, args.json);
    }
    let options = Options {
        insecure_seed: args.insecure_seed,
        show_private_metrics: args.show_private_metrics,
    };
    let mut runner = Runner::open(config, &out, options, terminal())?;
    runner.run(args.until.unwrap_or(Stage::Report), args.force)?;
    let guarantee = runner.spent()?;
    if args.json {
        print_json(&json!({
            "run": out,
            "release": runner.dir().release(),
            "report": out.join("report.html"),
            "epsilon": guarantee.epsilon,
            "epsilon_lower": guarantee.epsilon_lower,
            "epsilon_rdp": guarantee.epsilon_rdp,
            "delta": guarantee.delta,
        }));
    }
    say(&format!(
        "spent epsilon {} at delta {} by {}",
        rounded_up(guarantee.epsilon, 3),
        rounded_up_scientific(guarantee.delta),
        runner.config().privacy.unit
    ));
    Ok(())
}

/// `albumen run --check`: checks budget, models and memory, and prints what is found.
fn run_check(config: &Config, as_json: bool) -> Outcome {
    let found = check(config)?;
    if as_json {
        print_json(&json!({
            "epsilon": found.epsilon,
            "delta": config.privacy.delta,
            "models": found.models,
            "memory": found.memory,
            "notes": found.notes,
        }));
    } else {
        print_text(&table(&found.memory));
    }
    ensure_fits(config, &found.memory)?;
    for note in found.notes {
        say(&format!("note: {note}"));
    }
    say("configuration, budget and models are good");
    Ok(())
}

/// Runs one stage, and before it those that it needs and that are not finished.
pub(crate) fn single(args: &StageArgs, stage: Stage) -> Outcome {
    // A finished run stays readable where ranges have changed since; to compute anything, the runner
    // checks them.
    let config = match stage {
        Stage::Report => read_kept_config(&args.config)?,
        _ => read_config(&args.config)?,
    };
    let out = run_directory(&config, args.out.as_deref());
    let mut runner = Runner::open(config, &out, Options::default(), terminal())?;
    runner.run(stage, args.force.then_some(stage))
}

/// Trains the models.
pub(crate) fn train(args: &TrainArgs) -> Outcome {
    let StageArgs { config, out, force } = &args.stage;
    let config = read_config(config)?;
    let out = run_directory(&config, out.as_deref());
    let options = Options {
        show_private_metrics: args.show_private_metrics,
        ..Options::default()
    };
    let mut runner = Runner::open(config, &out, options, terminal())?;
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
    Runner::open(read_config(&config)?, run, Options::default(), terminal())
}
