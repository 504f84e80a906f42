//! What a reader chooses albums by: the funnel's reasons, and the topics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeSet;

use albumen_report::{AlbumTopics, MOST_CLUSTERED, MOST_TOPICS, ReportData, render_report};
use albumen_schema::{Curated, Reason};
use albumen_synth::curate::{CurationSummary, SentenceEmbedding};
use common::{HOSTILE, counted, curated, data, embedded, history};

/// Every reason that a verdict can name: those that its reader knows, whatever [`Reason::ALL`] lists.
fn reasons() -> Vec<Reason> {
    let message = serde_json::from_str::<Reason>("\"none\"")
        .unwrap_err()
        .to_string();
    let names = message.split('`').skip(3).step_by(2);
    let reasons: Vec<Reason> = names
        .map(|name| serde_json::from_value(name.into()).unwrap())
        .collect();
    assert!(reasons.len() >= 13, "{message}");
    reasons
}

#[test]
fn every_reason_has_a_label_of_its_own_in_the_funnel_and_in_the_gallery() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let reasons = reasons();
    // One album more of each reason than of the one before.
    let mut albums = Vec::new();
    for (i, &reason) in reasons.iter().enumerate() {
        for _ in 0..=i {
            albums.push(curated(albums.len() as u64, reason, "A day.", &["A dog."]));
        }
    }
    let html = render_report(&data(&ledger, &albums, &counted(&albums))).unwrap();
    let section = |id: &str, end: &str| {
        let (_, rest) = html.split_once(&format!("id=\"{id}\"")).unwrap();
        rest.split_once(end).unwrap().0
    };
    let (funnel, choice) = (
        section("h-curation", "</section>"),
        section("reason", "</select>"),
    );
    for (i, reason) in reasons.iter().enumerate() {
        let share = 100.0 * (i + 1) as f64 / albums.len() as f64;
        let row = format!(
            "<span>{}</span><span class=\"value\">{} ({share:.1}%)</span>",
            reason.title(),
            i + 1
        );
        assert!(funnel.contains(&row), "the funnel lacks `{row}`");
        let option = format!(
            "<option value=\"{}\">{} ({})",
            reason.name(),
            reason.title(),
            i + 1
        );
        assert!(choice.contains(&option), "the gallery lacks `{option}`");
        let filter = format!("<th scope=\"row\">{}<small>", reason.title());
        assert_eq!(funnel.contains(&filter), *reason != Reason::Passed);
    }
    let titles: BTreeSet<&str> = reasons.iter().map(|r| r.title()).collect();
    assert_eq!(titles.len(), reasons.len(), "two reasons share a label");
    assert!(!funnel.contains("No album fell to"));
    let counts = counted(&albums);
    assert_eq!(counts.funnel.last().unwrap().left, counts.kept);
}

#[test]
fn filters_without_albums_are_named_and_the_numbers_must_be_the_albums() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let albums = [
        curated(0, Reason::Passed, "A day.", &["A dog."]),
        curated(1, Reason::Language, "Ein Tag.", &["Ein Hund."]),
    ];
    let html = render_report(&data(&ledger, &albums, &counted(&albums))).unwrap();
    let (_, idle) = html.split_once("No album fell to: ").unwrap();
    let (idle, _) = idle.split_once(".</p>").unwrap();
    assert_eq!(idle.split("; ").count(), Reason::ALL.len() - 2);
    assert!(!idle.contains(Reason::Language.title()));

    let message = render_report(&data(&ledger, &albums, &counted(&albums[..1])))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("1 of 1 albums") && message.contains("1 of 2"),
        "{message}"
    );
    assert!(message.contains("--force"), "{message}");
}

#[test]
fn the_public_topics_that_curation_chose_by_are_shown_with_their_released_shares() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let mut albums = vec![curated(0, Reason::Passed, "A day.", &["A dog."])];
    albums[0].verdict.scores.topic = Some("<dogs>".to_owned());
    let names = ["<dogs>".to_owned()];
    let mut counts = CurationSummary::new(&albums, &names, None);
    let html = render_report(&data(&ledger, &albums, &counts)).unwrap();
    assert!(html.contains("&lt;dogs&gt;</th><td>1</td><td>1</td>"));
    counts.topics[0].released = Some(0.25);
    counts.divergence_passed = Some(0.5);
    counts.divergence_kept = Some(0.125);
    let html = render_report(&data(&ledger, &albums, &counts)).unwrap();
    assert!(html.contains("&lt;dogs&gt;</th><td>25.0%</td><td>1</td><td>1</td>"));
    assert!(html.contains("0.500 bits away and the kept ones 0.125"));
}

/// The axis of the first known word of the text, and a little of another axis by its length.
struct BySubject;

const SUBJECTS: [&str; 3] = ["beach", "snow", "train"];

impl SentenceEmbedding for BySubject {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        let row = |text: &&str| {
            let mut row = vec![0.0; 10];
            let subject = SUBJECTS.iter().position(|s| text.contains(s));
            row[subject.unwrap_or(0)] = 0.8;
            row[3 + text.len() % 7] = 0.6;
            row
        };
        Ok(texts.iter().map(row).collect())
    }
}

