//! Each filter on 50 hand-made albums that no filter was tuned on: precision and recall.
//!
//! `golden/albums50.json` names for each album the filter that a reader wants to catch it, or none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod curation;

use albumen_schema::config::CurateConfig;
use albumen_schema::{Curated, Reason, SyntheticAlbum};
use albumen_synth::curate::Curator;
use curation::{album, embedder, word_list};

/// An album and the filter that is to catch it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    catch: Option<Reason>,
    summary: String,
    captions: Vec<String>,
    raw_summary: Option<String>,
    #[serde(default)]
    truncated: bool,
    /// What is special about it.
    #[serde(default)]
    #[allow(dead_code, reason = "for readers")]
    note: String,
}

fn cases() -> Vec<(Option<Reason>, SyntheticAlbum)> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden/albums50.json")).unwrap();
    let read = |(index, case): (u64, Case)| {
        let captions: Vec<&str> = case.captions.iter().map(String::as_str).collect();
        let mut album = album(index, &case.summary, &captions);
        album.truncated = case.truncated;
        if let Some(raw) = case.raw_summary {
            album.raw_summary = raw;
        }
        (case.catch, album)
    };
    (0..).zip(cases).map(read).collect()
}

/// Whether this filter, on its own, drops the album: the later ones only see what passed.
fn drops(curated: &Curated, filter: Reason) -> bool {
    let verdict = &curated.verdict;
    verdict.reason == filter || verdict.also.contains(&filter)
}

/// `(filter, precision at least, recall at least)`: what they reach now. Misses are a summary that
/// repeats itself in half its trigrams, a name, and a paraphrase; good albums that tell a story agree
/// less with their summary than `min_coherence` asks for.
const BOUNDS: [(Reason, f64, f64); 8] = [
    (Reason::BrokenFormat, 1.0, 1.0),
    (Reason::Length, 1.0, 1.0),
    (Reason::Repetition, 1.0, 0.75),
    (Reason::Language, 1.0, 1.0),
    (Reason::WordList, 1.0, 1.0),
    (Reason::PersonalData, 1.0, 0.75),
    (Reason::Incoherent, 0.5, 1.0),
    (Reason::NearDuplicate, 1.0, 0.6),
];

#[test]
fn filters_catch_what_they_are_for_and_spare_good_albums() {
    let (labels, albums): (Vec<Option<Reason>>, Vec<SyntheticAlbum>) = cases().into_iter().unzip();
    assert_eq!(albums.len(), 50);
    let (embedder, list) = (embedder(), word_list());
    let judge = |min_coherence: f64| -> Vec<Curated> {
        let config = CurateConfig {
            min_coherence,
            ..CurateConfig::default()
        };
        let curator = Curator::new(&config, &list, Some(&embedder)).unwrap();
        curator.curate(&albums).unwrap()
    };
    let chain = judge(CurateConfig::default().min_coherence);
    // So that an original which falls for another reason hides no duplicate.
    let all_coherent = judge(-1.0);
    for (label, c) in labels.iter().zip(&chain) {
        let verdict = &c.verdict;
        let right = label.unwrap_or(Reason::Passed) == verdict.reason;
        println!(
            "{} {} {} {:?} {:?}",
            if right { "     " } else { "WRONG" },
            label.map_or("good", Reason::name),
            verdict.reason.name(),
            (verdict.coherence, verdict.scores.sameness),
            c.album.summary
        );
    }
    println!("| filter | albums to catch | precision | recall |\n|---|---|---|---|");
    for (filter, precise, complete) in BOUNDS {
        let curated = match filter {
            Reason::NearDuplicate => &all_coherent,
            _ => &chain,
        };
        let wanted = labels.iter().filter(|l| **l == Some(filter)).count();
        let caught = curated.iter().filter(|c| drops(c, filter)).count();
        let pairs = labels.iter().zip(curated);
        let right = pairs
            .filter(|(l, c)| **l == Some(filter) && drops(c, filter))
            .count();
        let precision = right as f64 / caught as f64;
        let recall = right as f64 / wanted as f64;
        println!(
            "| `{}` | {wanted} | {precision:.2} | {recall:.2} |",
            filter.name()
        );
        assert!(precision >= precise, "{}: {precision}", filter.name());
        assert!(recall >= complete, "{}: {recall}", filter.name());
    }
    let good = || labels.iter().zip(&chain).filter(|(l, _)| l.is_none());
    let kept = good().filter(|(_, c)| c.verdict.kept()).count();
    println!("good albums kept: {kept} of {}", good().count());
    assert!(kept >= 16);
    // What the score of candidates takes for enough agreement.
    let enough = |of: fn(&Curated) -> Option<f32>| {
        let values: Vec<f32> = good().filter_map(|(_, c)| of(c)).collect();
        values.iter().filter(|v| **v < 0.6).count() * 10 >= values.len() * 9
    };
    assert!(enough(|c| c.verdict.coherence) && enough(|c| c.verdict.scores.sameness));
}
