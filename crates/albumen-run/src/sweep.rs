//! A sweep: the same configuration at several epsilons, and how good the albums are at each.

use std::path::{Path, PathBuf};

use albumen_accounting::{Event, History, account};
use albumen_evaluate::compare::EvaluationSettings;
use albumen_evaluate::internal::{ChoiceCost, Sweep, SweepPoint, write_sweep};
use albumen_schema::Config;
use anyhow::ensure;

use crate::budget::Budget;
use crate::failure::{Failure, Outcome};
use crate::observer::{News, Shared};
use crate::runner::{Options, Runner};
use crate::stages::Stage;

/// The page and the table of a sweep, in its directory.
const PAGE: &str = "sweep.internal.html";
const TABLE: &str = "sweep.internal.json";

/// What a sweep left, all of it private.
#[derive(Debug)]
pub struct Swept {
    /// `sweep.internal.html`.
    pub page: PathBuf,
    /// `sweep.internal.json`.
    pub table: PathBuf,
    /// The run directory of each level, in rising order.
    pub runs: Vec<PathBuf>,
    /// What choosing one of the private runs for publication costs, if none of the sweep's numbers chose it.
    pub choice: Option<ChoiceCost>,
}

/// Runs a configuration at several epsilons and compares the albums of each with the private ones; at
/// infinity without privacy, and what comes of that stays under `private/`. The directory is `out`, or
/// `runs/NAME-sweep`. Nothing of it can be exported.
///
/// # Errors
/// [`Failure::Usage`] for levels or a configuration that cannot be swept; else those of a run.
pub fn sweep(
    config: &Config,
    epsilons: &[f64],
    out: Option<&Path>,
    observer: &Shared,
) -> Outcome<Swept> {
    let levels = levels(epsilons).map_err(Failure::usage)?;
    ensure_undeclared(config).map_err(Failure::usage)?;
    let out = out.map_or_else(
        || Path::new("runs").join(format!("{}-sweep", config.name)),
        Path::to_owned,
    );
    // What no data is needed for fails first.
    for &level in &levels {
        Budget::solve(&at(config, level))?;
    }
    let settings = EvaluationSettings::from(&config.evaluate);
    let embedder = &config.evaluate.embedder;
    let mut points = Vec::new();
    let mut evaluations = Vec::new();
    let mut runs: Vec<PathBuf> = Vec::new();
    for &level in &levels {
        observer.tell(News::Note(&format!("epsilon {}:", name(level))));
        let dir = out.join(format!("epsilon-{}", name(level)));
        let observer = Shared::clone(observer);
        let mut runner = Runner::open(at(config, level), &dir, Options::default(), observer)?;
        runner.mark_swept()?;
        if let Some(before) = runs.first() {
            runner.adopt(before)?;
        }
        let albums = if level.is_finite() {
            runner.run(Stage::Curate, None)?;
            runner.curated()?
        } else {
            runner.run(Stage::Summarize, None)?;
            runner.without_privacy()?
        };
        let (found, _) = runner.evaluate_albums(&albums, &settings, embedder)?;
        points.push(SweepPoint {
            epsilon: level.is_finite().then_some(level),
            spent: level
                .is_finite()
                .then(|| runner.spent())
                .transpose()?
                .map(|g| g.epsilon),
            sampled: albums.len(),
            kept: albums.iter().filter(|c| c.verdict.kept()).count(),
        });
        evaluations.push(found);
        runs.push(dir);
    }
    let sweep = Sweep {
        title: config.name.clone(),
        embedder: embedder.to_string(),
        unit: config.privacy.unit.to_string(),
        declared_units: config.privacy.declared_units,
        points,
        choice: choice(config, &out)?,
    };
    let (page, table) = (out.join(PAGE), out.join(TABLE));
    write_sweep(&sweep, &evaluations, &page, &table)?;
    Ok(Swept {
        page,
        table,
        runs,
        choice: sweep.choice,
    })
}

/// The epsilons, rising, each once.
fn levels(asked: &[f64]) -> anyhow::Result<Vec<f64>> {
    ensure!(
        asked.iter().all(|e| *e > 0.0),
        "--epsilon takes numbers above 0 and `inf`\n  hint: for example --epsilon 1,2,4,8,inf"
    );
    let mut levels = asked.to_vec();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    Ok(levels)
}

fn name(level: f64) -> String {
    // Displays infinity as `inf`.
    format!("{level}")
}

/// The configuration at another epsilon. Without privacy the budget is not used, and stays.
fn at(config: &Config, level: f64) -> Config {
    let mut config = config.clone();
    config.name = format!("{}-epsilon-{}", config.name, name(level));
    if level.is_finite() {
        config.privacy.epsilon = level;
    }
    config
}

/// A sweep is the choice among runs that `tuning_runs` would declare, and states its price itself.
fn ensure_undeclared(config: &Config) -> anyhow::Result<()> {
    ensure!(
        config.privacy.tuning_runs.is_none(),
        "a sweep takes no `privacy.tuning_runs`: it states what its own runs spend together\n  hint: leave \
         it out here, and declare it in the run that is released"
    );
    Ok(())
}

/// What all private runs that lie in the sweep's directory spend together, those of earlier calls
/// included.
fn choice(config: &Config, out: &Path) -> anyhow::Result<Option<ChoiceCost>> {
    let mut events: Vec<Event> = Vec::new();
    let mut runs = 0;
    for entry in std::fs::read_dir(out)? {
        let ledger = entry?.path().join("ledger.jsonl");
        if ledger.exists() {
            let history = History::read(&ledger)?;
            events.extend(history.entries().iter().map(|e| e.event.clone()));
            runs += 1;
        }
    }
    if runs == 0 {
        return Ok(None);
    }
    let total = account(&events, config.privacy.delta)?;
    Ok(Some(ChoiceCost {
        runs,
        epsilon: total.epsilon,
        epsilon_lower: total.epsilon_lower,
        delta: total.delta,
    }))
}
