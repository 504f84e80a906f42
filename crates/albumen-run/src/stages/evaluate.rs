//! The evaluation of a run: the public model's albums as the floor, and everything against the private
//! albums.

use std::path::{Path, PathBuf};

use albumen_dp::Sensitive;
use albumen_evaluate::compare::{Evaluation, EvaluationSettings};
use albumen_evaluate::internal::{
    InternalReport, SyntheticSides, evaluate_run, write_internal_report, write_metrics,
};
use albumen_lm::{Adapter, LoraLayout};
use albumen_names::ModelName;
use albumen_schema::config::GenerateConfig;
use albumen_schema::{Curated, StageManifest, SyntheticAlbum, TOOL};
use albumen_synth::generate::{AlbumModel, GenerateProgress, Writer, generate};
use albumen_synth::storage;
use albumen_train::lora_config;
use anyhow::{Context, ensure};
use serde_json::json;

use super::Stage;
use super::public::writers_of;

use crate::observer::Progress;
use crate::run_dir::{MANIFEST, copy_whole, holds, seal};
use crate::runner::Runner;
use albumen_files::Part;

/// Where the evaluation left its results.
#[derive(Debug)]
pub struct Written {
    /// `report.internal.html`.
    pub report: PathBuf,
    /// `private/evaluate/metrics.json`.
    pub metrics: PathBuf,
}

impl Runner {
    /// Compares the run's albums with the private ones and writes what was found, sealed to everyone
    /// but the directory's owner.
    ///
    /// # Errors
    /// Where the run has not got as far as curation, or something cannot be read or written.
    pub fn evaluate(
        &mut self,
        settings: &EvaluationSettings,
        embedder: &ModelName,
    ) -> anyhow::Result<(Sensitive<Evaluation>, Written)> {
        let curated = self.output(Stage::Curate).join("curated.parquet");
        ensure!(
            curated.exists(),
            "{} is not there: the run has not got so far\n  hint: `albumen run CONFIG --until curate` \
             first",
            curated.display()
        );
        let run = storage::read_curated(&curated)?;
        self.evaluate_albums(&run, settings, embedder)
    }

    /// The same of any albums, judged by the run's filters.
    pub(crate) fn evaluate_albums(
        &mut self,
        run: &[Curated],
        settings: &EvaluationSettings,
        embedder: &ModelName,
    ) -> anyhow::Result<(Sensitive<Evaluation>, Written)> {
        let floor = self.floor(settings.samples)?;
        let progress = Progress::start_private(&self.observer, "evaluate");
        let privacy = &self.config.privacy;
        let units = self.units()?;
        let model = self.models.embedder(embedder)?;
        let found = evaluate_run(
            units,
            privacy.unit,
            SyntheticSides { run, floor: &floor },
            &model,
            settings,
            &mut |share| progress.set(share, ""),
        )?;
        let dir = self.dir.private().join("evaluate");
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        let written = Written {
            report: self.dir.root().join("report.internal.html"),
            metrics: dir.join("metrics.json"),
        };
        write_metrics(&found, &written.metrics)?;
        let export = &self.config.export;
        write_internal_report(
            &InternalReport {
                title: if export.title.is_empty() {
                    &self.config.name
                } else {
                    &export.title
                },
                embedder: public_name(embedder),
                unit: &privacy.unit.to_string(),
            },
            &found,
            &written.report,
        )?;
        Ok((found, written))
    }

    /// What the public model writes without an adapter, by the same prompts and filters, kept beside
    /// the run's own albums: it depends on nothing private.
    fn floor(&mut self, most: usize) -> anyhow::Result<Vec<Curated>> {
        let generate_config = GenerateConfig {
            albums: self.config.generate.albums.min(most as u64),
            ..self.config.generate.clone()
        };
        let target = self.dir.synthetic().join("floor");
        let name = &self.config.train.model;
        let model = self.models.find(name)?.fingerprint;
        let train = &self.config.train;
        let preamble = self.preamble_file()?.into_iter();
        let preamble = preamble.map(|(name, hash)| (name.to_owned(), hash));
        let mut inputs: std::collections::BTreeMap<_, _> = preamble.collect();
        inputs.insert("model".to_owned(), model);
        let manifest = StageManifest {
            stage: "floor".to_owned(),
            tool: TOOL.to_owned(),
            config: json!([
                generate_config,
                self.config.curate,
                train.model,
                train.layout,
                train.preamble
            ]),
            inputs,
            outputs: std::collections::BTreeMap::new(),
        };
        let curated = target.join("curated.parquet");
        if holds(&target.join(MANIFEST), &target, &manifest)? {
            return Ok(storage::read_curated(&curated)?);
        }
        let albums = self.sample("floor", None, &generate_config)?;
        let found = self.judge(&albums)?;
        let part = Part::start(&target)?;
        storage::write_curated(&part.path().join("curated.parquet"), &found)?;
        seal(part.path(), manifest)?;
        part.finish()?;
        Ok(found)
    }

    /// Albums of the language model with these adapters, those of the layout's models in their order;
    /// none for the public model alone.
    pub(super) fn sample(
        &mut self,
        title: &str,
        adapters: Option<&[Vec<f32>]>,
        config: &GenerateConfig,
    ) -> anyhow::Result<Vec<SyntheticAlbum>> {
        let progress = Progress::start(&self.observer, title);
        let language = self.sampled_model()?;
        let layout = LoraLayout::new(language.lm.config(), &lora_config(&self.config.train))?;
        let models = self.trained().iter().filter_map(|stage| stage.model());
        let preambles = models
            .map(|model| self.preamble(model, &language))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let writers: Vec<Writer<'_>> = preambles
            .iter()
            .enumerate()
            .map(|(i, preamble)| Writer {
                adapter: adapters.map(|params| Adapter {
                    layout: &layout,
                    params: &params[i],
                }),
                preamble: preamble.as_ref(),
            })
            .collect();
        let albums = generate(
            &AlbumModel {
                lm: &language.lm,
                tokenizer: &language.tokenizer,
                writers: writers_of(&writers)?,
            },
            config,
            &mut |p| {
                let (first, done, all) = match p {
                    GenerateProgress::Summaries(done, all) => (0.0, 0.3 * done as f64, all),
                    GenerateProgress::Captions(done, all) => (0.3, 0.7 * done as f64, all),
                };
                progress.set(first + done / all.max(1) as f64, "");
            },
        )?;
        progress.finish(&format!("{} albums", albums.len()));
        Ok(albums)
    }

    /// Takes over what another run of the same albums has made, where this one has not: the albums,
    /// captions and summaries, the public training and the floor. A stage whose settings differ is
    /// made anew all the same.
    pub(crate) fn adopt(&self, other: &Path) -> anyhow::Result<()> {
        let stages = [
            Stage::Ingest,
            Stage::Caption,
            Stage::Summarize,
            Stage::TrainPublic,
        ];
        let floor = self.dir.synthetic().join("floor");
        let shared = stages.map(|stage| self.output(stage)).into_iter();
        for target in shared.chain([floor]) {
            let source = other.join(target.strip_prefix(self.dir.root())?);
            if source.is_dir() && !target.exists() {
                copy_whole(&source, &target)?;
            }
        }
        Ok(())
    }
}

/// The embedder's name without a path of this machine.
fn public_name(embedder: &str) -> &str {
    let name = embedder.rsplit(['/', '\\']).find(|part| !part.is_empty());
    name.unwrap_or(embedder)
}
