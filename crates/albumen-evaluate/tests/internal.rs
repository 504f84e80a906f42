//! The internal report: stamped, self-contained, and blind to hostile text; its evaluation on albums
//! whose answer is known.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use albumen_evaluate::EvaluateError;
use albumen_evaluate::compare::{
    Evaluation, EvaluationSettings, Kind, Measure, Role, STAMP, TextAlbum, evaluate, halves,
};
use albumen_evaluate::internal::{
    InternalReport, Sweep, SweepPoint, render_internal_report, render_sweep,
};
use albumen_synth::curate::SentenceEmbedding;

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";
const PLACES: [&str; 5] = ["lake", "city", "farm", "beach", "forest"];

/// Directions by word, of unit length: equal words, equal rows.
struct Words;

impl SentenceEmbedding for Words {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        let row = |text: &&str| {
            let mut row = [0.01_f32; 12];
            for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
                let sum: usize = word.bytes().map(usize::from).sum();
                row[if word.is_empty() { 0 } else { sum % 12 }] += 1.0;
            }
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter().map(|v| v / norm).collect()
        };
        Ok(texts.iter().map(row).collect())
    }
}

fn albums(range: std::ops::Range<usize>, place: impl Fn(usize) -> &'static str) -> Vec<TextAlbum> {
    range
        .map(|i| TextAlbum {
            unit: format!("owner {}", i / 2),
            summary: format!("A trip to the {} number {}.", place(i), i % 7),
            captions: (0..=i % 3)
                .map(|photo| format!("The {} at {photo}, walk {}.", place(i), i % 11))
                .collect(),
        })
        .collect()
}

fn evaluation(synthetic: &[TextAlbum]) -> Evaluation {
    let (reference, held_out) = halves(albums(0..240, |i| PLACES[i % 5]), 1);
    let floor = albums(400..500, |_| "spreadsheet");
    let sets: [(Role, &[TextAlbum]); 3] = [
        (Role::Sampled, synthetic),
        (Role::HeldOut, &held_out),
        (Role::Floor, &floor),
    ];
    let settings = EvaluationSettings {
        resamples: 60,
        topics: 5,
        ..EvaluationSettings::default()
    };
    evaluate(&reference, &sets, &Words, &settings, &mut |_| ()).unwrap()
}

#[test]
fn albums_like_the_real_ones_reach_the_ceiling_and_others_the_floor() {
    let found = evaluation(&albums(300..400, |i| PLACES[i % 5]));
    for kind in [Kind::Summaries, Kind::Captions] {
        let kind = found.kind(kind).unwrap();
        let value = |measure, role| kind.get(measure, role).unwrap().value;
        for (measure, better) in [
            (Measure::Mauve, 1.0),
            (Measure::Frechet, -1.0),
            (Measure::Precision, 1.0),
            (Measure::Coverage, 1.0),
            (Measure::TopicDivergence, -1.0),
            (Measure::WordDivergence, -1.0),
            (Measure::BigramDivergence, -1.0),
            (Measure::TransferAccuracy, 1.0),
        ] {
            let [run, ceiling, floor] = [Role::Sampled, Role::HeldOut, Role::Floor]
                .map(|role| value(measure, role) * better);
            assert!(run > floor, "{measure:?}: {run} is not above {floor}");
            assert!(
                (run - ceiling).abs() < 0.3 * (ceiling - floor).abs().max(0.2),
                "{measure:?}: {run} is far from {ceiling}"
            );
        }
        for m in &kind.measured {
            let e = m.estimate;
            assert!(e.low <= e.value && e.value <= e.high, "{m:?}");
        }
    }
    // The floor's albums never name a place, so a classifier that learns from them is at a loss.
    let captions = found.kind(Kind::Captions).unwrap();
    let at_best = captions
        .get(Measure::TransferAccuracy, Role::HeldOut)
        .unwrap();
    assert!(at_best.value > captions.majority + 0.2, "{at_best:?}");
    assert_eq!(evaluation(&albums(300..400, |i| PLACES[i % 5])), found);
}

