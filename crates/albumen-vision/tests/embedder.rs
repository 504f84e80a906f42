//! The sentence encoder against transformers' BertModel (scripts/golden/vision_minilm.py).

mod common;

use std::path::Path;

use albumen_vision::VisionError;
use albumen_vision::embedder::{EMBEDDING_DIM, Embedder};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    sentences: Vec<String>,
    embeddings: Vec<Vec<f32>>,
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}

#[test]
fn equals_the_reference() {
    let golden: Golden = serde_json::from_str(include_str!("golden/minilm.json")).unwrap();
    let embedder = Embedder::load(&common::asset("all-minilm-l6-v2")).unwrap();
    let rows = embedder.embed(&golden.sentences).unwrap();
    assert_eq!(rows.len(), golden.sentences.len());
    for ((row, expected), sentence) in rows.iter().zip(&golden.embeddings).zip(&golden.sentences) {
        assert_eq!(row.len(), EMBEDDING_DIM);
        let difference = largest_difference(row, expected);
        assert!(difference < 1e-4, "{sentence:?} differs by {difference}");
        let norm: f32 = row.iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-5);
    }
}

#[test]
fn a_row_does_not_depend_on_its_batch() {
    let golden: Golden = serde_json::from_str(include_str!("golden/minilm.json")).unwrap();
    let embedder = Embedder::load(&common::asset("all-minilm-l6-v2")).unwrap();
    let mut texts = golden.sentences.clone();
    texts.extend((0..100).map(|i| format!("a picture of {i} birds on a wire")));
    let together = embedder.embed(&texts).unwrap();
    for (text, row) in texts.iter().zip(&together).step_by(7) {
        let alone = embedder.embed(&[text]).unwrap();
        let difference = largest_difference(&alone[0], row);
        assert!(difference < 1e-6, "{text:?} differs by {difference}");
    }
    assert!(embedder.embed(&[] as &[&str]).unwrap().is_empty());
}

#[test]
fn missing_and_cut_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = Embedder::load(dir.path()) else {
        panic!("loaded nothing")
    };
    assert!(matches!(&error, VisionError::MissingFile { .. }));
    assert!(error.to_string().contains("albumen assets fetch"));

    let whole = std::fs::read(common::asset("all-minilm-l6-v2").join("model.safetensors")).unwrap();
    std::fs::write(
        dir.path().join("model.safetensors"),
        &whole[..whole.len() / 2],
    )
    .unwrap();
    let Err(error) = Embedder::load(dir.path()) else {
        panic!("loaded half a file")
    };
    let words = error.to_string();
    assert!(words.contains("model.safetensors is cut short"), "{words}");
}

/// A directory as sentence-transformers lays it out: its own width, longest input and pooling.
#[test]
fn another_bert_is_read_from_its_directory() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny_bert");
    let expected = std::fs::read(golden.join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    let sentences: Vec<String> = serde_json::from_value(expected["sentences"].clone()).unwrap();
    let compare = |dir: &Path, pooling: &str| {
        let rows = Embedder::load(dir).unwrap().embed(&sentences).unwrap();
        let expected: Vec<Vec<f32>> = serde_json::from_value(expected[pooling].clone()).unwrap();
        for (row, expected) in rows.iter().zip(&expected) {
            let difference = largest_difference(row, expected);
            assert!(difference < 1e-5, "{pooling} differs by {difference}");
        }
    };
    compare(&golden, "first");

    let dir = tempfile::tempdir().unwrap();
    for file in [
        "model.safetensors",
        "tokenizer.json",
        "config.json",
        "sentence_bert_config.json",
    ] {
        std::fs::copy(golden.join(file), dir.path().join(file)).unwrap();
    }
    compare(dir.path(), "mean");
    let text = std::fs::read_to_string(golden.join("config.json")).unwrap();
    let other = text.replace("\"bert\"", "\"mpnet\"");
    std::fs::write(dir.path().join("config.json"), other).unwrap();
    let Err(error) = Embedder::load(dir.path()) else {
        panic!("loaded another architecture")
    };
    assert!(error.to_string().contains("`mpnet`"), "{error}");
}