/// Kept albums: of 60, a half at the beach, a third in the snow, a sixth by train.
fn kept(count: u64) -> Vec<Curated> {
    let subject = |i: u64| SUBJECTS[[0, 1, 0, 1, 0, 2][(i % 6) as usize]];
    let words = ["ball", "boat", "coat", "horse", "kite", "lamp", "ticket"];
    (0..count)
        .map(|i| {
            let summary = format!(
                "A {} with a {} {}.",
                subject(i),
                words[i as usize % 7],
                "x".repeat(i as usize / 7)
            );
            curated(i, Reason::Passed, &summary, &["A dog."])
        })
        .collect()
}

#[test]
fn topics_are_those_of_the_kept_albums_and_every_shown_album_has_one() {
    let mut albums = kept(60);
    albums.push(curated(60, Reason::Length, "Snow, snow and snow.", &[]));
    albums.push(curated(61, Reason::Length, " ", &["A beach."]));
    let topics = AlbumTopics::fit(&albums, &BySubject, 3).unwrap().unwrap();
    assert_eq!((topics.albums, topics.topics.len()), (60, 6));
    let sizes: Vec<usize> = topics.topics.iter().map(|t| t.albums).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b));
    assert_eq!(
        sizes.iter().sum::<usize>(),
        60,
        "dropped albums do not count"
    );
    for topic in &topics.topics {
        let share = topic.share.unwrap();
        assert!((share.value - topic.albums as f64 / 60.0).abs() < 1e-12);
        assert!(share.low <= share.value && share.value <= share.high && share.low < share.high);
    }
    // Albums of one topic share the subject, and its name tells it.
    for album in &albums[..60] {
        let topic = &topics.topics[topics.of(&album.album).unwrap()];
        let subject = SUBJECTS.iter().find(|s| album.album.summary.contains(**s));
        assert!(topic.name.contains(subject.unwrap()), "{}", topic.name);
    }
    let dropped = topics.of(&albums[60].album).unwrap();
    assert!(topics.topics[dropped].name.contains("snow"));
    assert_eq!(topics.of(&albums[61].album), None);

    let again = AlbumTopics::fit(&albums, &BySubject, 3).unwrap().unwrap();
    assert_eq!(again, topics);
    // What was dropped moves no topic.
    let alone = AlbumTopics::fit(&albums[..60], &BySubject, 3)
        .unwrap()
        .unwrap();
    assert_eq!(alone.topics, topics.topics);
}

#[test]
fn few_albums_have_no_topics_and_many_are_sampled() {
    // 19 different summaries, and each twice.
    let few = [kept(19), kept(19)].concat();
    assert_eq!(AlbumTopics::fit(&few, &BySubject, 1).unwrap(), None);
    assert!(
        AlbumTopics::fit(&kept(20), &BySubject, 1)
            .unwrap()
            .is_some()
    );
    assert_eq!(AlbumTopics::fit(&[], &BySubject, 1).unwrap(), None);
    let many = kept(1300);
    let topics = AlbumTopics::fit(&many, &BySubject, 1).unwrap().unwrap();
    assert_eq!(topics.albums, MOST_CLUSTERED);
    assert_eq!(topics.topics.len(), MOST_TOPICS);
    // The first thousand are shown, whether they were drawn or not.
    assert!(many[..1000].iter().all(|c| topics.of(&c.album).is_some()));
}

#[test]
fn the_page_draws_the_topics_and_offers_them_as_a_choice() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let mut albums = kept(60);
    for album in &mut albums[..6] {
        album.album.summary.push_str(HOSTILE);
    }
    let counts = counted(&albums);
    let without = data(&ledger, &albums, &counts);
    let html = render_report(&without).unwrap();
    assert!(!html.contains("id=\"topic\"") && !html.contains("data-topic=\""));
    assert!(embedded(&html)[0].get("topic").is_none());

    let topics = AlbumTopics::fit(&albums, &BySubject, 3).unwrap().unwrap();
    let kept: Vec<_> = albums.iter().map(|c| &c.album).collect();
    let metrics = albumen_report::synthetic::measure(&kept, &BySubject, 3).unwrap();
    let html = render_report(&ReportData {
        topics: Some(&topics),
        metrics: Some(&metrics),
        ..without
    })
    .unwrap();
    assert_eq!(html.matches("<script").count(), 2, "names are escaped");
    let cards = embedded(&html);
    for (i, topic) in topics.topics.iter().enumerate() {
        let option = format!("<option value=\"{i}\">{}</option>", topic.name);
        assert!(html.contains(&option), "{option}");
        let bar = format!(
            "<span>{}</span><span class=\"value\">{} (",
            topic.name, topic.albums
        );
        assert!(html.contains(&format!("data-topic=\"{i}\"")));
        assert!(html.contains(&bar), "{bar}");
        let of = |card: &&serde_json::Value| card["topic"] == i;
        let members = cards.as_array().unwrap().iter().filter(of).count();
        assert_eq!(members, topic.albums);
    }
    assert!(html.contains("share of 60 kept albums"));
}
