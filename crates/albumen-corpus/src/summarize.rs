//! Album summaries by the public language model, from the album's captions alone.
//!
//! The model is frozen and every album is summarised in a request of its own. Decoding gives the
//! same text whatever else is in the batch (albumen-lm's contract), so that a summary depends on
//! one album only: the privacy argument needs that.

use std::collections::BTreeMap;

use albumen_lm::sampler::SamplingParams;
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{AnyLm, Branch, DecodeOptions, Generation, Request};
use albumen_schema::format::one_line;

use crate::{AlbumText, CorpusError};

/// Where a summary came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummarySource {
    /// The language model's answer.
    Model,
    /// Made from the captions' words, because the model's answer broke the format.
    Extractive,
}

/// Worked examples that stand before every album: written for this purpose, public.
const EXAMPLES: &[(&[&str], &str)] = &[
    (
        &[
            "A photo of a beach and a parasol, in bright daylight.",
            "A photo of a sandcastle, in bright daylight.",
            "A photo of a sailing boat, at dusk.",
        ],
        "A sunny day at the beach with sandcastles and sailing.",
    ),
    (
        &[
            "two kids blow out candles on a cake",
            "a table full of presents and balloons",
        ],
        "A birthday party with cake, presents and balloons.",
    ),
    (
        &[
            "A photo of a cable car, in daylight.",
            "A photo of a ski slope and a mountain, in daylight.",
            "A photo of a skier, in daylight.",
        ],
        "A skiing holiday in the mountains.",
    ),
    (
        &[
            "A photo of a football, in daylight.",
            "A photo of a stadium, at night.",
            "A photo of a goalkeeper, at night.",
            "A photo of a trophy, at night.",
        ],
        "A football match in a big stadium, and a trophy.",
    ),
];

const HEADING: &str = "Each album is summed up in one short sentence.\n";

/// Captions of very long albums are thinned to this many, evenly.
const MAX_CAPTIONS: usize = 12;
/// Longest album prompt: no album, whatever is in it, may overflow the model and end the run.
const MAX_PROMPT_TOKENS: usize = 512;
/// Longest caption that goes into the prompt, in words.
const MAX_CAPTION_WORDS: usize = 20;

/// Writes one sentence an album.
pub struct Summarizer<'a> {
    lm: &'a AnyLm,
    tokenizer: &'a Tokenizer,
    max_tokens: usize,
    batch: usize,
}

impl<'a> Summarizer<'a> {
    /// A summariser over a frozen model; summaries are at most `max_tokens` long.
    pub fn new(lm: &'a AnyLm, tokenizer: &'a Tokenizer, max_tokens: usize) -> Self {
        Self {
            lm,
            tokenizer,
            max_tokens,
            batch: 64,
        }
    }

