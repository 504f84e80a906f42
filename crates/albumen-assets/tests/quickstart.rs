//! The quickstart corpus, made from the photos themselves: run `make assets` first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests fails by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use albumen_assets::quickstart::{Size, write};
use albumen_assets::{Check, Home, State, list, read_attribution};
use common::{sha256, tree};

fn home() -> Home {
    let home = Home::locate().unwrap();
    home.require("gcompris-photos", "attribution.tsv")
        .expect("run `make assets`");
    home
}

/// One hash over names and bytes of a whole tree; a file linked often is read once.
fn tree_hash(dir: &Path) -> String {
    let mut seen = BTreeMap::new();
    let mut text = String::new();
    for file in tree(dir) {
        let path = dir.join(&file);
        let hash = seen
            .entry(fs::metadata(&path).unwrap().ino())
            .or_insert_with(|| sha256(fs::read(&path).unwrap()));
        writeln!(text, "{file} {hash}").unwrap();
    }
    sha256(text.as_bytes())
}

#[test]
fn the_photos_are_those_that_may_be_used() {
    let home = home();
    let status = list(&home, Check::Hash).unwrap();
    let photos = status
        .iter()
        .find(|s| s.pin.asset == "gcompris-photos")
        .unwrap();
    assert_eq!(photos.state, State::Present);
    let rows = read_attribution(&home.path("gcompris-photos", "attribution.tsv")).unwrap();
    assert_eq!(rows.len(), 217);
    assert!(
        rows.iter()
            .all(|r| r.licence == "Public Domain" || r.licence == "CC0-1.0")
    );
    assert!(
        rows.iter()
            .all(|r| !r.author.is_empty() && r.source.starts_with("http"))
    );
    assert_eq!(
        rows.iter().map(|r| &r.id).collect::<BTreeSet<_>>().len(),
        217
    );
    // A sample whose licences were read by eye in the package's READMEs.
    let of = |id: &str| {
        rows.iter()
            .find(|r| r.id == id)
            .map(|r| (r.author.as_str(), r.licence.as_str()))
    };
    assert_eq!(of("farm-cow"), Some(("Dohduhdah", "Public Domain")));
    assert_eq!(of("nature-red-panda"), Some(("Mathias Appel", "CC0-1.0")));
    for left in [
        "nature-cheetah",
        "energy-windmill6",
        "wonder-taj-mahal",
        "germany-aula-palatina",
        "music-ireland",
    ] {
        assert_eq!(of(left), None, "{left}");
    }
}

#[test]
fn the_corpus_is_as_described_and_always_the_same() {
    let home = home();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    // What a killed run left must not get into the corpus.
    fs::create_dir_all(dir.path().join("a.part/album-9999")).unwrap();
    let made = write(&home, &a, Size::default(), 0).unwrap();
    write(&home, &b, Size::default(), 0).unwrap();
    assert_eq!(tree_hash(&a), tree_hash(&b));
    assert_eq!(
        tree_hash(&a),
        "e10fbf0bd4f8ad26f225a30aec713677f7784fa38f465ae5ff1f8c58b3552627",
        "the corpus changed: raise VERSION"
    );

    let (mut owners, mut albums) = (BTreeMap::<String, usize>::new(), 0);
    let mut shown = BTreeSet::new();
    for entry in fs::read_dir(&a)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir())
    {
        albums += 1;
        let toml: toml::Table = fs::read_to_string(entry.join("album.toml"))
            .unwrap()
            .parse()
            .unwrap();
        *owners
            .entry(toml["owner"].as_str().unwrap().into())
            .or_default() += 1;
        assert!(toml["title"].as_str().is_some_and(|t| !t.is_empty()));
        let photos: Vec<String> = tree(&entry)
            .into_iter()
            .filter(|f| f != "album.toml")
            .collect();
        assert!((3..=8).contains(&photos.len()), "{}", entry.display());
        let ids: BTreeSet<String> = photos
            .iter()
            .map(|f| f[3..f.len() - 5].to_owned())
            .collect();
        assert_eq!(
            ids.len(),
            photos.len(),
            "a photo stands twice in {}",
            entry.display()
        );
        shown.extend(ids);
    }
    assert_eq!((albums, owners.len()), (1200, 600));
    assert!(owners.values().all(|n| (1..=4).contains(n)));
    assert_eq!(shown.len(), made.distinct_photos);

    let table = fs::read_to_string(a.join("ATTRIBUTION.tsv")).unwrap();
    let credited: BTreeSet<String> = table
        .lines()
        .skip(1)
        .map(|l| l.split('\t').next().unwrap().to_owned())
        .collect();
    assert_eq!(credited, shown, "author, licence and source of every photo");
    assert!(
        table
            .lines()
            .all(|l| l.split('\t').filter(|c| !c.is_empty()).count() == 5)
    );

    let readme = fs::read_to_string(a.join("README.md")).unwrap();
    assert!(readme.contains("Made up by us") && readme.contains("1200 albums of 600 owners"));
}

#[test]
fn photos_are_links_where_that_is_possible() {
    let home = home();
    // Beside the asset, so on the same file system.
    let dir = tempfile::tempdir_in(home.root()).unwrap();
    let out = dir.path().join("q");
    write(
        &home,
        &out,
        Size {
            albums: 4,
            owners: 2,
        },
        0,
    )
    .unwrap();
    let photo = tree(&out)
        .into_iter()
        .find(|f| f.contains("album-0001/01-"))
        .unwrap();
    let meta = fs::symlink_metadata(out.join(photo)).unwrap();
    assert!(meta.is_file() && meta.nlink() > 1);
}

#[test]
fn a_folder_with_something_else_in_it_is_refused() {
    let home = home();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("q");
    let small = Size {
        albums: 6,
        owners: 3,
    };
    fs::create_dir(&out).unwrap();
    assert!(
        !write(&home, &out, small, 0).unwrap().was_there,
        "an empty folder is taken"
    );
    let before = tree_hash(&out);
    assert!(
        write(&home, &out, small, 0).unwrap().was_there,
        "the same corpus is left alone"
    );
    for (size, seed) in [
        (small, 1),
        (
            Size {
                albums: 7,
                owners: 3,
            },
            0,
        ),
    ] {
        let message = write(&home, &out, size, seed).unwrap_err().to_string();
        assert!(
            message.contains("is not empty and does not hold this quickstart corpus"),
            "{message}"
        );
    }
    assert_eq!(tree_hash(&out), before);
    fs::remove_file(out.join("quickstart.json")).unwrap();
    write(&home, &out, small, 0).unwrap_err();
}

#[test]
fn sizes_that_cannot_be_met_are_refused() {
    let home = Home::at("/nowhere");
    for (albums, owners) in [(0, 0), (5, 0), (5, 6), (5, 1)] {
        let message = write(&home, Path::new("q"), Size { albums, owners }, 0)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("each owner has 1 to 4 albums"),
            "{message}"
        );
    }
    let message = write(&home, Path::new("q"), Size::default(), 0)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("asset `gcompris-photos` is not there"),
        "{message}"
    );
}
