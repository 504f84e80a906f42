//! Photos captioned by a vision-language model of the user's, here a random one of 42,000 numbers.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use support::{say, succeed};

const CONFIG: &str = r#"name = "seen"

[corpus]
path = "albums"

[privacy]
unit = "album"
epsilon = 8.0
delta = 1e-3
declared_units = 10

[caption]
model = "path:model"
prompt = "a photo of"
max_tokens = 6

[train.summary]
expected_batch = 5
steps = 2
learning_rate = 0.01

[train.caption]
expected_batch = 5
steps = 2
learning_rate = 0.01

[generate]
albums = 1
"#;

const UNTIL_CAPTION: [&str; 4] = ["run", "seen.toml", "--until", "caption"];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../albumen-captioner/tests/golden")
}

/// Two albums of photos, one with a caption of its own, and the tiny BLIP.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (album, photos) in [("lake", &["dog", "mexico"][..]), ("town", &["mexico"][..])] {
        fs::create_dir_all(at("albums").join(album)).unwrap();
        for (i, photo) in photos.iter().enumerate() {
            let to = at("albums").join(album).join(format!("{i}.png"));
            fs::copy(golden().join(format!("photo_{photo}.png")), to).unwrap();
        }
    }
    fs::copy(golden().join("photo_dog.png"), at("albums/town/given.png")).unwrap();
    fs::write(at("albums/town/given.txt"), "our dog").unwrap();
    fs::create_dir(at("model")).unwrap();
    for entry in fs::read_dir(golden().join("blip")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, at("model").join(path.file_name().unwrap())).unwrap();
    }
    fs::write(at("seen.toml"), CONFIG).unwrap();
    dir
}

/// (caption, source) of each photo.
fn captions(dir: &Path) -> Vec<(String, String)> {
    let file = File::open(dir.join("runs/seen/private/caption/captions.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut all = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            let text = |i| column.value(i).to_owned();
            (0..column.len()).map(text).collect::<Vec<String>>()
        };
        all.extend(column("caption").into_iter().zip(column("source")));
    }
    all
}

fn stage(dir: &Path) -> Value {
    let path = dir.join("runs/seen/private/caption/stage.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn photos_get_the_models_captions_once() {
    let dir = workplace();
    let said = succeed(dir.path(), &UNTIL_CAPTION);
    let first = captions(dir.path());
    assert_eq!(first.len(), 4);
    let given: Vec<_> = first.iter().filter(|(_, s)| s == "given").collect();
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].0, "our dog");
    for (caption, source) in first.iter().filter(|(_, s)| s != "given") {
        assert_eq!(source, "model");
        assert!(caption.starts_with("a photo of "), "{caption}");
        assert!(!said.contains(caption.as_str()));
    }
    let of = |photo: &str| first.iter().filter(|(c, _)| c == photo).count();
    let model: Vec<&str> = first
        .iter()
        .map(|(c, _)| c.as_str())
        .filter(|c| *c != "our dog")
        .collect();
    // The same photo in two albums reads the same, another one differently.
    assert!(
        model.iter().any(|c| of(c) == 2) && model.iter().any(|c| of(c) == 1),
        "{model:?}"
    );

    let manifest = stage(dir.path());
    assert!(manifest["inputs"]["model"].is_string(), "{manifest}");
    let again = succeed(dir.path(), &UNTIL_CAPTION);
    assert!(again.contains("caption: finished before"), "{again}");

    // As after a kill: what is not whole is not there, and is made anew, to the same text.
    let private = dir.path().join("runs/seen/private");
    fs::rename(private.join("caption"), private.join("caption.part")).unwrap();
    succeed(dir.path(), &UNTIL_CAPTION);
    assert_eq!(captions(dir.path()), first);
    assert!(!private.join("caption.part").exists());

    // Another model of that name is another input.
    fs::write(
        dir.path().join("model/README.md"),
        "---\nlicense: mit\n---\n",
    )
    .unwrap();
    let other = succeed(dir.path(), &UNTIL_CAPTION);
    assert!(!other.contains("caption: finished before"), "{other}");
    assert_ne!(
        stage(dir.path())["inputs"]["model"],
        manifest["inputs"]["model"]
    );
}

#[test]
fn a_captioner_that_cannot_work_is_refused_with_the_mend() {
    let dir = workplace();
    let refuse = |parts: &[&str]| {
        let (code, said) = say(dir.path(), &UNTIL_CAPTION);
        assert_ne!(code, 0, "{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
        assert!(!dir.path().join("runs/seen/private/caption").exists());
    };
    let at = |name: &str| dir.path().join("model").join(name);
    let kept = fs::read(at("tokenizer.json")).unwrap();
    fs::remove_file(at("tokenizer.json")).unwrap();
    refuse(&["path:model", "the tokenizer is missing", "hint: "]);
    fs::write(at("tokenizer.json"), kept).unwrap();

    let kept = fs::read(at("model.safetensors")).unwrap();
    fs::write(at("model.safetensors"), &kept[..kept.len() - 100]).unwrap();
    refuse(&["model.safetensors", "cut short"]);
    fs::write(at("model.safetensors"), kept).unwrap();

    let long = CONFIG.replace("max_tokens = 6", "max_tokens = 60");
    fs::write(dir.path().join("seen.toml"), long).unwrap();
    refuse(&["more than the 40 that the model sees", "max_tokens"]);

    let elsewhere = CONFIG.replace("path:model", "path:nowhere");
    fs::write(dir.path().join("seen.toml"), elsewhere).unwrap();
    refuse(&["nowhere", "hint: "]);
}
