//! The stages of a run: what each reads, which part of the configuration it depends on, and what
//! it leaves.

mod captioner;
mod curate;
mod evaluate;
mod ledger;
pub(crate) mod metrics;
pub(crate) mod preamble;
mod private;
mod public;
pub(crate) mod renderer;
pub(crate) mod served;
mod stage;
mod statistics;
mod texts;
mod topics;
mod warm_up;
mod without_privacy;

pub(crate) use captioner::{caption_settings, captioner_format};
pub(crate) use stage::Stage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use albumen_schema::config::Layout;
use albumen_schema::{Config, StageManifest, TOOL};
use serde_json::{Value, json};

use crate::budget::Budget;
use crate::failure::Outcome;
use crate::models::Models;
use crate::progress::say;
use crate::run_dir::{self, MANIFEST, RunDir};

/// The private trainings of a layout.
pub(crate) fn trained(layout: Layout) -> &'static [Stage] {
    match layout {
        Layout::Hierarchical => &[Stage::TrainSummary, Stage::TrainCaption],
        Layout::Flat => &[Stage::TrainAlbum],
    }
}

/// Runs the stages of one configuration in one run directory.
pub(crate) struct Runner {
    pub(crate) config: Config,
    pub(crate) dir: RunDir,
    pub(crate) budget: Budget,
    pub(crate) models: Models,
    pub(crate) insecure_seed: Option<u64>,
    pub(crate) show_private_metrics: bool,
}

impl Runner {
    /// Runs every stage up to `until` that is not finished, and `force` in any case.
    pub(crate) fn run(&mut self, until: Stage, force: Option<Stage>) -> Outcome {
        for stage in Stage::ALL {
            if stage > until {
                break;
            }
            if self.is_left_out(stage) {
                continue;
            }
            let expected = self.expected(stage)?;
            if force != Some(stage) && self.is_finished(stage, &expected)? {
                self.ensure_paid(stage)?;
                self.empty_escrow(stage)?;
                self.forget_journal(stage)?;
                say(&format!("{}: finished before", stage.name()));
                continue;
            }
            self.execute(stage, expected)?;
        }
        Ok(())
    }

    /// Whether the configuration does without the stage.
    fn is_left_out(&self, stage: Stage) -> bool {
        match stage {
            Stage::Topics => !self.config.wants_topics(),
            Stage::Statistics => self.config.release.wanted().is_empty(),
            Stage::TrainPublic => self.config.train.public.is_none(),
            Stage::TrainSummary | Stage::TrainCaption => self.is_flat(),
            Stage::TrainAlbum => !self.is_flat(),
            _ => false,
        }
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.config.train.layout == Layout::Flat
    }

