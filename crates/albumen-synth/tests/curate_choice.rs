//! The choice among good albums: candidates, grades, topics and quotas; and how long curation takes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod curation;

use albumen_schema::config::CurateConfig;
use albumen_schema::{NoisyCounts, Reason, SyntheticAlbum};
use albumen_synth::curate::{
    CurationSummary, Curator, Grade, Grader, SentenceEmbedding, TopicTarget, WordList,
};
use albumen_topics::{KMeans, TopicModel};
use curation::{Agreeing, album, plain};

fn list() -> WordList {
    WordList::parse("test", r#"["rude"]"#).unwrap()
}

/// `sea` and `snow` are two directions; a caption agrees with a summary by the number in it, in
/// hundredths.
struct ByWord;

impl SentenceEmbedding for ByWord {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        let row = |text: &&str| {
            let number = text.split_whitespace().find_map(|w| w.parse::<f32>().ok());
            let cosine = number.map_or(1.0, |n| n / 100.0);
            let sine = (1.0 - cosine * cosine).sqrt();
            // A third axis for what agrees with neither, one of its own for each caption's length.
            let mut row = vec![0.0; 40];
            row[usize::from(text.contains("snow"))] = cosine;
            row[2 + text.len() % 38] = sine;
            row
        };
        Ok(texts.iter().map(row).collect())
    }
}

fn fitting(index: u64, summary: &str, cosine: u32) -> SyntheticAlbum {
    let word = if summary.contains("snow") {
        "snow"
    } else {
        "sea"
    };
    let first = format!("Caption {cosine} of {word} number {index} here.");
    let second = format!("Another caption {cosine} of {word} which has {index} in it.");
    album(index, summary, &[&first, &second])
}

fn verdicts(curator: &Curator<'_>, albums: &[SyntheticAlbum]) -> Vec<Reason> {
    let curated = curator.curate(albums).unwrap();
    curated.iter().map(|c| c.verdict.reason).collect()
}

#[test]
fn the_best_candidate_that_passes_is_kept_in_each_place() {
    let albums = [
        // Place 0: the second agrees best, the third is broken.
        fitting(0, "A day by the sea.", 30),
        fitting(1, "A day by the sea.", 50),
        album(
            2,
            "A rude day by the sea.",
            &["Caption 90 of the sea.", "More 90 of the sea."],
        ),
        // Place 1: nothing passes. Place 2: one does.
        fitting(3, "A day by the sea.", 1),
        fitting(4, "A day by the sea.", 2),
        fitting(5, "A day by the sea.", 3),
        fitting(6, "A day by the sea.", 40),
    ];
    let list = list();
    let curator = Curator::new(&CurateConfig::default(), &list, Some(&ByWord))
        .unwrap()
        .with_candidates(3);
    let expected = [
        Reason::BetterCandidate,
        Reason::Passed,
        Reason::WordList,
        Reason::Incoherent,
        Reason::Incoherent,
        Reason::Incoherent,
        Reason::Passed,
    ];
    assert_eq!(verdicts(&curator, &albums), expected);
    let curated = curator.curate(&albums).unwrap();
    let detail = &curated[0].verdict.detail;
    assert!(detail.contains("album-000001 has"), "{detail}");
    // One candidate a place: everything that passes stays.
    let single = Curator::new(&CurateConfig::default(), &list, Some(&ByWord)).unwrap();
    assert_eq!(verdicts(&single, &albums)[0], Reason::Passed);
}

#[test]
fn a_candidate_that_repeats_an_album_makes_way_for_the_next_best() {
    let captions = [
        "A caption 50 of the sea here.",
        "Some more caption 50 of the sea.",
    ];
    let albums = [
        album(0, "A day by the sea.", &captions),
        fitting(1, "A day by the sea.", 30),
        // The best of the next place says the same as the album kept before.
        album(2, "A day by the sea.", &captions),
        fitting(3, "Another day by the sea.", 30),
    ];
    let list = list();
    let curator = Curator::new(&CurateConfig::default(), &list, Some(&ByWord))
        .unwrap()
        .with_candidates(2);
    assert_eq!(
        verdicts(&curator, &albums),
        [
            Reason::Passed,
            Reason::BetterCandidate,
            Reason::NearDuplicate,
            Reason::Passed
        ]
    );
}

/// Grades by the summary's first word.
struct Scripted;

