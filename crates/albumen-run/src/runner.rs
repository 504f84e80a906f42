//! The engine: runs what the table of stages says, in one run directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use albumen_names::ModelName;
use albumen_schema::config::Layout;
use albumen_schema::{Config, StageManifest, TOOL};
use albumen_train::escrow::{self, Waiting};
use anyhow::Context;

use crate::budget::Budget;
use crate::failure::{Failure, Outcome};
use crate::memory::{ensure_fits, needs};
use crate::models::Models;
use crate::observer::{News, Progress, Shared};
use crate::run_dir::{self, RunDir};
use crate::stages::{Ring, Stage, check_public, trained};
use albumen_files::Part;

/// Runs the stages of one configuration in one run directory.
///
/// Nothing trained on private albums can be had of it but what its ledger has paid for. There is no call
/// that trains by itself:
/// ```compile_fail,E0624
/// fn train(runner: &mut albumen_run::Runner, work: &mut albumen_run::Work) {
///     let _ = runner.train(work);
/// }
/// ```
/// none that trains without privacy:
/// ```compile_fail,E0624
/// fn train(runner: &mut albumen_run::Runner) {
///     let _ = runner.without_privacy();
/// }
/// ```
/// and none that hands out the budget, to be changed before a run:
/// ```compile_fail,E0616
/// fn spend(runner: &mut albumen_run::Runner, budget: albumen_run::Budget) {
///     runner.budget = budget;
/// }
/// ```
pub struct Runner {
    pub(crate) config: Config,
    pub(crate) dir: RunDir,
    pub(crate) budget: Budget,
    pub(crate) models: Models,
    pub(crate) observer: Shared,
    pub(crate) insecure_seed: Option<u64>,
    pub(crate) show_private_metrics: bool,
}

/// How a run goes, beside its configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Draw private randomness from this seed. Voids the guarantee: ledger and card say so.
    pub insecure_seed: Option<u64>,
    /// Tell losses, gradient norms, batch sizes and true counts of training, stamped as private.
    pub show_private_metrics: bool,
}

/// A stage that is under way.
pub struct Work {
    pub(crate) stage: Stage,
    pub(crate) manifest: StageManifest,
    pub(crate) progress: Progress,
    part: Option<Part>,
    /// What the stage has released, until its directory is whole.
    pub(crate) waiting: Vec<Waiting>,
}

impl Work {
    /// The directory to fill.
    pub(crate) fn path(&self) -> anyhow::Result<&Path> {
        let part = self.part.as_ref();
        Ok(part.context("the stage has no directory to fill")?.path())
    }
}

