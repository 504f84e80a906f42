//! Repetition: looping phrases, and the same caption twice.

use std::collections::HashSet;

use albumen_schema::SyntheticAlbum;

use super::text;

/// Texts with fewer trigrams than this are judged with their album only.
const FEWEST_TRIGRAMS: usize = 4;

/// What repeats, or `None`. `most` is the largest share of repeated word trigrams, in the whole
/// album and in each longer text of it.
pub(super) fn check(album: &SyntheticAlbum, most: f64) -> Option<String> {
    let mut captions = HashSet::new();
    let mut seen = HashSet::new();
    let mut total = 0;
    for (part, text) in text::parts(album) {
        let words: Vec<String> = text::words(text).collect();
        if let Some(word) = words
            .windows(3)
            .find(|w| w[0] == w[1] && w[1] == w[2])
            .map(|w| &w[0])
        {
            return Some(format!("{part} says `{word}` three times in a row"));
        }
        let trigrams: Vec<[&String; 3]> = words.windows(3).map(|w| [&w[0], &w[1], &w[2]]).collect();
        let distinct = trigrams.iter().collect::<HashSet<_>>().len();
        let share = repeated(distinct, trigrams.len());
        if trigrams.len() >= FEWEST_TRIGRAMS && share > most {
            return Some(format!(
                "{:.0}% of the word trigrams of {part} are repeated",
                share * 100.0
            ));
        }
        total += trigrams.len();
        seen.extend(trigrams.into_iter().map(|t| t.map(String::clone)));
        if matches!(part, text::Part::Caption(_)) && !captions.insert(words) {
            return Some(format!("{part} repeats an earlier caption of the album"));
        }
    }
    let share = repeated(seen.len(), total);
    (share > most).then(|| {
        format!(
            "{:.0}% of the album's word trigrams are repeated",
            share * 100.0
        )
    })
}

fn repeated(distinct: usize, total: usize) -> f64 {
    if total == 0 {
        0.0
    } else {
        1.0 - distinct as f64 / total as f64
    }
}
