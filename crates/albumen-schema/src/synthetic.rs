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
    /// A word of the word list occurs.
    WordList,
    /// A pattern of personal data occurs (e-mail, phone, address, long digit run).
    PersonalData,
    /// Too close to an earlier album that passed the checks so far.
    NearDuplicate,
    /// Captions and summary do not belong together.
    Incoherent,
    /// Enough albums were kept before this one.
    BeyondTarget,
}

impl Reason {
    /// Every reason, in the order in which the filters run.
    pub const ALL: [Self; 9] = [
        Self::Passed,
        Self::BrokenFormat,
        Self::Length,
        Self::Repetition,
        Self::WordList,
        Self::PersonalData,
        Self::NearDuplicate,
        Self::Incoherent,
        Self::BeyondTarget,
    ];

    /// What people read: the verdict in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Passed => "kept",
            Self::BrokenFormat => "broken format",
            Self::Length => "too short or too long",
            Self::Repetition => "repetition",
            Self::WordList => "word of the word list",
            Self::PersonalData => "pattern of personal data",
            Self::NearDuplicate => "near-duplicate",
            Self::Incoherent => "captions do not fit the summary",
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
            Self::WordList => "word_list",
            Self::PersonalData => "personal_data",
            Self::NearDuplicate => "near_duplicate",
            Self::Incoherent => "incoherent",
            Self::BeyondTarget => "beyond_target",
        }
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
}

impl Verdict {
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
