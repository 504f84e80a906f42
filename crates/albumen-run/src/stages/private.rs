//! The stages that train, up to the two released adapters.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use albumen_accounting::{Event, History, Ledger};
use albumen_dp::{Randomness, Released, Sensitive, encode_f32};
use albumen_files::sha256_hex;
use albumen_lm::{AnyPrefix, Budget as MicroBatch, LoraLayout};
use albumen_schema::statistic::STATISTICS;
use albumen_schema::{Config, StageManifest};
use albumen_train::escrow::{PARAMETERS, release_once};
use albumen_train::{
    Checkpoints, Engine, Lengths, Model, StepMetrics, StepProgress, check_released, lora_config,
    optimizer,
};
use anyhow::{Context, ensure};
use serde_json::json;

use super::Stage;
use super::metrics::PrivateMetrics;

use crate::models::{self, LanguageModel};
use crate::runner::{Runner, Work};
use albumen_files::write_whole;

impl Runner {
    /// Trains a model, or finds the one that a killed run had already paid for.
    pub(super) fn train(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let stage = work.stage;
        let train = &self.config.train;
        let model = stage.model().context("the stage trains no model")?;
        let settings = match model {
            Model::Summary => &train.summary,
            Model::Caption => &train.caption,
            Model::Album => train.of_album(),
        };
        let (plan, settings) = (self.budget.plan(stage)?.clone(), settings.clone());
        let language = self.trained_model()?;
        let lora = lora_config(&self.config.train);
        let layout = LoraLayout::new(language.lm.config(), &lora)?;
        let mut ledger = self.open_ledger()?;
        let escrow = self.escrow(model.name());
        let initial = self.initial(model, &layout)?;

        let allowance = self.budget.allowance();
        let make = |ledger: &Ledger| -> anyhow::Result<Released<Vec<f32>>> {
            let progress = &work.progress;
            let units = self.units()?;
            let preamble = self.preamble(model, &language)?;
            let engine = engine(&self.config, &language, preamble.as_ref(), &layout);
            let checkpoint = self.checkpoint(model);
            let device = &self.config.compute.device;
            let context = checkpoint_context(&work.manifest, ledger, device)?;
            let started = Instant::now();
            let mut metrics = (self.show_private_metrics)
                .then(|| {
                    PrivateMetrics::open(&self.observer, &self.dir.private(), stage.name(), &units)
                })
                .transpose()?;
            let mut unwritten = Ok(());
            let mut observe = metrics.as_mut().map(|metrics| {
                |step: Sensitive<StepMetrics>| {
                    if unwritten.is_ok() {
                        unwritten = metrics.step(&step);
                    }
                }
            });
            let released = albumen_train::train(
                &engine,
                model,
                plan.clone(),
                optimizer(&settings),
                initial.clone(),
                &units,
                self.randomness(stage),
                &Checkpoints {
                    path: &checkpoint,
                    context: &context,
                    every: Duration::from_secs(self.config.train.checkpoint_seconds),
                },
                &mut |at: StepProgress| {
                    if at.step == at.resumed + 1 && at.resumed > 0 {
                        progress.note(&format!(
                            "{}: went on after step {}",
                            stage.name(),
                            at.resumed
                        ));
                    }
                    let words = pace(at, started.elapsed(), plan.expected_batch);
                    progress.set(at.step as f64 / at.steps as f64, &words);
                },
                (observe.as_mut()).map(|o| o as &mut dyn FnMut(Sensitive<StepMetrics>)),
            )?;
            unwritten?;
            Ok(released)
        };
        let paid = release_once(
            &mut ledger,
            stage.name(),
            &escrow,
            &allowance,
            &PARAMETERS,
            make,
        )?;
        if paid.was_found() {
            self.note(&format!(
                "{}: found the model this run had finished",
                stage.name()
            ));
        }
        check_released(model, &initial, paid.value())?;
        self.write_adapter(work.path()?, &layout, paid.value(), paid.event())?;
        work.waiting.push(paid.into_waiting());
        Ok(format!("{} steps", plan.steps))
    }

    /// The model that is adapted, on the configured device.
    pub(super) fn trained_model(&mut self) -> anyhow::Result<Rc<LanguageModel>> {
        let compute = &self.config.compute;
        let device = models::device(compute)?;
        let precision = models::training_precision(compute)?;
        let name = &self.config.train.model;
        self.models.language_model(name, device, precision)
    }

