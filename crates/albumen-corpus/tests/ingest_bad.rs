//! Every kind of bad input, with what it says.

mod ingest_support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use albumen_schema::config::InputFormat;
use image::ImageFormat;
use ingest_support::{Input, jpeg_with_exif, link, picture, png, png_claiming, says};

#[test]
fn nothing_at_the_path() {
    let mut input = Input::new();
    input.config.path = input.beside("no-such");
    says(
        &input.message(),
        &[
            "there is no input at DIR/no-such",
            "check `path` in [corpus]",
        ],
    );
}

#[test]
fn an_empty_folder_and_one_without_albums() {
    let input = Input::new();
    says(
        &input.message(),
        &["DIR/in holds no albums", "an album is a folder with .jpg"],
    );
    input.put("notes/x.txt", "text");
    says(&input.message(), &["DIR/in holds no albums"]);
    input.put("1.png", png(1));
    says(
        &input.message(),
        &["photos lie in it directly", "a folder of their own"],
    );
}

#[test]
fn a_format_that_does_not_fit() {
    let mut input = Input::new();
    input.put("a/1.png", png(1));
    input.config.format = InputFormat::Jsonl;
    says(
        &input.message(),
        &["DIR/in is not of the format `jsonl`, which needs a file, not a folder"],
    );
    input.config.format = InputFormat::Imagefolder;
    says(
        &input.message(),
        &["`imagefolder`, which needs a folder with a file `metadata.jsonl`"],
    );
    input.config.format = InputFormat::Folders;
    input.text("");
    says(
        &input.message(),
        &[
            "`folders`, which needs a folder, not a file",
            "format = \"auto\"",
        ],
    );
}

#[test]
fn photos_that_cannot_be_decoded_are_set_aside() {
    let mut input = Input::new();
    let jpeg = jpeg_with_exif(64, 48, 1, None);
    let photo = picture(ImageFormat::Png, 64, 48, 1);
    let webp = picture(ImageFormat::WebP, 64, 48, 1);
    input.put("a/0.png", png(1));
    input.put("a/1.jpg", &jpeg[..jpeg.len() - 20]);
    input.put("a/2.jpg", &jpeg[..jpeg.len() / 2]);
    input.put("a/3.png", &photo[..photo.len() / 2]);
    input.put("a/4.webp", &webp[..webp.len() / 2]);
    input.put("a/5.jpg", "");
    input.put("a/6.jpg", "<html>");
    input.put("a/7.HEIC", "heic");
    let found = input.set_aside();
    let reasons: Vec<(&str, &str)> = found
        .iter()
        .map(|(p, r)| (p.as_str(), r.as_str()))
        .collect();
    assert_eq!(reasons[0], ("1.jpg", "the JPEG is cut short"));
    assert_eq!(reasons[1], ("2.jpg", "the JPEG is cut short"));
    assert_eq!(reasons[2].0, "3.png");
    assert!(
        reasons[2].1.starts_with("it cannot be decoded: "),
        "{}",
        reasons[2].1
    );
    assert_eq!(reasons[3].0, "4.webp");
    assert!(
        reasons[3].1.starts_with("it cannot be decoded: "),
        "{}",
        reasons[3].1
    );
    assert_eq!(reasons[4], ("5.jpg", "the file is empty"));
    assert_eq!(reasons[5], ("6.jpg", "it is not a JPEG, PNG or WebP image"));
    assert_eq!(
        reasons[6],
        ("7.HEIC", ".heic files are not read; convert it to JPEG")
    );
    assert_eq!(reasons.len(), 7);

    input.config.max_bad_photos = 7;
    assert_eq!(input.albums()[0].photos.len(), 1);
    input.config.max_bad_photos = 6;
    let message = input.message();
    says(
        &message,
        &[
            "more than 6 photos cannot be used",
            "raise `max_bad_photos` in [corpus]",
        ],
    );
    assert!(
        !message.contains('7'),
        "the true number is private:\n{message}"
    );
}

