//! Training with neither clipping nor noise, as the upper end of a sweep. What comes out is as private
//! as the corpus: it stays under `private/`, no ledger knows of it, and nothing can export it.

use std::collections::BTreeMap;

use albumen_lm::LoraLayout;
use albumen_schema::{Curated, StageManifest, TOOL};
use albumen_synth::storage;
use albumen_train::{Model, StepProgress, WarmUp, lora_config, optimizer, warm_up};
use serde_json::json;

use super::private::engine;
use crate::observer::Progress;
use crate::run_dir::{MANIFEST, holds, seal};
use crate::runner::Runner;
use albumen_files::Part;

impl Runner {
    /// The albums of models that took the configured steps without privacy.
    pub(crate) fn without_privacy(&mut self) -> anyhow::Result<Vec<Curated>> {
        let c = &self.config;
        let bounds = (c.privacy.unit, c.privacy.max_albums_per_owner);
        let manifest = StageManifest {
            stage: "without-privacy".to_owned(),
            tool: TOOL.to_owned(),
            config: json!([bounds, c.train, c.generate, c.curate]),
            inputs: self.inputs(self.trained()[0])?,
            outputs: BTreeMap::new(),
        };
        let target = self.dir.private().join("without-privacy");
        let file = "curated.parquet";
        if !holds(&target.join(MANIFEST), &target, &manifest)? {
            let models = self.trained().iter().filter_map(|stage| stage.model());
            let adapters = models
                .map(|model| self.trained_without_privacy(model))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let generate = self.config.generate.clone();
            let albums = self.sample(&manifest.stage, Some(&adapters), &generate)?;
            let judged = self.judge(&albums)?;
            let part = Part::start(&target)?;
            storage::write_curated(&part.path().join(file), &judged)?;
            seal(part.path(), manifest)?;
            part.finish()?;
        }
        Ok(storage::read_curated(&target.join(file))?)
    }

    fn trained_without_privacy(&mut self, model: Model) -> anyhow::Result<Vec<f32>> {
        let settings = match model {
            Model::Summary => self.config.train.summary.clone(),
            Model::Caption => self.config.train.caption.clone(),
            Model::Album => self.config.train.of_album().clone(),
        };
        let language = self.trained_model()?;
        let layout = LoraLayout::new(language.lm.config(), &lora_config(&self.config.train))?;
        let initial = self.initial(model, &layout)?;
        let how = WarmUp {
            batch: settings.expected_batch as usize,
            steps: settings.steps,
            optimizer: optimizer(&settings),
            seed: self.config.train.init_seed,
        };
        let progress =
            Progress::start(&self.observer, &format!("{} without privacy", model.name()));
        let preamble = self.preamble(model, &language)?;
        let units = self.units()?;
        #[expect(
            clippy::disallowed_methods,
            reason = "albumen sweep at inf: trains without privacy; what comes of it stays under private/"
        )]
        let units = units.expose();
        let params = warm_up(
            &engine(&self.config, &language, preamble.as_ref(), &layout),
            model,
            &how,
            initial,
            units,
            &mut |StepProgress { step, steps, .. }| {
                let share = step as f64 / steps as f64;
                progress.set(share, &format!("step {step} of {steps}"));
            },
        )?;
        progress.finish(&format!("{} steps", how.steps));
        Ok(params)
    }
}
