//! Measures on words.

use std::collections::HashSet;

/// Words in lower case, with punctuation at their ends stripped; tokens without a letter or digit are
/// no words.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|token| token.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Distinct-n (Li et al. 2016, section 5.2): different n-grams over all n-grams, in (0, 1]; n-grams do
/// not cross texts. 0 where no text has `n` words. Falls as texts are added, so compare equal numbers.
pub fn distinct_n(texts: &[&str], n: usize) -> f64 {
    let texts: Vec<Vec<String>> = texts.iter().map(|text| words(text)).collect();
    let mut different = HashSet::new();
    let mut all = 0;
    for gram in texts.iter().flat_map(|words| words.windows(n.max(1))) {
        different.insert(gram);
        all += 1;
    }
    different.len() as f64 / all.max(1) as f64
}
