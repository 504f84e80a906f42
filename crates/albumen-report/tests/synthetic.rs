//! Measures of synthetic albums: against reference values, and on albums whose answer is known.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use albumen_report::synthetic::features::{Features, mean_pairwise_cosine};
use albumen_report::synthetic::texts::distinct_n;
use albumen_report::synthetic::{MOST_ALBUMS, MOST_TEXTS, bootstrap, measure};
use albumen_schema::SyntheticAlbum;
use albumen_synth::SynthError;
use albumen_synth::curate::SentenceEmbedding;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/synthetic.json")).unwrap()
}

fn near(found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
        "{found}, not {expected}"
    );
}

#[test]
fn measures_agree_with_the_reference_packages() {
    let golden = golden();
    let threshold = golden["threshold"].as_f64().unwrap() as f32;
    for set in ["many_rows", "few_rows"] {
        let set = &golden[set];
        let rows: Vec<Vec<f32>> = serde_json::from_value(set["rows"].clone()).unwrap();
        let features = Features::new(&rows);
        near(features.vendi_score(), &set["vendi_score"]);
        near(
            mean_pairwise_cosine(&rows).unwrap(),
            &set["mean_pairwise_cosine"],
        );
        near(
            features.near_duplicate_rate(threshold),
            &set["near_duplicate_rate"],
        );
    }
    let texts: Vec<&str> = golden["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    for (n, expected) in (1..).zip(golden["distinct"].as_array().unwrap()) {
        near(distinct_n(&texts, n), expected);
    }
}

#[test]
fn empty_and_single_sets_have_plain_answers() {
    let none = Features::new(&[]);
    assert_eq!(
        (none.vendi_score(), none.near_duplicate_rate(0.9)),
        (0.0, 0.0)
    );
    let one = [vec![1.0, 0.0]];
    assert!((Features::new(&one).vendi_score() - 1.0).abs() < 1e-12);
    assert_eq!(Features::new(&one).near_duplicate_rate(0.9), 0.0);
    assert_eq!(mean_pairwise_cosine(&one), None);
    let basis: Vec<Vec<f32>> = (0..6)
        .map(|i| (0..6).map(|j| f32::from(i == j)).collect())
        .collect();
    assert!((Features::new(&basis).vendi_score() - 6.0).abs() < 1e-9);
    assert_eq!(distinct_n(&["one two"], 3), 0.0);
    assert_eq!(bootstrap::mean(&[], 1), None);
}

/// The interval is that of the mean: as wide as the normal approximation says, and it covers the truth
/// about as often as it claims.
#[test]
fn bootstrap_intervals_cover_the_mean() {
    let sample = |k: u64| -> Vec<f64> {
        // Weyl sequences: uniform on [0, 1), mean 1/2, variance 1/12.
        let mix = |x: u64| x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (x << 13);
        let uniform = |x: u64| {
            let z = mix(mix(x) ^ (mix(x) >> 29));
            (z ^ (z >> 32)) as u32 as f64 / f64::from(u32::MAX)
        };
        (0..200).map(|i| uniform(k * 1000 + i + 1)).collect()
    };
    let (mut covered, mut width) = (0, 0.0);
    for k in 0..200 {
        let estimate = bootstrap::mean(&sample(k), k).unwrap();
        assert!(estimate.low < estimate.value && estimate.value < estimate.high);
        covered += usize::from((estimate.low..estimate.high).contains(&0.5));
        width += (estimate.high - estimate.low) / 200.0;
    }
    let normal = 2.0 * 1.96 * (1.0_f64 / 12.0 / 200.0).sqrt();
    assert!(
        (width / normal - 1.0).abs() < 0.06,
        "{width} against {normal}"
    );
    assert!((178..=199).contains(&covered), "{covered} of 200");
    assert_eq!(
        bootstrap::mean(&sample(3), 9),
        bootstrap::mean(&sample(3), 9)
    );
    assert_ne!(
        bootstrap::mean(&sample(3), 9),
        bootstrap::mean(&sample(3), 10)
    );
}

/// The topic's axis, and a little of an axis that the text alone decides: `topic-number`.
struct ByTopic;