impl Runner {
    /// Solves for the budget, finds the models, opens the run directory: all that can fail before
    /// private data is read.
    ///
    /// # Errors
    /// [`Failure::Usage`](crate::Failure::Usage) where the budget cannot be met; any other where a model is
    /// missing or too large, public albums cannot be read, or the directory is of another run or in use.
    pub fn open(config: Config, out: &Path, options: Options, observer: Shared) -> Outcome<Self> {
        let budget = Budget::solve(&config)?;
        let models = Models::new()?;
        models.check(&config)?;
        ensure_fits(&config, &needs(&config, &models)?)?;
        check_public(&config)?;
        if options.insecure_seed.is_some() {
            observer.tell(News::Note(
                "warning: private randomness comes from a seed; this run guarantees nothing",
            ));
        }
        let dir = RunDir::open(out, &config)?;
        Ok(Self {
            config,
            dir,
            budget,
            models,
            observer,
            insecure_seed: options.insecure_seed,
            show_private_metrics: options.show_private_metrics,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The run directory.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// The private trainings of the configured layout.
    pub fn trained(&self) -> &'static [Stage] {
        trained(self.config.train.layout)
    }

    /// Runs every stage up to `until` that is not finished, and `force` in any case.
    ///
    /// # Errors
    /// Those of the stage that failed; whatever was finished before stays, and the next call goes on there.
    pub fn run(&mut self, until: Stage, force: Option<Stage>) -> Outcome {
        for &stage in Stage::ALL {
            if stage > until {
                break;
            }
            if !(stage.row().wanted)(&self.config) {
                continue;
            }
            let expected = self.expected(stage)?;
            if force != Some(stage) && self.is_finished(stage, &expected)? {
                if stage.ring() == Ring::Boundary {
                    self.ensure_paid(stage)?;
                    self.empty_escrow(stage)?;
                }
                self.forget_journal(stage)?;
                self.note(&format!("{stage}: finished before"));
                continue;
            }
            // A report only reads what is there, whatever the ranges were when it was made.
            if stage != Stage::Report {
                self.config.validate().map_err(Failure::usage)?;
            }
            self.execute(stage, expected)?;
        }
        Ok(())
    }

    fn execute(&mut self, stage: Stage, manifest: StageManifest) -> Outcome {
        let row = stage.row();
        if row.unloads {
            self.models.unload();
        }
        let progress = match stage.ring() {
            Ring::Private => Progress::start_private(&self.observer, stage.name()),
            // Training tells steps, which are public.
            Ring::Boundary | Ring::Public => Progress::start(&self.observer, stage.name()),
        };
        let output = self.output(stage);
        let part = match (stage.fills_a_directory(), stage.resumes()) {
            (false, _) => None,
            (true, true) => Some(Part::resume(&output)?),
            (true, false) => Some(Part::start(&output)?),
        };
        let mut work = Work {
            stage,
            manifest,
            progress,
            part,
            waiting: Vec::new(),
        };
        let words = (row.run)(self, &mut work)?;
        let waiting = std::mem::take(&mut work.waiting);
        escrow::keep(waiting, || self.keep(&mut work))?;
        if stage.ring() == Ring::Boundary {
            // The checkpoint goes last: without the released model it is still worth its steps.
            self.empty_escrow(stage)?;
        }
        self.forget_journal(stage)?;
        work.progress.finish(&words);
        Ok(())
    }

    /// Gives a stage's directory its name and says that the stage is finished.
    fn keep(&self, work: &mut Work) -> anyhow::Result<()> {
        let stage = work.stage;
        let Some(path) = stage.manifest(&self.dir) else {
            return Ok(());
        };
        let output = self.output(stage);
        let inside = path.starts_with(&output);
        let mut manifest = work.manifest.clone();
        if let Some(part) = work.part.take() {
            if inside {
                // The directory and what it is made from appear together.
                run_dir::seal(part.path(), manifest)?;
                return Ok(part.finish()?);
            }
            part.finish()?;
        }
        manifest.outputs = run_dir::hashes(&output)?;
        run_dir::write_manifest(&path, &manifest)
    }

    /// Where the stage's outputs lie.
    pub(crate) fn output(&self, stage: Stage) -> PathBuf {
        stage.output(&self.dir)
    }

    /// The manifest that the stage would leave now, but for its outputs.
    fn expected(&self, stage: Stage) -> anyhow::Result<StageManifest> {
        Ok(StageManifest {
            stage: stage.name().to_owned(),
            tool: TOOL.to_owned(),
            config: (stage.row().settings)(self)?,
            inputs: self.inputs(stage)?,
            outputs: BTreeMap::new(),
        })
    }

    /// Hashes of everything that the stage reads, by name.
    pub(crate) fn inputs(&self, stage: Stage) -> anyhow::Result<BTreeMap<String, String>> {
        let row = stage.row();
        let mut inputs = BTreeMap::new();
        for before in (row.reads)(&self.config) {
            // A stage that has not run yet has no manifest; this one then is not finished either.
            let manifest = before.manifest(&self.dir);
            if let Some(manifest) = manifest.and_then(|path| run_dir::read_manifest(&path)) {
                for (name, hash) in manifest.outputs {
                    inputs.insert(format!("{before}/{name}"), hash);
                }
            }
        }
        if let Some(fingerprint) = (row.model)(self)? {
            inputs.insert("model".to_owned(), fingerprint);
        }
        for (name, hash) in (row.files)(self)? {
            inputs.insert(name.to_owned(), hash);
        }
        Ok(inputs)
    }

    /// Whether the stage is finished: made from the same, and its outputs are as they were left.
    fn is_finished(&self, stage: Stage, expected: &StageManifest) -> anyhow::Result<bool> {
        let Some(manifest) = stage.manifest(&self.dir) else {
            return Ok(false);
        };
        run_dir::holds(&manifest, &self.output(stage), expected)
    }

    /// The fingerprint of the model of this name.
    pub(crate) fn fingerprint(&self, model: &ModelName) -> anyhow::Result<Option<String>> {
        Ok(Some(self.models.find(model)?.fingerprint))
    }

    /// The fingerprint of the private corpus.
    pub(crate) fn corpus_fingerprint(&self) -> anyhow::Result<String> {
        let path = &self.config.corpus.path;
        anyhow::ensure!(
            path.exists(),
            "the corpus {} is not there\n  hint: check [corpus] path; the quickstart's is made \
             by `albumen dataset quickstart --out datasets/quickstart`",
            path.display()
        );
        Ok(albumen_models::fingerprint(path)?)
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.config.train.layout == Layout::Flat
    }

    pub(crate) fn note(&self, line: &str) {
        self.observer.tell(News::Note(line));
    }
}
