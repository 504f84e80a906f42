//! Training on public albums, before the private trainings that start from its adapters.

use std::path::Path;

use albumen_dp::{Decay, Optimizer, Schedule};
use albumen_lm::LoraLayout;
use albumen_schema::PublicTrainingStatement;
use albumen_train::{Model, StepProgress, WarmUp, lora_config, read_public, warm_up};
use anyhow::Context;

use super::Stage;
use super::private::{engine, read_adapter};

use crate::run_dir::read_manifest;
use crate::runner::{Runner, Work};
use albumen_files::write_whole;

/// The input of this stage's manifest that is the public albums' file.
pub(super) const ALBUMS: &str = "albums";

fn file_name(model: Model) -> String {
    format!("{}.safetensors", model.name())
}

impl Runner {
    /// Trains the adapters on the albums of `[train.public]`.
    pub(super) fn train_public(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let settings = self.config.train.public.clone();
        let settings = settings.context("[train.public] is not set")?;
        let albums = read_public(&settings.path)?;
        let language = self.trained_model()?;
        let layout = LoraLayout::new(language.lm.config(), &lora_config(&self.config.train))?;
        let models: &[Model] = if self.is_flat() {
            &[Model::Album]
        } else {
            &[Model::Summary, Model::Caption]
        };
        for (trained, &model) in models.iter().enumerate() {
            let preamble = self.preamble(model, &language)?;
            let engine = engine(&self.config, &language, preamble.as_ref(), &layout);
            let how = WarmUp {
                batch: settings.batch,
                steps: settings.steps,
                optimizer: Optimizer {
                    schedule: Schedule {
                        peak: settings.learning_rate,
                        warmup_steps: settings.steps / 10,
                        decay: Decay::Cosine {
                            final_fraction: 0.0,
                        },
                    },
                    ..Optimizer::adam(settings.learning_rate)
                },
                seed: settings.seed,
            };
            let initial = layout.init(self.config.train.init_seed);
            let mut show = |StepProgress { step, steps, .. }| {
                let share = trained as f64 + step as f64 / steps as f64;
                let share = share / models.len() as f64;
                work.progress
                    .set(share, &format!("{} step {step} of {steps}", model.name()));
            };
            let params = warm_up(&engine, model, &how, initial, &albums, &mut show)?;
            write_whole(
                &work.path()?.join(file_name(model)),
                &layout.to_safetensors(&params)?,
            )?;
        }
        self.note("train-public: every album of [train.public] counts as published");
        Ok(format!("{} public albums", albums.len()))
    }

    /// What the release says of the public albums: the hash is of the file that was trained on, as
    /// the stage left it.
    pub(super) fn public_training(&self) -> anyhow::Result<Option<PublicTrainingStatement>> {
        let Some(public) = &self.config.train.public else {
            return Ok(None);
        };
        let manifest = Stage::TrainPublic.manifest(&self.dir);
        let manifest = manifest.and_then(|path| read_manifest(&path));
        let sha256 = manifest.and_then(|mut m| m.inputs.remove(ALBUMS));
        Ok(Some(PublicTrainingStatement {
            source: public.source.trim().to_owned(),
            sha256: sha256.context(
                "the run does not say which public albums it learnt from\n  hint: run the stage \
                 train-public again with `--force train-public`",
            )?,
        }))
    }

    /// Where a private training starts: from the public one, or from the seed.
    pub(super) fn initial(&self, model: Model, layout: &LoraLayout) -> anyhow::Result<Vec<f32>> {
        if self.config.train.public.is_none() {
            return Ok(layout.init(self.config.train.init_seed));
        }
        let path = self.output(Stage::TrainPublic).join(file_name(model));
        read_adapter(Path::new(&path), layout)
    }
}
