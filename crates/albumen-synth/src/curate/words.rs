//! The word list filter.

use std::path::Path;

use albumen_schema::SyntheticAlbum;
use regex::{Regex, RegexBuilder};

use super::text;
use crate::error::{Result, SynthError, io_error};

/// A public list of words and phrases that no kept album may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordList {
    entries: Vec<String>,
}

impl WordList {
    /// Reads a JSON array of strings.
    ///
    /// # Errors
    /// [`SynthError::Io`] or [`SynthError::WordList`].
    pub fn load(path: &Path) -> Result<Self> {
        let json = std::fs::read_to_string(path).map_err(io_error("read", path))?;
        Self::parse(&path.display().to_string(), &json)
    }

    /// Parses a JSON array of strings; `origin` names it in errors.
    ///
    /// # Errors
    /// [`SynthError::WordList`] for other JSON, and for a list without entries, which would let
    /// everything through.
    pub fn parse(origin: &str, json: &str) -> Result<Self> {
        let invalid = |reason: String| SynthError::WordList {
            origin: origin.to_owned(),
            reason,
        };
        let entries: Vec<String> =
            serde_json::from_str(json).map_err(|e| invalid(e.to_string()))?;
        let entries: Vec<String> = entries
            .into_iter()
            .filter(|entry| !entry.trim().is_empty())
            .collect();
        if entries.is_empty() {
            return Err(invalid("it is empty".to_owned()));
        }
        Ok(Self { entries })
    }

    /// The list without `allowed` entries and with `refused` ones.
    pub(super) fn matcher(&self, allowed: &[String], refused: &[String]) -> Result<Matcher> {
        let allowed: Vec<String> = allowed.iter().map(|word| spaced(word)).collect();
        let listed = self.entries.iter().map(|entry| spaced(entry));
        let mut terms: Vec<String> = listed
            .filter(|entry| !allowed.contains(entry))
            .chain(refused.iter().map(|entry| spaced(entry)))
            .filter(|entry| !entry.is_empty())
            .collect();
        if terms.is_empty() {
            return Ok(Matcher { pattern: None });
        }
        // The longest entry is the one to name.
        terms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let alternatives: Vec<String> = terms
            .iter()
            .map(|term| {
                term.split(' ')
                    .map(regex::escape)
                    .collect::<Vec<_>>()
                    .join(r"[\s_-]+")
            })
            .collect();
        let pattern = format!(
            r"\b{{start-half}}(?:{})\b{{end-half}}",
            alternatives.join("|")
        );
        RegexBuilder::new(&pattern)
            .case_insensitive(true)
            .size_limit(1 << 28)
            .build()
            .map(|pattern| Matcher {
                pattern: Some(pattern),
            })
            .map_err(|e| SynthError::WordList {
                origin: format!("the list of {} entries", terms.len()),
                reason: e.to_string(),
            })
    }
}

/// Finds whole words and phrases, whatever their case.
pub(super) struct Matcher {
    pattern: Option<Regex>,
}

impl Matcher {
    pub(super) fn check(&self, album: &SyntheticAlbum) -> Option<String> {
        let pattern = self.pattern.as_ref()?;
        text::parts(album).find_map(|(part, text)| {
            let found = pattern.find(text)?;
            Some(format!("{part} holds `{}`", found.as_str().to_lowercase()))
        })
    }
}

/// Lower case, parts apart by one space: `G-spot` and `g spot` are one entry.
fn spaced(entry: &str) -> String {
    entry
        .to_lowercase()
        .split(|c: char| c.is_whitespace() || c == '-' || c == '_')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
