//! What is read from each layout.

mod ingest_support;

use std::fs;

use albumen_corpus::ingest::LOG;
use albumen_corpus::ingest_stage;
use albumen_schema::PhotoContent;
use albumen_schema::Unit;
use albumen_schema::config::InputFormat;
use image::ImageFormat;
use ingest_support::{Input, ids, jpeg_with_exif, link, picture, png, shape};

#[test]
fn a_folder_an_album() {
    let input = Input::new();
    input.put("b-farm/10.png", png(1));
    input.put("b-farm/9.JPG", picture(ImageFormat::Jpeg, 30, 20, 2));
    input.put("b-farm/2.webp", picture(ImageFormat::WebP, 12, 10, 3));
    input.put("b-farm/2.txt", "  A cow\n on grass. \n");
    input.put("b-farm/9.txt", " \n");
    input.put(
        "b-farm/album.toml",
        "owner = \"ann\"\ntitle = \"Farm  visit\"\n",
    );
    input.put("a-sea/x.jpeg", picture(ImageFormat::Jpeg, 5, 5, 4));
    input.put("a-sea/.hidden.jpg", "no photo");
    input.put("a-sea/clip.mp4", "no photo");
    input.put("empty/notes.txt", "no photo");
    input.put("README.md", "no album");

    let albums = input.albums();
    assert_eq!(albums.len(), 2);
    let [sea, farm] = &albums[..] else {
        panic!("two albums")
    };
    assert_eq!(
        (sea.id.as_str(), sea.owner_id.as_str(), &sea.title),
        ("a-sea", "\u{1f}a-sea", &None)
    );
    assert_eq!(ids(sea), ["x.jpeg"]);
    assert_eq!(
        (farm.owner_id.as_str(), farm.title.as_deref()),
        ("ann", Some("Farm visit"))
    );
    assert_eq!(ids(farm), ["2.webp", "9.JPG", "10.png"]);
    let captions: Vec<_> = farm.photos.iter().map(|p| p.caption.as_deref()).collect();
    assert_eq!(captions, [Some("A cow on grass."), None, None]);
    let PhotoContent::File {
        path,
        sha256,
        width,
        height,
        orientation,
    } = &farm.photos[1].content
    else {
        panic!("a file")
    };
    assert_eq!((*width, *height, *orientation), (30, 20, 1));
    assert_eq!(path, &fs::canonicalize(input.path("b-farm/9.JPG")).unwrap());
    assert_eq!(sha256.len(), 64);
}

#[test]
fn exif_gives_order_time_and_orientation() {
    let input = Input::new();
    input.put(
        "a/1.jpg",
        jpeg_with_exif(30, 20, 6, Some("2024:02:29 12:00:01")),
    );
    input.put(
        "a/2.jpg",
        jpeg_with_exif(30, 20, 1, Some("1999:12:31 23:59:59")),
    );
    input.put(
        "a/3.jpg",
        jpeg_with_exif(30, 20, 99, Some("1970:01:01 00:00:00")),
    );
    // Without a time for each photo, names decide.
    input.put(
        "b/1.jpg",
        jpeg_with_exif(8, 8, 3, Some("2024:01:01 00:00:00")),
    );
    input.put("b/2.jpg", jpeg_with_exif(8, 9, 8, None));
    input.put(
        "b/3.jpg",
        jpeg_with_exif(8, 10, 1, Some("1990:01:01 00:00:00")),
    );
    input.put(
        "c/1.jpg",
        jpeg_with_exif(8, 11, 1, Some("2024:13:01 00:00:00")),
    );

    let albums = input.albums();
    assert_eq!(ids(&albums[0]), ["3.jpg", "2.jpg", "1.jpg"]);
    let times: Vec<_> = albums[0].photos.iter().map(|p| p.taken_at).collect();
    // `date -u -d '2024-02-29 12:00:01' +%s` and the like.
    assert_eq!(times, [Some(0), Some(946_684_799), Some(1_709_208_001)]);
    let shapes: Vec<_> = albums[0].photos.iter().map(|p| shape(&p.content)).collect();
    assert_eq!(
        shapes,
        [(30, 20, 1), (30, 20, 1), (20, 30, 6)],
        "width and height are those seen upright"
    );
    assert_eq!(ids(&albums[1]), ["1.jpg", "2.jpg", "3.jpg"]);
    assert_eq!(shape(&albums[1].photos[1].content), (9, 8, 8));
    assert_eq!(albums[2].photos[0].taken_at, None, "there is no month 13");
}

#[test]
fn an_album_keeps_its_first_photos() {
    let mut input = Input::new();
    input.config.max_photos_per_album = 2;
    for i in 1..=5 {
        input.put(&format!("a/{i}.png"), png(i));
    }
    assert_eq!(ids(&input.albums()[0]), ["1.png", "2.png"]);
}

#[test]
fn a_link_inside_the_folder_is_followed() {
    let input = Input::new();
    input.put("a/1.png", png(1));
    fs::create_dir(input.path("b")).unwrap();
    link(&input.path("a/1.png"), &input.path("b/2.png"));
    let albums = input.albums();
    assert_eq!(ids(&albums[1]), ["2.png"]);
    assert_eq!(albums[0].photos[0].content, albums[1].photos[0].content);
}

