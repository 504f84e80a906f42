//! A tiny run without models: hand-made albums, a painter of plain colours, a ledger of one event.
#![allow(
    dead_code,
    reason = "each test file uses its own part of these helpers"
)]

use std::path::{Path, PathBuf};

use albumen_accounting::ledger::Header;
use albumen_accounting::{Event, Ledger};
use albumen_files::sha256_hex;
use albumen_schema::statistic::{ALBUM_COUNT, ALBUM_SIZES, TOPIC_HISTOGRAM};
use albumen_schema::{Config, Curated, NoisyCounts, Reason, SyntheticAlbum, Unit, Verdict};
use albumen_synth::export::{Release, export};
use albumen_synth::render::{Painter, Rendered, render};
use image::{Rgb, RgbImage};

pub(crate) const CONFIG: &str = r#"
name = "tiny"
[corpus]
path = "/secret/machine/path"
[privacy]
unit = "owner"
epsilon = 8.0
delta = 1e-5
declared_units = 600
[train]
model = "path:/secret/machine/model-dir"
[train.summary]
expected_batch = 64
steps = 10
learning_rate = 0.01
[train.caption]
expected_batch = 64
steps = 10
learning_rate = 0.01
[generate]
albums = 4
[render]
width = 48
height = 32
[export]
title = 'A "tiny" release: with a colon'
license = "CC0-1.0"
source = "Invented albums of a test."
attribution = ["Photos by nobody."]
formats = ["parquet", "webdataset", "coco", "croissant"]
shard_bytes = 4000
"#;

pub(crate) fn config() -> Config {
    Config::parse("tiny.toml", CONFIG).unwrap()
}

pub(crate) fn albums() -> Vec<Curated> {
    let texts: [(&str, &[&str], Reason); 4] = [
        (
            "A day at the sea, with \"quotes\" and a \u{1f4f7}.",
            &[
                "A boat on the water.",
                "A gull, close up.",
                "Waves at dusk.",
            ],
            Reason::Passed,
        ),
        ("Dogs.", &["A dog runs."], Reason::Length),
        (
            "A walk in the woods.",
            &["A path between trees.", "A red mushroom."],
            Reason::Passed,
        ),
        (
            "A visit to the market.",
            &["Apples in a basket.", "A cheese stall."],
            Reason::Passed,
        ),
    ];
    (0..)
        .zip(texts)
        .map(|(index, (summary, captions, reason))| Curated {
            album: SyntheticAlbum {
                id: SyntheticAlbum::id_of(index),
                index,
                summary: summary.to_owned(),
                captions: captions.iter().map(|&c| c.to_owned()).collect(),
                raw_summary: format!(" {} photos: {summary}", captions.len()),
                truncated: false,
            },
            verdict: Verdict {
                coherence: (reason == Reason::Passed).then_some(0.5),
                ..Verdict::new(reason, "decided by hand")
            },
        })
        .collect()
}

/// A colour from the caption's length, the seed and the index; refuses a caption of its choice.
pub(crate) struct PlainPainter {
    pub(crate) refuses: Option<&'static str>,
}

impl Painter for PlainPainter {
    fn paint(
        &self,
        album: &SyntheticAlbum,
        wanted: &[usize],
        seed: u64,
        size: (u32, u32),
        done: &mut dyn FnMut(usize, &RgbImage) -> albumen_synth::Result<()>,
    ) -> albumen_synth::Result<()> {
        for &photo in wanted {
            let caption = album.captions[photo].as_str();
            if self.refuses == Some(caption) {
                return Err(albumen_synth::SynthError::Paint {
                    album: album.id.clone(),
                    reason: "out of paint".to_owned(),
                });
            }
            let colour = Rgb([caption.len() as u8, seed as u8, photo as u8]);
            done(photo, &RgbImage::from_pixel(size.0, size.1, colour))?;
        }
        Ok(())
    }
}

pub(crate) fn draw(
    curated: &[Curated],
    images: &Path,
    seed: u64,
) -> albumen_synth::Result<Rendered> {
    let kept: Vec<&SyntheticAlbum> = curated
        .iter()
        .filter(|c| c.verdict.kept())
        .map(|c| &c.album)
        .collect();
    let painter = PlainPainter { refuses: None };
    render(&kept, &painter, &config().render, "", seed, images, &|_| ())
}

/// The statistics of the tiny run's ledger, by stage, with their epsilon.
pub(crate) fn statistics() -> [(&'static str, NoisyCounts, f64); 3] {
    let counts = |categories: &[&str], counts: &[i64]| NoisyCounts {
        categories: categories.iter().map(|&c| c.to_owned()).collect(),
        counts: counts.to_vec(),
        max_per_unit: 2,
    };
    [
        (ALBUM_COUNT, counts(&["albums"], &[1204]), 0.1),
        (
            ALBUM_SIZES,
            counts(
                &["1 photo", "2 to 3 photos", "4 or more photos"],
                &[-7, 812, 371],
            ),
            0.2,
        ),
        (
            TOPIC_HISTOGRAM,
            counts(&["beach, sea, sand", "snow, ski, slope"], &[907, -12]),
            0.1,
        ),
    ]
}

/// Adds the statistics to a ledger, and leaves them in `dir` as a run does.
pub(crate) fn write_statistics(ledger: &Path, dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let mut ledger = Ledger::open(ledger).unwrap();
    for (stage, counts, epsilon) in statistics() {
        let bytes = counts.to_bytes();
        ledger
            .append(stage, Event::PureDp { epsilon }, &sha256_hex(&bytes))
            .unwrap();
        std::fs::write(dir.join(format!("{stage}.json")), bytes).unwrap();
    }
}

/// A ledger with one Gaussian event of this noise.
pub(crate) fn write_ledger(path: &Path, noise_multiplier: f64, insecure_seed: bool) {
    let mut header = Header::new("tiny", Unit::Owner, 600, 1e-5);
    header.insecure_seed = insecure_seed;
    let mut ledger = Ledger::create(path, header).unwrap();
    let event = Event::Gaussian { noise_multiplier };
    ledger
        .append("train/summary", event, &"ab".repeat(32))
        .unwrap();
}

/// A whole run in `dir` without statistics; the release lies in `dir/release`.
pub(crate) fn make_release(dir: &Path) -> PathBuf {
    write_ledger(&dir.join("ledger.jsonl"), 2.0, false);
    export_run(dir)
}

/// The same with statistics, in `dir/statistics`.
pub(crate) fn make_release_with_statistics(dir: &Path) -> PathBuf {
    write_ledger(&dir.join("ledger.jsonl"), 2.0, false);
    write_statistics(&dir.join("ledger.jsonl"), &dir.join("statistics"));
    export_run(dir)
}

fn export_run(dir: &Path) -> PathBuf {
    let (images, out) = (dir.join("images"), dir.join("release"));
    let curated = albums();
    draw(&curated, &images, 7).unwrap();
    let config = config();
    let release = Release {
        config: &config,
        curated: &curated,
        images: &images,
        models: &[],
        public_training: None,
        statistics: &dir.join("statistics"),
        ledger: &dir.join("ledger.jsonl"),
        departed: &[],
    };
    export(&release, &out).unwrap();
    out
}
