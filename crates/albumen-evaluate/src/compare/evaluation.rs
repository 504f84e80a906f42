//! The evaluation: every measure, for each kind of text and each set.

use albumen_schema::config::EvaluateConfig;
use albumen_synth::curate::SentenceEmbedding;
use serde::Serialize;

use super::divergence::Profile;
use super::intervals::{Bootstrap, Groups};
use super::measure::Measure;
use super::sets::{Drawn, Kind, Remembering, Role, TextAlbum, sizes};
use super::side::Side;
use crate::error::Result;
use albumen_report::synthetic::bootstrap::Estimate;

/// Settings of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EvaluationSettings {
    /// Seed of the halves, samples, clusters and intervals.
    pub seed: u64,
    /// Albums, and captions, of a set that are looked at, at most.
    pub samples: usize,
    /// Resamples of an interval.
    pub resamples: usize,
    /// Topics, at most.
    pub topics: usize,
}

impl Default for EvaluationSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            samples: 5000,
            resamples: 200,
            topics: 20,
        }
    }
}

impl From<&EvaluateConfig> for EvaluationSettings {
    fn from(config: &EvaluateConfig) -> Self {
        Self {
            seed: config.seed,
            samples: config.samples,
            resamples: config.resamples,
            topics: config.topics,
        }
    }
}

/// One measure of one set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// What was measured.
    pub measure: Measure,
    /// Of which set.
    pub role: Role,
    /// Texts of either side.
    pub texts: usize,
    /// The value with its interval.
    pub estimate: Estimate,
}

/// A topic, and how often it occurs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    /// Its most telling words.
    pub words: Vec<String>,
    /// Its share of the reference half.
    pub real: f64,
    /// Its share of each set.
    pub shares: Vec<(Role, f64)>,
}

/// A synthetic text beside a real one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The synthetic text.
    pub synthetic: String,
    /// The real text.
    pub real: String,
    /// Euclidean distance of their embeddings, or the number of common words.
    pub value: f64,
    /// The run of words that both have, where that is what the pair is about.
    pub run: Option<String>,
}

/// What was measured on texts of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindEvaluation {
    /// The kind.
    pub kind: Kind,
    /// Every measure of every set.
    pub measured: Vec<Measured>,
    /// The topics, those of the reference half first.
    pub topics: Vec<Topic>,
    /// Accuracy on the held-out half of always guessing its most frequent topic.
    pub majority: f64,
    /// Number of texts by distance to the closest record, in bins up to `distance_end`.
    pub distances: Vec<(Role, Vec<usize>)>,
    /// Where the bins end.
    pub distance_end: f64,
    /// Synthetic texts that are closest to a record.
    pub closest: Vec<Pair>,
    /// Synthetic texts with the longest copied runs.
    pub copied: Vec<Pair>,
}

/// How many photos albums have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlbumSizes {
    /// The divergence of each set from the reference half.
    pub measured: Vec<Measured>,
    /// Share of the reference half with 0, 1, 2 ... photos.
    pub real: Vec<f64>,
    /// The same of each set.
    pub shares: Vec<(Role, Vec<f64>)>,
}

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// How.
    pub settings: EvaluationSettings,
    /// Albums of the reference half that were looked at.
    pub reference_albums: usize,
    /// Albums of each set that were looked at.
    pub albums: Vec<(Role, usize)>,
    /// Sizes of albums.
    pub sizes: AlbumSizes,
    /// Results on summaries and on captions.
    pub kinds: Vec<KindEvaluation>,
}

impl Evaluation {
    /// The result of a kind.
    pub fn kind(&self, kind: Kind) -> Option<&KindEvaluation> {
        self.kinds.iter().find(|k| k.kind == kind)
    }
}

impl KindEvaluation {
    /// One number.
    pub fn get(&self, measure: Measure, role: Role) -> Option<Estimate> {
        let mut all = self.measured.iter();
        all.find(|m| m.measure == measure && m.role == role)
            .map(|m| m.estimate)
    }
}

/// Compares each set with the reference half; the held-out half must be among them.
///
/// `progress` is told the finished share, 0 to 1.
///
/// # Errors
/// [`crate::EvaluateError::TooFew`] where a side has fewer than two texts, and where texts cannot be embedded.
pub fn evaluate(
    reference: &[TextAlbum],
    sets: &[(Role, &[TextAlbum])],
    embedder: &dyn SentenceEmbedding,
    settings: &EvaluationSettings,
    progress: &mut dyn FnMut(f64),
) -> Result<Evaluation> {
    let embedder = &Remembering::new(embedder);
    let draw = |albums: &[TextAlbum]| Drawn::new(albums, settings.samples, embedder, settings.seed);
    let steps = 3 * sets.len() + 1;
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done as f64 / steps as f64);
    };
    let real = draw(reference)?;
    step();
    let mut drawn: Vec<(Role, Drawn)> = Vec::new();
    for (role, albums) in sets {
        drawn.push((*role, draw(albums)?));
        step();
    }
    let kinds = [Kind::Summaries, Kind::Captions]
        .into_iter()
        .map(|kind| Ok(Side::new(kind, &real, &drawn, settings)?.evaluate(&mut step)))
        .collect::<Result<_>>()?;
    Ok(Evaluation {
        settings: *settings,
        reference_albums: real.albums.len(),
        albums: drawn.iter().map(|(r, d)| (*r, d.albums.len())).collect(),
        sizes: album_sizes(&real, &drawn, settings),
        kinds,
    })
}

fn album_sizes(real: &Drawn, drawn: &[(Role, Drawn)], settings: &EvaluationSettings) -> AlbumSizes {
    let each =
        |d: &Drawn| -> Vec<[usize; 1]> { d.albums.iter().map(|a| [a.captions.len()]).collect() };
    let measure = Measure::SizeDivergence;
    let p = real.summaries.groups(real.albums.len());
    let measured = drawn.iter().filter_map(|(role, set)| {
        let profile = Profile::new(each(real), each(set));
        let q = set.summaries.groups(set.albums.len());
        let estimate = bootstrap(&p, &q, settings)
            .estimate(measure.range(), |p, q| profile.divergence(p, q))?;
        Some(Measured {
            measure,
            role: *role,
            texts: set.albums.len(),
            estimate,
        })
    });
    let shares = |d: &Drawn| {
        let counts = sizes(&d.albums);
        let longest = counts.keys().last().copied().unwrap_or(0);
        let share = |n| counts.get(&n).copied().unwrap_or(0) as f64 / d.albums.len().max(1) as f64;
        (0..=longest).map(share).collect::<Vec<f64>>()
    };
    AlbumSizes {
        measured: measured.collect(),
        real: shares(real),
        shares: drawn.iter().map(|(role, d)| (*role, shares(d))).collect(),
    }
}

pub(super) fn bootstrap<'a>(
    p: &'a Groups,
    q: &'a Groups,
    settings: &EvaluationSettings,
) -> Bootstrap<'a> {
    Bootstrap {
        p,
        q,
        resamples: settings.resamples,
        seed: settings.seed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_the_configurations() {
        let config = EvaluateConfig {
            seed: 3,
            samples: 50,
            resamples: 70,
            topics: 9,
            ..EvaluateConfig::default()
        };
        let settings = EvaluationSettings::from(&config);
        let EvaluationSettings {
            seed,
            samples,
            resamples,
            topics,
        } = settings;
        assert_eq!((seed, samples, resamples, topics), (3, 50, 70, 9));
        let default = EvaluationSettings::from(&EvaluateConfig::default());
        assert_eq!(default, EvaluationSettings::default());
    }
}
