//! The evaluation of a run: the public model's albums as the floor, and everything against the private
//! albums.

use std::path::PathBuf;

use albumen_corpus::{group_units, load_texts};
use albumen_dp::Sensitive;
use albumen_eval::compare::{Evaluation, EvaluationSettings};
use albumen_eval::internal::{
    InternalReport, SyntheticSides, evaluate_run, write_internal_report, write_metrics,
};
use albumen_schema::config::GenerateConfig;
use albumen_schema::{Curated, StageManifest, TOOL};
use albumen_synth::generate::{AlbumModel, GenerateProgress, Writer, generate};
use albumen_synth::storage;
use anyhow::{Context, ensure};
use serde_json::json;

use super::public::writers_of;
use super::{Runner, Stage};
use crate::progress::Progress;
use crate::run_dir::{self, MANIFEST, Part};

/// Where the evaluation left its results.
pub(crate) struct Written {
    /// `report.internal.html`.
    pub(crate) report: PathBuf,
    /// `private/evaluate/metrics.json`.
    pub(crate) metrics: PathBuf,
}

impl Runner {
    /// Compares the run's albums with the private ones and writes what was found, sealed to everyone
    /// but the directory's owner.
    pub(crate) fn evaluate(
        &mut self,
        settings: &EvaluationSettings,
        embedder: &str,
    ) -> anyhow::Result<(Sensitive<Evaluation>, Written)> {
        let summaries = self.output(Stage::Summarize).join("summaries.parquet");
        let curated = self.output(Stage::Curate).join("curated.parquet");
        for path in [&summaries, &curated] {
            ensure!(
                path.exists(),
                "{} is not there: the run has not got so far\n  hint: `albumen run CONFIG --until \
                 curate` first",
                path.display()
            );
        }
        let run = storage::read_curated(&curated)?;
        let floor = self.floor(settings.samples)?;
        let progress = &mut Progress::start("evaluate");
        let captions = self.output(Stage::Caption).join("captions.parquet");
        let privacy = &self.config.privacy;
        let units = group_units(
            load_texts(&captions, &summaries)?,
            privacy.unit,
            privacy.max_albums_per_owner,
        );
        let model = self.models.embedder(embedder)?;
        let found = evaluate_run(
            units,
            privacy.unit,
            SyntheticSides {
                run: &run,
                floor: &floor,
            },
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
        let mut inputs = std::collections::BTreeMap::from([("model".to_owned(), model)]);
        inputs.extend(self.preamble_input(Stage::Generate)?);
        let mut manifest = StageManifest {
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
        let left = run_dir::read_manifest(&target.join(MANIFEST));
        if let Some(mut left) = left {
            let outputs = std::mem::take(&mut left.outputs);
            if left == manifest && run_dir::hashes(&target)? == outputs {
                return Ok(storage::read_curated(&curated)?);
            }
        }
        let mut progress = Progress::start("floor");
        let language = self.sampled_model()?;
        let models = self.trained().iter().filter_map(|stage| stage.model());
        let preambles = models
            .map(|model| self.preamble(model, &language))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let alone: Vec<Writer<'_>> = preambles
            .iter()
            .map(|preamble| Writer {
                adapter: None,
                preamble: preamble.as_ref(),
            })
            .collect();
        let albums = generate(
            &AlbumModel {
                lm: &language.lm,
                tokenizer: &language.tokenizer,
                writers: writers_of(&alone)?,
            },
            &generate_config,
            &mut |p| {
                let (first, done, all) = match p {
                    GenerateProgress::Summaries(done, all) => (0.0, 0.3 * done as f64, all),
                    GenerateProgress::Captions(done, all) => (0.3, 0.7 * done as f64, all),
                };
                progress.set(first + done / all.max(1) as f64, "public model alone");
            },
        )?;
        let found = self.judge(&albums)?;
        let part = Part::start(&target)?;
        storage::write_curated(&part.path().join("curated.parquet"), &found)?;
        manifest.outputs = run_dir::hashes(part.path())?;
        run_dir::write_manifest(&part.path().join(MANIFEST), &manifest)?;
        part.finish()?;
        let kept = found.iter().filter(|c| c.verdict.kept()).count();
        progress.finish(&format!("kept {kept} of {}", found.len()));
        Ok(found)
    }
}

/// The embedder's name without a path of this machine.
fn public_name(embedder: &str) -> &str {
    let name = embedder.rsplit(['/', '\\']).find(|part| !part.is_empty());
    name.unwrap_or(embedder)
}
