//! An album as the filters read it: named parts, words, trigrams.

use std::fmt;

use albumen_schema::SyntheticAlbum;
use regex::Regex;

/// Which text of an album.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Summary,
    /// The caption of this photo, from 1.
    Caption(usize),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Summary => f.write_str("the summary"),
            Self::Caption(photo) => write!(f, "caption {photo}"),
        }
    }
}

/// The summary and then the captions.
pub(super) fn parts(album: &SyntheticAlbum) -> impl Iterator<Item = (Part, &str)> {
    let captions = album.captions.iter().enumerate();
    std::iter::once((Part::Summary, album.summary.as_str()))
        .chain(captions.map(|(i, caption)| (Part::Caption(i + 1), caption.as_str())))
}

/// Words in lower case, with punctuation at their ends stripped; tokens without a letter or digit
/// are no words.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace()
        .map(|token| token.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Compiles a pattern that is part of the source.
#[expect(
    clippy::expect_used,
    reason = "the pattern is a constant that the tests compile"
)]
pub(super) fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern is valid")
}
