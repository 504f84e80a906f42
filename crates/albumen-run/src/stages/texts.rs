//! The stages that turn private albums into private text.

use std::fs;
use std::path::PathBuf;

use albumen_corpus::{
    CorpusError, EndpointSummarizer, JournalPlace, LmSummarizer, SummaryWriter, caption_stage,
    ingest_stage, summarize_stage,
};
use albumen_lm::Device;
use albumen_schema::StageManifest;
use anyhow::Context;

use super::{Stage, served};

use crate::models::precision;
use crate::runner::{Runner, Work};

impl Runner {
    pub(super) fn ingest(&mut self, work: &mut Work) -> anyhow::Result<String> {
        ingest_stage(&self.config.corpus, self.config.privacy.unit, work.path()?)?;
        Ok(String::new())
    }

    pub(super) fn caption(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let captioner = self.captioner()?;
        let settings = journal_settings(&work.manifest)?;
        caption_stage(
            &self.config.caption,
            self.config.corpus.max_pixels,
            &self.output(Stage::Ingest).join("albums.parquet"),
            captioner.as_ref(),
            JournalPlace {
                path: &self.journal(Stage::Caption),
                settings: &settings,
            },
            work.path()?,
            &mut |share| work.progress.set(share, ""),
        )
        .map_err(|e| self.with_words(e))?;
        Ok(String::new())
    }

    pub(super) fn summarize(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let max_tokens = self.config.summarize.max_tokens;
        let client = served::client(&self.config, Stage::Summarize)?;
        let model;
        let writer: Box<dyn SummaryWriter + '_> = if let Some(client) = client {
            let refusals = self.refusals(Stage::Summarize);
            let writer = EndpointSummarizer::rehearsed(client, max_tokens, &refusals);
            let writer = writer.map_err(|e| self.with_words(e))?;
            self.depart(Stage::Summarize)?;
            Box::new(writer)
        } else {
            // On the processor, where an album's summary depends on no other album.
            model = self.models.language_model(
                &self.config.summarize.model,
                Device::Cpu,
                precision(&self.config.compute),
            )?;
            let (lm, tokenizer) = (&model.lm, &model.tokenizer);
            Box::new(LmSummarizer::new(lm, tokenizer, max_tokens))
        };
        let settings = journal_settings(&work.manifest)?;
        summarize_stage(
            &self.output(Stage::Caption).join("captions.parquet"),
            writer.as_ref(),
            JournalPlace {
                path: &self.journal(Stage::Summarize),
                settings: &settings,
            },
            work.path()?,
            &mut |share| work.progress.set(share, ""),
        )
        .map_err(|e| self.with_words(e))?;
        Ok(String::new())
    }

    /// What the server of a stage would not answer.
    pub(super) fn refusals(&self, stage: Stage) -> PathBuf {
        let name = format!("{}-refused.jsonl", stage.name());
        self.dir.private().join(name)
    }

    /// Answers of a stage that is under way.
    fn journal(&self, stage: Stage) -> PathBuf {
        self.dir.private().join(format!("{}.journal", stage.name()))
    }

    /// Removes the answers that a finished stage no longer needs.
    pub(crate) fn forget_journal(&self, stage: Stage) -> anyhow::Result<()> {
        let path = self.journal(stage);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The error, and what the server said of it in a private file: it may quote a photo's request.
    pub(super) fn with_words(&self, error: CorpusError) -> anyhow::Error {
        let words = match &error {
            CorpusError::Endpoint(error) => error.server_words(),
            _ => None,
        };
        let path = self.dir.private().join("server-said.txt");
        match words.map(|words| albumen_files::write_private(&path, words)) {
            Some(Ok(())) => anyhow::anyhow!("{error}; its own words are in {}", path.display()),
            _ => error.into(),
        }
    }
}

/// What a journal's answers depend on beside the photo or album: not on the other ones.
fn journal_settings(manifest: &StageManifest) -> anyhow::Result<String> {
    let StageManifest {
        tool,
        config,
        inputs,
        ..
    } = manifest;
    Ok(serde_json::to_string(&(tool, config, inputs.get("model")))?)
}
