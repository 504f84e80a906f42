//! The report is self-contained, escapes hostile text, and says the guarantee.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::Path;

use albumen_accounting::Event;
use albumen_report::{ReportData, render_report, write_report};
use albumen_schema::{Reason, SyntheticAlbum};
use albumen_synth::render::image_path;
use common::{HOSTILE, counted, curated, data, embedded, history};

fn draw(images: &Path, album: &SyntheticAlbum) {
    for photo in 0..album.captions.len() {
        let path = images.join(image_path(&album.id, photo));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(64, 48, image::Rgb([200, 40, 40]))
            .save(path)
            .unwrap();
    }
}

#[test]
fn hostile_text_stays_text() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let albums = [
        curated(0, Reason::Passed, HOSTILE, &[HOSTILE, "A dog."]),
        curated(1, Reason::BrokenFormat, "Fine.", &[HOSTILE]),
    ];
    let html = render_report(&data(&ledger, &albums, &counted(&albums))).unwrap();
    assert_eq!(
        html.matches("<script").count(),
        2,
        "the data and the page's own script"
    );
    assert!(!html.contains("<img src=x"));
    assert!(html.contains("Test &lt;albums&gt; &amp; more"));
    let albums = embedded(&html);
    assert_eq!(albums[0]["captions"][0], HOSTILE);
    assert_eq!(albums[1]["reason"], "broken_format");
}

#[test]
fn the_page_loads_nothing_and_allows_its_own_script_only() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let html = render_report(&data(&ledger, &[], &counted(&[]))).unwrap();
    for outside in ["http://", "https://", "url(", "@import", "<link", "srcset"] {
        assert!(!html.contains(outside), "the page holds `{outside}`");
    }
    let (_, rest) = html.split_once("script-src 'sha256-").unwrap();
    let (hash, _) = rest.split_once('\'').unwrap();
    let (_, script) = html.rsplit_once("<script>").unwrap();
    let (script, _) = script.split_once("</script>").unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(script.as_bytes());
    let expected = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    assert_eq!(
        hash, expected,
        "the browser would refuse the page's own script"
    );
}

#[test]
fn the_guarantee_the_budget_and_the_funnel_are_there_without_script() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let albums = [
        curated(0, Reason::Passed, "A day at sea.", &["A boat."]),
        curated(1, Reason::Length, "Dogs.", &["A dog."]),
        curated(2, Reason::Length, "Cats.", &["A cat."]),
    ];
    let html = render_report(&data(&ledger, &albums, &counted(&albums))).unwrap();
    let epsilon = |events: &[Event]| {
        let value = albumen_accounting::account(events, 1e-5).unwrap().epsilon;
        albumen_synth::export::words::epsilon(value)
    };
    let total = epsilon(&ledger.events());
    let part = epsilon(&ledger.events()[..1]);
    for phrase in [
        total.as_str(),
        part.as_str(),
        "summary, on its own",
        "Everything released",
        "one owner (with every album of theirs that was used)",
        "1,234",
        "too short or too long",
        "2 (66.7%)",
        "emoji illustrations of the captions, not photographs",
    ] {
        assert!(html.contains(phrase), "the page lacks `{phrase}`");
    }
    assert!(!html.contains("guarantee does not hold"));
    let seeded = tempfile::tempdir().unwrap();
    let html = render_report(&data(
        &history(seeded.path(), true),
        &albums,
        &counted(&albums),
    ))
    .unwrap();
    assert!(html.contains("guarantee does not hold"));
}

