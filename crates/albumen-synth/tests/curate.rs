//! Curation against hand-made albums, each labelled with the verdict a reader would give.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use albumen_schema::config::CurateConfig;
use albumen_schema::{Reason, SyntheticAlbum};
use albumen_synth::curate::{Curator, SentenceEmbedding, WordList};
use albumen_vision::embedder::Embedder;

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

fn asset(name: &str, file: &str) -> PathBuf {
    let home = std::env::var_os("ALBUMEN_HOME").map_or_else(
        || {
            std::env::var_os("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
                .expect("no home directory: set ALBUMEN_HOME")
                .join("albumen")
        },
        PathBuf::from,
    );
    let path = home.join("assets").join(name).join(file);
    assert!(
        path.exists(),
        "{} is missing: run `make assets`",
        path.display()
    );
    path
}

fn word_list() -> WordList {
    WordList::load(&asset("naughty-words", "en.json")).unwrap()
}

fn embedder() -> Embedder {
    let weights = asset("all-minilm-l6-v2", "model.safetensors");
    Embedder::load(weights.parent().unwrap()).unwrap()
}

/// Every text is the same direction: everything coheres.
struct Agreeing;

impl SentenceEmbedding for Agreeing {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        Ok(vec![vec![1.0]; texts.len()])
    }
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
    let curator = Curator::new(&CurateConfig::default(), &word_list(), Some(&embedder)).unwrap();
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
        let measured = curated.verdict.coherence.is_some();
        let reached = matches!(curated.verdict.reason, Reason::Passed | Reason::Incoherent);
        assert_eq!(measured, reached, "{curated:?}");
    }
    // Once more, on one thread: the same to the last bit.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(pool.install(|| curator.curate(&albums)).unwrap(), curated);
}

fn plain(index: u64, captions: &[&str]) -> SyntheticAlbum {
    let summary = format!("Album number {index} of this test.");
    SyntheticAlbum {
        id: SyntheticAlbum::id_of(index),
        index,
        raw_summary: format!(" {} photos: {summary}", captions.len()),
        summary,
        captions: captions.iter().map(|&c| c.to_owned()).collect(),
        truncated: false,
    }
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

/// `cargo test --release -p albumen-synth --test curate -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: up to 400,000 albums"]
fn near_duplicates_take_linear_time() {
    let word = |x: u64| {
        let x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("w{}", (x >> 40) % 3000)
    };
    let text = |i: u64| {
        let words: Vec<String> = (0..12).map(|j| word(i * 12 + j)).collect();
        words.join(" ")
    };
    let list = WordList::parse("test", r#"["rude"]"#).unwrap();
    let curator = Curator::new(&CurateConfig::default(), &list, None).unwrap();
    for count in [100_000, 200_000, 400_000] {
        // Every tenth album has the captions of the ninth before it.
        let albums: Vec<SyntheticAlbum> = (0..count)
            .map(|i| {
                let source = if i % 10 == 9 { i - 9 } else { i };
                let captions = [0, 1, 2].map(|j| text(source * 3 + j));
                let mut album = plain(i, &captions.each_ref().map(String::as_str));
                "An album of a measurement.".clone_into(&mut album.summary);
                album
            })
            .collect();
        let start = std::time::Instant::now();
        let curated = curator.curate(&albums).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let near = Reason::NearDuplicate;
        let dropped = curated.iter().filter(|c| c.verdict.reason == near).count();
        println!("{count} albums: {seconds:.1} s, {dropped} near-duplicates");
        assert!(dropped as u64 >= count / 10);
    }
}