    /// The private trainings of the configured layout.
    pub(crate) fn trained(&self) -> &'static [Stage] {
        trained(self.config.train.layout)
    }

    fn execute(&mut self, stage: Stage, manifest: StageManifest) -> Outcome {
        if matches!(stage, Stage::Caption | Stage::Curate | Stage::Render) {
            self.models.unload();
        }
        match stage {
            Stage::Ingest => self.ingest(manifest),
            Stage::Caption => self.caption(manifest),
            Stage::Summarize => self.summarize(manifest),
            Stage::Topics => self.make_topics(manifest),
            Stage::Statistics => self.statistics(manifest),
            Stage::TrainPublic => self.train_public(manifest),
            Stage::TrainSummary | Stage::TrainCaption | Stage::TrainAlbum => {
                self.train(stage, manifest)
            }
            Stage::Generate => self.generate(manifest),
            Stage::Curate => self.curate(manifest),
            Stage::Render => self.render(manifest),
            Stage::Export => self.export(manifest),
            Stage::Report => self.report(),
        }
    }

    /// Where the stage's outputs lie.
    pub(crate) fn output(&self, stage: Stage) -> PathBuf {
        match stage {
            Stage::Ingest | Stage::Caption | Stage::Summarize => {
                self.dir.private().join(stage.name())
            }
            Stage::Topics => self.dir.model("topics"),
            Stage::Statistics => self.dir.statistics(),
            Stage::TrainPublic => self.dir.model("public"),
            Stage::TrainSummary => self.dir.model("summary"),
            Stage::TrainCaption => self.dir.model("caption"),
            Stage::TrainAlbum => self.dir.model("album"),
            Stage::Generate | Stage::Curate | Stage::Render => {
                self.dir.synthetic().join(stage.name())
            }
            Stage::Export => self.dir.release(),
            Stage::Report => self.dir.root().join("report.html"),
        }
    }

    /// Where the stage's manifest lies. Hashes of private tables are private themselves, so those
    /// of the releasing stages are kept there; a release holds nothing but what is released.
    fn manifest_path(&self, stage: Stage) -> PathBuf {
        match stage {
            Stage::Statistics | Stage::TrainSummary | Stage::TrainCaption | Stage::TrainAlbum => {
                self.dir.private().join(format!("{}.json", stage.name()))
            }
            Stage::Export => self.dir.root().join("export.json"),
            _ => self.output(stage).join(MANIFEST),
        }
    }

    /// The manifest that the stage would leave now, but for its outputs.
    fn expected(&self, stage: Stage) -> anyhow::Result<StageManifest> {
        let c = &self.config;
        let limits = json!([c.generate.max_summary_tokens, c.generate.max_caption_tokens]);
        let config: Value = match stage {
            Stage::Ingest => json!([c.corpus, c.privacy.unit]),
            Stage::Caption => json!([c.caption, served::settings(c, stage)]),
            Stage::Summarize => json!([c.summarize, served::settings(c, stage)]),
            Stage::TrainPublic => {
                let t = &c.train;
                json!([
                    t.public,
                    t.layout,
                    t.preamble,
                    t.lora_rank,
                    t.lora_alpha,
                    t.lora_targets,
                    t.lora_layers,
                    t.init_seed,
                    t.freeze_a,
                    limits
                ])
            }
            Stage::Topics => json!(c.topics),
            Stage::Statistics => json!([c.privacy, c.release]),
            // The noise is solved from these; the ledger holds what was really used.
            Stage::TrainSummary | Stage::TrainCaption | Stage::TrainAlbum => {
                json!([c.privacy, c.release, c.train, limits])
            }
            Stage::Generate => json!(c.generate),
            Stage::Curate => json!([c.curate, c.generate.candidates]),
            Stage::Render => {
                json!([
                    c.render.drawn(),
                    c.generate.seed,
                    served::settings(c, stage)
                ])
            }
            Stage::Export => {
                let t = &c.train;
                json!([
                    c.export,
                    c.name,
                    c.render.drawn(),
                    t.model,
                    t.public,
                    t.layout,
                    t.preamble,
                    c.privacy,
                    c.departures_beside(&self.departed()?)
                ])
            }
            Stage::Report => Value::Null,
        };
        Ok(StageManifest {
            stage: stage.name().to_owned(),
            tool: TOOL.to_owned(),
            config,
            inputs: self.inputs(stage)?,
            outputs: BTreeMap::new(),
        })
    }

    fn inputs(&self, stage: Stage) -> anyhow::Result<BTreeMap<String, String>> {
        let mut inputs = BTreeMap::new();
        let mut outputs_of = |before: Stage| -> anyhow::Result<()> {
            // A stage that has not run yet has no manifest; this one then is not finished either.
            if let Some(manifest) = run_dir::read_manifest(&self.manifest_path(before)) {
                for (name, hash) in manifest.outputs {
                    inputs.insert(format!("{}/{name}", before.name()), hash);
                }
            }
            Ok(())
        };
        match stage {
            Stage::Ingest | Stage::Topics | Stage::TrainPublic | Stage::Report => {}
            Stage::Caption => outputs_of(Stage::Ingest)?,
            Stage::Summarize => outputs_of(Stage::Caption)?,
            Stage::Statistics => {
                outputs_of(Stage::Caption)?;
                outputs_of(Stage::Summarize)?;
                if self.config.release.topic_histogram_epsilon > 0.0 {
                    outputs_of(Stage::Topics)?;
                }
            }
            Stage::TrainSummary | Stage::TrainCaption | Stage::TrainAlbum => {
                outputs_of(Stage::Caption)?;
                outputs_of(Stage::Summarize)?;
                if self.config.train.public.is_some() {
                    outputs_of(Stage::TrainPublic)?;
                }
            }
            Stage::Generate => {
                for stage in self.trained() {
                    outputs_of(*stage)?;
                }
            }
            Stage::Curate => {
                outputs_of(Stage::Generate)?;
                if self.config.wants_topics() {
                    outputs_of(Stage::Topics)?;
                    outputs_of(Stage::Statistics)?;
                }
            }
            Stage::Render => outputs_of(Stage::Curate)?,
            Stage::Export => {
                outputs_of(Stage::Curate)?;
                outputs_of(Stage::Render)?;
                outputs_of(Stage::Statistics)?;
            }
        }
        let model = match stage {
            // An asset is what its pin says.
            Stage::Caption if !self.config.caption.model.starts_with("asset:") => {
                Some(&self.config.caption.model)
            }
            Stage::Summarize => Some(&self.config.summarize.model),
            Stage::Topics
            | Stage::TrainPublic
            | Stage::TrainSummary
            | Stage::TrainCaption
            | Stage::TrainAlbum
            | Stage::Generate => Some(&self.config.train.model),
            Stage::Curate if self.config.curate.grade => Some(&self.config.train.model),
            _ => None,
        };
        if let Some(name) = model {
            let found = self.models.find(name)?;
            inputs.insert("model".to_owned(), found.fingerprint);
        }
        if stage == Stage::Render
            && let Some(hash) = self.renderer_fingerprint()?
        {
            inputs.insert("model".to_owned(), hash);
        }
        inputs.extend(self.preamble_input(stage)?);
        if stage == Stage::Ingest {
            let path = &self.config.corpus.path;
            anyhow::ensure!(
                path.exists(),
                "the corpus {} is not there\n  hint: check [corpus] path; the quickstart's is made \
                 by `albumen dataset quickstart --out datasets/quickstart`",
                path.display()
            );
            let hash = albumen_models::fingerprint(path)?;
            inputs.insert("corpus".to_owned(), hash);
        }
        if let (Stage::TrainPublic, Some(public)) = (stage, &self.config.train.public) {
            let hash = run_dir::hash_file(&public.path)?;
            inputs.insert(warm_up::ALBUMS.to_owned(), hash);
        }
        if stage == Stage::Export && self.dir.ledger().exists() {
            inputs.insert("ledger".to_owned(), run_dir::hash_file(&self.dir.ledger())?);
        }
        Ok(inputs)
    }

    /// Whether the stage is finished: made from the same, and its outputs are as they were left.
    fn is_finished(&self, stage: Stage, expected: &StageManifest) -> anyhow::Result<bool> {
        if stage == Stage::Report {
            return Ok(false);
        }
        run_dir::holds(&self.manifest_path(stage), &self.output(stage), expected)
    }

    /// Writes down that the stage is finished, with the hashes of what lies in `outputs`.
    pub(crate) fn finished(
        &self,
        stage: Stage,
        mut manifest: StageManifest,
        outputs: &Path,
    ) -> anyhow::Result<()> {
        manifest.outputs = run_dir::hashes(outputs)?;
        let path = match stage {
            _ if stage.trains() => self.manifest_path(stage),
            Stage::Statistics | Stage::Export => self.manifest_path(stage),
            // Inside the directory that is about to be renamed: the two appear together.
            _ => outputs.join(MANIFEST),
        };
        run_dir::write_manifest(&path, &manifest)
    }
}
