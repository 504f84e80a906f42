//! Which words tell a class of texts from the others: class TF-IDF (Grootendorst 2022, "BERTopic",
//! equation 2).

use std::collections::{BTreeMap, BTreeSet};

/// Words that say nothing of what a text is about: English function words, and the words that any
/// caption may hold. Sorted, for the search.
const STOP_WORDS: [&str; 139] = [
    "about", "above", "after", "again", "against", "album", "albums", "all", "along", "also",
    "among", "and", "another", "any", "are", "around", "back", "became", "because", "been",
    "before", "behind", "being", "below", "between", "both", "but", "can", "caption", "close",
    "could", "day", "did", "does", "doing", "down", "during", "each", "enjoy", "enjoying", "every",
    "few", "first", "for", "from", "front", "full", "gets", "getting", "goes", "going", "good",
    "got", "great", "had", "has", "have", "having", "her", "here", "hers", "him", "his", "how",
    "image", "images", "into", "its", "just", "large", "like", "look", "looking", "lots", "many",
    "more", "most", "much", "near", "new", "nice", "not", "off", "one", "only", "other", "our",
    "out", "over", "photo", "photos", "picture", "pictures", "shows", "side", "small", "some",
    "such", "takes", "taking", "than", "that", "the", "their", "them", "then", "there", "these",
    "they", "this", "those", "three", "through", "time", "too", "took", "two", "under", "until",
    "upon", "very", "view", "was", "way", "well", "went", "were", "what", "when", "where", "which",
    "while", "who", "will", "with", "without", "would", "you", "your",
];

/// Shortest word that counts, in characters.
const SHORTEST: usize = 3;

/// A text's words in lower case that may tell what it is about: letters only, at least three of
/// them, no function word, no placeholder in brackets (`[location]`).
pub fn content_words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace()
        .filter(|token| !token.starts_with('['))
        .flat_map(|token| token.split(|c: char| !c.is_alphabetic()))
        .map(str::to_lowercase)
        .filter(|word| word.chars().count() >= SHORTEST)
        .filter(|word| STOP_WORDS.binary_search(&word.as_str()).is_err())
}

/// For each of `classes` classes its words with their weights, the heaviest first, equal ones in
/// alphabetical order.
///
/// The weight of word x in class c is `tf(x, c) ln(1 + A / f(x))`: tf the word's share of the class's
/// words, f its number in all classes, A the mean number of words of a class. `labels` holds each
/// text's class; texts without a label and labels beyond `classes` are left out.
pub fn class_tf_idf<T: AsRef<str>>(
    texts: &[T],
    labels: &[usize],
    classes: usize,
) -> Vec<Vec<(String, f64)>> {
    let mut counts: Vec<BTreeMap<String, usize>> = vec![BTreeMap::new(); classes];
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for (text, &label) in texts.iter().zip(labels) {
        let Some(class) = counts.get_mut(label) else {
            continue;
        };
        for word in content_words(text.as_ref()) {
            *all.entry(word.clone()).or_default() += 1;
            *class.entry(word).or_default() += 1;
        }
    }
    let mean = all.values().sum::<usize>() as f64 / classes.max(1) as f64;
    let weigh = |class: BTreeMap<String, usize>| {
        let words = class.values().sum::<usize>().max(1) as f64;
        let mut weighed: Vec<(String, f64)> = class
            .into_iter()
            .map(|(word, count)| {
                let idf = (1.0 + mean / all[&word] as f64).ln();
                let weight = count as f64 / words * idf;
                (word, weight)
            })
            .collect();
        // Stable: alphabetical order stays among equals.
        weighed.sort_by(|a, b| b.1.total_cmp(&a.1));
        weighed
    };
    counts.into_iter().map(weigh).collect()
}

/// The first `count` words that are no other form of one before them: `dog` keeps `dogs` out.
pub(crate) fn distinct_words(weighed: &[(String, f64)], count: usize) -> Vec<String> {
    let mut stems = BTreeSet::new();
    let stem = |word: &str| {
        let word = word
            .strip_suffix("es")
            .filter(|w| w.len() > 4)
            .unwrap_or(word);
        word.trim_end_matches(['s', 'e', 'y', 'i']).to_owned()
    };
    let mut words = Vec::new();
    for (word, _) in weighed {
        if words.len() == count {
            break;
        }
        if stems.insert(stem(word)) {
            words.push(word.clone());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_and_fall() {
        assert!(STOP_WORDS.is_sorted());
        let words: Vec<String> =
            content_words("The Dog's photos: a dog, [female] and 3 cats at a well-kept café!")
                .collect();
        assert_eq!(words, ["dog", "dog", "cats", "kept", "café"]);
    }

    #[test]
    fn weights_are_those_of_the_definition() {
        let texts = [
            "beach sand beach",
            "sand snow",
            "snow snow mountain",
            "left out",
        ];
        let weighed = class_tf_idf(&texts, &[0, 0, 1, 9], 2);
        // Class 0: beach 2, sand 2, snow 1 of 5; class 1: snow 2, mountain 1 of 3. A = 4.
        let ln = |x: f64| x.ln();
        let expected = [
            vec![
                ("beach", 2.0 / 5.0 * ln(1.0 + 4.0 / 2.0)),
                ("sand", 2.0 / 5.0 * ln(1.0 + 4.0 / 2.0)),
                ("snow", 1.0 / 5.0 * ln(1.0 + 4.0 / 3.0)),
            ],
            vec![
                ("snow", 2.0 / 3.0 * ln(1.0 + 4.0 / 3.0)),
                ("mountain", 1.0 / 3.0 * ln(1.0 + 4.0 / 1.0)),
            ],
        ];
        for (class, expected) in weighed.iter().zip(&expected) {
            assert_eq!(class.len(), expected.len());
            for ((word, weight), (name, value)) in class.iter().zip(expected) {
                assert_eq!(word, name);
                assert!((weight - value).abs() < 1e-12, "{word} {weight} {value}");
            }
        }
        assert_eq!(class_tf_idf(&["dog"], &[0], 3)[2], []);
    }

    #[test]
    fn forms_of_one_word_count_once() {
        let weighed: Vec<(String, f64)> = ["dogs", "dog", "beaches", "beach", "party", "parties"]
            .map(|w| (w.to_owned(), 1.0))
            .into();
        assert_eq!(distinct_words(&weighed, 5), ["dogs", "beaches", "party"]);
        assert_eq!(distinct_words(&weighed, 1), ["dogs"]);
    }
}