#[test]
fn a_jpeg_with_bytes_after_its_end_is_whole() {
    let input = Input::new();
    let mut motion = jpeg_with_exif(64, 48, 1, None);
    motion.extend(b"ftypmp42 and so on");
    input.put("a/1.jpg", motion);
    assert_eq!(input.albums()[0].photos.len(), 1);
}

#[test]
fn an_input_of_bad_photos_only() {
    let mut input = Input::new();
    input.config.max_bad_photos = 9;
    input.put("a/1.jpg", "bad");
    says(
        &input.message(),
        &["no photo in DIR/in can be used", "JPEG, PNG and WebP"],
    );
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let mut input = Input::new();
    input.put("a/0.png", png(1));
    input.put("a/1.png", png_claiming(60_000, 60_000));
    let mut jpeg = picture(ImageFormat::Jpeg, 64, 48, 1);
    let sof = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[sof + 5..sof + 9].fill(0xff);
    input.put("a/2.jpg", jpeg);
    input.put("a/3.png", png_claiming(1001, 1000));
    input.put("a/4.png", png_claiming(u32::MAX, u32::MAX));
    let found = input.set_aside();
    says(
        &found[0].1,
        &["60000 x 60000 pixels are more than `max_pixels` = 1000000 allows"],
    );
    says(&found[1].1, &["65535 x 65535 pixels are more than"]);
    says(&found[2].1, &["1001 x 1000 pixels are more than"]);
    assert_eq!(found[3].0, "4.png");
    assert_eq!(found.len(), 4);
    input.put("a/3.png", picture(ImageFormat::Png, 1000, 1000, 1));
    assert_eq!(input.set_aside().len(), 3, "the bound itself is allowed");
}

