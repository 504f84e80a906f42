//! The forms of a release hold the same albums as its imagefolder, each as its readers expect.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use albumen_schema::config::ExportFormat;
use albumen_schema::{Config, PrivacyStatement};
use albumen_synth::export::{Release, export};
use albumen_verify::verify;
use arrow::array::{Array, BinaryArray, Int32Array, ListArray, StringArray, StructArray};
use arrow::datatypes::{DataType, Field};
use common::{albums, config, draw, make_release, write_ledger};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn rows(release: &Path) -> Vec<Value> {
    let text = fs::read_to_string(release.join("metadata.jsonl")).unwrap();
    let lines = text.lines();
    lines.map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn shards(dir: &Path) -> Vec<PathBuf> {
    let mut shards: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    shards.sort();
    shards
}

/// A release made with another configuration.
fn release_with(dir: &Path, seeded: bool, change: impl FnOnce(&mut Config)) -> PathBuf {
    let (images, ledger) = (dir.join("images"), dir.join("ledger.jsonl"));
    write_ledger(&ledger, 2.0, seeded);
    let curated = albums();
    draw(&curated, &images, 7).unwrap();
    let mut config = config();
    change(&mut config);
    let inputs = Release {
        config: &config,
        curated: &curated,
        images: &images,
        models: &[],
        public_training: None,
        statistics: dir,
        ledger: &ledger,
        departed: &[],
    };
    let out = dir.join("release");
    export(&inputs, &out).unwrap();
    out
}

fn column<A: 'static>(array: &dyn Array) -> &A {
    array.as_any().downcast_ref().unwrap()
}

fn nullable(field: &Field) -> bool {
    field.is_nullable()
        && match field.data_type() {
            DataType::List(item) => nullable(item),
            DataType::Struct(fields) => fields.iter().all(|f| nullable(f)),
            _ => true,
        }
}

#[test]
fn parquet_holds_every_row_with_its_pictures_and_says_that_they_are_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let rows = rows(&out);
    let mut seen = 0;
    for shard in shards(&out.join("parquet")) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(shard).unwrap()).unwrap();
        let metadata = reader.schema().metadata().clone();
        let features: Value = serde_json::from_str(&metadata["huggingface"]).unwrap();
        let features = &features["info"]["features"];
        assert_eq!(features["images"]["feature"]["_type"], "Image");
        // A column that is not nullable throughout makes `datasets` pass over its description.
        for field in reader.schema().fields() {
            assert!(nullable(field), "{field:?}");
        }
        let stored = reader.metadata().file_metadata().key_value_metadata();
        assert!(stored.unwrap().iter().any(|kv| kv.key == "huggingface"));
        let names: BTreeSet<&str> = reader
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .collect();
        let described = features
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names, described);
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let strings = |name| column::<StringArray>(batch.column_by_name(name).unwrap());
            let lists = |name| column::<ListArray>(batch.column_by_name(name).unwrap());
            let counts: &Int32Array = column(batch.column_by_name("n_photos").unwrap());
            for i in 0..batch.num_rows() {
                let row = &rows[seen];
                seen += 1;
                assert_eq!(row["id"], strings("id").value(i));
                assert_eq!(row["summary"], strings("summary").value(i));
                assert_eq!(row["n_photos"], counts.value(i));
                let captions = lists("captions").value(i);
                let captions: &StringArray = column(&captions);
                let images = lists("images").value(i);
                let images: &StructArray = column(&images);
                let bytes: &BinaryArray = column(images.column_by_name("bytes").unwrap());
                let paths: &StringArray = column(images.column_by_name("path").unwrap());
                assert_eq!(images.len(), row["captions"].as_array().unwrap().len());
                for photo in 0..images.len() {
                    assert_eq!(row["captions"][photo], captions.value(photo));
                    assert_eq!(row["file_names"][photo], paths.value(photo));
                    let file = fs::read(out.join(paths.value(photo))).unwrap();
                    assert_eq!(bytes.value(photo), file);
                }
            }
        }
    }
    assert_eq!(seen, rows.len());
}

#[test]
fn tar_shards_hold_one_sample_a_photo_in_order_and_nothing_of_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let rows = rows(&out);
    let expected = rows.iter().flat_map(|row| {
        (0..row["captions"].as_array().unwrap().len()).map(move |photo| (row, photo))
    });
    let mut files = Vec::new();
    for shard in shards(&out.join("webdataset")) {
        let mut archive = tar::Archive::new(File::open(shard).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
            assert_eq!(header.username().unwrap().unwrap_or_default(), "");
            assert_eq!(header.mode().unwrap(), 0o644);
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.push((name, bytes));
        }
    }
    let mut samples = files.chunks(3);
    for (row, photo) in expected {
        let sample = samples.next().unwrap();
        let key = format!("{}-{:02}", row["id"].as_str().unwrap(), photo + 1);
        let names: Vec<&str> = sample.iter().map(|(name, _)| name.as_str()).collect();
        let extensions = ["jpg", "json", "txt"].map(|e| format!("{key}.{e}"));
        assert_eq!(names, extensions);
        let picture = row["file_names"][photo].as_str().unwrap();
        assert_eq!(sample[0].1, fs::read(out.join(picture)).unwrap());
        let about: Value = serde_json::from_slice(&sample[1].1).unwrap();
        assert_eq!(about["album"], row["id"]);
        assert_eq!(about["photo"], photo + 1);
        assert_eq!(about["n_photos"], row["n_photos"]);
        assert_eq!(about["summary"], row["summary"]);
        assert_eq!(about["caption"], row["captions"][photo]);
        assert_eq!(
            sample[2].1,
            row["captions"][photo].as_str().unwrap().as_bytes()
        );
    }
    assert!(samples.next().is_none());
}