impl Grader for Scripted {
    fn grade(&self, albums: &[&SyntheticAlbum]) -> albumen_synth::Result<Vec<Option<Grade>>> {
        let grade = |album: &&SyntheticAlbum| {
            let first = album.summary.split(' ').next()?;
            let grade = ["Zero", "One", "Two"].iter().position(|g| *g == first)? as u8;
            let reason = "it says so".to_owned();
            Some(Grade { grade, reason })
        };
        Ok(albums.iter().map(grade).collect())
    }
}

#[test]
fn a_low_grade_drops_only_what_the_cosine_doubts_as_well() {
    let albums = [
        fitting(0, "Zero stars for this day by the sea.", 50),
        fitting(1, "One star for that day by the sea.", 30),
        fitting(2, "Two stars for a day by the sea.", 30),
        fitting(3, "No grade for a day by the sea.", 30),
    ];
    let list = list();
    let curator = Curator::new(&CurateConfig::default(), &list, Some(&ByWord)).unwrap();
    assert_eq!(verdicts(&curator, &albums), [Reason::Passed; 4]);
    let graded = curator.with_grader(&Scripted);
    let curated = graded.curate(&albums).unwrap();
    let reasons: Vec<Reason> = curated.iter().map(|c| c.verdict.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::Passed,
            Reason::LowGrade,
            Reason::Passed,
            Reason::Passed
        ]
    );
    let grades: Vec<Option<u8>> = curated.iter().map(|c| c.verdict.scores.grade).collect();
    assert_eq!(grades, [Some(0), Some(1), Some(2), None]);
    let score = |i: usize| curated[i].verdict.scores.score.unwrap();
    assert!(
        (score(3) - score(2) - 0.06).abs() < 1e-3,
        "three steps below 5"
    );
    assert_eq!(
        curated[1].verdict.scores.grade_reason.as_deref(),
        Some("it says so")
    );
}

/// Two topics: sea (position 0, the larger) and snow.
fn topics() -> TopicModel {
    let texts = [
        "the sea sea",
        "sea and sea",
        "waves of the sea",
        "snow and snow",
        "the snow snow",
    ];
    let rows = ByWord.embed(&texts).unwrap();
    let settings = KMeans {
        clusters: 2,
        restarts: 5,
        iterations: 20,
        seed: 0,
    };
    TopicModel::fit(&texts, &rows, &settings).unwrap()
}

/// Three of four albums are of the sea.
fn mostly_sea(count: u64) -> Vec<SyntheticAlbum> {
    let album = |i: u64| {
        let summary = if i.is_multiple_of(4) {
            "A day of snow."
        } else {
            "A day by the sea."
        };
        fitting(i, summary, 40 + (i % 7) as u32)
    };
    (0..count).map(album).collect()
}

fn released(topics: &TopicModel, counts: &[i64]) -> NoisyCounts {
    NoisyCounts {
        categories: topics.names(),
        counts: counts.to_vec(),
        max_per_unit: 1,
    }
}

#[test]
fn kept_topics_follow_a_released_histogram() {
    let topics = topics();
    let names = topics.names();
    assert!(
        names[0].contains("sea") && names[1].contains("snow"),
        "{names:?}"
    );
    let albums = mostly_sea(80);
    let list = list();
    let config = |target| CurateConfig {
        target,
        near_duplicate: 1.0,
        ..CurateConfig::default()
    };
    for (counts, target, kept) in [
        (vec![10, 30], 20, [5, 15]),
        // Only twenty of snow are there.
        (vec![10, 30], 36, [16, 20]),
        // A negative count is a share of nothing, and the rest is made up of the other.
        (vec![-3, 30], 36, [0, 20]),
        (vec![10, 30], 0, [10, 20]),
    ] {
        let goal = TopicTarget::new(&released(&topics, &counts), &topics)
            .unwrap()
            .unwrap();
        let curated = Curator::new(&config(target), &list, Some(&ByWord))
            .unwrap()
            .with_topics(&topics, Some(&goal))
            .curate(&albums)
            .unwrap();
        let summary = CurationSummary::new(&curated, &names, Some(&goal));
        let found: Vec<usize> = summary.topics.iter().map(|t| t.kept).collect();
        assert_eq!(found, kept, "{counts:?} {target}");
        assert!(summary.divergence_kept < summary.divergence_passed);
        let dropped = curated
            .iter()
            .filter(|c| c.verdict.reason == Reason::TopicQuota);
        assert_eq!(dropped.count() + summary.kept, 80);
    }
}

