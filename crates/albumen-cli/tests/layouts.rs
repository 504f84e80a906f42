//! The flat layout and the preamble, as a user runs them on a tiny model.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod support;

use std::fs;

use serde_json::Value;
use support::{TINY, albumen, ledger_stages, say, succeed, tiny_workplace};

fn train_table(lines: &str) -> String {
    TINY.replacen("[train]\n", &format!("[train]\n{lines}\n"), 1)
}

fn plan(dir: &std::path::Path) -> Value {
    let output = albumen(dir)
        .args(["plan", "tiny.toml", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn flat_trains_samples_and_pays_for_one_model() {
    let dir = tiny_workplace(&train_table("layout = \"flat\""));
    let planned = plan(dir.path());
    let models = planned["models"].as_object().unwrap();
    assert_eq!(models.keys().collect::<Vec<_>>(), ["album"]);
    assert_eq!(models["album"]["steps"], 12);
    assert_eq!(models["album"]["expected_batch"], 20);
    let epsilon = planned["epsilon"].as_f64().unwrap();
    assert!(
        (11.9..=12.0).contains(&epsilon),
        "the whole budget: {epsilon}"
    );
    let point = &planned["sensitivity"]["steps"][0];
    assert!(point["epsilon_album"].is_number() && point["epsilon_summary"].is_null());

    succeed(dir.path(), &["generate", "tiny.toml"]);
    let run = dir.path().join("runs/tiny");
    let stages = ledger_stages(&run);
    assert_eq!(stages.last().map(String::as_str), Some("train-album"));
    assert!(!stages.contains(&"train-summary".to_owned()), "{stages:?}");
    assert!(run.join("models/album/adapter.safetensors").exists());
    assert!(!run.join("models/summary").exists());
    assert!(run.join("synthetic/generate/sampled.parquet").exists());
    let again = succeed(dir.path(), &["generate", "tiny.toml"]);
    assert!(again.contains("train-album: finished before"), "{again}");
}

#[test]
fn export_holds_the_flat_model_against_the_ledger() {
    let dir = tiny_workplace(&train_table("layout = \"flat\""));
    // The tiny model writes no album that is kept: all that stands against a release is curation.
    let (code, said) = say(dir.path(), &["run", "tiny.toml"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("export: started"), "{said}");
    assert!(said.contains("curation kept none"), "{said}");
}

#[test]
fn an_album_table_overrules_the_caption_models() {
    let own =
        "[train.album]\nexpected_batch = 30\nsteps = 7\nlearning_rate = 0.01\n[train.summary]";
    let config = train_table("layout = \"flat\"").replacen("[train.summary]", own, 1);
    let dir = tiny_workplace(&config);
    let planned = plan(dir.path());
    assert_eq!(planned["models"]["album"]["steps"], 7);
    assert_eq!(planned["models"]["album"]["expected_batch"], 30);
}

const ALBUM: &str =
    "{\"album_id\": \"p\", \"summary\": \"A walk.\", \"photos\": [{\"caption\": \"A tree.\"}]}\n";

#[test]
fn a_preamble_is_part_of_what_was_trained() {
    let dir = tiny_workplace(&train_table("preamble = \"path:public.jsonl\""));
    let public = dir.path().join("public.jsonl");
    fs::write(&public, ALBUM).unwrap();
    succeed(dir.path(), &["generate", "tiny.toml"]);
    let adapter = dir.path().join("runs/tiny/models/caption/adapter.json");
    let adapter: Value = serde_json::from_slice(&fs::read(adapter).unwrap()).unwrap();
    assert_eq!(adapter["preamble"], "path:public.jsonl");

    // Other words would be another model: the run is spent.
    fs::write(&public, ALBUM.replace("tree", "bush")).unwrap();
    let (code, said) = say(dir.path(), &["generate", "tiny.toml"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("would bring the run to epsilon"), "{said}");
}

#[test]
fn a_preamble_that_is_private_missing_or_too_long_is_refused_before_any_album_is_read() {
    let long = format!("{}\n", ALBUM.replace("tree", &"tree ".repeat(2000)));
    for (preamble, text, wanted) in [
        ("path:albums.jsonl", "", "unknown field"),
        ("path:missing.jsonl", "", "missing.jsonl"),
        ("path:public.jsonl", "{}\n", "public.jsonl:1"),
        ("path:public.jsonl", &long, "`train.preamble` allow texts"),
    ] {
        let dir = tiny_workplace(&train_table(&format!("preamble = {preamble:?}")));
        fs::write(dir.path().join("public.jsonl"), text).unwrap();
        let (code, said) = say(dir.path(), &["train", "tiny.toml"]);
        assert_eq!(code, 1, "{preamble}: {said}");
        assert!(said.contains(wanted), "{preamble}: {said}");
        assert!(!dir.path().join("runs").exists(), "{preamble}");
    }
    // In the corpus's folder, in the form of public albums.
    let config = train_table("preamble = \"path:corpus/public.jsonl\"");
    let dir = tiny_workplace(&config.replace("path = \"albums.jsonl\"", "path = \"corpus\""));
    fs::create_dir(dir.path().join("corpus")).unwrap();
    fs::write(dir.path().join("corpus/public.jsonl"), ALBUM).unwrap();
    let (code, said) = say(dir.path(), &["train", "tiny.toml"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("lies inside `corpus.path`"), "{said}");
}

/// Examples for pseudo albums are read without any protection, as the preamble is.
#[test]
fn examples_for_pseudo_albums_must_lie_outside_of_the_corpus() {
    let config = support::TINY.replace("path = \"albums.jsonl\"", "path = \"corpus\"");
    let dir = tiny_workplace(&config);
    fs::create_dir(dir.path().join("corpus")).unwrap();
    fs::write(dir.path().join("public.jsonl"), ALBUM).unwrap();
    fs::copy(
        dir.path().join("public.jsonl"),
        dir.path().join("corpus/mine.jsonl"),
    )
    .unwrap();
    let pseudo = |preamble: &str| {
        let command =
            "dataset pseudo --albums 1 --out out.jsonl --model path:model --config tiny.toml";
        let arguments: Vec<&str> = command.split(' ').chain(["--preamble", preamble]).collect();
        say(dir.path(), &arguments)
    };
    for inside in ["path:corpus/mine.jsonl", "path:corpus/../corpus/mine.jsonl"] {
        let (code, said) = pseudo(inside);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("`--preamble` corpus/"), "{said}");
        assert!(said.contains("lies inside `corpus.path`"), "{said}");
        assert!(!dir.path().join("out.jsonl").exists());
    }
    let (_, said) = pseudo("path:public.jsonl");
    assert!(
        said.contains("every album of public.jsonl counts as published"),
        "{said}"
    );
    assert!(!said.contains("lies inside"), "{said}");
}

#[test]
fn an_unknown_preamble_is_named() {
    let dir = tiny_workplace(&train_table("preamble = \"mine\""));
    let (code, said) = say(dir.path(), &["plan", "tiny.toml"]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("`train.preamble`") && said.contains("hint: "),
        "{said}"
    );
}
