//! The public prompt: a heading, worked examples, and what an album's captions name.

use albumen_schema::format::one_line;

/// Worked examples that stand before every album: written for this purpose, public.
pub(crate) const EXAMPLES: &[(&[&str], &str)] = &[
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

/// What every request begins with.
pub(crate) const HEADING: &str = "Each album is summed up in one short sentence.\n";

/// Captions of very long albums are thinned to this many, evenly.
const MAX_CAPTIONS: usize = 12;
/// Longest caption that goes into the prompt, in words.
const MAX_CAPTION_WORDS: usize = 20;

/// Heading and examples as one text.
pub(crate) fn shared_prefix() -> String {
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
pub(crate) fn album_prompt<S: AsRef<str>>(captions: &[S]) -> String {
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

/// The prompt about a made-up album of many photos with long captions: public, and as long as a real one
/// may well be.
pub(crate) fn long_prompt() -> String {
    let caption = |day| {
        format!(
            "on day {day} two children build a castle of sand beside the harbour while an old dog sleeps there"
        )
    };
    let captions: Vec<String> = (1..=MAX_CAPTIONS).map(caption).collect();
    album_prompt(&captions)
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
pub(crate) fn subject(caption: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_public_album_is_as_long_as_they_come() {
        let prompt = long_prompt();
        assert_eq!(prompt.matches(';').count(), MAX_CAPTIONS - 1);
        assert_eq!(prompt.matches("sleeps there").count(), MAX_CAPTIONS);
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
