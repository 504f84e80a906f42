//! Curation against hand-made albums, each labelled with the verdict a reader would give.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod curation;

use std::collections::BTreeMap;

use albumen_schema::config::CurateConfig;
use albumen_schema::{Reason, SyntheticAlbum};
use albumen_synth::curate::{Curator, SentenceEmbedding, WordList};
use curation::{Agreeing, embedder, plain, word_list};

/// A hand-made album and the verdict a reader would give.
#[derive(serde::Deserialize)]
struct Case {
    reason: Reason,
    summary: String,
    captions: Vec<String>,
    raw_summary: String,
    truncated: bool,
}

fn cases() -> Vec<(Reason, SyntheticAlbum)> {
    include_str!("data/curation.jsonl")
        .lines()
        .zip(0..)
        .map(|(line, index)| {
            let case: Case = serde_json::from_str(line).unwrap();
            let album = SyntheticAlbum {
                id: SyntheticAlbum::id_of(index),
                index,
                summary: case.summary,
                captions: case.captions,
                raw_summary: case.raw_summary,
                truncated: case.truncated,
            };
            (case.reason, album)
        })
        .collect()
}

fn reasons(config: &CurateConfig, albums: &[SyntheticAlbum]) -> Vec<Reason> {
    let list = WordList::parse("test", r#"["rude"]"#).unwrap();
    Curator::new(config, &list, Some(&Agreeing))
        .unwrap()
        .curate(albums)
        .unwrap()
        .iter()
        .map(|c| c.verdict.reason)
        .collect()
}

#[test]
fn each_filter_finds_what_it_is_for_and_little_else() {
    let (labels, albums): (Vec<Reason>, Vec<SyntheticAlbum>) = cases().into_iter().unzip();
    assert!(albums.len() >= 50);
    let embedder = embedder();
    // One album is German: its address is to be found, not its language.
    let config = CurateConfig {
        languages: ["eng", "deu"].map(str::to_owned).into(),
        ..CurateConfig::default()
    };
    let curator = Curator::new(&config, &word_list(), Some(&embedder)).unwrap();
    let curated = curator.curate(&albums).unwrap();

    // true positives, false positives, false negatives
    let mut counts: BTreeMap<Reason, [usize; 3]> = BTreeMap::new();
    for (label, curated) in labels.iter().zip(&curated) {
        let verdict = &curated.verdict;
        if verdict.reason == *label {
            counts.entry(*label).or_default()[0] += 1;
        } else {
            println!(
                "{} labelled {}, judged {}: {} {:?} {:?}",
                curated.album.id,
                label.name(),
                verdict.reason.name(),
                verdict.detail,
                curated.album.summary,
                verdict.coherence,
            );
            counts.entry(verdict.reason).or_default()[1] += 1;
            counts.entry(*label).or_default()[2] += 1;
        }
    }
    for (reason, [hit, wrong, missed]) in counts {
        let precision = hit as f64 / (hit + wrong).max(1) as f64;
        let recall = hit as f64 / (hit + missed) as f64;
        println!(
            "{:<15} {:>3} albums  precision {precision:.2}  recall {recall:.2}",
            reason.name(),
            hit + missed,
        );
        // The file holds one album for each filter that a reader drops and no public rule can.
        assert!(precision >= 0.8, "{}: precision {precision}", reason.name());
        assert!(recall >= 0.8, "{}: recall {recall}", reason.name());
    }
}

#[test]
fn verdicts_say_what_was_seen_and_kept_albums_carry_their_coherence() {
    let albums: Vec<SyntheticAlbum> = cases().into_iter().map(|(_, album)| album).collect();
    let embedder = embedder();
    let curator = Curator::new(&CurateConfig::default(), &word_list(), Some(&embedder)).unwrap();
    let curated = curator.curate(&albums).unwrap();
    for (album, curated) in albums.iter().zip(&curated) {
        assert_eq!(*album, curated.album);
        assert!(!curated.verdict.detail.is_empty());
        let verdict = &curated.verdict;
        // The filters of the text alone come first.
        assert_eq!(
            verdict.coherence.is_some(),
            verdict.reason == Reason::Passed || verdict.reason >= Reason::Incoherent,
            "{curated:?}"
        );
        assert_eq!(verdict.scores.score.is_some(), verdict.coherence.is_some());
    }
    // Once more, on one thread: the same to the last bit.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(pool.install(|| curator.curate(&albums)).unwrap(), curated);
}

#[test]
fn the_first_of_near_duplicates_stays_and_dropped_albums_drop_nothing() {
    let captions = [
        "A red kite flies over a windy hill.",
        "A child holds a long string.",
    ];
    let rude = plain(0, &[captions[0], captions[1], "A rude word is here."]);
    let mut same: Vec<SyntheticAlbum> = (1..=3).map(|i| plain(i, &captions)).collect();
    for album in &mut same {
        album.summary = "Kites on a windy day.".to_owned();
    }
    let albums = [vec![rude], same].concat();
    assert_eq!(
        reasons(&CurateConfig::default(), &albums),
        [
            Reason::WordList,
            Reason::Passed,
            Reason::NearDuplicate,
            Reason::NearDuplicate
        ]
    );
}

#[test]
fn albums_beyond_the_target_are_dropped_last() {
    let albums: Vec<SyntheticAlbum> = (0..5)
        .map(|i| {
            let first = format!("Photo story {i} begins with number {i} here.");
            let second = format!("It ends with the word {i} on page {i}.");
            plain(i, &[&first, &second])
        })
        .collect();
    let config = CurateConfig {
        target: 2,
        near_duplicate: 1.0,
        ..CurateConfig::default()
    };
    let mut expected = vec![Reason::Passed; 2];
    expected.extend([Reason::BeyondTarget; 3]);
    assert_eq!(reasons(&config, &albums), expected);
}

#[test]
fn the_configured_threshold_decides_on_coherence() {
    struct Half;
    impl SentenceEmbedding for Half {
        fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
            // Summaries along x, captions at 60 degrees: cosine one half.
            let row = |t: &&str| {
                if t.starts_with("Album") {
                    vec![1.0, 0.0]
                } else {
                    vec![0.5, 0.75_f32.sqrt()]
                }
            };
            Ok(texts.iter().map(row).collect())
        }
    }
    let album = plain(0, &["One caption of three.", "Two captions of three."]);
    let list = WordList::parse("test", r#"["rude"]"#).unwrap();
    for (min_coherence, reason) in [(0.49, Reason::Passed), (0.51, Reason::Incoherent)] {
        let config = CurateConfig {
            min_coherence,
            ..CurateConfig::default()
        };
        let verdict = &Curator::new(&config, &list, Some(&Half))
            .unwrap()
            .curate(std::slice::from_ref(&album))
            .unwrap()[0]
            .verdict;
        assert_eq!(verdict.reason, reason);
        assert_eq!(verdict.coherence, Some(0.5));
    }
}

#[test]
fn allowed_words_are_let_through_and_the_rest_of_the_list_is_not() {
    let list = WordList::parse("test", r#"["big black", "rude", "g-spot"]"#).unwrap();
    let config = CurateConfig {
        allowed_words: vec!["Big  Black".to_owned()],
        ..CurateConfig::default()
    };
    let curator = Curator::new(&config, &list, None).unwrap();
    for (caption, reason) in [
        ("A big black dog runs.", Reason::Passed),
        ("A RUDE dog runs fast.", Reason::WordList),
        ("A crude dog runs fast.", Reason::Passed),
        ("A rudely waking dog runs.", Reason::Passed),
        ("A g spot on the dog.", Reason::WordList),
    ] {
        let album = plain(7, &[caption, "Another caption stands here."]);
        let verdict = &curator.curate(&[album]).unwrap()[0].verdict;
        assert_eq!(verdict.reason, reason, "{caption}");
    }
}

#[test]
fn a_word_list_that_is_none_is_refused_with_a_hint() {
    for json in ["{}", "[]", "[1]", "not json", r#"[" "]"#] {
        let message = WordList::parse("en.json", json).unwrap_err().to_string();
        assert!(message.starts_with("en.json is no word list"), "{message}");
        assert!(message.contains("assets fetch"), "{message}");
    }
    let missing = WordList::load("no/such/list.json".as_ref()).unwrap_err();
    assert!(missing.to_string().contains("no/such/list.json"));
}
