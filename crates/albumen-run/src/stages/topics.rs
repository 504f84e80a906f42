//! The public topics: made from the public model alone, before any private text is sorted into them.

use std::fs;

use albumen_lm::Device;
use albumen_synth::topics::{sentences, topics};
use albumen_topics::TopicModel;
use albumen_vision::Embedder;
use anyhow::Context;

use super::Stage;

use crate::models::precision;
use crate::runner::{Runner, Work};
use albumen_files::write_whole;

/// The topics with their centres.
const TOPICS_FILE: &str = "topics.json";
/// The sentences that they were made from.
const SENTENCES_FILE: &str = "sentences.json";

impl Runner {
    /// Lets the model write without adapters, and clusters what it wrote.
    pub(super) fn make_topics(&mut self, work: &mut Work) -> anyhow::Result<String> {
        let precision = precision(&self.config.compute);
        let name = &self.config.train.model;
        // On the processor: there the sentences depend on no batch and no device.
        let model = self.models.language_model(name, Device::Cpu, precision)?;
        let config = &self.config.topics;
        let written = sentences(&model.lm, &model.tokenizer, config, &mut |share| {
            work.progress.set(share, "");
        })?;
        let found = topics(&written, &self.embedder()?, config)?;
        write_whole(&work.path()?.join(TOPICS_FILE), &found.to_json()?)?;
        let texts = serde_json::to_vec_pretty(&written)?;
        write_whole(&work.path()?.join(SENTENCES_FILE), &texts)?;
        Ok(format!(
            "{} topics of {} public sentences",
            config.clusters,
            written.len()
        ))
    }

    /// The topics of this run.
    pub(super) fn topic_model(&self) -> anyhow::Result<TopicModel> {
        let path = self.output(Stage::Topics).join(TOPICS_FILE);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        TopicModel::from_json(&bytes).with_context(|| format!("{} cannot be used", path.display()))
    }
}

/// The topic of a summary, in a forward pass of its own: whatever other albums there are, it is the
/// same to the last bit. That is what bounds an album's part in the histogram.
pub(super) fn topic_of(summary: &str, embedder: &Embedder, topics: &TopicModel) -> Option<usize> {
    let rows = embedder.embed(&[summary]).ok()?;
    topics.assign(rows.first()?)
}
