//! What counts as a summary, and the summary where the model wrote none.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use albumen_schema::format::one_line;

use super::prompt::subject;

/// The model's answer as one clean sentence about these captions, or `None` where it breaks the
/// format, repeats itself at once, or names nothing that a caption names. What it lists again, the way of
/// small models, is cut off.
pub(super) fn accept<S: AsRef<str>>(answer: &str, captions: &[S]) -> Option<String> {
    let line = one_line(answer);
    let end = line.find(['.', '!', '?']);
    let said = line[..end.map_or(line.len(), |end| end + 1)].trim();
    let sentence = until_repeat(said);
    // An answer that ran out of tokens is whole only up to a clause's end.
    if end.is_none() && sentence.len() == said.len() {
        return None;
    }
    let told = content_words(&sentence);
    let seen: Vec<String> = captions
        .iter()
        .flat_map(|c| content_words(c.as_ref()))
        .collect();
    let fits = is_sentence(&sentence, 4..=30)
        && all_distinct(&told)
        && told.iter().any(|w| seen.contains(w));
    fits.then_some(sentence)
}

/// The clauses before the first that brings nothing new or says a word again, ended by a full stop.
fn until_repeat(sentence: &str) -> String {
    let mut told = Vec::new();
    let mut end = 0;
    for clause in clauses(sentence) {
        let words = content_words(clause);
        let again = words.is_empty() || words.iter().any(|w| told.contains(w));
        if end > 0 && again {
            return format!("{}.", sentence[..end].trim_end_matches([',', ' ']));
        }
        told.extend(words);
        end += clause.len();
    }
    sentence.to_owned()
}

/// A sentence's clauses, end to end: each begins at a comma or at ` and `.
fn clauses(sentence: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<usize> = (sentence.match_indices(',').map(|(at, _)| at))
        .chain(sentence.match_indices(" and ").map(|(at, _)| at))
        .chain([0, sentence.len()])
        .collect();
    starts.sort_unstable();
    starts.dedup();
    (0..starts.len().saturating_sub(1)).map(move |i| &sentence[starts[i]..starts[i + 1]])
}

/// Whether a text is one plain sentence of so many words.
fn is_sentence(text: &str, words: RangeInclusive<usize>) -> bool {
    let plain = |c: char| c.is_alphanumeric() || " ,.'!?&-()".contains(c);
    words.contains(&text.split_whitespace().count())
        && text.chars().next().is_some_and(char::is_uppercase)
        && text.chars().all(plain)
}

fn all_distinct(words: &[String]) -> bool {
    let mut distinct = words.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len() == words.len()
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

/// Longest subject that the fallback takes over as one of several, in words.
const SHORT_SUBJECT: usize = 6;
/// Longest subject that may be a summary of its own, in words: a longer one was cut by the prompt's rule.
const SENTENCE_WORDS: usize = 16;

/// A summary from the captions alone: the three subjects that most captions share where subjects are
/// short, or else the caption that shares most words with the others, or else those words.
pub(super) fn extract<S: AsRef<str>>(captions: &[S]) -> String {
    let subjects: Vec<String> = captions.iter().map(|c| subject(c.as_ref())).collect();
    let short = |s: &String| s.split(' ').count() <= SHORT_SUBJECT;
    let named = if subjects.iter().all(short) {
        most_shared(subjects.iter().map(|s| vec![lower_first(s)]))
    } else if let Some(sentence) = central(&subjects) {
        return sentence;
    } else {
        most_shared(subjects.iter().map(|s| content_words(s)))
    };
    match named.as_slice() {
        [] => "A few photos.".to_owned(),
        [one] => upper_first(&format!("{one}.")),
        [head @ .., last] => upper_first(&format!("{} and {last}.", head.join(", "))),
    }
}

/// The subject that shares most words with the others, as a sentence; among equals the shortest, then
/// the first. `None` where no subject can be one.
fn central(subjects: &[String]) -> Option<String> {
    let words: Vec<Vec<String>> = subjects.iter().map(|s| content_words(s)).collect();
    let shared = |i: usize| -> usize {
        let others = words.iter().enumerate().filter(|(j, _)| *j != i);
        (others.flat_map(|(_, other)| other))
            .filter(|w| words[i].contains(w))
            .count()
    };
    let sentences = subjects.iter().enumerate().filter_map(|(i, subject)| {
        let subject = subject.replace(" ,", ",");
        let text = upper_first(&format!(
            "{}.",
            subject.trim_end_matches([' ', '.', '!', '?'])
        ));
        let fits = is_sentence(&text, 3..=SENTENCE_WORDS) && all_distinct(&words[i]);
        fits.then(|| (Reverse(shared(i)), text.len(), text))
    });
    sentences.min().map(|(_, _, text)| text)
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
    fn what_is_said_again_is_cut_off() {
        for (answer, kept) in [
            (
                "A party at a zoo with lions, a lion, a lion, a li",
                "A party at a zoo with lions.",
            ),
            (
                "A zebra runs through the grass and a group of lions, and a zebra that runs.",
                "A zebra runs through the grass and a group of lions.",
            ),
            (
                "A day at the zoo with a lion, a zebra and a camel.",
                "A day at the zoo with a lion, a zebra and a camel.",
            ),
        ] {
            assert_eq!(accept(answer, ZOO).as_deref(), Some(kept));
        }
    }

    #[test]
    fn broken_answers_are_refused() {
        for answer in [
            "",
            "A lion.",
            "no capital at the start, lion.",
            "A lion that never ends",
            "A lion, and a zebra that never ends",
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
        assert_eq!(
            extract(&spoken),
            "A crowd of people watches football in the rain."
        );
        let cut = [
            "football <b>in a field</b> where a great many people stand around and",
            "a wide field and a football: the goal, the goalkeeper and the crowd",
        ];
        assert_eq!(extract(&cut), "Field, football and around.");
        assert_eq!(extract::<&str>(&[]), "A few photos.");
    }
}
