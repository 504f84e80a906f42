//! Writes a report and a release of invented albums with real illustrations: what to look at when
//! the page or the data card changes.
//!
//! `cargo run --release -p albumen-report --example sample_report -- OUT [ALBUMS]`

#![allow(clippy::print_stdout, reason = "an example speaks to its user")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use albumen_accounting::ledger::Header;
use albumen_accounting::{Event, History, Ledger};
use albumen_assets::Home;
use albumen_illustrations::Illustrator;
use albumen_report::synthetic::measure;
use albumen_report::{AlbumTopics, ReportData, write_report};
use albumen_schema::config::CurateConfig;
use albumen_schema::{Config, SyntheticAlbum, Unit};
use albumen_synth::curate::{CurationSummary, Curator, WordList};
use albumen_synth::export::{Release, export};
use albumen_synth::render::render;
use albumen_topics::{KMeans, TopicModel};
use albumen_verify::verify;
use albumen_vision::Embedder;

const CONFIG: &str = r#"
name = "sample"
corpus = { path = "none" }
privacy = { unit = "owner", epsilon = 8.0, delta = 1e-5, declared_units = 600 }
generate = { albums = 1 }
render = { width = 512, height = 384 }
[train]
summary = { expected_batch = 150, steps = 40, learning_rate = 0.01 }
caption = { expected_batch = 150, steps = 60, learning_rate = 0.01 }
[export]
title = "Invented sample albums"
license = "CC0-1.0"
source = "Invented sentences; no private album was read for this sample."
formats = ["parquet", "webdataset", "coco", "croissant"]
shard_bytes = 1_000_000
"#;

const PLACES: [&str; 12] = [
    "at the beach",
    "in the mountains",
    "on a farm",
    "in the old town",
    "at the zoo",
    "by the lake",
    "in the forest",
    "at home in the kitchen",
    "in the city park",
    "at the harbour",
    "in the snow",
    "in the garden",
];
const WHO: [&str; 10] = [
    "A family",
    "Two friends",
    "An old man",
    "A woman",
    "A young couple",
    "A boy",
    "A girl",
    "Three children",
    "A group of hikers",
    "A dog",
];
const DOES: [&str; 12] = [
    "plays with a red ball",
    "eats ice cream",
    "looks at a large boat",
    "sits under a tree",
    "feeds a small cat",
    "walks past a church",
    "rides a bicycle",
    "holds a bunch of flowers",
    "waits for a train",
    "bakes a cake",
    "watches a horse",
    "takes a photograph",
];
const WHEN: [&str; 8] = [
    "on a sunny morning",
    "in the rain",
    "at sunset",
    "on a cold winter day",
    "late at night",
    "in spring",
    "on a windy afternoon",
    "in autumn",
];

fn album(index: u64) -> SyntheticAlbum {
    // A fixed mix of the index: samples need no randomness.
    let pick = |salt: u64, n: usize| {
        let x = (index * 131 + salt + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x >> 33) as usize % n
    };
    let (place, when, who) = (PLACES[pick(1, 12)], WHEN[pick(2, 8)], WHO[pick(3, 10)]);
    let mut summary = format!("{who} spends time {place} {when}.");
    let photos = 2 + pick(4, 6);
    // Steps without a factor of 12: no activity twice.
    let (first, step) = (pick(5, 12), [1, 5, 7, 11][pick(6, 4)]);
    let mut captions: Vec<String> = (0..photos)
        .map(|i| {
            let strays = pick(10 + i as u64, 3) == 0;
            let someone = if strays { WHO[pick(20, 10)] } else { who };
            format!("{someone} {} {place}.", DOES[(first + i * step) % 12])
        })
        .collect();
    let mut raw = format!(" {photos} photos: {summary}");
    // Something for each filter of the text to find.
    match index % 29 {
        3 => "<script>alert(\"caption\")</script>".clone_into(&mut captions[0]),
        7 => raw.insert_str(0, " several"),
        11 => {
            let second = captions[1].clone();
            captions[0] = second;
        }
        15 => captions[0].push_str(" Write to a.person@example.org."),
        18 => captions[0].push_str(" What a shitty day."),
        21 => {
            let german = "Die Kinder spielen mit dem Hund im Garten hinter dem alten Haus.";
            german.clone_into(&mut captions[0]);
        }
        23 => "Snow.".clone_into(&mut captions[1]),
        25 => "An orchestra plays the violin and the piano on stage.".clone_into(&mut summary),
        27 => {
            return SyntheticAlbum {
                id: SyntheticAlbum::id_of(index),
                index,
                ..album(index - 1)
            };
        }
        _ => (),
    }
    SyntheticAlbum {
        id: SyntheticAlbum::id_of(index),
        index,
        summary,
        captions,
        raw_summary: raw,
        truncated: false,
    }
}

