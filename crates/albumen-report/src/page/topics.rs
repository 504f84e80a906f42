//! Topics of the released albums: clusters of their summaries, which fill the plot of topics and let a
//! reader filter the gallery.
//!
//! They are made of the synthetic albums and a public seed alone. The public topics that curation may
//! choose by are others: those of the public model's own sentences.

use std::collections::{BTreeMap, BTreeSet};

use albumen_chart::{Colour, ShareBar, number};
use albumen_schema::{Curated, SyntheticAlbum};
use albumen_synth::curate::SentenceEmbedding;
use albumen_synth::export::words;
use albumen_topics::{KMeans, TopicModel};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::charts::percent;
use super::gallery::shown;
use crate::error::{ReportError, Result};
use crate::synthetic::bootstrap::{self, Estimate};
use crate::synthetic::{embed_once, sample};

/// Kept albums that are clustered and counted, at most: bounds the time, which goes into embedding.
pub const MOST_CLUSTERED: usize = 1000;
/// Topics, at most: more bars than that say less.
pub const MOST_TOPICS: usize = 12;
/// Different summaries for each topic, at least.
const TEXTS_PER_TOPIC: usize = 10;
/// Runs of k-means, of which the best stays, and iterations of each.
const RESTARTS: usize = 5;
const ITERATIONS: usize = 100;

/// The topics, the largest first, and the topic of each album that the page shows.
#[derive(Clone, Debug, PartialEq)]
pub struct AlbumTopics {
    /// Seed of sample, clusters and intervals.
    pub seed: u64,
    /// Kept albums that were clustered.
    pub albums: usize,
    /// What was found.
    pub topics: Vec<AlbumTopic>,
    /// Position in `topics` by the album's index.
    of: BTreeMap<u64, usize>,
}

/// One topic.
#[derive(Clone, Debug, PartialEq)]
pub struct AlbumTopic {
    /// The three words of its summaries that the others have least, by class TF-IDF.
    pub name: String,
    /// Clustered albums in it.
    pub albums: usize,
    /// Its share among them; the interval takes the clusters as given.
    pub share: Option<Estimate>,
}

impl AlbumTopics {
    /// Clusters the summaries of kept albums by their embeddings; the other albums of the page go to the
    /// nearest topic. `None` where there are fewer than 20 different summaries.
    ///
    /// # Errors
    /// [`ReportError::Statement`] where a text cannot be embedded.
    pub fn fit(
        curated: &[Curated],
        embedder: &dyn SentenceEmbedding,
        seed: u64,
    ) -> Result<Option<Self>> {
        let with_text = |c: &&Curated| !c.album.summary.trim().is_empty();
        let kept: Vec<&SyntheticAlbum> = curated
            .iter()
            .filter(|c| c.verdict.kept())
            .filter(with_text)
            .map(|c| &c.album)
            .collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let clustered: Vec<&SyntheticAlbum> = sample(kept.len(), MOST_CLUSTERED, &mut random)
            .into_iter()
            .map(|i| kept[i])
            .collect();
        let others = shown(curated).into_iter().filter(with_text);
        let all: Vec<&SyntheticAlbum> = clustered
            .iter()
            .copied()
            .chain(others.map(|c| &c.album))
            .collect();
        let texts: Vec<&str> = all.iter().map(|album| album.summary.as_str()).collect();
        let n = clustered.len();
        let different = texts[..n].iter().collect::<BTreeSet<_>>().len();
        let clusters = (different / TEXTS_PER_TOPIC).min(MOST_TOPICS);
        if clusters < 2 {
            return Ok(None);
        }
        let rows = embed_once(&texts, embedder)?;
        let settings = KMeans {
            clusters,
            restarts: RESTARTS,
            iterations: ITERATIONS,
            seed,
        };
        let model =
            TopicModel::fit(&texts[..n], &rows[..n], &settings).map_err(ReportError::from)?;
        let labels: Vec<Option<usize>> = rows.iter().map(|row| model.assign(row)).collect();
        let topics = model.topics().iter().enumerate().map(|(t, topic)| {
            let within = labels[..n].iter().map(|label| f64::from(*label == Some(t)));
            AlbumTopic {
                name: topic.name.clone(),
                albums: topic.texts,
                share: bootstrap::mean(&within.collect::<Vec<_>>(), seed),
            }
        });
        Ok(Some(Self {
            seed,
            albums: n,
            topics: topics.collect(),
            of: all
                .iter()
                .zip(labels)
                .filter_map(|(album, label)| Some((album.index, label?)))
                .collect(),
        }))
    }

    /// The topic of an album that the page shows; `None` for one without a summary.
    pub fn of(&self, album: &SyntheticAlbum) -> Option<usize> {
        self.of.get(&album.index).copied()
    }

    /// The plot's rows. Bars and whiskers share one scale, to the highest end of an interval.
    pub(super) fn rows(&self) -> Vec<Row> {
        let end = |topic: &AlbumTopic| topic.share.map_or(0.0, |share| share.high);
        let longest = self.topics.iter().map(end).fold(0.0, f64::max);
        let row = |topic: &AlbumTopic| {
            let share = topic.share?;
            let albums = words::count(topic.albums as u64);
            let bar = ShareBar {
                whisker: Some((percent(share.low, longest), percent(share.high, longest))),
                ..ShareBar::of(percent(share.value, longest), Colour::Own)
            };
            Some(Row {
                label: topic.name.clone(),
                value: format!("{albums} ({})", number::percent(share.value)),
                interval: format!(
                    "{} to {}",
                    number::percent(share.low),
                    number::percent(share.high)
                ),
                svg: bar.svg(),
            })
        };
        self.topics.iter().filter_map(row).collect()
    }
}

/// One bar of the plot.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    label: String,
    value: String,
    interval: String,
    svg: String,
}
