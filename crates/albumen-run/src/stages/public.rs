//! The stages on the public side: post-processing of the released adapters.

use std::rc::Rc;

use albumen_accounting::{History, rounded_up};
use albumen_lm::weights::read_config;
use albumen_lm::{Adapter, AnyPrefix, LoraLayout};
use albumen_report::synthetic::measure;
use albumen_report::{AlbumTopics, ReportData, write_report};
use albumen_schema::{Curated, SyntheticAlbum};
use albumen_synth::curate::CurationSummary;
use albumen_synth::export::{Release, export};
use albumen_synth::generate::{AlbumModel, GenerateProgress, Writer, Writers, generate};
use albumen_synth::render::render;
use albumen_synth::{statistics, storage};
use albumen_train::lora_config;
use albumen_vision::Embedder;
use anyhow::{Context, bail, ensure};

use super::Stage;
use super::curate::SUMMARY_FILE;

use crate::models::{self, LanguageModel};
use crate::runner::{Runner, Work};
use albumen_files::write_whole;

/// The language model with a layout's released adapters.
struct Adapters {
    model: Rc<LanguageModel>,
    layout: LoraLayout,
    /// Parameters of each trained model, in order, and what stands before its text.
    trained: Vec<(Vec<f32>, Option<AnyPrefix>)>,
}

impl Adapters {
    fn writers(&self) -> anyhow::Result<Writers<'_>> {
        let writers: Vec<Writer<'_>> = self
            .trained
            .iter()
            .map(|(params, preamble)| Writer {
                adapter: Some(Adapter {
                    layout: &self.layout,
                    params,
                }),
                preamble: preamble.as_ref(),
            })
            .collect();
        writers_of(&writers)
    }
}

/// A layout's models, in the order of their trainings.
pub(super) fn writers_of<'a>(writers: &[Writer<'a>]) -> anyhow::Result<Writers<'a>> {
    match *writers {
        [summary, caption] => Ok(Writers::Hierarchical { summary, caption }),
        [album] => Ok(Writers::Flat(album)),
        _ => bail!("a layout has one model or two"),
    }
}

/// In the directories of a sweep's runs.
const OF_SWEEP: &str = "of-sweep";

impl Runner {
    pub(super) fn generate(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let adapters = self.adapters()?;
        let progress = &work.progress;
        let albums = generate(
            &AlbumModel {
                lm: &adapters.model.lm,
                tokenizer: &adapters.model.tokenizer,
                writers: adapters.writers()?,
            },
            &self.config.generate,
            &mut |p| match p {
                GenerateProgress::Summaries(done, all) => {
                    progress.set(
                        0.3 * share(done, all),
                        &format!("{done} of {all} summaries"),
                    );
                }
                GenerateProgress::Captions(done, all) => {
                    let share = 0.3 + 0.7 * share(done, all);
                    progress.set(share, &format!("{done} of {all} captions"));
                }
            },
        )?;
        storage::write_sampled(&work.path()?.join("sampled.parquet"), &albums)?;
        Ok(format!("{} albums", albums.len()))
    }

    /// The model that writes synthetic albums.
    pub(super) fn sampled_model(&mut self) -> anyhow::Result<Rc<LanguageModel>> {
        let precision = models::sampling_precision(&self.config);
        let device = models::device(&self.config.compute)?;
        let name = &self.config.train.model;
        self.models.language_model(name, device, precision)
    }

    /// The language model and its adapters, each held against the ledger.
    fn adapters(&mut self) -> anyhow::Result<Adapters> {
        let model = self.sampled_model()?;
        let layout = LoraLayout::new(model.lm.config(), &lora_config(&self.config.train))?;
        let trained = self.trained().iter().map(|&stage| {
            let params = self.adapter(stage, &layout)?;
            let of = stage.model().context("the stage trains no model")?;
            Ok((params, self.preamble(of, &model)?))
        });
        let trained = trained.collect::<anyhow::Result<_>>()?;
        Ok(Adapters {
            model,
            layout,
            trained,
        })
    }

    /// Fails for a run of a sweep: its own ledger states less than the sweep has spent.
    fn ensure_alone(&self) -> anyhow::Result<()> {
        let mark = self.dir.root().join(OF_SWEEP);
        ensure!(
            !mark.exists(),
            "{} is one of a sweep's runs, which were compared by numbers of the private albums: its ledger \
             alone would state too small an epsilon\n  hint: carry its settings over to a run directory of its \
             own",
            self.dir.root().display()
        );
        Ok(())
    }

