//! Curation: public rules and public models on synthetic text, steered by a released histogram where
//! one was asked for.

use albumen_accounting::History;
use albumen_schema::statistic::TOPIC_HISTOGRAM;
use albumen_schema::{Curated, SyntheticAlbum};
use albumen_synth::curate::{CurationSummary, Curator, Grader, LmGrader, TopicTarget, WordList};
use albumen_synth::{statistics, storage};
use albumen_topics::TopicModel;

use super::Stage;

use crate::models;
use crate::runner::{Runner, Work};
use albumen_files::write_whole;

/// The funnel and the topics, for people and programs.
pub(super) const SUMMARY_FILE: &str = "summary.json";

impl Runner {
    pub(super) fn curate(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let sampled = storage::read_sampled(&self.output(Stage::Generate).join("sampled.parquet"))?;
        let words = WordList::load(&self.models.asset("naughty-words", "en.json")?)?;
        let embedder = self.embedder()?;
        let topics = (self.config.wants_topics())
            .then(|| self.topic_model())
            .transpose()?;
        let target = match &topics {
            Some(topics) => self.topic_target(topics)?,
            None => None,
        };
        let model = if self.config.curate.grade {
            let compute = &self.config.compute;
            let (device, precision) = (models::device(compute)?, models::precision(compute));
            let name = &self.config.train.model;
            Some(self.models.language_model(name, device, precision)?)
        } else {
            None
        };
        let batch = self.config.generate.batch;
        let grader = (model.as_ref()).map(|m| LmGrader::new(&m.lm, &m.tokenizer, batch));

        let mut curator = Curator::new(&self.config.curate, &words, Some(&embedder))?
            .with_candidates(self.config.generate.candidates);
        if let Some(topics) = &topics {
            curator = curator.with_topics(topics, target.as_ref());
        }
        if let Some(grader) = &grader {
            curator = curator.with_grader(grader as &dyn Grader);
        }
        let curated = curator.curate(&sampled)?;

        storage::write_curated(&work.path()?.join("curated.parquet"), &curated)?;
        let names = topics.as_ref().map(TopicModel::names).unwrap_or_default();
        let summary = CurationSummary::new(&curated, &names, target.as_ref());
        let json = serde_json::to_vec_pretty(&summary)?;
        write_whole(&work.path()?.join(SUMMARY_FILE), &json)?;
        Ok(format!("kept {} of {}", summary.kept, summary.sampled))
    }

    /// The filters' verdict on albums of another model, with neither grades nor topics: what they let
    /// through of it is compared with what they let through of this run's.
    pub(super) fn judge(&self, albums: &[SyntheticAlbum]) -> anyhow::Result<Vec<Curated>> {
        let words = WordList::load(&self.models.asset("naughty-words", "en.json")?)?;
        let embedder = self.embedder()?;
        let curator = Curator::new(&self.config.curate, &words, Some(&embedder))?;
        Ok(curator
            .with_candidates(self.config.generate.candidates)
            .curate(albums)?)
    }

    /// What the released histogram asks for, if one was released; only what the ledger paid for is
    /// read.
    fn topic_target(&self, topics: &TopicModel) -> anyhow::Result<Option<TopicTarget>> {
        if self.config.release.topic_histogram_epsilon <= 0.0 {
            return Ok(None);
        }
        let ledger = History::read(&self.dir.ledger())?;
        let released = statistics::read(&self.output(Stage::Statistics), &ledger)?;
        let histogram = released.iter().find(|s| s.stage == TOPIC_HISTOGRAM);
        let Some(histogram) = histogram else {
            return Ok(None);
        };
        let target = TopicTarget::new(&histogram.released, topics)?;
        if target.is_none() {
            self.note("curate: the released topics add up to nothing, so they steer nothing");
        }
        Ok(target)
    }
}