#[test]
fn copied_records_show_as_such() {
    let real = albums(0..240, |i| PLACES[i % 5]);
    let (reference, _) = halves(real, 1);
    let found = evaluation(&reference[..60]);
    let kind = found.kind(Kind::Summaries).unwrap();
    let value = |measure| kind.get(measure, Role::Sampled).unwrap().value;
    assert_eq!(value(Measure::ClosestDistance), 0.0);
    assert_eq!(value(Measure::CloserShare), 1.0);
    // "A trip to the lake number 3": every word of it.
    assert_eq!(value(Measure::CopiedWords), 7.0);
    assert_eq!(kind.copied[0].value, 7.0);
    assert_eq!(kind.closest[0].synthetic, kind.closest[0].real);
}

#[test]
fn halves_share_no_unit() {
    let (a, b) = halves(albums(0..101, |_| "lake"), 3);
    assert_eq!(a.len() + b.len(), 101);
    assert!(a.len().abs_diff(b.len()) <= 3);
    assert!(a.iter().all(|x| b.iter().all(|y| x.unit != y.unit)));
    assert_ne!(halves(albums(0..101, |_| "lake"), 4).0, a);
}

#[test]
fn too_few_texts_are_refused_without_a_number() {
    let few = albums(0..3, |_| "lake");
    let sets: [(Role, &[TextAlbum]); 2] = [(Role::Sampled, &few), (Role::HeldOut, &few[..1])];
    let settings = EvaluationSettings::default();
    let error = evaluate(&few, &sets, &Words, &settings, &mut |_| ()).unwrap_err();
    assert!(matches!(error, EvaluateError::TooFew { .. }));
    let said = error.to_string();
    assert!(!said.chars().any(|c| c.is_ascii_digit()), "{said}");
}

#[test]
fn the_page_is_stamped_and_self_contained_and_escapes_texts() {
    let mut synthetic = albums(300..400, |i| PLACES[i % 5]);
    synthetic[0].summary = format!("A trip to the lake number 0. {HOSTILE}");
    let found = evaluation(&synthetic);
    let report = InternalReport {
        title: "Test <b>",
        embedder: "words",
        unit: "owner",
    };
    let html = render_internal_report(&report, &found).unwrap();
    assert!(html.matches(STAMP).count() >= 3);
    assert!(!html.contains("<script>alert") && !html.contains("<img src=x"));
    assert!(!html.contains("Test <b>"));
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!html.contains(outside), "the page holds {outside}");
    }
    assert!(html.contains("MAUVE") && html.contains("real against real"));
    assert!(!html.contains("NaN") && !html.contains(">inf"));
}

#[test]
fn a_sweep_draws_each_measure_over_epsilon() {
    let found = [
        evaluation(&albums(300..400, |_| "spreadsheet")),
        evaluation(&albums(300..400, |i| PLACES[i % 5])),
    ];
    let point = |epsilon, spent| SweepPoint {
        epsilon,
        spent,
        sampled: 100,
        kept: 0,
    };
    let sweep = Sweep {
        title: "Test <b>".to_owned(),
        embedder: "words".to_owned(),
        unit: "owner".to_owned(),
        declared_units: 120,
        points: vec![point(Some(2.0), Some(1.99)), point(None, None)],
        choice: None,
    };
    let html = render_sweep(&sweep, &[&found[0], &found[1]]).unwrap();
    assert!(html.matches(STAMP).count() >= 3);
    assert!(!html.contains("Test <b>") && !html.contains("NaN"));
    // Nine measures of summaries and of captions.
    assert_eq!(html.matches("<figure class=\"plot\">").count(), 18);
    assert_eq!(html.matches(r#"<svg class="chart" role="img""#).count(), 18);
    assert!(html.contains(">inf</text>") && html.contains("no guarantee"));
}