    /// Marks the run as one of a sweep's, before its albums are compared with the private ones.
    pub(crate) fn mark_swept(&self) -> anyhow::Result<()> {
        let mark = self.dir.root().join(OF_SWEEP);
        let words = b"one of a sweep's runs: no release can be made of it\n";
        Ok(write_whole(&mark, words)?)
    }

    /// Fails where an adapter is not the one that the ledger paid for. The model itself stays on disk.
    fn ensure_adapters(&self) -> anyhow::Result<()> {
        let found = self.models.find(&self.config.train.model)?;
        let shape = read_config(found.path()?)?;
        let layout = LoraLayout::new(&shape, &lora_config(&self.config.train))?;
        for &stage in self.trained() {
            self.adapter(stage, &layout)?;
        }
        Ok(())
    }

    pub(super) fn embedder(&self) -> anyhow::Result<Embedder> {
        let weights = self.models.asset("all-minilm-l6-v2", "model.safetensors")?;
        let dir = weights.parent().context("an asset has no folder")?;
        Ok(Embedder::load(dir)?)
    }

    pub(super) fn render(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let curated = self.curated()?;
        let albums = kept(&curated);
        let painter = self.painter()?;
        render(
            &albums,
            painter.as_ref(),
            &self.config.render,
            &self.renderer_fingerprint()?.unwrap_or_default(),
            self.config.generate.seed,
            work.path()?,
            &|p| {
                let words = format!("{} of {} pictures", p.done, p.total);
                work.progress.set(share(p.done, p.total), &words);
            },
        )?;
        let pictures: usize = albums.iter().map(|a| a.captions.len()).sum();
        Ok(format!("{pictures} pictures"))
    }

    pub(super) fn export(&mut self, _: &mut Work) -> anyhow::Result<String> {
        self.ensure_alone()?;
        self.ensure_adapters()?;
        let curated = self.curated()?;
        let models = self.models.statements(&self.config)?;
        let statement = export(
            &Release {
                config: &self.config,
                curated: &curated,
                images: &self.output(Stage::Render),
                models: &models,
                public_training: self.public_training()?.as_ref(),
                statistics: &self.output(Stage::Statistics),
                ledger: &self.dir.ledger(),
                departed: &self.departed()?,
            },
            &self.dir.release(),
        )?;
        Ok(format!(
            "epsilon {} at delta {:e} by {}",
            rounded_up(statement.epsilon, 3),
            statement.delta,
            statement.unit
        ))
    }

    pub(super) fn report(&mut self, _: &mut Work) -> anyhow::Result<String> {
        let curated = self.curated()?;
        let ledger = History::read(&self.dir.ledger())?;
        let statistics = statistics::read(&self.output(Stage::Statistics), &ledger)?;
        let images = self.output(Stage::Render);
        let export = &self.config.export;
        let summary = CurationSummary::read(&self.output(Stage::Curate).join(SUMMARY_FILE))?;
        let (embedder, seed) = (self.embedder()?, self.config.generate.seed);
        let metrics = measure(&kept(&curated), &embedder, seed)?;
        let topics = AlbumTopics::fit(&curated, &embedder, seed)?;
        write_report(
            &ReportData {
                title: if export.title.is_empty() {
                    &self.config.name
                } else {
                    &export.title
                },
                source: &export.source,
                public_training: self.public_training()?.as_ref(),
                left_machine: &self.config.departures_beside(&self.departed()?),
                epsilon_allowed: self.config.privacy.epsilon,
                ledger: &ledger,
                statistics: &statistics,
                curated: &curated,
                curation: &summary,
                images: images.is_dir().then_some(&images),
                metrics: Some(&metrics),
                topics: topics.as_ref(),
                illustrations: self.config.render.is_illustration(),
            },
            &self.output(Stage::Report),
        )?;
        Ok(String::new())
    }

    pub(crate) fn curated(&self) -> anyhow::Result<Vec<Curated>> {
        let path = self.output(Stage::Curate).join("curated.parquet");
        Ok(storage::read_curated(&path)?)
    }
}

pub(super) fn kept(curated: &[Curated]) -> Vec<&SyntheticAlbum> {
    let kept = curated.iter().filter(|c| c.verdict.kept());
    kept.map(|c| &c.album).collect()
}

fn share(done: usize, all: usize) -> f64 {
    done as f64 / all.max(1) as f64
}
