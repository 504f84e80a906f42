//! Synthetic texts beside the real ones that they are closest to, for people to judge.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::copying::Corpus;
use super::evaluation::Pair;
use super::neighbours::closest;
use super::sets::Texts;
use albumen_report::synthetic::texts::words;

/// Pairs that are listed.
const LISTED: usize = 12;

/// The texts with the closest records, each different text once.
pub(super) fn closest_pairs(records: &[&Texts], texts: &Texts) -> Vec<Pair> {
    let mut best: Vec<(f64, &str)> = vec![(f64::INFINITY, ""); texts.len()];
    for half in records.iter().filter(|half| half.len() > 0) {
        let found = closest(&half.features, &texts.features);
        for (best, (record, distance)) in best.iter_mut().zip(found) {
            if distance < best.0 {
                *best = (distance, &half.all[record]);
            }
        }
    }
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|&a, &b| best[a].0.total_cmp(&best[b].0));
    let mut seen = BTreeSet::new();
    order
        .into_iter()
        .filter(|&i| seen.insert(&texts.all[i]))
        .take(LISTED)
        .map(|i| Pair {
            synthetic: texts.all[i].clone(),
            real: best[i].1.to_owned(),
            value: best[i].0,
            run: None,
        })
        .collect()
}

/// The texts with the longest runs of words from one record, each different run once.
pub(super) fn copied_runs(records: &[&Texts], texts: &Texts) -> Vec<Pair> {
    let all: Vec<&str> = records
        .iter()
        .flat_map(|half| half.all.iter().map(String::as_str))
        .collect();
    let corpus = Corpus::new(all.iter().copied());
    let mut runs: Vec<_> = texts
        .all
        .iter()
        .map(|text| (corpus.longest_run(text), text))
        .collect();
    runs.sort_by_key(|(run, _)| Reverse(run.length));
    let mut seen = BTreeSet::new();
    runs.into_iter()
        .filter(|(run, _)| run.length > 0)
        .map(|(run, text)| {
            let words = words(text)[run.start..run.start + run.length].join(" ");
            (run, text, words)
        })
        .filter(|(.., words)| seen.insert(words.clone()))
        .take(LISTED)
        .map(|(run, text, words)| Pair {
            synthetic: text.clone(),
            real: all[run.record].to_owned(),
            value: run.length as f64,
            run: Some(words),
        })
        .collect()
}