impl SentenceEmbedding for ByTopic {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        Ok(texts
            .iter()
            .map(|text| {
                let (topic, number) = text.split_once('-').unwrap();
                let mut row = vec![0.0; 32];
                row[topic.parse::<usize>().unwrap()] = 0.8;
                row[8 + number.parse::<usize>().unwrap() % 24] = 0.6;
                row
            })
            .collect())
    }
}

fn album(index: u64, topic: u64, photos: u64) -> SyntheticAlbum {
    SyntheticAlbum {
        id: SyntheticAlbum::id_of(index),
        index,
        summary: format!("{topic}-0"),
        captions: (1..=photos).map(|i| format!("{topic}-{i}")).collect(),
        raw_summary: String::new(),
        truncated: false,
    }
}

#[test]
fn albums_of_one_topic_are_coherent_and_shuffled_ones_are_not() {
    let albums: Vec<SyntheticAlbum> = (0..80).map(|i| album(i, i % 8, 1 + i % 4)).collect();
    let albums: Vec<&SyntheticAlbum> = albums.iter().collect();
    let metrics = measure(&albums, &ByTopic, 5).unwrap();
    assert_eq!(metrics.albums, 80);
    // One photo makes no pair; two different captions of one topic have cosine 0.64.
    assert_eq!(metrics.coherence.albums.len(), 60);
    assert!(
        metrics
            .coherence
            .albums
            .iter()
            .all(|c| (c - 0.64).abs() < 1e-6)
    );
    assert!(
        metrics
            .agreement
            .albums
            .iter()
            .all(|c| (c - 0.64).abs() < 1e-6)
    );
    let mean = metrics.coherence.mean.unwrap();
    assert!((mean.value - 0.64).abs() < 1e-6 && mean.high - mean.low < 1e-9);
    // An eighth of the pairs still share a topic; some share the number.
    let shuffled = metrics.coherence.shuffled_mean.unwrap();
    assert!(shuffled.value < 0.35, "{shuffled:?}");
    assert!(metrics.agreement.shuffled_mean.unwrap().value < 0.2);
    // 8 topics x 4 captions, and 8 summaries: every text occurs more than once.
    assert_eq!(
        (
            metrics.summaries.near_duplicates,
            metrics.captions.near_duplicates
        ),
        (1.0, 1.0)
    );
    assert!(metrics.summaries.vendi_score < 8.0 && metrics.captions.vendi_score < 32.0);
    assert_eq!(
        metrics.photos.counts,
        [(1, 20), (2, 20), (3, 20), (4, 20)].into()
    );
    assert!((metrics.photos.mean.unwrap().value - 2.5).abs() < 1e-12);
    assert_eq!(measure(&albums, &ByTopic, 5).unwrap(), metrics);
    assert_ne!(measure(&albums, &ByTopic, 6).unwrap(), metrics);
}

#[test]
fn large_releases_are_sampled_and_empty_ones_measured() {
    let albums: Vec<SyntheticAlbum> = (0..1500).map(|i| album(i, i % 8, 4)).collect();
    let albums: Vec<&SyntheticAlbum> = albums.iter().collect();
    let metrics = measure(&albums, &ByTopic, 1).unwrap();
    assert_eq!(
        (metrics.albums, metrics.captions.texts),
        (MOST_ALBUMS, MOST_TEXTS)
    );
    assert_eq!(
        metrics.caption_words.counts.values().sum::<usize>(),
        4 * MOST_ALBUMS
    );
    let nothing = measure(&[], &ByTopic, 1).unwrap();
    assert_eq!((nothing.albums, nothing.coherence.mean), (0, None));
}

/// Returns too few rows.
struct Forgetful;

impl SentenceEmbedding for Forgetful {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, SynthError> {
        ByTopic.embed(&texts[1..])
    }
}

#[test]
fn missing_rows_are_an_error() {
    let albums = [album(0, 0, 2)];
    let error = measure(&[&albums[0]], &Forgetful, 1)
        .unwrap_err()
        .to_string();
    assert!(error.contains("rows for"), "{error}");
}
