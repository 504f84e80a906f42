//! Noisy statistics of the private albums, each released exactly once.

use std::path::PathBuf;

use albumen_corpus::{group_units, load_texts};
use albumen_dp::{Released, Sensitive};
use albumen_oneshot::Drawn;
use albumen_schema::statistic::{ALBUM_SIZES, TOPIC_HISTOGRAM};
use albumen_schema::{NoisyCounts, UnitTexts};
use albumen_train::escrow::{COUNTS, release_once};
use rayon::prelude::*;

use super::Stage;
use super::topics::topic_of;
use crate::budget::mechanism;
use crate::runner::{Runner, Work};
use albumen_files::write_whole;

impl Runner {
    /// Releases what `[release]` asks for, or finds what a killed run had already paid for. A file
    /// of the stage holds the very bytes whose hash is in the ledger.
    pub(super) fn statistics(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let mut ledger = self.open_ledger()?;
        for (stage, epsilon) in self.config.release.wanted() {
            let paid = release_once(
                &mut ledger,
                stage,
                &self.escrow(stage),
                &self.budget.allowance(),
                &COUNTS,
                |_| self.measure(stage, epsilon),
            )?;
            if paid.was_found() {
                work.progress
                    .note(&format!("{stage}: found what this run had released"));
            }
            write_whole(&work.path()?.join(format!("{stage}.json")), paid.bytes())?;
            work.waiting.push(paid.into_waiting());
        }
        Ok(String::new())
    }

    /// One noisy statistic of the albums that training sees, not yet paid for.
    fn measure(&self, stage: &str, epsilon: f64) -> anyhow::Result<Released<NoisyCounts, Drawn>> {
        let units = self.units()?;
        let mechanism = mechanism(&self.config, epsilon);
        let release = &self.config.release;
        if stage == ALBUM_SIZES {
            // An album below the first bin counts in none: no category has that position.
            let bin = |photos| release.bin_of(photos).unwrap_or(usize::MAX);
            let bins = |unit: &UnitTexts| unit.iter().map(|a| bin(a.captions.len())).collect();
            let items = units.map(|units| units.iter().map(bins).collect());
            return Ok(mechanism.histogram(&release.bin_names(), &items)?);
        }
        if stage == TOPIC_HISTOGRAM {
            let (topics, embedder) = (self.topic_model()?, self.embedder()?);
            // An album without a topic counts in none.
            let topic = |summary: &str| topic_of(summary, &embedder, &topics).unwrap_or(usize::MAX);
            let of = |unit: &UnitTexts| unit.iter().map(|a| topic(&a.summary)).collect();
            let items = units.map(|units| units.par_iter().map(of).collect());
            return Ok(mechanism.histogram(&topics.names(), &items)?);
        }
        let items = units.map(|units| units.iter().map(|u| u.len() as u64).collect());
        Ok(mechanism.count("albums", &items)?)
    }

    /// The texts of every unit, bounded: what the models are trained on and statistics are of.
    pub(super) fn units(&self) -> anyhow::Result<Sensitive<Vec<UnitTexts>>> {
        let texts = load_texts(
            &self.output(Stage::Caption).join("captions.parquet"),
            &self.output(Stage::Summarize).join("summaries.parquet"),
        )?;
        let privacy = &self.config.privacy;
        Ok(group_units(
            texts,
            privacy.unit,
            privacy.max_albums_per_owner,
        ))
    }

    /// Where a release waits until its stage's own files are complete.
    pub(super) fn escrow(&self, name: &str) -> PathBuf {
        self.dir.private().join("escrow").join(name)
    }
}
