//! What the photos of an album have in common, in words that stand before each caption: a
//! photographic style, and a fixed look for every person, animal, thing or place that recurs.
//!
//! Everything is drawn from the album's synthetic text, its seed and the public tables in
//! `data/album_style.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use albumen_schema::SyntheticAlbum;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A subject recurs when this many of the album's texts (summary and captions) name it.
const RECURS: usize = 2;

/// At most this many looks stand before a caption, so that a text encoder of 77 tokens still sees
/// the caption itself.
const MAX_LOOKS: usize = 2;

#[derive(Deserialize)]
struct Tables {
    styles: Vec<String>,
    colours: Vec<String>,
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    words: String,
    #[serde(default)]
    plurals: String,
    look: String,
}

/// The tables; a test reads them, so that they are never empty here.
static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/album_style.toml")).unwrap_or(Tables {
        styles: Vec::new(),
        colours: Vec::new(),
        subject: Vec::new(),
    })
});

/// Every word, singular and plural, with its subject's index.
static WORDS: LazyLock<BTreeMap<String, usize>> = LazyLock::new(|| {
    let mut words = BTreeMap::new();
    for (i, subject) in TABLES.subject.iter().enumerate() {
        for word in list(&subject.words) {
            words.insert(format!("{word}s"), i);
            words.insert(word.to_owned(), i);
        }
        for plural in list(&subject.plurals) {
            words.insert(plural.to_owned(), i);
        }
    }
    words
});

fn list(words: &str) -> impl Iterator<Item = &str> {
    words.split(',').map(str::trim).filter(|w| !w.is_empty())
}

/// Lower-case words of a text.
fn words_of(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The subjects of a text, each with the word that names it first, and the colour before it if any.
fn subjects_of(text: &str) -> BTreeMap<usize, (String, Option<String>)> {
    let words = words_of(text);
    let mut found = BTreeMap::new();
    for (at, word) in words.iter().enumerate() {
        if let Some(&subject) = WORDS.get(word) {
            let before = at.checked_sub(1).map(|i| &words[i]);
            let colour = before.filter(|w| TABLES.colours.contains(w)).cloned();
            found.entry(subject).or_insert((word.clone(), colour));
        }
    }
    found
}

/// What the photos of one album have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlbumStyle {
    style: String,
    /// Looks of the recurring subjects, by their index in the tables.
    looks: BTreeMap<usize, String>,
}

impl AlbumStyle {
    /// Draws the style of an album; `seed` is the album's own.
    pub fn of(album: &SyntheticAlbum, seed: u64) -> Self {
        let mut count: BTreeMap<usize, usize> = BTreeMap::new();
        let mut coloured: BTreeMap<usize, String> = BTreeMap::new();
        for text in std::iter::once(&album.summary).chain(&album.captions) {
            for (subject, (_, colour)) in subjects_of(text) {
                *count.entry(subject).or_default() += 1;
                if let Some(colour) = colour {
                    coloured.entry(subject).or_insert(colour);
                }
            }
        }
        let looks = count
            .into_iter()
            .filter(|&(_, times)| times >= RECURS)
            .map(|(subject, _)| {
                let table = &TABLES.subject[subject];
                let own = coloured.get(&subject).map(String::as_str);
                (subject, drawn(&table.look, &table.name, own, seed))
            })
            .collect();
        let styles: Vec<&str> = TABLES.styles.iter().map(String::as_str).collect();
        Self {
            style: pick(&styles, "style", 0, seed).to_owned(),
            looks,
        }
    }

    /// What is drawn for a caption: the style, the looks of those of the album's recurring subjects
    /// that the caption names, and the caption.
    pub fn prompt(&self, caption: &str) -> String {
        let looks: Vec<String> = subjects_of(caption)
            .into_iter()
            .filter_map(|(subject, (word, _))| {
                let look = self.looks.get(&subject)?;
                Some(format!("the {word}: {look}"))
            })
            .take(MAX_LOOKS)
            .collect();
        let caption = caption.trim();
        if looks.is_empty() {
            format!("{}. {caption}", self.style)
        } else {
            format!("{}; {}. {caption}", self.style, looks.join("; "))
        }
    }
}

