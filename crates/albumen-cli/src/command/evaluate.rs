//! `albumen evaluate`.

use std::path::Path;

use albumen_evaluate::compare::{
    Evaluation, EvaluationSettings, Role, STAMP, TextAlbum, halves, read_albums,
};
use albumen_run::Progress;
use albumen_run::models::Models;
use albumen_schema::ModelName;
use albumen_schema::config::EvaluateConfig;
use anyhow::Context;
use serde_json::{Value, json};

use crate::args::EvaluateArgs;
use crate::command::run::existing;
use crate::failure::Outcome;
use crate::progress::{print_json, say, terminal};

/// Runs `albumen evaluate`.
pub(crate) fn evaluate(args: &EvaluateArgs) -> Outcome {
    match &args.run {
        Some(run) => of_run(run, args),
        None => files(args),
    }
}

/// The embedder that is asked for, or else the configuration's.
fn embedder(args: &EvaluateArgs, config: &EvaluateConfig) -> ModelName {
    let asked = args.embedder.as_deref().map(ModelName::from);
    asked.unwrap_or_else(|| config.embedder.clone())
}

/// Evaluates a run: its numbers go to two files of its directory, and are shown to who asks for them.
fn of_run(run: &Path, args: &EvaluateArgs) -> Outcome {
    let mut runner = existing(run)?;
    let config = runner.config().evaluate.clone();
    let embedder = &embedder(args, &config);
    let (found, written) = runner.evaluate(&settings(&config, args), embedder)?;
    let mut record = json!({"report": written.report, "metrics": written.metrics});
    say(&format!(
        "wrote {} and {}; both are {STAMP}",
        written.report.display(),
        written.metrics.display()
    ));
    if args.show_private_metrics {
        #[expect(
            clippy::disallowed_methods,
            reason = "--show-private-metrics: the evaluation is shown, stamped, to who asked for it"
        )]
        let found = found.expose();
        record["evaluation"] = numbers(found);
        if !args.json {
            for line in lines(found) {
                say(&line);
            }
        }
    }
    if args.json {
        print_json(&record);
    }
    Ok(())
}

/// The configuration with what the command line says instead.
fn settings(config: &EvaluateConfig, args: &EvaluateArgs) -> EvaluationSettings {
    EvaluationSettings {
        seed: args.seed.unwrap_or(config.seed),
        samples: args.samples.map_or(config.samples, |n| n as usize),
        ..EvaluationSettings::from(config)
    }
}

/// Compares albums of files; asked for by `--show-private-metrics`, which the arguments require.
fn files(args: &EvaluateArgs) -> Outcome {
    let config = EvaluateConfig::default();
    let settings = settings(&config, args);
    let real = args.real.as_deref().context("--real is missing")?;
    let synthetic = args
        .synthetic
        .as_deref()
        .context("--synthetic is missing")?;
    let (reference, held_out) = match &args.held_out {
        Some(held_out) => (read_albums(real)?, read_albums(held_out)?),
        None => halves(read_albums(real)?, settings.seed),
    };
    let synthetic = read_albums(synthetic)?;
    let floor = args.floor.as_deref().map(read_albums).transpose()?;
    let mut sets: Vec<(Role, &[TextAlbum])> =
        vec![(Role::Sampled, &synthetic), (Role::HeldOut, &held_out)];
    sets.extend(floor.as_deref().map(|albums| (Role::Floor, albums)));
    let embedder = Models::new()?.embedder(&embedder(args, &config))?;
    let progress = Progress::start(&terminal(), "evaluate");
    let found = albumen_evaluate::compare::evaluate(
        &reference,
        &sets,
        &embedder,
        &settings,
        &mut |share| {
            progress.set(share, "");
        },
    )?;
    progress.finish("");
    if args.json {
        print_json(&numbers(&found));
    } else {
        for line in lines(&found) {
            say(&line);
        }
    }
    Ok(())
}

/// The numbers, without any text.
fn numbers(found: &Evaluation) -> Value {
    let kinds = found.kinds.iter().map(|kind| {
        let measured = kind.measured.iter();
        let mut sets = serde_json::Map::new();
        for m in measured {
            let set = sets.entry(name(m.role)).or_insert_with(|| json!({}));
            set[m.measure.name()] = json!({
                "value": m.estimate.value,
                "low": m.estimate.low,
                "high": m.estimate.high,
                "texts": m.texts,
            });
        }
        (kind.kind.title().to_owned(), Value::Object(sets))
    });
    let sizes = found.sizes.measured.iter().map(|m| {
        let e = m.estimate;
        let value = json!({"value": e.value, "low": e.low, "high": e.high, "texts": m.texts});
        (name(m.role), value)
    });
    let mut all: serde_json::Map<String, Value> = kinds.collect();
    all.insert("stamp".into(), STAMP.into());
    all.insert("settings".into(), json!(found.settings));
    all.insert("size_divergence".into(), Value::Object(sizes.collect()));
    Value::Object(all)
}

fn name(role: Role) -> String {
    // An enum of unit variants is a string in JSON.
    json!(role).as_str().unwrap_or_default().to_owned()
}

/// One stamped line a number.
fn lines(found: &Evaluation) -> Vec<String> {
    let kinds = found.kinds.iter();
    let kinds = kinds.flat_map(|k| k.measured.iter().map(|m| (k.kind.title(), m)));
    let sizes = found.sizes.measured.iter().map(|m| ("albums", m));
    kinds
        .chain(sizes)
        .map(|(kind, m)| {
            let e = m.estimate;
            format!(
                "{STAMP} {kind}, {}, {}: {:.3} ({:.3} to {:.3}), {} texts",
                m.role.title(),
                m.measure.title(),
                e.value,
                e.low,
                e.high,
                m.texts
            )
        })
        .collect()
}
