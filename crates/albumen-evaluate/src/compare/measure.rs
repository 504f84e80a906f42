//! The measures: names, ranges, which way is better.

use serde::Serialize;

/// A measure of one set against the reference half of the real albums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// See [`super::mauve`].
    Mauve,
    /// See [`super::frechet`].
    Frechet,
    /// Share of texts that lie among real ones.
    Precision,
    /// Share of real texts that lie among these.
    Recall,
    /// How densely real texts lie around these.
    Density,
    /// Share of real texts with one of these close by.
    Coverage,
    /// Jensen-Shannon divergence of topics.
    TopicDivergence,
    /// Jensen-Shannon divergence of words.
    WordDivergence,
    /// Jensen-Shannon divergence of pairs of words.
    BigramDivergence,
    /// Jensen-Shannon divergence of numbers of words.
    LengthDivergence,
    /// Jensen-Shannon divergence of numbers of photos.
    SizeDivergence,
    /// Accuracy on real texts of a classifier trained on these.
    TransferAccuracy,
    /// Median distance to the closest real text.
    ClosestDistance,
    /// Share of texts as close to a real one as the closest 5% of held-out real ones.
    CloserShare,
    /// Mean length of the longest run of words copied from one real text.
    CopiedWords,
}

impl Measure {
    /// What people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Mauve => "MAUVE",
            Self::Frechet => "Frechet embedding distance",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Density => "density",
            Self::Coverage => "coverage",
            Self::TopicDivergence => "topics, divergence",
            Self::WordDivergence => "words, divergence",
            Self::BigramDivergence => "word pairs, divergence",
            Self::LengthDivergence => "lengths, divergence",
            Self::SizeDivergence => "photos an album, divergence",
            Self::TransferAccuracy => "train here, test on real",
            Self::ClosestDistance => "distance to closest record",
            Self::CloserShare => "closer than held-out real",
            Self::CopiedWords => "longest copied run, words",
        }
    }

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mauve => "mauve",
            Self::Frechet => "frechet",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Density => "density",
            Self::Coverage => "coverage",
            Self::TopicDivergence => "topic_divergence",
            Self::WordDivergence => "word_divergence",
            Self::BigramDivergence => "bigram_divergence",
            Self::LengthDivergence => "length_divergence",
            Self::SizeDivergence => "size_divergence",
            Self::TransferAccuracy => "transfer_accuracy",
            Self::ClosestDistance => "closest_distance",
            Self::CloserShare => "closer_share",
            Self::CopiedWords => "copied_words",
        }
    }

    /// Least and greatest value.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Frechet | Self::Density | Self::CopiedWords => (0.0, f64::INFINITY),
            Self::ClosestDistance => (0.0, 2.0),
            _ => (0.0, 1.0),
        }
    }

    /// Which values are better.
    pub fn better(self) -> Better {
        match self {
            Self::Mauve
            | Self::Precision
            | Self::Recall
            | Self::Density
            | Self::Coverage
            | Self::TransferAccuracy => Better::Higher,
            Self::ClosestDistance | Self::CloserShare | Self::CopiedWords => Better::LikeHeldOut,
            _ => Better::Lower,
        }
    }
}

/// Which values of a measure are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The higher, the more alike.
    Higher,
    /// The lower, the more alike.
    Lower,
    /// Closer to real albums than other real ones are would be copying.
    LikeHeldOut,
}