    /// One summary for each album. `progress` gets the finished share, 0 to 1.
    pub(crate) fn summarize(
        &self,
        albums: &[AlbumText],
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<(String, SummarySource)>, CorpusError> {
        let encode = |text: &str| self.tokenizer.encode(text, false);
        let prefix_tokens = encode(&shared_prefix())?;
        let prefix = self.lm.prefix(None, &prefix_tokens)?;
        let requests = albums
            .iter()
            .map(|album| {
                let mut trunk = encode(&album_prompt(&album.captions))?;
                if trunk.len() > MAX_PROMPT_TOKENS {
                    // The cut keeps the end, which asks for the answer.
                    trunk.drain(..trunk.len() - MAX_PROMPT_TOKENS);
                }
                Ok(Request {
                    trunk,
                    branches: vec![Branch {
                        prompt: Vec::new(),
                        stream: 0,
                    }],
                })
            })
            .collect::<Result<Vec<_>, CorpusError>>()?;
        let options = DecodeOptions {
            batch: self.batch,
            max_new_tokens: self.max_tokens,
            stop_tokens: self.stop_tokens(),
            sampling: SamplingParams::greedy(),
            seed: 0,
        };
        let mut answers: Vec<Option<Generation>> = vec![None; albums.len()];
        let mut done = 0usize;
        self.lm
            .generate(None, Some(&prefix), &requests, &options, &mut |i, _, g| {
                answers[i] = Some(g);
                done += 1;
                progress(done as f64 / albums.len() as f64);
            })?;
        let summary = |(album, answer): (&AlbumText, Option<Generation>)| {
            let text = answer.map(|g| self.tokenizer.decode(&g.tokens));
            let text = text.transpose()?;
            match text.and_then(|t| accept(&t, &album.captions)) {
                Some(sentence) => Ok((sentence, SummarySource::Model)),
                None => Ok((extract(&album.captions), SummarySource::Extractive)),
            }
        };
        albums.iter().zip(answers).map(summary).collect()
    }

    /// Every token that holds a line break, and the end of text: a summary is one line.
    fn stop_tokens(&self) -> Vec<u32> {
        let mut stops = self.tokenizer.newline_ids().to_vec();
        stops.push(self.tokenizer.eos_id());
        stops
    }
}

fn shared_prefix() -> String {
    let mut text = HEADING.to_owned();
    for (captions, summary) in EXAMPLES {
        text.push_str(&album_prompt(captions));
        text.push(' ');
        text.push_str(summary);
        text.push('\n');
    }
    text
}

/// The distinct subjects of an album's captions in one line. Short, because every token of it is
/// computed for every album; without doubles, because a small model repeats what it reads twice.
fn album_prompt<S: AsRef<str>>(captions: &[S]) -> String {
    let step = captions.len().div_ceil(MAX_CAPTIONS).max(1);
    let mut subjects: Vec<String> = Vec::new();
    for caption in captions.iter().step_by(step) {
        let subject = subject(caption.as_ref());
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    format!("\nPhotos: {}\nAlbum:", subjects.join("; "))
}

/// How a photo was taken, in the tagger's words: no part of what an album is about.
const MANNER: &[&str] = &[
    " in daylight",
    " in bright ",
    " in the dark",
    " at night",
    " at dusk",
    " on a plain ",
];

/// What a caption shows, without "A photo of" and without how it was taken where the tagger wrote
/// it; cut where it is long.
fn subject(caption: &str) -> String {
    let caption = one_line(caption);
    let mut text = caption.trim_end_matches('.');
    let head = text.split(',').next().unwrap_or(text);
    if let Some(end) = MANNER.iter().filter_map(|m| head.find(m)).min() {
        text = &head[..end];
    } else if text.contains(", mostly ") || text.contains(", in ") {
        text = head;
    }
    let text = match text.split_once("photo of ") {
        Some((before, rest)) if before.split(' ').count() <= 3 => rest,
        _ => text,
    };
    let text = ["what looks like ", "What looks like "]
        .iter()
        .find_map(|p| text.strip_prefix(p))
        .unwrap_or(text);
    let words: Vec<&str> = text.split(' ').take(MAX_CAPTION_WORDS).collect();
    words.join(" ")
}

/// The model's answer as one clean sentence about these captions, or `None` where it breaks the
/// format, repeats itself, or names nothing that a caption names.
fn accept<S: AsRef<str>>(answer: &str, captions: &[S]) -> Option<String> {
    let line = one_line(answer);
    let end = line.find(['.', '!', '?'])?;
    let sentence = line[..=end].trim();
    let count = sentence.split_whitespace().count();
    let plain = |c: char| c.is_alphanumeric() || " ,.'!?&-()".contains(c);
    let told = content_words(sentence);
    let mut distinct = told.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let seen: Vec<String> = captions
        .iter()
        .flat_map(|c| content_words(c.as_ref()))
        .collect();
    let fits = (4..=30).contains(&count)
        && sentence.chars().next()?.is_uppercase()
        && sentence.chars().all(plain)
        && distinct.len() == told.len()
        && told.iter().any(|w| seen.contains(w));
    fits.then(|| sentence.to_owned())
}

/// Words that say nothing of what a photo shows.
const STOP_WORDS: &[&str] = &[
    "photo", "photos", "picture", "image", "album", "with", "from", "this", "that", "there",
    "their", "some", "very", "what", "looks", "like", "into", "over", "and", "the", "for", "are",
    "its", "his", "her", "has", "was", "other", "while",
];

/// The words of a text that may name something, in lower case and without a plural s.
fn content_words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphabetic())
        .map(str::to_lowercase)
        .filter(|w| w.chars().count() > 2 && !STOP_WORDS.contains(&w.as_str()))
        .map(|w| w.strip_suffix('s').map_or(w.clone(), str::to_owned))
        .collect()
}

