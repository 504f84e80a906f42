//! What topic steering is worth: the divergence of a run's synthetic topics from its private ones,
//! with and without steering, at several epsilons of the histogram.
//!
//! ```sh
//! cargo run --release -p albumen-evaluate --example steering -- RUN TARGET 0.05,0.2,1
//! ```
//!
//! What it prints is computed from the private albums: NOT DIFFERENTIALLY PRIVATE.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a measurement for the team, at the terminal"
)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use albumen_corpus::{group_units, load_texts};
use albumen_dp::Sensitive;
use albumen_oneshot::OneShot;
use albumen_schema::{Config, Curated, Reason, SyntheticAlbum, UnitTexts};
use albumen_synth::curate::{Curator, SentenceEmbedding, TopicTarget, WordList, jensen_shannon};
use albumen_synth::storage;
use albumen_topics::TopicModel;
use albumen_vision::Embedder;

/// Noisy histograms that are drawn at each epsilon.
const DRAWS: usize = 20;

/// Embeds every text once.
struct Once {
    embedder: Embedder,
    rows: Mutex<HashMap<String, Vec<f32>>>,
}

impl SentenceEmbedding for Once {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        let mut rows = self.rows.lock().unwrap();
        let new: Vec<&str> = (texts.iter().copied())
            .filter(|text| !rows.contains_key(*text))
            .collect();
        let embedded = SentenceEmbedding::embed(&self.embedder, &new)?;
        rows.extend(new.iter().map(|&t| t.to_owned()).zip(embedded));
        Ok(texts.iter().map(|&text| rows[text].clone()).collect())
    }
}

fn counts(topics: impl Iterator<Item = usize>, of: usize) -> Vec<f64> {
    let mut counts = vec![0.0; of];
    for topic in topics {
        counts[topic] += 1.0;
    }
    counts
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [run, target, epsilons] = args.as_slice() else {
        panic!("steering RUN TARGET EPSILON,EPSILON");
    };
    let (run, target) = (Path::new(run), target.parse().unwrap());
    let text = std::fs::read_to_string(run.join("run.toml")).unwrap();
    let config = Config::parse("run.toml", &text).unwrap();
    let topics = std::fs::read(run.join("models/topics/topics.json")).unwrap();
    let topics = TopicModel::from_json(&topics).unwrap();
    let assets = std::env::home_dir().unwrap().join(".cache/albumen/assets");
    let embedder = Once {
        embedder: Embedder::load(&assets.join("all-minilm-l6-v2")).unwrap(),
        rows: Mutex::default(),
    };
    let of = |text: &str| {
        let row = embedder.embed(&[text]).unwrap().remove(0);
        topics.assign(&row).unwrap()
    };

    let private = run.join("private");
    let texts = load_texts(
        &private.join("caption/captions.parquet"),
        &private.join("summarize/summaries.parquet"),
    );
    let privacy = &config.privacy;
    let bound = privacy.max_albums_per_owner;
    let units = group_units(texts.unwrap(), privacy.unit, bound);
    let items: Sensitive<Vec<Vec<usize>>> = units.map(|units| {
        let unit = |u: &UnitTexts| u.iter().map(|a| of(&a.summary)).collect();
        units.iter().map(unit).collect()
    });
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement for the team, stamped"
    )]
    let all: Vec<usize> = items.expose().concat();
    let k = topics.topics().len();
    let real = counts(all.iter().copied(), k);

    let sampled: Vec<SyntheticAlbum> =
        storage::read_sampled(&run.join("synthetic/generate/sampled.parquet")).unwrap();
    let words = WordList::load(&assets.join("naughty-words/en.json")).unwrap();
    let mut curate = config.curate.clone();
    curate.target = target;
    let curator = |goal: Option<&TopicTarget>| -> Vec<Curated> {
        Curator::new(&curate, &words, Some(&embedder))
            .unwrap()
            .with_candidates(config.generate.candidates)
            .with_topics(&topics, goal)
            .curate(&sampled)
            .unwrap()
    };
    let kept = |curated: &[Curated]| -> Vec<f64> {
        let kept = curated.iter().filter(|c| c.verdict.kept());
        counts(kept.map(|c| of(&c.album.summary)), k)
    };
    println!("NOT DIFFERENTIALLY PRIVATE");
    let plain = curator(None);
    let good = [Reason::Passed, Reason::BeyondTarget];
    let passed = plain.iter().filter(|c| good.contains(&c.verdict.reason));
    let passed = counts(passed.map(|c| of(&c.album.summary)), k);
    let (half, other) = halves(&all, k);
    println!("topics, by size among the public sentences; private, passed, kept without steering:");
    let without = kept(&plain);
    for (t, topic) in topics.topics().iter().enumerate() {
        println!(
            "  {:<40} {:>5} {:>5} {:>5}",
            topic.name, real[t], passed[t], without[t]
        );
    }
    let show = |what: &str, bits: Option<f64>| println!("{what:<44} {:.4} bits", bits.unwrap());
    show(
        "one half of the private albums to the other",
        jensen_shannon(&half, &other),
    );
    show("without steering", jensen_shannon(&real, &without));
    let exact = TopicTarget::new(
        &albumen_schema::NoisyCounts {
            categories: topics.names(),
            counts: real.iter().map(|&n| n as i64).collect(),
            max_per_unit: 1,
        },
        &topics,
    );
    let exact = exact.unwrap().expect("there are albums");
    show(
        "steered by the exact histogram",
        jensen_shannon(&real, &kept(&curator(Some(&exact)))),
    );
    for epsilon in epsilons.split(',').map(|e| e.parse::<f64>().unwrap()) {
        let mechanism = OneShot {
            unit: privacy.unit,
            declared_units: privacy.declared_units,
            epsilon,
            max_per_unit: if privacy.unit == albumen_schema::Unit::Album {
                1
            } else {
                bound as u32
            },
        };
        let divergences: Vec<f64> = (0..DRAWS)
            .filter_map(|_| {
                // A measurement's draw, released nowhere: a ledger of its own in a folder that goes.
                let dir = tempfile::tempdir().unwrap();
                let header = albumen_accounting::Header::new(
                    "steering",
                    privacy.unit,
                    privacy.declared_units,
                    privacy.delta,
                );
                let mut ledger =
                    albumen_accounting::Ledger::create(&dir.path().join("l"), header).unwrap();
                let released = mechanism.histogram(&topics.names(), &items).unwrap();
                let counts = released
                    .commit(
                        &mut ledger,
                        "draw",
                        &dir.path().join("e"),
                        albumen_schema::NoisyCounts::to_bytes,
                    )
                    .unwrap();
                let goal = TopicTarget::new(&counts, &topics).unwrap()?;
                jensen_shannon(&real, &kept(&curator(Some(&goal))))
            })
            .collect();
        let n = divergences.len() as f64;
        let mean = divergences.iter().sum::<f64>() / n;
        let square = divergences.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
        let sd = (square / (n - 1.0)).sqrt();
        println!(
            "steered at epsilon {epsilon:<24} {mean:.4} bits, standard deviation {sd:.4} over {n} draws"
        );
    }
}

/// Every second album against the others.
fn halves(topics: &[usize], of: usize) -> (Vec<f64>, Vec<f64>) {
    let half = |first| counts(topics.iter().copied().skip(first).step_by(2), of);
    (half(0), half(1))
}