#[test]
fn a_histogram_of_other_topics_steers_nothing() {
    let topics = topics();
    let mut other = released(&topics, &[1, 2]);
    other.categories[0] = "space".to_owned();
    let refused = TopicTarget::new(&other, &topics).unwrap_err().to_string();
    assert!(refused.contains("1 other topics"), "{refused}");
    let drowned = TopicTarget::new(&released(&topics, &[-5, 3]), &topics);
    assert!(drowned.unwrap().is_none());
}

#[test]
fn no_topic_takes_more_than_its_share() {
    let topics = topics();
    let list = list();
    let config = CurateConfig {
        max_topic_share: 0.5,
        near_duplicate: 1.0,
        ..CurateConfig::default()
    };
    let curated = Curator::new(&config, &list, Some(&ByWord))
        .unwrap()
        .with_topics(&topics, None)
        .curate(&mostly_sea(80))
        .unwrap();
    let summary = CurationSummary::new(&curated, &topics.names(), None);
    let rows: Vec<_> = summary.topics.iter().map(|t| (t.passed, t.kept)).collect();
    assert_eq!(rows, [(60, 20), (20, 20)]);
    // The first sampled stay.
    let first = curated
        .iter()
        .find(|c| c.verdict.reason == Reason::TopicQuota);
    assert!(first.unwrap().album.index > 20);
}

/// Short texts as a small model writes them: few words in a few patterns, every tenth album the
/// copy of another.
fn sampled(count: u64) -> Vec<SyntheticAlbum> {
    let mix = |x: u64| {
        let x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x ^ (x >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33
    };
    let text = |i: u64| {
        // Frequent words are frequent: the square of a uniform number.
        let word = |j: u64| {
            let u = (mix(i * 7 + j) % 1_000_003) as f64 / 1_000_003.0;
            format!("w{}", (u * u * 3000.0) as u32)
        };
        let [a, b, c, d] = [0, 1, 2, 3].map(word);
        match mix(i) % 3 {
            0 => format!("A {a} and a {b} in front of the {c} with {d}"),
            1 => format!("Two people look at the {a} near a {b} and {c} {d}"),
            _ => format!("The {a} {b} is full of {c} on a {d} day"),
        }
    };
    let album = |i: u64| {
        let source = if i % 10 == 9 { i - 9 } else { i };
        let [s, a, b, c] = [0, 1, 2, 3].map(|j| text(source * 4 + j));
        album(i, &s, &[&a, &b, &c])
    };
    (0..count).map(album).collect()
}

/// `cargo test --release -p albumen-synth --test curate_choice -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: a million albums"]
fn a_million_albums_take_minutes() {
    let list = list();
    let config = CurateConfig::default();
    let curator = Curator::new(&config, &list, None).unwrap();
    for count in [100_000, 1_000_000] {
        let albums = sampled(count);
        let (before, cpu) = (peak_mib(), cpu_seconds());
        let start = std::time::Instant::now();
        let curated = curator.curate(&albums).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let near = Reason::NearDuplicate;
        let dropped = curated.iter().filter(|c| c.verdict.reason == near).count();
        println!(
            "{count} albums: {seconds:.1} s on the wall, {:.1} processor seconds, {dropped} \
             near-duplicates, peak memory {} MiB, {before} of them the albums'",
            cpu_seconds() - cpu,
            peak_mib()
        );
        assert!(dropped as u64 >= count / 10 * 9 / 10);
    }
}

/// Processor time of this process, from a clock of 100 Hz; 0 where the system does not say.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that this process has held, in MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

#[test]
fn curation_without_an_embedder_still_keeps_one_candidate_a_place() {
    let albums = [
        plain(
            0,
            &["One caption of the first.", "Two captions of the first."],
        ),
        plain(
            1,
            &["A caption of another kind.", "It has nothing of the first."],
        ),
    ];
    let list = list();
    let curator = Curator::new(&CurateConfig::default(), &list, None)
        .unwrap()
        .with_candidates(2);
    assert_eq!(
        verdicts(&curator, &albums),
        [Reason::Passed, Reason::BetterCandidate]
    );
    let agreeing = Curator::new(&CurateConfig::default(), &list, Some(&Agreeing)).unwrap();
    assert_eq!(verdicts(&agreeing, &albums), [Reason::Passed; 2]);
}
