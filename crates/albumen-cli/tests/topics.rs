//! The topic histogram: of public topics, on the bounded albums, charged once, and followed.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::fs::File;
use std::path::Path;

use albumen_schema::NoisyCounts;
use arrow::array::{RecordBatch, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use support::{TINY, ledger_stages, say, succeed, tiny_workplace};

/// The tiny run with topics; `epsilon` is the histogram's.
fn config(epsilon: f64) -> String {
    let release = format!("[release]\ntopic_histogram_epsilon = {epsilon:?}");
    let topics = "\n[topics]\nclusters = 3\nsamples = 40\nmax_tokens = 12\n";
    TINY.replace("[release]", &release)
        .replace("album_count_epsilon = 0.5\n", "")
        .replace("album_sizes_epsilon = 0.5\n", "")
        .replace("epsilon = 12.0", "epsilon = 30.0")
        + topics
}

const STAGE: &str = "topic-histogram";

fn histogram(run: &Path) -> NoisyCounts {
    let bytes = fs::read(run.join(format!("statistics/{STAGE}.json"))).unwrap();
    let counts: NoisyCounts = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(counts.to_bytes(), bytes, "the file is what the hash is of");
    counts
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn column(path: &Path, name: &str) -> Vec<String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap());
    let batches = reader.unwrap().build().unwrap();
    let texts = |batch: RecordBatch| -> Vec<String> {
        let column = batch.column_by_name(name).unwrap();
        let column = column.as_any().downcast_ref::<StringArray>().unwrap();
        column
            .iter()
            .map(|t| t.unwrap_or_default().to_owned())
            .collect()
    };
    batches.flat_map(|b| texts(b.unwrap())).collect()
}

/// The topic of each private album's summary, counted by hand: the first two albums of each owner.
fn expected(run: &Path) -> Vec<i64> {
    let topics = albumen_topics::TopicModel::from_json(
        &fs::read(run.join("models/topics/topics.json")).unwrap(),
    )
    .unwrap();
    let home = albumen_assets::Home::locate().unwrap();
    let weights = home
        .require("all-minilm-l6-v2", "model.safetensors")
        .unwrap();
    let embedder = albumen_vision::Embedder::load(weights.parent().unwrap()).unwrap();
    let table = run.join("private/summarize/summaries.parquet");
    let albums = column(&table, "album_id").into_iter();
    let of: BTreeMap<String, String> = albums.zip(column(&table, "summary")).collect();
    let mut counts = vec![0; topics.topics().len()];
    for (album, summary) in &of {
        // `07-2` is the third album of owner 7, beyond the bound.
        if !album.ends_with("-2") {
            let row = embedder.embed(&[summary.as_str()]).unwrap().remove(0);
            counts[topics.assign(&row).unwrap()] += 1;
        }
    }
    counts
}

#[test]
fn the_histogram_is_of_public_topics_on_the_bounded_albums_and_is_followed() {
    // Noise of scale 2 / 8 on each count: off by more than 3 in less than one of 10^6 runs.
    let dir = tiny_workplace(&(config(8.0) + "\n[curate]\nlanguages = []\nmin_words = 0\n"));
    let at = dir.path();
    let run = at.join("runs/tiny");
    succeed(at, &["run", "tiny.toml", "--until", "topics"]);
    assert!(!run.join("ledger.jsonl").exists(), "topics cost nothing");
    let topics = fs::read(run.join("models/topics/topics.json")).unwrap();

    succeed(at, &["run", "tiny.toml", "--until", "curate"]);
    let released = histogram(&run);
    assert_eq!(released.max_per_unit, 2);
    let names: Vec<String> = json(&run.join("models/topics/topics.json"))["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(released.categories, names);
    let expected = expected(&run);
    let close = released
        .counts
        .iter()
        .zip(&expected)
        .all(|(f, e)| (f - e).abs() <= 3);
    assert!(close, "{:?}, not {expected:?}", released.counts);
    assert_eq!(
        ledger_stages(&run),
        [STAGE, "train-summary", "train-caption"]
    );

    let summary = json(&run.join("synthetic/curate/summary.json"));
    assert_eq!(summary["sampled"], 6);
    let rows = summary["topics"].as_array().unwrap();
    let shares: f64 = rows.iter().map(|t| t["released"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{summary}");
    assert_eq!(summary["funnel"].as_array().unwrap().len(), 12);

    // The topics are of the public model and the seed alone: another corpus, the same topics.
    let other = tiny_workplace(&config(8.0));
    let albums = fs::read_to_string(other.path().join("albums.jsonl")).unwrap();
    let albums = albums.replace("A dog", "A violin");
    fs::write(other.path().join("albums.jsonl"), albums).unwrap();
    succeed(other.path(), &["run", "tiny.toml", "--until", "topics"]);
    let again = other.path().join("runs/tiny/models/topics/topics.json");
    assert_eq!(fs::read(again).unwrap(), topics);
}

#[test]
fn the_histogram_is_planned_charged_and_never_released_twice() {
    let dir = tiny_workplace(&config(0.5));
    let at = dir.path();
    let plan = support::albumen(at)
        .args(["plan", "tiny.toml", "--json"])
        .output()
        .unwrap();
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["releases"][0]["stage"], STAGE);
    let epsilon = plan["releases"][0]["epsilon"].as_f64().unwrap();
    assert!(epsilon <= 0.5 && epsilon > 0.49, "{epsilon}");
    assert!(plan["epsilon"].as_f64().unwrap() <= 30.0);

    let until = ["run", "tiny.toml", "--until", "statistics"];
    succeed(at, &until);
    let run = at.join("runs/tiny");
    let released = histogram(&run);

    // What a kill between the ledger's entry and the stage's end leaves: nothing is drawn anew.
    let escrow = run.join("private/escrow");
    fs::create_dir_all(&escrow).unwrap();
    fs::write(escrow.join(STAGE), released.to_bytes()).unwrap();
    fs::remove_dir_all(run.join("statistics")).unwrap();
    fs::remove_file(run.join("private/statistics.json")).unwrap();
    let said = succeed(at, &until);
    assert!(said.contains("found what this run had released"), "{said}");
    assert_eq!(histogram(&run), released);
    assert_eq!(ledger_stages(&run), [STAGE]);
    assert_eq!(fs::read_dir(&escrow).unwrap().count(), 0);

    let (code, said) = say(at, &["run", "tiny.toml", "--force", "statistics"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("paid for once and for all"), "{said}");
    // Other topics would be other categories of the same counts.
    let others = config(0.5).replace("clusters = 3", "clusters = 2");
    fs::write(at.join("other.toml"), others).unwrap();
    let (code, said) = say(at, &["run", "other.toml"]);
    assert_eq!(code, 1);
    assert!(said.contains("[topics] differs"), "{said}");
}

#[test]
fn a_topic_share_alone_makes_topics_and_spends_nothing() {
    let quota = config(0.0).replace("topic_histogram_epsilon = 0.0\n", "")
        + "\n[curate]\nlanguages = []\nmin_words = 0\nmax_topic_share = 0.9\n";
    let dir = tiny_workplace(&quota);
    let at = dir.path();
    succeed(at, &["run", "tiny.toml", "--until", "curate"]);
    let run = at.join("runs/tiny");
    assert_eq!(ledger_stages(&run), ["train-summary", "train-caption"]);
    assert!(!run.join("statistics").exists());
    let summary = json(&run.join("synthetic/curate/summary.json"));
    let names: BTreeSet<&str> = (summary["topics"].as_array().unwrap().iter())
        .map(|t| t["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 3);
    assert_eq!(summary["divergence_kept"], Value::Null);
}
