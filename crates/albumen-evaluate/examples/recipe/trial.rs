//! One training and its loss on held-out albums.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use albumen_accounting::{Header, Ledger, Part, calibrate};
use albumen_dp::{Plan, Randomness, Sensitive, encode_f32};
use albumen_lm::{AnyPrefix, Budget, LoraLayout};
use albumen_schema::config::{ModelTraining, TrainConfig};
use albumen_schema::preamble::{self, PreambleAlbum};
use albumen_schema::{Unit, UnitTexts};
use albumen_train::{
    Checkpoints, Engine, Lengths, Model, WarmUp, clipping, held_out, held_out_by_part, lora_config,
    optimizer, train, warm_up,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Bench, Failed};

/// A trial: `{"name", "model", "train": a whole [train] table, "epsilon", "share", "seed"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    name: String,
    /// `summary`, `caption` or `album` (the flat layout's, with the caption model's settings).
    model: String,
    train: TrainConfig,
    /// Of both models together; without it the training is not private: plain means of batches of
    /// `expected_batch`.
    #[serde(default)]
    epsilon: Option<f64>,
    /// The summary model's share of it.
    #[serde(default = "half")]
    share: f64,
    #[serde(default)]
    seed: u64,
    /// What stands before every sequence: `builtin`, or a file of public albums.
    #[serde(default)]
    preamble: Option<String>,
    /// How many of the albums to train on, which are then the declared ones too; all without it.
    #[serde(default)]
    albums: Option<usize>,
    /// Start from this adapter.
    #[serde(default)]
    start: Option<PathBuf>,
    /// Where the trained adapter goes.
    #[serde(default)]
    save: Option<PathBuf>,
}

fn half() -> f64 {
    0.5
}

const DELTA: f64 = 1e-5;

/// The two models' noise multipliers.
fn noise(trial: &Trial, epsilon: f64, units: usize) -> Result<Vec<f64>, Failed> {
    if trial.model == "album" {
        let t = &trial.train.caption;
        let part = Part {
            sampling_rate: t.expected_batch as f64 / units as f64,
            steps: t.steps,
            share: 1.0,
        };
        let alone = calibrate(&[part], &[], None, epsilon, DELTA)?.noise_multipliers;
        return Ok([alone[0], alone[0]].to_vec());
    }
    let part = |t: &ModelTraining, share| Part {
        sampling_rate: t.expected_batch as f64 / units as f64,
        steps: t.steps,
        share,
    };
    let parts = [
        part(&trial.train.summary, trial.share),
        part(&trial.train.caption, 1.0 - trial.share),
    ];
    Ok(calibrate(&parts, &[], None, epsilon, DELTA)?.noise_multipliers)
}