#[test]
fn kept_albums_carry_thumbnails_and_dropped_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let albums = [
        curated(0, Reason::Passed, "A day at sea.", &["A boat.", "A gull."]),
        curated(1, Reason::Length, "Dogs.", &["A dog."]),
    ];
    let images = dir.path().join("images");
    draw(&images, &albums[0].album);
    let counted = counted(&albums);
    let mut data = data(&ledger, &albums, &counted);
    data.images = Some(&images);
    let out = dir.path().join("report.html");
    write_report(&data, &out).unwrap();
    let html = std::fs::read_to_string(&out).unwrap();
    let cards = embedded(&html);
    assert_eq!(cards[0]["pictures"].as_array().unwrap().len(), 2);
    assert_eq!(cards[1]["pictures"].as_array().unwrap().len(), 0);
    let jpeg = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        cards[0]["pictures"][0].as_str().unwrap(),
    )
    .unwrap();
    let picture = image::load_from_memory(&jpeg).unwrap();
    assert_eq!((picture.width(), picture.height()), (320, 240));
    assert!(!dir.path().join("report.html.part").exists());

    std::fs::remove_file(images.join(image_path("album-000000", 1))).unwrap();
    let message = write_report(&data, &out).unwrap_err().to_string();
    assert!(
        message.contains("02.jpg") && message.contains("albumen render"),
        "{message}"
    );
    assert_eq!(
        std::fs::read_to_string(&out).unwrap(),
        html,
        "the old report stays"
    );
}

/// One axis a word count: rows of unit length.
struct ByWords;

impl albumen_synth::curate::SentenceEmbedding for ByWords {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        let axis = |text: &&str| text.split_whitespace().count() % 4;
        let row = |text: &&str| (0..4).map(|i| f32::from(i == axis(text))).collect();
        Ok(texts.iter().map(row).collect())
    }
}

#[test]
fn measures_are_shown_where_they_were_taken() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let albums = [
        curated(0, Reason::Passed, HOSTILE, &["A dog.", "A dog and a cat."]),
        curated(
            1,
            Reason::Passed,
            "A day out.",
            &["Two boats.", "Three boats."],
        ),
    ];
    let kept: Vec<_> = albums.iter().map(|c| &c.album).collect();
    let metrics = albumen_report::synthetic::measure(&kept, &ByWords, 11).unwrap();
    let counted = counted(&albums);
    let without = data(&ledger, &albums, &counted);
    assert!(!render_report(&without).unwrap().contains("h-measures"));
    let html = render_report(&ReportData {
        metrics: Some(&metrics),
        ..without
    })
    .unwrap();
    assert_eq!(html.matches("<figure class=\"plot").count(), 6);
    for phrase in [
        "Measured on 2 kept albums alone",
        "seed 11",
        "Mean 0.50 (0.00 to 1.00); with texts of other albums",
        "cosine of 0.95 or more",
        "<td>Vendi score</td>",
        "2 photos: 2",
    ] {
        assert!(html.contains(phrase), "{phrase}");
    }
}

#[test]
fn what_left_the_machine_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let counted = counted(&[]);
    let plain = data(&ledger, &[], &counted);
    assert!(
        !render_report(&plain)
            .unwrap()
            .contains("left the publisher")
    );
    let left = [albumen_schema::Departure {
        stage: "caption".to_owned(),
        sent: albumen_schema::Sent::Photos,
        host: "gpu.example.org:8000".to_owned(),
        encrypted: false,
        model: None,
    }];
    let html = render_report(&ReportData {
        left_machine: &left,
        ..plain
    })
    .unwrap();
    assert!(html.contains("<li>Private photos"), "{html}");
    assert!(html.contains("gpu.example.org:8000"), "{html}");
}

#[test]
fn public_albums_that_were_learnt_from_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = history(dir.path(), false);
    let counted = counted(&[]);
    let plain = data(&ledger, &[], &counted);
    assert!(!render_report(&plain).unwrap().contains("declared public"));
    let public = albumen_schema::PublicTrainingStatement {
        source: "Captions <b>under</b> CC0".to_owned(),
        sha256: "cd".repeat(32),
    };
    let html = render_report(&ReportData {
        public_training: Some(&public),
        ..plain
    })
    .unwrap();
    assert!(
        html.contains("declares public: Captions &lt;b&gt;under"),
        "{html}"
    );
    assert!(html.contains("<li>The albums declared public"), "{html}");
}