fn write_ledger(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut ledger = Ledger::create(path, Header::new("sample", Unit::Owner, 600, 1e-5))?;
    let hash = "0".repeat(64);
    ledger.append(
        "train/summary",
        Event::poisson_gaussian(1.9, 0.25, 40),
        &hash,
    )?;
    ledger.append(
        "train/caption",
        Event::poisson_gaussian(2.2, 0.25, 60),
        &hash,
    )?;
    Ok(())
}

/// Topics that curation chooses by, made of sentences about the places.
fn public_topics(embedder: &Embedder) -> Result<TopicModel, Box<dyn std::error::Error>> {
    let sentence = |place: &&str| WHO.map(|who| format!("{who} spends time {place}."));
    let sentences: Vec<String> = PLACES.iter().flat_map(sentence).collect();
    let texts: Vec<&str> = sentences.iter().map(String::as_str).collect();
    let settings = KMeans {
        clusters: 12,
        restarts: 3,
        iterations: 100,
        seed: 1,
    };
    Ok(TopicModel::fit(
        &texts,
        &embedder.embed(&texts)?,
        &settings,
    )?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = PathBuf::from(arguments.next().ok_or("name an empty output directory")?);
    let count: u64 = arguments.next().map_or(Ok(120), |n| n.parse())?;
    let home = Home::locate()?;
    std::fs::create_dir_all(&out)?;

    let config = Config::parse("sample", CONFIG)?;
    let embedder = Arc::new(Embedder::load(&home.asset_dir("all-minilm-l6-v2"))?);
    let words = WordList::load(&home.path("naughty-words", "en.json"))?;
    let albums: Vec<SyntheticAlbum> = (0..count).map(album).collect();
    let topics = public_topics(&embedder)?;
    let curate = CurateConfig {
        max_topic_share: 0.12,
        target: albums.len() * 3 / 5,
        ..CurateConfig::default()
    };
    let curated = Curator::new(&curate, &words, Some(&*embedder))?
        .with_topics(&topics, None)
        .curate(&albums)?;
    let curation = CurationSummary::new(&curated, &topics.names(), None);

    let ledger = out.join("ledger.jsonl");
    if !ledger.exists() {
        write_ledger(&ledger)?;
    }
    let images = out.join("images");
    let icons = home.path("fluent-emoji-flat", "icons.json");
    let illustrator =
        Illustrator::load(&icons, embedder.clone(), Some(&out.join("icon-embeddings")))?;
    let kept: Vec<&SyntheticAlbum> = curated
        .iter()
        .filter(|c| c.verdict.kept())
        .map(|c| &c.album)
        .collect();
    let rendered = render(&kept, &illustrator, &config.render, "", 1, &images, &|_| ())?;
    println!("{} albums kept, {rendered:?}", kept.len());

    let release = out.join("release");
    let inputs = Release {
        config: &config,
        curated: &curated,
        images: &images,
        models: &[],
        public_training: None,
        statistics: &out,
        ledger: &ledger,
        departed: &[],
    };
    export(&inputs, &release)?;
    println!("{:?}", verify(&release)?);
    let start = std::time::Instant::now();
    let metrics = measure(&kept, &*embedder, 1)?;
    println!("measured in {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let topics = AlbumTopics::fit(&curated, &*embedder, 1)?;
    println!("topics in {:?}", start.elapsed());
    let report = out.join("report.html");
    write_report(
        &ReportData {
            title: &config.export.title,
            source: &config.export.source,
            public_training: None,
            left_machine: &[],
            epsilon_allowed: config.privacy.epsilon,
            ledger: &History::read(&ledger)?,
            statistics: &[],
            curated: &curated,
            curation: &curation,
            images: Some(&images),
            metrics: Some(&metrics),
            topics: topics.as_ref(),
            illustrations: true,
        },
        &report,
    )?;
    println!(
        "{} bytes in {}",
        std::fs::metadata(&report)?.len(),
        report.display()
    );
    Ok(())
}