#[test]
fn links_out_of_the_folder_are_not_followed() {
    let mut input = Input::new();
    let secret = input.beside("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("1.png"), png(1)).unwrap();
    fs::write(secret.join("1.txt"), "A secret.").unwrap();
    input.put("a/0.png", png(2));
    link(&secret.join("1.png"), &input.path("a/1.png"));
    link(&input.path("a/nothing.png"), &input.path("a/2.png"));
    let found = input.set_aside();
    assert_eq!(
        found[0],
        ("1.png".into(), "it leads out of the input folder".into())
    );
    assert_eq!(found[1], ("2.png".into(), "it is not there".into()));

    link(&secret.join("1.txt"), &input.path("a/0.txt"));
    says(
        &input.message(),
        &[
            "DIR/in/a/0.txt lies outside the input folder DIR/in",
            "copy what it points to",
        ],
    );
    fs::remove_file(input.path("a/0.txt")).unwrap();
    link(&secret.join("1.txt"), &input.path("a/album.toml"));
    says(&input.message(), &["DIR/in/a/album.toml lies outside"]);
    fs::remove_file(input.path("a/album.toml")).unwrap();
    link(&secret, &input.path("b"));
    says(
        &input.message(),
        &["DIR/in/b lies outside the input folder"],
    );
}

#[test]
fn a_pipe_named_like_a_photo_does_not_block() {
    let mut input = Input::new();
    input.put("a/0.png", png(1));
    assert!(
        Command::new("mkfifo")
            .arg(input.path("a/1.png"))
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        input.set_aside(),
        [("1.png".into(), "it is not a file".into())]
    );
}

#[test]
fn names_that_are_not_utf8() {
    let mut input = Input::new();
    input.put("a/0.png", png(1));
    let name = OsStr::from_bytes(b"\xff.png");
    fs::write(input.path("a").join(name), png(2)).unwrap();
    assert_eq!(
        input.set_aside(),
        [(
            "\u{fffd}.png".into(),
            "its name is not valid UTF-8; rename it".into()
        )]
    );
    let album = input.config.path.join(OsStr::from_bytes(b"\xfe"));
    fs::create_dir(&album).unwrap();
    fs::write(album.join("1.png"), png(3)).unwrap();
    says(
        &input.message(),
        &[
            "the name of DIR/in/\u{fffd} is not valid UTF-8",
            "rename it",
        ],
    );
}

#[test]
fn album_toml_errors_have_a_place() {
    for (text, parts) in [
        (
            "title = \"ok\"\nowner = 5\n",
            &[
                "album.toml:2:9: invalid type: integer, expected a string",
                "owner = \"...\"",
            ][..],
        ),
        (
            "owner = \"a\"\n\nowners = \"b\"",
            &["album.toml:3:1: unknown field `owners`"],
        ),
        ("owner = \ntitle = \"t\"", &["album.toml:1:"]),
        (
            "title = \"t\"\nowner = \" \"",
            &["album.toml:2:1: `owner` is empty"],
        ),
    ] {
        let input = Input::new();
        input.put("a/1.png", png(1));
        input.put("a/album.toml", text);
        says(&input.message(), parts);
        says(&input.message(), &["DIR/in/a/album.toml:", "both optional"]);
    }
}

#[test]
fn texts_that_are_no_text() {
    let input = Input::new();
    input.put("a/1.png", png(1));
    input.put("a/1.txt", b"caf\xe9");
    says(
        &input.message(),
        &["DIR/in/a/1.txt is not valid UTF-8 text", "save it as UTF-8"],
    );
    input.put("a/1.txt", "x".repeat(70_000));
    says(
        &input.message(),
        &["DIR/in/a/1.txt is larger than 65536 bytes"],
    );
    fs::remove_file(input.path("a/1.txt")).unwrap();
    fs::create_dir(input.path("a/1.txt")).unwrap();
    says(
        &input.message(),
        &["cannot read DIR/in/a/1.txt: it is not a file"],
    );
}

#[test]
fn bad_lines_of_text_input() {
    let good = r#"{"album_id": "a", "photos": [{"id": "1", "caption": "A dog."}]}"#;
    for (bad, parts) in [
        (
            "{\"album_id\": ",
            &["albums.jsonl:2: EOF while parsing a value at column 12"][..],
        ),
        ("[1, 2]", &["albums.jsonl:2: "]),
        ("5", &["albums.jsonl:2: invalid type: integer, expected"]),
        (r#"{"photos": []}"#, &["missing field `album_id`"]),
        (
            r#"{"album_id": "b", "photos": []}"#,
            &["the album has no photos"],
        ),
        (
            r#"{"album_id": "b", "photos": [{"id": "1"}]}"#,
            &["missing field `caption`"],
        ),
        (
            r#"{"album_id": "b", "photos": [{"caption": " "}]}"#,
            &["the caption of photo 1 is empty"],
        ),
        (
            r#"{"album_id": " ", "photos": [{"caption": "c"}]}"#,
            &["`album_id` is empty"],
        ),
        (
            r#"{"album_id": 1.5, "photos": [{"caption": "c"}]}"#,
            &["an identifier must be text or a whole number"],
        ),
        (
            r#"{"album_id": "b", "owner_id": "", "photos": [{"caption": "c"}]}"#,
            &["`owner_id` is empty"],
        ),
        (
            r#"{"album_id": "b", "owner": "x", "photos": [{"caption": "c"}]}"#,
            &["unknown field `owner`", "`owner_id`"],
        ),
        (
            r#"{"album_id": "b", "photos": [{"id": 2, "caption": "c"}, {"caption": "d"}]}"#,
            &["the id of photo 2 stands twice in the album"],
        ),
        (
            good,
            &[
                "this album stands in line 1 already",
                "an `album_id` of its own",
            ],
        ),
    ] {
        let mut input = Input::new();
        input.text(format!("{good}\n{bad}\n"));
        let message = input.message();
        says(&message, &["DIR/albums.jsonl:2: ", "hint: "]);
        says(&message, parts);
    }
    let mut input = Input::new();
    input.text([good.as_bytes(), b"\n\n\xff\xfe\n"].concat());
    says(
        &input.message(),
        &["DIR/albums.jsonl:3: the line is not valid UTF-8 text"],
    );
    input.text(" \n\n");
    says(
        &input.message(),
        &[
            "DIR/albums.jsonl holds no albums",
            "a line is {\"album_id\"",
        ],
    );
}

#[test]
fn bad_rows_of_an_imagefolder() {
    let good = r#"{"file_name": "1.png", "album_id": "a", "owner_id": "ann"}"#;
    for (bad, part) in [
        ("{", "EOF while parsing"),
        (
            r#"{"album_id": "b"}"#,
            "there is neither `file_name` nor `file_names`",
        ),
        (
            r#"{"file_name": "2.png", "file_names": ["2.png"]}"#,
            "there are both `file_name` and `file_names`",
        ),
        (r#"{"file_names": []}"#, "`file_names` is empty"),
        (
            r#"{"file_name": "../secret.png"}"#,
            "the name of photo 1 leads out of the input folder",
        ),
        (
            r#"{"file_name": "x/../../secret.png"}"#,
            "leads out of the input folder",
        ),
        (
            r#"{"file_name": "/etc/hostname"}"#,
            "the name of photo 1 leads out of the input folder",
        ),
        (
            r#"{"file_name": "2.png", "ownerId": "x"}"#,
            "unknown key `ownerId`; did you mean `owner_id`?",
        ),
        (
            r#"{"file_name": "2.png", "text": 5}"#,
            "`text` must be text or a list of texts",
        ),
        (
            r#"{"file_names": ["2.png"], "text": ["a", "b"]}"#,
            "`text` has 2 entries for 1 photos",
        ),
        (
            r#"{"file_name": "2.png", "album_id": "a", "owner_id": "bob"}"#,
            "the album has another `owner_id`",
        ),
        (
            r#"{"file_name": "2.png", "album_id": "a"}"#,
            "the album has another `owner_id`",
        ),
        (
            r#"{"file_name": "1.png", "album_id": "a", "owner_id": "ann"}"#,
            "the file of photo 1 of this row stands twice in its album",
        ),
        (
            r#"{"file_names": ["2.png"], "album_id": "a"}"#,
            "this album stands in line 1 already",
        ),
    ] {
        let input = Input::new();
        input.put("1.png", png(1));
        input.put("2.png", png(2));
        input.put("metadata.jsonl", format!("{good}\n{bad}"));
        says(
            &input.message(),
            &["DIR/in/metadata.jsonl:2: ", part, "\n  hint: "],
        );
    }
    let mut input = Input::new();
    input.put("1.png", png(1));
    input.put(
        "metadata.jsonl",
        format!("{good}\n{{\"file_name\": \"gone.png\"}}"),
    );
    assert_eq!(
        input.set_aside(),
        [("gone.png".into(), "it is not there".into())]
    );
    input.put("metadata.jsonl", "");
    says(&input.message(), &["DIR/in/metadata.jsonl holds no albums"]);
}

/// Names, captions and numbers of the input, in every place where a parser would quote them.
#[test]
fn errors_never_quote_the_input() {
    const SECRETS: [&str; 4] = ["Zanzibar", "zebra7x", "48151623", "quixotic"];
    let lines = [
        r#"{"album_id": "b", "photos": "Zanzibar quixotic"}"#,
        r#"{"album_id": "b", "photos": [{"caption": 48151623}]}"#,
        r#"{"album_id": "b", "photos": [{"caption": ["Zanzibar"]}]}"#,
        r#"{"album_id": "b", "photos": ["Zanzibar, expected at 48151623"]}"#,
        r#"{"album_id": {"Zanzibar": 1}, "photos": []}"#,
        r#"{"album_id": "b", "Zanzibar zebra7x": 1, "photos": []}"#,
        r#"{"album_id": "b", "photos": [{"id": "zebra7x", "caption": "c"}, {"id": "zebra7x", "caption": "d"}]}"#,
        r#"{"album_id": "zebra7x", "photos": [{"caption": "quixotic"}]}"#,
        r#"{"album_id": "Zanzibar\q"}"#,
        r#"{"album_id": "Zanzibar" 48151623}"#,
        r#"{"album_id": "b", "title": 48151623, "photos": []}"#,
        r#""Zanzibar zebra7x""#,
    ];
    let first = r#"{"album_id": "zebra7x", "photos": [{"caption": "A dog."}]}"#;
    let mut messages = Vec::new();
    for line in lines {
        let mut input = Input::new();
        input.text(format!("{first}\n{line}\n"));
        messages.push((line, input.message()));
    }
    let rows = [
        r#"{"file_name": "Zanzibar/../../zebra7x.png"}"#,
        r#"{"file_name": ["Zanzibar"]}"#,
        r#"{"file_names": "Zanzibar"}"#,
        r#"{"file_names": ["1.png"], "text": {"Zanzibar": 1}}"#,
        r#"{"file_names": ["1.png"], "text": ["Zanzibar", "quixotic"]}"#,
        r#"{"file_name": "1.png", "owner is Zanzibar": 1}"#,
        r#"{"file_name": "1.png", "album_id": "zebra7x", "owner_id": "quixotic"}"#,
        r#"{"file_names": ["1.png"], "album_id": "zebra7x"}"#,
        r#"{"file_name": "1.png", "album_id": 48151623.5}"#,
    ];
    let first = r#"{"file_name": "2.png", "album_id": "zebra7x", "owner_id": "Zanzibar"}"#;
    for row in rows {
        let input = Input::new();
        input.put("1.png", png(1));
        input.put("2.png", png(2));
        input.put("metadata.jsonl", format!("{first}\n{row}"));
        messages.push((row, input.message()));
    }
    for toml in [
        "owner = 48151623",
        "owner = [\"Zanzibar\"]",
        "title = \"Zanzibar quixotic",
        "Zanzibar quixotic = 1",
        "\"Zanzibar zebra7x\" = 1",
        "owner = \"a\"\nowner = \"Zanzibar\"",
        "owner = Zanzibar",
        "[Zanzibar.zebra7x]\nowner = 1",
        "title = 48151623-07-01",
    ] {
        let input = Input::new();
        input.put("a/1.png", png(1));
        input.put("a/album.toml", toml);
        messages.push((toml, input.message()));
    }
    for (input, message) in messages {
        for secret in SECRETS {
            assert!(!message.contains(secret), "{input}\n{message}");
        }
    }
}

/// Removing another owner's row must not change which albums of an owner count.
#[test]
fn rows_without_identifier_are_named_by_what_is_in_them() {
    let names = |rows: &[&str]| -> Vec<String> {
        let input = Input::new();
        for i in 1..=3 {
            input.put(&format!("{i}.png"), png(i));
        }
        input.put("metadata.jsonl", rows.join("\n"));
        let albums = input.albums();
        let ann = albums.iter().filter(|a| a.owner_id == "ann");
        ann.map(|a| a.id.clone()).collect()
    };
    let rows = [
        r#"{"file_names": ["1.png"], "owner_id": "bob"}"#,
        r#"{"file_names": ["2.png"], "owner_id": "ann"}"#,
        r#"{"file_names": ["3.png", "2.png"], "owner_id": "ann"}"#,
    ];
    let all = names(&rows);
    assert_eq!(all.len(), 2);
    assert_eq!(names(&rows[1..]), all);
    assert_eq!(names(&[rows[2], rows[0], rows[1]]), all);
}
