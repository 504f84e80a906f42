//! Synthetic albums as text, and what curation says of them.

use serde::{Deserialize, Serialize};

/// One sampled album: post-processing of released models, so public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntheticAlbum {
    /// `album-000042`: derived from the index alone.
    pub id: String,
    /// Position in the sampling order; names the album's random stream.
    pub index: u64,
    /// The summary, without its length prefix.
    pub summary: String,
    /// One caption a photo, in order.
    pub captions: Vec<String>,
    /// The summary model's raw continuation, before it was parsed.
    pub raw_summary: String,
    /// Whether a text ran into its token limit before its end token.
    #[serde(default)]
    pub truncated: bool,
}

impl SyntheticAlbum {
    /// The identifier of the album at `index`.
    pub fn id_of(index: u64) -> String {
        format!("album-{index:06}")
    }
}

/// Why an album was kept or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Every check passed.
    Passed,
    /// The text did not follow the format, or stopped mid-way.
    BrokenFormat,
    /// A summary or caption was too short or too long.
    Length,
    /// Words or phrases repeat too much.
    Repetition,
    /// The text is in another language than allowed.
    Language,
    /// A word of the word list occurs.
    WordList,
    /// A pattern of personal data occurs (e-mail, phone, address, long digit run).
    PersonalData,
    /// Captions and summary do not belong together.
    Incoherent,
    /// Captions and summary hardly belong together, and the public model's grade is low.
    LowGrade,
    /// Too close to an earlier album that passed the checks so far.
    NearDuplicate,
    /// Another candidate for the same place was better.
    BetterCandidate,
    /// Enough albums of its topic were kept.
    TopicQuota,
    /// Enough albums were kept before this one.
    BeyondTarget,
}

impl Reason {
    /// Every reason, in the order in which the filters run.
    pub const ALL: [Self; 13] = [
        Self::Passed,
        Self::BrokenFormat,
        Self::Length,
        Self::Repetition,
        Self::Language,
        Self::WordList,
        Self::PersonalData,
        Self::Incoherent,
        Self::LowGrade,
        Self::NearDuplicate,
        Self::BetterCandidate,
        Self::TopicQuota,
        Self::BeyondTarget,
    ];

    /// What people read: the verdict in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Passed => "kept",
            Self::BrokenFormat => "broken format",
            Self::Length => "too short or too long",
            Self::Repetition => "repetition",
            Self::Language => "another language",
            Self::WordList => "word of the word list",
            Self::PersonalData => "pattern of personal data",
            Self::Incoherent => "captions do not fit the summary",
            Self::LowGrade => "low grade, doubtful fit",
            Self::NearDuplicate => "near-duplicate",
            Self::BetterCandidate => "another candidate was better",
            Self::TopicQuota => "enough of its topic",
            Self::BeyondTarget => "beyond the target number",
        }
    }

    /// The name used in files and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::BrokenFormat => "broken_format",
            Self::Length => "length",
            Self::Repetition => "repetition",
            Self::Language => "language",
            Self::WordList => "word_list",
            Self::PersonalData => "personal_data",
            Self::Incoherent => "incoherent",
            Self::LowGrade => "low_grade",
            Self::NearDuplicate => "near_duplicate",
            Self::BetterCandidate => "better_candidate",
            Self::TopicQuota => "topic_quota",
            Self::BeyondTarget => "beyond_target",
        }
    }

    /// The reason of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// The verdict of curation on one album.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The first check that failed, or [`Reason::Passed`].
    pub reason: Reason,
    /// What was seen, in words, with the number that decided.
    pub detail: String,
    /// Mean cosine similarity of the captions to the summary, in [-1, 1]; absent if an earlier
    /// check already dropped the album.
    pub coherence: Option<f32>,
    /// The other checks of the text alone that failed, in [`Reason::ALL`]'s order.
    #[serde(default)]
    pub also: Vec<Reason>,
    /// What else was measured.
    #[serde(default)]
    pub scores: Scores,
}

/// What curation measured of an album's text, beside its coherence: public scores. Absent where an
/// earlier check already dropped the album, or where the configuration does not ask for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean cosine similarity of the captions to one another, in [-1, 1]; absent for one caption.
    pub sameness: Option<f32>,
    /// By which the best of several candidates is chosen: higher is better.
    pub score: Option<f32>,
    /// The public model's grade of the album's coherence, 0 to 5.
    pub grade: Option<u8>,
    /// The public model's reason for it.
    pub grade_reason: Option<String>,
    /// The name of the public topic that the summary is nearest to.
    pub topic: Option<String>,
}

impl Verdict {
    /// A verdict without scores.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            coherence: None,
            also: Vec::new(),
            scores: Scores::default(),
        }
    }

    /// Whether the album is kept.
    pub fn kept(&self) -> bool {
        self.reason == Reason::Passed
    }
}

/// An album with its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curated {
    /// The album as sampled.
    pub album: SyntheticAlbum,
    /// What curation decided.
    pub verdict: Verdict,
}
