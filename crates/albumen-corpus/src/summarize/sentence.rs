//! What counts as a summary, and the summary where the model wrote none.

use std::collections::BTreeMap;

use albumen_schema::format::one_line;

use super::prompt::subject;

/// The model's answer as one clean sentence about these captions, or `None` where it breaks the
/// format, repeats itself, or names nothing that a caption names.
pub(super) fn accept<S: AsRef<str>>(answer: &str, captions: &[S]) -> Option<String> {
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
pub(super) fn extract<S: AsRef<str>>(captions: &[S]) -> String {
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
}