/// Fills a look's choices. A choice in angle brackets gives way to a colour that the text gives.
fn drawn(look: &str, name: &str, own_colour: Option<&str>, seed: u64) -> String {
    let mut out = String::new();
    let mut rest = look;
    let mut slot = 0;
    while let Some(start) = rest.find(['[', '<']) {
        let is_colour = rest[start..].starts_with('<');
        let close = if is_colour { '>' } else { ']' };
        let Some(len) = rest[start..].find(close) else {
            break;
        };
        let options: Vec<&str> = rest[start + 1..start + len].split('|').collect();
        out.push_str(&rest[..start]);
        out.push_str(match own_colour {
            Some(colour) if is_colour => colour,
            _ => pick(&options, name, slot, seed),
        });
        slot += 1;
        rest = &rest[start + len + 1..];
    }
    out + rest
}

/// One of the options, evenly, by a hash of the seed and what is chosen: a subject's look does not
/// depend on which others recur.
fn pick<'a>(options: &[&'a str], name: &str, slot: u64, seed: u64) -> &'a str {
    let mut hash = Sha256::new();
    hash.update(b"albumen album style");
    hash.update(seed.to_le_bytes());
    hash.update(slot.to_le_bytes());
    hash.update(name.as_bytes());
    let number = hash
        .finalize()
        .iter()
        .take(8)
        .fold(0u64, |n, &byte| n << 8 | u64::from(byte));
    options
        .get((number % options.len().max(1) as u64) as usize)
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn album(summary: &str, captions: &[&str]) -> SyntheticAlbum {
        SyntheticAlbum {
            id: SyntheticAlbum::id_of(0),
            index: 0,
            summary: summary.to_owned(),
            captions: captions.iter().map(|&c| c.to_owned()).collect(),
            raw_summary: String::new(),
            truncated: false,
        }
    }

    #[test]
    fn the_tables_are_whole() {
        let tables: Tables = toml::from_str(include_str!("../data/album_style.toml")).unwrap();
        assert!(tables.styles.len() >= 8 && tables.subject.len() >= 25);
        for subject in &tables.subject {
            for own in [None, Some("white")] {
                let look = drawn(&subject.look, &subject.name, own, 3);
                assert!(!look.contains(['[', ']', '<', '>', '|']), "{look}");
                // Style, two looks and a caption of 25 words fit 77 tokens.
                assert!(look.split_whitespace().count() <= 11, "{look}");
            }
        }
        let words: usize = tables
            .subject
            .iter()
            .map(|s| list(&s.words).count() * 2 + list(&s.plurals).count())
            .sum();
        assert_eq!(words, WORDS.len(), "a word belongs to one subject");
    }

    #[test]
    fn what_recurs_gets_one_look_wherever_it_is_named() {
        let album = album(
            "A family walk with the dog by a lake.",
            &["A dog runs.", "Two dogs by a lake.", "A red boat."],
        );
        let style = AlbumStyle::of(&album, 5);
        let prompts: Vec<String> = album.captions.iter().map(|c| style.prompt(c)).collect();
        let look = prompts[0].split("the dog: ").nth(1).unwrap();
        let look = look.strip_suffix(". A dog runs.").unwrap();
        assert!(
            prompts[1].contains(&format!("the dogs: {look}; the lake: ")),
            "{prompts:?}"
        );
        // The boat is named once, the family in the summary only.
        assert!(!prompts[2].contains("the boat"), "{prompts:?}");
        assert!(prompts[2].ends_with(". A red boat."));
        let start = prompts[2].split('.').next().unwrap();
        assert!(prompts.iter().all(|p| p.starts_with(start)), "{prompts:?}");
        assert_eq!(AlbumStyle::of(&album, 5), style);
    }

    #[test]
    fn a_colour_in_the_text_wins() {
        for seed in 0..20 {
            let album = album("A black cat at home.", &["The cat sleeps.", "A cat eats."]);
            let prompt = AlbumStyle::of(&album, seed).prompt("The cat sleeps.");
            assert!(prompt.contains("the cat: black coat"), "{prompt}");
        }
    }

    #[test]
    fn albums_differ_and_every_choice_is_drawn() {
        let texts = album("A man.", &["A man waves.", "Snow."]);
        let prompts: std::collections::BTreeSet<String> = (0..400)
            .map(|seed| AlbumStyle::of(&texts, seed).prompt("A man waves."))
            .collect();
        assert!(prompts.len() > 250, "{}", prompts.len());
        for style in &TABLES.styles {
            assert!(
                prompts.iter().any(|p| p.starts_with(style.as_str())),
                "{style}"
            );
        }
    }
}