#[test]
fn coco_names_every_picture_with_its_size_and_its_caption() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let coco = json(&out.join("coco/captions.json"));
    let images = coco["images"].as_array().unwrap();
    let annotations = coco["annotations"].as_array().unwrap();
    assert_eq!((images.len(), annotations.len()), (7, 7));
    assert_eq!(coco["licenses"][0]["name"], "CC0-1.0");
    let rows = rows(&out);
    let mut next = 0;
    for (row, album) in rows.iter().zip(coco["albums"].as_array().unwrap()) {
        assert_eq!(
            (&album["id"], &album["summary"]),
            (&row["id"], &row["summary"])
        );
        for (photo, caption) in row["captions"].as_array().unwrap().iter().enumerate() {
            let (image, annotation) = (&images[next], &annotations[next]);
            next += 1;
            assert_eq!(image["id"], next);
            assert_eq!(
                (&annotation["id"], &annotation["image_id"]),
                (&image["id"], &image["id"])
            );
            assert_eq!(&annotation["caption"], caption);
            assert_eq!(image["file_name"], row["file_names"][photo]);
            assert_eq!(
                (&image["album"], &image["photo"]),
                (&row["id"], &(photo + 1).into())
            );
            assert_eq!(
                (&image["width"], &image["height"]),
                (&48.into(), &32.into())
            );
            assert!(out.join(image["file_name"].as_str().unwrap()).is_file());
        }
    }
    assert_eq!(next, images.len());
}

#[test]
fn croissant_lists_files_with_their_hashes_and_the_columns_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let croissant = json(&out.join("croissant.json"));
    let statement: PrivacyStatement =
        serde_json::from_value(json(&out.join("privacy.json"))).unwrap();
    let mut listed = BTreeSet::new();
    for object in croissant["distribution"].as_array().unwrap() {
        if object["@type"] == "cr:FileSet" {
            assert_eq!(object["includes"], "images/*/*.jpg");
            continue;
        }
        let name = object["contentUrl"].as_str().unwrap();
        assert_eq!(object["sha256"], statement.files[name]);
        listed.insert(name.to_owned());
    }
    let left_out: BTreeSet<&str> = statement
        .files
        .keys()
        .map(String::as_str)
        .filter(|name| !listed.contains(*name) && !name.starts_with("images/"))
        .collect();
    // The card and the ledger are no data.
    assert_eq!(
        left_out,
        BTreeSet::from(["README.md", "croissant.json", "ledger.jsonl"])
    );

    let table = File::open(out.join("albums.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(table).unwrap();
    for field in croissant["recordSet"][0]["field"].as_array().unwrap() {
        let name = field["source"]["extract"]["column"].as_str().unwrap();
        reader.schema().field_with_name(name).unwrap();
    }
    let description = croissant["description"].as_str().unwrap();
    assert!(
        description.contains("3 synthetic photo albums with 7 pictures"),
        "{description}"
    );
    assert!(
        description.contains("delta 1e-5, unit owner"),
        "{description}"
    );
    assert_eq!(
        croissant["license"],
        "https://spdx.org/licenses/CC0-1.0.html"
    );
}

#[test]
fn croissant_of_a_seeded_run_claims_no_guarantee() {
    let dir = tempfile::tempdir().unwrap();
    let out = release_with(dir.path(), true, |_| ());
    let description = json(&out.join("croissant.json"))["description"].to_string();
    assert!(
        description.contains("no privacy guarantee holds"),
        "{description}"
    );
    assert!(!description.contains("epsilon"), "{description}");
}

#[test]
fn only_the_configured_forms_are_written() {
    let forms = |out: &Path| -> Vec<&str> {
        ["parquet", "webdataset", "coco", "croissant.json"]
            .into_iter()
            .filter(|name| out.join(name).exists())
            .collect()
    };
    let dir = tempfile::tempdir().unwrap();
    let out = release_with(dir.path(), false, |c| c.export.formats = Vec::new());
    assert_eq!(forms(&out), [""; 0]);
    assert!(verify(&out).unwrap().intact());
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(
        card.contains("    - metadata.jsonl\n    - images/**\n---"),
        "{card}"
    );
    for absent in ["parquet/", "webdataset", "coco", "croissant"] {
        assert!(!card.contains(absent), "{absent}");
    }

    let dir = tempfile::tempdir().unwrap();
    let default = albumen_schema::config::ExportConfig::default().formats;
    let out = release_with(dir.path(), false, |c| c.export.formats = default);
    assert_eq!(forms(&out), ["parquet", "coco", "croissant.json"]);

    let dir = tempfile::tempdir().unwrap();
    let out = release_with(dir.path(), false, |c| {
        c.export.formats = vec![ExportFormat::WebDataset];
        c.export.shard_bytes = u64::MAX;
    });
    assert_eq!(forms(&out), ["webdataset"]);
    assert_eq!(shards(&out.join("webdataset")).len(), 1);
    assert!(verify(&out).unwrap().intact());
}