/// Runs it, and gives its losses in nats a token.
pub(crate) fn run(bench: &Bench, trial: &Trial) -> Result<Value, Failed> {
    let (model, settings, half) = match trial.model.as_str() {
        "summary" => (Model::Summary, &trial.train.summary, 0),
        "caption" => (Model::Caption, &trial.train.caption, 1),
        "album" => (Model::Album, &trial.train.caption, 1),
        other => return Err(format!("no model is called {other}").into()),
    };
    let layout = LoraLayout::new(bench.lm.config(), &lora_config(&trial.train))?;
    let preamble = (trial.preamble.as_deref())
        .map(|name| preamble(bench, model, name))
        .transpose()?;
    let engine = Engine {
        lm: &bench.lm,
        preamble: preamble.as_ref(),
        tokenizer: &bench.tokenizer,
        layout: &layout,
        budget: Budget {
            tokens: trial.train.micro_batch_tokens,
            ..Budget::default()
        },
        lengths: Lengths {
            summary_tokens: 48,
            caption_tokens: 40,
        },
        cache_activations: trial.train.cache_activations,
    };
    let initial = match &trial.start {
        Some(path) => layout.from_safetensors(&std::fs::read(path)?)?,
        None => layout.init(trial.train.init_seed),
    };
    let units = &bench.train[..trial.albums.unwrap_or(bench.train.len())];
    let started = Instant::now();
    let noise = trial
        .epsilon
        .map(|epsilon| noise(trial, epsilon, units.len()))
        .transpose()?
        .map(|both| both[half]);
    let params = if settings.steps == 0 {
        None
    } else if let Some(noise_multiplier) = noise {
        let plan = Plan {
            unit: Unit::Album,
            declared_units: units.len() as u64,
            expected_batch: settings.expected_batch,
            steps: settings.steps,
            noise_multiplier,
            clipping: clipping(settings),
        };
        Some(private(
            units,
            &engine,
            model,
            settings,
            plan,
            initial.clone(),
            trial.seed,
        )?)
    } else {
        let how = WarmUp {
            batch: usize::try_from(settings.expected_batch)?,
            steps: settings.steps,
            optimizer: optimizer(settings),
            seed: trial.seed,
        };
        Some(warm_up(
            &engine,
            model,
            &how,
            initial.clone(),
            units,
            &mut |_| {},
        )?)
    };
    let seconds = started.elapsed().as_secs_f64();
    let params = params.or(trial.start.is_some().then_some(initial));
    let found = held_out(&engine, model, params.as_deref(), &bench.held)?;
    let parts = if model == Model::Album {
        let parts = held_out_by_part(&engine, params.as_deref(), &bench.held)?;
        Some(parts.map(|p| p.per_token()))
    } else {
        None
    };
    let tokens: usize = found.albums.iter().map(|a| a.1).sum();
    if let (Some(path), Some(params)) = (&trial.save, &params) {
        std::fs::write(path, layout.to_safetensors(params)?)?;
    }
    Ok(json!({
        "name": trial.name, "model": trial.model, "epsilon": trial.epsilon, "sigma": noise,
        "loss": found.per_token(), "tokens": tokens, "parts": parts, "seconds": seconds,
    }))
}

/// What stands before the model's text.
pub(crate) fn preamble(bench: &Bench, model: Model, name: &str) -> Result<AnyPrefix, Failed> {
    let albums = if name == "builtin" {
        preamble::builtin()
    } else {
        let album = |unit: UnitTexts| {
            unit.into_iter().map(|a| PreambleAlbum {
                summary: a.summary,
                captions: a.captions,
            })
        };
        let read = albumen_train::read_public(Path::new(name))?;
        read.into_iter().flat_map(album).collect()
    };
    let parts = match model {
        Model::Summary => preamble::summary_parts(&albums),
        Model::Caption => preamble::caption_parts(&albums),
        Model::Album => preamble::album_parts(&albums),
    };
    let tokens = bench.tokenizer.encode_examples(&parts)?;
    Ok(bench.lm.prefix(None, &tokens)?)
}

fn private(
    units: &[UnitTexts],
    engine: &Engine<'_>,
    model: Model,
    settings: &ModelTraining,
    plan: Plan,
    initial: Vec<f32>,
    seed: u64,
) -> Result<Vec<f32>, Failed> {
    let dir = tempfile::tempdir()?;
    let checkpoints = Checkpoints {
        path: &dir.path().join("checkpoint"),
        context: "",
        every: Duration::from_hours(1),
    };
    let header = Header {
        insecure_seed: true,
        ..Header::new("recipe", plan.unit, plan.declared_units, DELTA)
    };
    let mut ledger = Ledger::create(&dir.path().join("ledger.jsonl"), header)?;
    let released = train(
        engine,
        model,
        plan,
        optimizer(settings),
        initial,
        &Sensitive::new(units.to_vec()),
        Randomness::InsecureSeed(seed),
        &checkpoints,
        &mut |_| {},
        None,
    )?;
    Ok(released.commit(
        &mut ledger,
        model.name(),
        &dir.path().join("escrow"),
        encode_f32,
    )?)
}
