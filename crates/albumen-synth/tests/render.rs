//! Rendering is resumable, atomic, and a function of text, seed and index.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use albumen_schema::SyntheticAlbum;
use albumen_synth::render::{Progress, Rendered, image_path, render};
use common::{PlainPainter, albums, config, draw};

fn pictures(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    walk(dir)
        .into_iter()
        .filter(|(name, _)| name.starts_with("album-"))
        .collect()
}

fn walk(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry
                .path()
                .strip_prefix(dir)
                .unwrap()
                .display()
                .to_string();
            files.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn every_photo_of_a_kept_album_is_drawn_once() {
    let dir = tempfile::tempdir().unwrap();
    let curated = albums();
    let first = draw(&curated, dir.path(), 7).unwrap();
    assert_eq!(
        first,
        Rendered {
            drawn: 7,
            reused: 0
        }
    );
    let names: Vec<String> = pictures(dir.path()).into_keys().collect();
    assert_eq!(names.len(), 7);
    assert_eq!(names[0], image_path("album-000000", 0));
    assert_eq!(names[0], "album-000000/01.jpg");
    assert!(!names.iter().any(|n| n.contains("album-000001")));
    let picture = image::open(dir.path().join(&names[0])).unwrap();
    assert_eq!((picture.width(), picture.height()), (48, 32));
}

#[test]
fn a_killed_call_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let curated = albums();
    let kept: Vec<&SyntheticAlbum> = curated
        .iter()
        .filter(|c| c.verdict.kept())
        .map(|c| &c.album)
        .collect();
    let failing = PlainPainter {
        refuses: Some("A red mushroom."),
    };
    let error = render(
        &kept,
        &failing,
        &config().render,
        "",
        7,
        dir.path(),
        &|_| (),
    )
    .unwrap_err();
    assert!(error.to_string().contains("album-000002"), "{error}");
    let before = pictures(dir.path());
    assert!(!before.is_empty() && before.len() < 7);
    // What a kill inside a write leaves behind.
    std::fs::write(dir.path().join("album-000002/02.jpg.part"), b"half").unwrap();

    let seen = Mutex::new(Vec::new());
    let painter = PlainPainter { refuses: None };
    let note = |p: Progress| seen.lock().unwrap().push(p.done);
    let second = render(&kept, &painter, &config().render, "", 7, dir.path(), &note).unwrap();
    assert_eq!(second.reused, before.len());
    assert_eq!(second.drawn, 7 - before.len());
    assert_eq!(seen.into_inner().unwrap().into_iter().max(), Some(7));

    let fresh = tempfile::tempdir().unwrap();
    draw(&curated, fresh.path(), 7).unwrap();
    assert_eq!(walk(fresh.path()), walk(dir.path()));
}

#[test]
fn other_text_or_another_seed_draws_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut curated = albums();
    draw(&curated, dir.path(), 7).unwrap();
    let before = pictures(dir.path());
    assert_eq!(draw(&curated, dir.path(), 7).unwrap().drawn, 0);
    assert_eq!(draw(&curated, dir.path(), 8).unwrap().drawn, 7);
    assert_ne!(pictures(dir.path()), before);

    draw(&curated, dir.path(), 7).unwrap();
    curated[2].album.captions[0] = "A long path between very tall trees.".to_owned();
    draw(&curated, dir.path(), 7).unwrap();
    let after = pictures(dir.path());
    let changed: Vec<&String> = after.keys().filter(|k| after[*k] != before[*k]).collect();
    assert_eq!(changed, ["album-000002/01.jpg"]);
}
