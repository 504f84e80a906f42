//! `[curate]` and `[topics]`: what the text filters let through, and the public topics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ranges::{MAX_ALBUMS, MAX_PHOTOS};
use super::validate_curate::LANGUAGES;

/// `[curate]`: what the text filters let through. Thresholds are public numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CurateConfig {
    /// Stop after this many kept albums; 0 keeps all that pass.
    #[schemars(range(min = 0, max = MAX_ALBUMS))]
    pub target: usize,
    /// Fewest words of a summary or caption.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub min_words: usize,
    /// Most words of a summary.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_summary_words: usize,
    /// Most words of a caption.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_caption_words: usize,
    /// Fewest photos of an album.
    #[schemars(range(min = 0, max = MAX_PHOTOS))]
    pub min_photos: usize,
    /// Largest share of repeated word trigrams in an album's text, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub max_repetition: f64,
    /// Languages that albums may be in, as ISO 639-3 codes (`eng`, `deu`); an empty list lets every
    /// language through. Only texts that are surely in another language fall.
    #[schemars(extend(
        "items" = { "type": "string", "enum": LANGUAGES.as_slice() },
        "x-form" = "ISO 639-3 codes such as eng, deu, fra, spa, or [] for every language"
    ))]
    pub languages: Vec<String>,
    /// Entries of the word list that are let through: phrases that are harmless in captions of
    /// photos (`big black` dog, `girl on` a swing) and would drop ordinary albums.
    pub allowed_words: Vec<String>,
    /// Words and phrases that are refused beside those of the word list.
    pub refused_words: Vec<String>,
    /// Smallest mean cosine similarity of captions to summary, in [-1, 1].
    #[schemars(range(min = -1, max = 1))]
    pub min_coherence: f64,
    /// Let the public language model grade each album that passed so far from 0 to 5 with a reason
    /// (`train.model` without adapters). The grade is written down, and drops an album only together
    /// with a doubtful cosine similarity. Takes about as long as sampling.
    pub grade: bool,
    /// Smallest grade of an album whose cosine similarity is below `doubtful_coherence`.
    #[schemars(range(min = 0, max = 5))]
    pub min_grade: u8,
    /// Mean cosine similarity of captions to summary below which the grade decides, in [-1, 1].
    #[schemars(range(min = -1, max = 1))]
    pub doubtful_coherence: f64,
    /// Jaccard similarity of word trigrams at which two albums count as the same, in (0, 1].
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub near_duplicate: f64,
    /// Largest share of one topic among the kept albums, in (0, 1]; less than 1 makes public topics
    /// (`[topics]`).
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub max_topic_share: f64,
    /// Where `release.topic_histogram_epsilon` steers and `target` is 0: as many albums are kept as
    /// leave the kept topics within this total variation distance of the released ones, in (0, 1].
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub topic_distance: f64,
}

/// Default of [`CurateConfig::allowed_words`]; chosen by reading the list, not a corpus.
const HARMLESS_IN_CAPTIONS: [&str; 14] = [
    "big black",
    "butt",
    "cornhole",
    "domination",
    "escort",
    "girl on",
    "skeet",
    "snatch",
    "snowballing",
    "tied up",
    "tight white",
    "tongue in a",
    "twinkie",
    "xx",
];

impl Default for CurateConfig {
    fn default() -> Self {
        Self {
            target: 0,
            min_words: 3,
            max_summary_words: 60,
            max_caption_words: 50,
            min_photos: 2,
            max_repetition: 0.5,
            languages: vec!["eng".to_owned()],
            allowed_words: HARMLESS_IN_CAPTIONS.map(str::to_owned).to_vec(),
            refused_words: Vec::new(),
            min_coherence: 0.2,
            grade: false,
            min_grade: 2,
            doubtful_coherence: 0.35,
            near_duplicate: 0.8,
            max_topic_share: 1.0,
            topic_distance: 0.1,
        }
    }
}

/// `[topics]`: topics of the public model's own sentences, made before any private text is read.
/// They serve `release.topic_histogram_epsilon` and `curate.max_topic_share`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TopicsConfig {
    /// Number of topics. Each has its own noise in the released histogram: fewer are released more
    /// precisely.
    #[schemars(range(min = 2, max = 256), extend("x-usual" = "16 is usual"))]
    pub clusters: usize,
    /// Sentences that the public model writes to be clustered.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub samples: usize,
    /// Temperature at which it writes them.
    #[schemars(
        range(max = 100),
        extend(
            "exclusiveMinimum" = 0,
            "x-usual" = "greedy sentences would all be alike"
        )
    )]
    pub temperature: f32,
    /// Longest of them, in tokens.
    #[schemars(range(min = 4, max = 256))]
    pub max_tokens: usize,
    /// Seed of sampling and clustering.
    #[schemars(range(min = 0, max = i64::MAX))]
    pub seed: u64,
}

impl Default for TopicsConfig {
    fn default() -> Self {
        Self {
            clusters: 16,
            samples: 1200,
            temperature: 0.9,
            max_tokens: 32,
            seed: 0,
        }
    }
}