    fn randomness(&self, stage: Stage) -> Randomness {
        match self.insecure_seed {
            Some(seed) => Randomness::InsecureSeed(seed ^ stage as u64),
            None => Randomness::Os,
        }
    }

    /// Removes what a finished releasing stage, or one killed at its very end, left in escrow.
    pub(crate) fn empty_escrow(&self, stage: Stage) -> anyhow::Result<()> {
        let of_model = |model: Model| {
            let checkpoint = self.checkpoint(model);
            let unfinished = checkpoint.with_extension("checkpoint.part");
            vec![self.escrow(model.name()), checkpoint, unfinished]
        };
        let names = match stage {
            Stage::Statistics => STATISTICS.map(|stage| self.escrow(stage)).into(),
            _ => match stage.model() {
                Some(model) => of_model(model),
                None => return Ok(()),
            },
        };
        for left in names {
            match fs::remove_file(&left) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).with_context(|| format!("cannot remove {}", left.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The state of a training that is under way.
    fn checkpoint(&self, model: Model) -> PathBuf {
        self.dir
            .private()
            .join(format!("{}.checkpoint", model.name()))
    }

    /// Writes the files of `models/NAME/`.
    fn write_adapter(
        &self,
        dir: &Path,
        layout: &LoraLayout,
        params: &[f32],
        event: &Event,
    ) -> anyhow::Result<()> {
        let description = json!({
            "base_model": self.config.train.model,
            "device": self.config.compute.device,
            "preamble": self.config.train.preamble,
            "lora": layout.config(),
            "event": event,
        });
        write_whole(
            &dir.join("adapter.safetensors"),
            &layout.to_safetensors(params)?,
        )?;
        let description = serde_json::to_vec_pretty(&description)?;
        Ok(write_whole(&dir.join("adapter.json"), &description)?)
    }

    /// The adapter of a finished training stage, if it is the one that the ledger paid for.
    pub(super) fn adapter(&self, stage: Stage, layout: &LoraLayout) -> anyhow::Result<Vec<f32>> {
        let path = self.output(stage).join("adapter.safetensors");
        let params = read_adapter(&path, layout)?;
        let history = History::read(&self.dir.ledger())?;
        ensure!(
            history.contains(stage.name(), &sha256_hex(encode_f32(&params))),
            "{} is not in this run's ledger\n  hint: the ledger or the model was replaced; put the \
             newest copy of both back, or start a new run with another --out",
            path.display()
        );
        Ok(params)
    }
}

pub(super) fn read_adapter(path: &Path, layout: &LoraLayout) -> anyhow::Result<Vec<f32>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    layout
        .from_safetensors(&bytes)
        .with_context(|| format!("{} is not the adapter of this run", path.display()))
}

/// The public side of training.
pub(super) fn engine<'a>(
    config: &Config,
    language: &'a LanguageModel,
    preamble: Option<&'a AnyPrefix>,
    layout: &'a LoraLayout,
) -> Engine<'a> {
    Engine {
        lm: &language.lm,
        tokenizer: &language.tokenizer,
        preamble,
        layout,
        budget: MicroBatch {
            tokens: config.train.micro_batch_tokens,
            ..MicroBatch::default()
        },
        lengths: Lengths {
            summary_tokens: config.generate.max_summary_tokens,
            caption_tokens: config.generate.max_caption_tokens,
        },
        cache_activations: config.train.cache_activations,
    }
}

/// Everything that a training's steps depend on beside its plan, optimizer and start.
fn checkpoint_context(
    manifest: &StageManifest,
    ledger: &Ledger,
    device: &str,
) -> anyhow::Result<String> {
    let manifest = serde_json::to_string(manifest)?;
    Ok(format!("{manifest}\n{}\n{device}", ledger.head()))
}

/// Steps, pace and time left, in public numbers: the units of a step are the expected ones.
fn pace(at: StepProgress, elapsed: Duration, expected_batch: u64) -> String {
    let rate = (at.step - at.resumed) as f64 / elapsed.as_secs_f64().max(1e-9);
    format!(
        "step {} of {}, {:.1} expected units/s, {:.0} s left",
        at.step,
        at.steps,
        rate * expected_batch as f64,
        (at.steps - at.step) as f64 / rate
    )
}