#[test]
fn imagefolder_rows_of_photos() {
    let input = Input::new();
    for i in 1..=4 {
        input.put(&format!("images/{i}.png"), png(i));
    }
    input.put(
        "metadata.jsonl",
        r#"{"file_name": "images/3.png", "album_id": 7, "owner_id": "ann", "text": " A  cat. ", "other": [1]}
{"file_name": "images/1.png", "album_id": "7", "owner_id": "ann"}

{"file_name": "images/2.png", "text": "A dog."}
"#,
    );
    let albums = input.albums();
    let seven = &albums[0];
    assert_eq!((seven.id.as_str(), seven.owner_id.as_str()), ("7", "ann"));
    assert_eq!(
        ids(seven),
        ["images/3.png", "images/1.png"],
        "in the order of the rows"
    );
    assert_eq!(seven.photos[0].caption.as_deref(), Some("A cat."));
    let alone = &albums[1];
    assert_eq!(
        (alone.id.as_str(), alone.owner_id.as_str()),
        ("images/2.png", "\u{1f}images/2.png")
    );
}

#[test]
fn imagefolder_rows_of_albums() {
    let input = Input::new();
    for i in 1..=3 {
        input.put(&format!("{i}.png"), png(i));
    }
    input.put(
        "metadata.jsonl",
        r#"{"file_names": ["2.png", "1.png"], "album_id": "a", "owner_id": "ann", "text": ["A dog.", ""]}
{"file_names": ["3.png", "1.png"], "text": "A day out"}
{"file_names": ["3.png"], "album_id": "z", "text": "A bird."}"#,
    );
    let albums = input.albums();
    assert_eq!(ids(&albums[0]), ["2.png", "1.png"]);
    assert_eq!(albums[0].photos[0].caption.as_deref(), Some("A dog."));
    assert_eq!(albums[0].photos[1].caption, None);
    assert!(albums[1].id.starts_with("row-"), "{}", albums[1].id);
    assert_eq!(albums[1].title.as_deref(), Some("A day out"));
    assert_eq!(albums[2].photos[0].caption.as_deref(), Some("A bird."));
}

/// Else it would take part of that owner's bound, and removing it would change another unit.
#[test]
fn an_album_without_an_owner_is_not_of_the_owner_of_its_name() {
    let mut input = Input::new();
    input.text(
        "{\"album_id\": \"ann\", \"photos\": [{\"caption\": \"A cow.\"}]}\n\
         {\"album_id\": \"b\", \"owner_id\": \"ann\", \"photos\": [{\"caption\": \"A cat.\"}]}\n\
         {\"album_id\": \"c\", \"owner_id\": \"\\u001fann\", \"photos\": [{\"caption\": \"A dog.\"}]}",
    );
    let albums = input.albums();
    let owners: Vec<&str> = albums.iter().map(|a| a.owner_id.as_str()).collect();
    assert_ne!(owners[0], owners[1]);
    assert_eq!(owners[1], owners[2], "no one can be named like nobody");
}

#[test]
fn text_alone() {
    let mut input = Input::new();
    input.text(
        "\u{feff}{\"album_id\": \"b\", \"owner_id\": 5, \"title\": \"T\", \"photos\": [{\"id\": \"x\", \"caption\": \" A  dog. \"}, {\"caption\": \"A cat.\"}]}\r\n\n\
         {\"album_id\": \"a\", \"photos\": [{\"id\": 1, \"caption\": \"A cow.\"}]}",
    );
    let albums = input.albums();
    assert_eq!(
        (albums[0].id.as_str(), albums[0].owner_id.as_str()),
        ("a", "\u{1f}a")
    );
    assert_eq!(
        (albums[1].owner_id.as_str(), albums[1].title.as_deref()),
        ("5", Some("T"))
    );
    assert_eq!(ids(&albums[1]), ["x", "2"]);
    assert_eq!(albums[1].photos[0].caption.as_deref(), Some("A dog."));
    assert_eq!(albums[1].photos[0].content, PhotoContent::None);
}

#[test]
fn a_named_format_is_taken_at_its_word() {
    let mut input = Input::new();
    input.put("a/1.png", png(1));
    input.put(
        "metadata.jsonl",
        r#"{"file_name": "a/1.png", "album_id": "from metadata"}"#,
    );
    assert_eq!(input.albums()[0].id, "from metadata");
    input.config.format = InputFormat::Folders;
    assert_eq!(input.albums()[0].id, "a");
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let mut input = Input::new();
    for album in 0..20 {
        for photo in 0..5 {
            input.put(&format!("a{album}/{photo}.png"), png(album * 5 + photo));
        }
        input.put(&format!("a{album}/bad.png"), "bad");
    }
    input.config.max_bad_photos = 20;
    let all = input.read().unwrap();
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(one.install(|| input.read().unwrap()), all);
    assert_eq!((all.albums.len(), all.set_aside.len()), (20, 20));
}

#[test]
fn the_stage_leaves_a_table_and_a_private_log() {
    let mut input = Input::new();
    input.put("a/1.png", png(1));
    input.put("a/2.png", "bad");
    input.config.max_bad_photos = 1;
    let stage = input.beside("stage");
    fs::create_dir(&stage).unwrap();
    ingest_stage(&input.config, Unit::Album, &stage).unwrap();
    assert!(stage.join("albums.parquet").is_file());
    let log = fs::read_to_string(stage.join(LOG)).unwrap();
    assert_eq!(
        log,
        "{\"album\":\"a\",\"photo\":\"2.png\",\"reason\":\"it is not a JPEG, PNG or WebP image\"}\n"
    );

    // Too many: no table, but the log says which.
    input.config.max_bad_photos = 0;
    fs::remove_file(stage.join("albums.parquet")).unwrap();
    let message = ingest_stage(&input.config, Unit::Album, &stage)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("more than 0 photos cannot be used: see "),
        "{message}"
    );
    assert!(message.contains(LOG), "{message}");
    assert!(!stage.join("albums.parquet").exists());
    assert!(
        fs::read_to_string(stage.join(LOG))
            .unwrap()
            .contains("2.png")
    );
}