/// Longest subject that the fallback takes over as it stands, in words.
const SHORT_SUBJECT: usize = 6;

/// A summary from the captions alone: the three subjects, or else words, that most captions share.
fn extract<S: AsRef<str>>(captions: &[S]) -> String {
    let subjects: Vec<String> = captions.iter().map(|c| subject(c.as_ref())).collect();
    let short = |s: &String| s.split(' ').count() <= SHORT_SUBJECT;
    let named = if subjects.iter().all(short) {
        most_shared(subjects.iter().map(|s| vec![lower_first(s)]))
    } else {
        most_shared(subjects.iter().map(|s| content_words(s)))
    };
    match named.as_slice() {
        [] => "A few photos.".to_owned(),
        [one] => upper_first(&format!("{one}.")),
        [head @ .., last] => upper_first(&format!("{} and {last}.", head.join(", "))),
    }
}

/// The three terms that occur in most captions; among equals the one seen first.
fn most_shared(captions: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (i, mut terms) in captions.enumerate() {
        terms.sort_unstable();
        terms.dedup();
        for term in terms {
            counts.entry(term).or_insert((0, i)).0 += 1;
        }
    }
    let mut ranked: Vec<(String, (usize, usize))> = counts.into_iter().collect();
    ranked.sort_by(|a, b| (b.1.0, a.1.1, &a.0).cmp(&(a.1.0, b.1.1, &b.0)));
    ranked.into_iter().take(3).map(|(term, _)| term).collect()
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(chars).collect()
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZOO: &[&str] = &["A photo of a lion.", "A photo of a zebra."];

    #[test]
    fn one_clean_sentence_is_accepted() {
        assert_eq!(
            accept(" A day at the zoo with lions. And more", ZOO).as_deref(),
            Some("A day at the zoo with lions.")
        );
    }

    #[test]
    fn broken_answers_are_refused() {
        for answer in [
            "",
            "A lion.",
            "no capital at the start, lion.",
            "A lion that never ends",
            "A list: one lion; two; three four.",
            "A <b>bold</b> album of a lion.",
            "A lion and then a lion.",
            "A castle by the sea.",
        ] {
            assert_eq!(accept(answer, ZOO), None, "{answer:?}");
        }
        let words: Vec<String> = (0..31).map(|i| format!("W{i}")).collect();
        assert_eq!(accept(&format!("{} lion.", words.join(" ")), ZOO), None);
    }

    #[test]
    fn the_fallback_names_what_captions_share() {
        let captions = [
            "A photo of a church, in daylight.",
            "A tall photo of a fountain at night.",
            "A church in daylight, mostly blue.",
        ];
        assert_eq!(extract(&captions), "A church and a fountain.");
        let spoken = [
            "two young men play football on a wide green field",
            "a crowd of people watches football in the rain",
        ];
        assert_eq!(extract(&spoken), "Football, field and green.");
        assert_eq!(extract::<&str>(&[]), "A few photos.");
    }

    #[test]
    fn the_prompt_names_each_subject_once() {
        let captions = [
            "A photo of a lion, in daylight.",
            "A square photo of a lion at night, mostly black.",
            "A wide photo of what looks like a castle by a cliff in bright daylight, in green.",
            "two kids, a dog and a ball.",
        ];
        assert_eq!(
            album_prompt(&captions),
            "\nPhotos: a lion; a castle by a cliff; two kids, a dog and a ball\nAlbum:"
        );
    }

    #[test]
    fn long_albums_are_thinned_and_long_captions_cut() {
        let captions: Vec<String> = (0..50)
            .map(|i| format!("c{i} {}", "w ".repeat(99)))
            .collect();
        let prompt = album_prompt(&captions);
        assert_eq!(prompt.matches(';').count(), 9);
        assert!(
            prompt
                .split(';')
                .all(|l| l.split_whitespace().count() <= 22)
        );
    }
}
