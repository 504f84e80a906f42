//! Captioner, summariser and renderer behind a server, through the command line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::{Array, StringArray};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgb, RgbImage};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use server::{Asked, Play, Server, said};
use support::{albumen, ledger_stages, say};
use walkdir::WalkDir;

#[path = "../../albumen-endpoint/tests/server/mod.rs"]
mod server;
mod support;

const OWNERS: usize = 60;
const PHOTOS: usize = 2 * OWNERS;
/// In every photo's metadata.
const CAMERA: &str = "quixotic-zanzibar-camera";
const KEY: &str = "s3cret-flugelhorn-key";

/// The smoke configuration on photos of the test's own, every model but the trained one behind a server.
fn configuration(server: &str, more: &str) -> String {
    let smoke = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/smoke.toml");
    let named = format!("\"endpoint:{server}\"");
    fs::read_to_string(smoke)
        .unwrap()
        .replace("path = \"datasets/smoke\"", "path = \"photos\"")
        .replace("[render]", &format!("[render]\nmodel = {named}"))
        + &format!(
            "\n[caption]\nmodel = {named}\n\n[summarize]\nmodel = {named}\n\n[endpoint]\n\
             api_key_env = \"ALBUMEN_TEST_KEY\"\n{more}\n"
        )
}

/// One album an owner, two photos each, no two alike; every photo has metadata that must stay here.
fn workplace(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("smoke.toml"), config).unwrap();
    for owner in 0..OWNERS {
        let album = dir.path().join(format!("photos/album-{owner:02}"));
        fs::create_dir_all(&album).unwrap();
        let toml = format!("owner = \"owner {owner}\"\n");
        fs::write(album.join("album.toml"), toml).unwrap();
        for photo in 0..2 {
            let colour = colour_of(2 * owner + photo);
            let mut jpeg = Cursor::new(Vec::new());
            RgbImage::from_pixel(96, 64, colour)
                .write_to(&mut jpeg, ImageFormat::Jpeg)
                .unwrap();
            let exif = format!("Exif\0\0II*\0\x08\0\0\0\0\0{CAMERA}");
            let length = (exif.len() as u16 + 2).to_be_bytes();
            let jpeg = jpeg.into_inner();
            let whole = [
                &jpeg[..2],
                &[0xff, 0xe1],
                &length,
                exif.as_bytes(),
                &jpeg[2..],
            ]
            .concat();
            fs::write(album.join(format!("{photo}.jpg")), whole).unwrap();
        }
    }
    dir
}

/// The private photo that a request shows, by its colour; `None` for other requests.
fn shown(asked: &Asked) -> Option<usize> {
    let url = asked.body["messages"][0]["content"][0]["image_url"]["url"].as_str()?;
    let jpeg = STANDARD.decode(url.split_once(',').unwrap().1).unwrap();
    assert!(!jpeg.windows(CAMERA.len()).any(|w| w == CAMERA.as_bytes()));
    let picture = image::load_from_memory(&jpeg).unwrap().into_rgb8();
    // The public picture of the rehearsal is square.
    if picture.width() == picture.height() {
        return None;
    }
    assert_eq!(picture.dimensions(), (96, 64));
    let [red, green, _] = picture.get_pixel(40, 30).0;
    Some(usize::from(red / 16) + 16 * usize::from(green / 16))
}

/// Far enough apart that no two photos become the same JPEG.
fn colour_of(photo: usize) -> Rgb<u8> {
    let spread = |step: usize| (16 * step + 8) as u8;
    Rgb([spread(photo % 16), spread(photo / 16), 128])
}

fn caption_of(photo: usize) -> String {
    format!("A dog called n{photo:03} by the sea.")
}

/// A good server: each answer follows from its own request.
fn good(asked: &Asked) -> Play {
    assert!(asked.head.contains(&format!("Bearer {KEY}")));
    let body = if asked.path == "/v1/images/generations" {
        let picture = RgbImage::from_pixel(256, 192, Rgb([10, 200, 30]));
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        let data = STANDARD.encode(png.into_inner());
        json!({"data": [{"b64_json": data}]})
            .to_string()
            .into_bytes()
    } else if let Some(photo) = shown(asked) {
        said(&format!("\n{}\n", caption_of(photo)))
    } else {
        said("A long day by the sea with one dog.\n\nAnd more.")
    };
    Play::Status(200, "", body)
}

/// The text columns of a private table, row by row.
fn rows<const N: usize>(table: &Path, columns: [&str; N]) -> Vec<[String; N]> {
    let file = fs::File::open(table).unwrap();
    let mut found = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap()
    {
        let batch = batch.unwrap();
        let columns = columns.map(|name| batch.column_by_name(name).unwrap());
        let text = |column: &dyn Array, row| {
            let column = column.as_any().downcast_ref::<StringArray>().unwrap();
            column.value(row).to_owned()
        };
        found.extend((0..batch.num_rows()).map(|row| columns.map(|c| text(c.as_ref(), row))));
    }
    found
}

/// Captions by album and photo.
fn captions(run: &Path) -> BTreeMap<String, String> {
    let table = run.join("private/caption/captions.parquet");
    rows(&table, ["album_id", "photo_id", "caption"])
        .into_iter()
        .map(|[album, photo, caption]| (format!("{album}/{photo}"), caption))
        .collect()
}

/// Summaries by album.
fn summaries(run: &Path) -> BTreeMap<String, String> {
    let table = run.join("private/summarize/summaries.parquet");
    rows(&table, ["album_id", "summary"])
        .into_iter()
        .map(|[album, summary]| (album, summary))
        .collect()
}

fn photos_asked_for(server: &Server) -> Vec<usize> {
    server.asked().iter().filter_map(shown).collect()
}

#[test]
fn the_whole_job_by_a_server_goes_on_after_a_kill() {
    // Held up, so that the kill falls between answers.
    let server = Server::start(|_, asked| match good(asked) {
        Play::Status(_, _, body) if shown(asked).is_some() => {
            Play::Slow(Duration::from_millis(15), body)
        }
        play => play,
    });
    let dir = workplace(&configuration(&server.name(), "concurrency = 3"));
    let (at, run) = (dir.path(), dir.path().join("runs/smoke"));
    let journal = run.join("private/caption.journal");
    let mut child = Process::new(env!("CARGO_BIN_EXE_albumen"))
        .args(["run", "smoke.toml"])
        .current_dir(at)
        .env("ALBUMEN_TEST_KEY", KEY)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let kept = || fs::read_to_string(&journal).map_or(0, |t| t.lines().count().saturating_sub(1));
    while kept() < 20 {
        assert!(child.try_wait().unwrap().is_none(), "nothing to kill");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = kept();
    assert!(kept < PHOTOS, "killed too late");
    assert!(server.most_at_once() <= 3);
    is_private(&journal);

    let output = albumen(at)
        .args(["run", "smoke.toml"])
        .env("ALBUMEN_TEST_KEY", KEY)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");

    // Nothing that was kept was asked for again; every photo has the caption of its own pixels.
    let asked = photos_asked_for(&server);
    let again = asked.len() - PHOTOS;
    assert!(again <= 3, "{again} asked for again");
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), PHOTOS);
    let captions = captions(&run);
    assert_eq!(captions.len(), PHOTOS);
    for (index, (photo, caption)) in captions.iter().enumerate() {
        assert_eq!(*caption, caption_of(index), "{photo}");
    }
    for stage in ["caption", "summarize"] {
        let journal = run.join(format!("private/{stage}.journal"));
        assert!(!journal.exists(), "{stage} left its journal");
    }

    let release = run.join("release");
    let card = fs::read_to_string(release.join("README.md")).unwrap();
    let here = "test-model, behind a server on the same machine";
    assert_eq!(card.matches(here).count(), 3, "{card}");
    assert!(!card.contains("left the publisher"), "{card}");
    let statement = fs::read_to_string(release.join("privacy.json")).unwrap();
    assert!(!statement.contains("left_machine"), "{statement}");
    for entry in WalkDir::new(release.join("images")) {
        let path = entry.unwrap().into_path();
        if path.is_file() {
            let picture = image::open(&path).unwrap().into_rgb8();
            assert_eq!(picture.dimensions(), (256, 192));
            let [r, g, b] = picture.get_pixel(99, 99).0;
            assert!(r < 40 && g > 170 && b < 60, "not the server's: {r} {g} {b}");
        }
    }
    let (code, told_of_release) = say(at, &["verify", "runs/smoke/release"]);
    assert_eq!(code, 0, "{told_of_release}");

    // The key is nowhere, and the metadata only in the input.
    assert!(!told.contains(KEY));
    for entry in WalkDir::new(&run) {
        let path = entry.unwrap().into_path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            for secret in [KEY, CAMERA] {
                let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!found, "{} holds {secret}", path.display());
            }
        }
    }
}

#[cfg(unix)]
fn is_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[cfg(not(unix))]
fn is_private(_file: &Path) {}

/// Runs until a stage: exit code and stderr.
fn until(at: &Path, stage: &str) -> (i32, String) {
    let output = albumen(at)
        .args(["run", "smoke.toml", "--until", stage])
        .env("ALBUMEN_TEST_KEY", KEY)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!told.contains(KEY) && !told.contains("called n"), "{told}");
    (output.status.code().unwrap(), told)
}

/// Whether a request holds anything of the private albums.
fn is_private_request(asked: &Asked) -> bool {
    shown(asked).is_some() || asked.body.to_string().contains("called n")
}

/// The lines of a run without how long each stage took.
fn without_times(told: &str) -> Vec<String> {
    let words = |line: &str| -> Vec<String> {
        let words = line.split(' ').map(str::to_owned);
        words.filter(|w| w.parse::<f64>().is_err()).collect()
    };
    told.lines().map(|line| words(line).join(" ")).collect()
}

#[test]
fn one_photo_or_album_that_is_refused_changes_nothing_else() {
    let config = |server: &Server| configuration(&server.name(), "concurrency = 3\nretries = 0");
    let complete = Server::start(|_, asked| good(asked));
    let whole = workplace(&config(&complete));
    let (code, told_whole) = until(whole.path(), "summarize");
    assert_eq!(code, 0, "{told_whole}");

    let no_text = |reason: &str, content: &str| {
        let choice =
            format!(r#"{{"message": {{"content": {content}}}, "finish_reason": "{reason}"}}"#);
        Play::Status(200, "", format!("{{\"choices\": [{choice}]}}").into())
    };
    let server = Server::start(move |_, asked| match shown(asked) {
        Some(3) => Play::Status(400, "", b"quoth the server".to_vec()),
        Some(21) => Play::Status(413, "", Vec::new()),
        Some(35) => Play::Status(422, "", Vec::new()),
        Some(47) => no_text("content_filter", "\"A dog\""),
        Some(59) => no_text("stop", "null"),
        Some(63) => no_text("length", "null"),
        None if asked.body.to_string().contains("called n080") => {
            Play::Status(400, "", b"quoth the server".to_vec())
        }
        _ => good(asked),
    });
    let dir = workplace(&config(&server));
    let (code, told) = until(dir.path(), "summarize");
    assert_eq!(code, 0, "{told}");
    assert_eq!(without_times(&told), without_times(&told_whole));

    let run = dir.path().join("runs/smoke");
    let mut expected = captions(&whole.path().join("runs/smoke"));
    for (index, caption) in expected.values_mut().enumerate() {
        if [3, 21, 35, 47, 59, 63].contains(&index) {
            "A photo.".clone_into(caption);
        }
    }
    assert_eq!(captions(&run), expected);
    // Each refusal was held against the public question: so it was the photo's own.
    let public = |asked: &&Asked| !is_private_request(asked);
    assert_eq!(server.asked().iter().filter(public).count(), 2 + 7);
    let refused = run.join("private/caption-refused.jsonl");
    is_private(&refused);
    let lines = fs::read_to_string(refused).unwrap();
    assert_eq!(lines.lines().count(), 6, "{lines}");
    assert!(lines.contains("quoth the server"), "{lines}");
    let (mine, other) = (summaries(&run), summaries(&whole.path().join("runs/smoke")));
    for (album, summary) in &other {
        match album.as_str() {
            // A caption stands in.
            "album-40" => assert_eq!(mine[album], "A dog called n080 by the sea."),
            _ => assert_eq!(mine[album], *summary),
        }
    }
    let outside = |run: &Path| {
        let files = WalkDir::new(run).sort_by_file_name();
        let files = files.into_iter().map(|entry| entry.unwrap().into_path());
        let files = files.filter(|path| path.is_file() && !path.starts_with(run.join("private")));
        let sized = files.map(|path| {
            let size = fs::metadata(&path).unwrap().len();
            (path.strip_prefix(run).unwrap().to_owned(), size)
        });
        sized.collect::<Vec<_>>()
    };
    assert_eq!(outside(&run), outside(&whole.path().join("runs/smoke")));
}

#[test]
fn a_server_that_refuses_everything_sees_nothing_private() {
    for status in [400, 401, 404, 413, 422] {
        let server = Server::start(move |_, _| Play::Status(status, "", Vec::new()));
        let dir = workplace(&configuration(&server.name(), ""));
        let (code, told) = until(dir.path(), "caption");
        assert_eq!(code, 1, "{told}");
        let host = format!("127.0.0.1:{}", server.port);
        let expected =
            format!("error: {host} (chat/completions) answered with status {status}\n  hint: ");
        assert!(told.contains(&expected), "{told}");
        assert_eq!(server.asked().len(), 1);
        assert!(!is_private_request(&server.asked()[0]));
    }
    let text_only = Server::start(|_, asked| match shown(asked) {
        None if asked.body["messages"].as_array().unwrap().len() > 1 => {
            Play::Status(400, "", Vec::new())
        }
        _ => good(asked),
    });
    let dir = workplace(&configuration(&text_only.name(), ""));
    let (code, told) = until(dir.path(), "summarize");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("answered with status 400"), "{told}");
    let asked = text_only.asked();
    assert_eq!(asked.len(), 1 + PHOTOS + 1);
    assert!(!is_private_request(&asked[PHOTOS + 1]));
}

#[test]
fn a_server_that_begins_to_refuse_ends_the_run_and_keeps_what_it_said_private() {
    let server = Server::start(|n, asked| match n {
        // In each of two runs a photo, and then the public question.
        30 | 31 | 33 | 34 => Play::Status(422, "", format!("{{\"was\": {}}}", asked.body).into()),
        _ => good(asked),
    });
    let dir = workplace(&configuration(&server.name(), "concurrency = 1"));
    let (at, private) = (dir.path(), dir.path().join("runs/smoke/private"));
    let (code, told) = until(at, "caption");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("answered with status 422"), "{told}");
    assert!(told.contains("private/server-said.txt"), "{told}");
    is_private(&private.join("server-said.txt"));
    let words = fs::read_to_string(private.join("server-said.txt")).unwrap();
    assert!(words.starts_with("{\"was\": {\"max_tokens\""), "{words}");
    let asked = server.asked();
    assert_eq!(asked.len(), 32);
    assert!(is_private_request(&asked[30]) && !is_private_request(&asked[31]));

    // Other settings, other answers: nothing of the journal is used.
    let journal = || fs::read_to_string(private.join("caption.journal")).unwrap();
    assert_eq!(journal().lines().count(), 30);
    let config = fs::read_to_string(at.join("smoke.toml")).unwrap();
    let other = config.replace("concurrency = 1", "concurrency = 1\nphoto_side = 512");
    fs::write(at.join("smoke.toml"), other).unwrap();
    assert_eq!(until(at, "caption").0, 1);
    assert_eq!(journal().lines().count(), 1, "{}", journal());
}

#[test]
fn what_leaves_the_machine_must_be_allowed_and_is_told() {
    // 0.0.0.0 reaches this machine but is no loopback address.
    let server = Server::on(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |_, asked| good(asked));
    let name = format!("http://0.0.0.0:{}/v1#test-model", server.port);
    let dir = workplace(&configuration(&name, "retries = 0"));
    let at = dir.path();
    let (code, told) = until(at, "caption");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("is not on this machine"), "{told}");
    assert!(told.contains("allow_remote = true"), "{told}");
    assert!(server.asked().is_empty());

    let config = fs::read_to_string(at.join("smoke.toml")).unwrap();
    let open = config.replace("retries = 0", "retries = 0\nallow_remote = true");
    fs::write(at.join("smoke.toml"), &open).unwrap();
    let (code, told) = until(at, "statistics");
    assert_eq!(code, 0, "{told}");
    let leave = |what: &str| format!("{what} leave this machine for 0.0.0.0:{}", server.port);
    assert!(told.contains(&leave("caption: private photos")), "{told}");
    let captions = leave("summarize: captions of private photos");
    assert!(told.contains(&captions), "{told}");
    assert!(told.contains(", not encrypted"), "{told}");
    let run = at.join("runs/smoke");
    assert_eq!(ledger_stages(&run), ["album-count", "album-sizes"]);

    // Once something is spent, the run cannot be told that nothing left.
    fs::write(at.join("smoke.toml"), &config).unwrap();
    let (code, told) = until(at, "statistics");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("[endpoint] differs"), "{told}");

    let resolved: Value = {
        let text = fs::read_to_string(run.join("run.toml")).unwrap();
        serde_json::to_value(toml::from_str::<toml::Value>(&text).unwrap()).unwrap()
    };
    assert_eq!(resolved["endpoint"]["api_key_env"], "ALBUMEN_TEST_KEY");
}

#[test]
fn what_left_the_machine_is_stated_whatever_the_configuration_says_later() {
    // Before the first photo is sent, what is about to leave is on the disk.
    let record = Arc::new(OnceLock::<PathBuf>::new());
    let early = record.clone();
    let server = Server::on(IpAddr::V4(Ipv4Addr::UNSPECIFIED), move |_, asked| {
        let recorded = early.get().map(|path| fs::read_to_string(path).unwrap());
        match (shown(asked), recorded) {
            (Some(_), recorded) => assert!(recorded.unwrap().contains("\"photos\"")),
            // The rehearsal.
            (None, Some(recorded)) if asked.body.to_string().contains("image_url") => {
                assert_eq!(recorded.trim(), "[]");
            }
            _ => {}
        }
        good(asked)
    });
    let host = format!("0.0.0.0:{}", server.port);
    let far = format!("http://{host}/v1#far");
    let remote = configuration(&far, "allow_remote = true");
    let dir = workplace(&remote);
    let (at, run) = (dir.path(), dir.path().join("runs/smoke"));
    let record = record.get_or_init(|| run.join("departures.json"));
    let (code, told) = until(at, "caption");
    assert_eq!(code, 0, "{told}");
    assert_eq!(photos_asked_for(&server).len(), PHOTOS);

    // From now on the configuration knows of servers on this machine only, and captions by itself.
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../albumen-captioner/tests/golden/blip");
    let local = configuration(&server.name(), "").replacen(
        &format!("[caption]\nmodel = \"endpoint:{}\"", server.name()),
        &format!(
            "[caption]\nmodel = \"path:{}\"\nmax_tokens = 6",
            golden.display()
        ),
        1,
    );
    fs::write(at.join("smoke.toml"), local).unwrap();
    let (code, told) = until(at, "render");
    assert_eq!(code, 0, "{told}");
    assert_eq!(photos_asked_for(&server).len(), PHOTOS, "asked again");

    // Without the record nothing is released.
    let release = run.join("release");
    let kept = fs::read_to_string(record).unwrap();
    for damage in [None, Some("["), Some("[{}]")] {
        fs::remove_file(record).unwrap();
        if let Some(damage) = damage {
            fs::write(record, damage).unwrap();
        }
        let (code, told) = until(at, "report");
        assert_eq!(code, 1, "{told}");
        assert!(told.contains("departures.json, which says what"), "{told}");
        assert!(!release.exists());
        fs::write(record, &kept).unwrap();
    }
    let (code, told) = until(at, "report");
    assert_eq!(code, 0, "{told}");

    let card = fs::read_to_string(release.join("README.md")).unwrap();
    let words =
        format!("Private photos, without their metadata, left the publisher's machine for {host}");
    assert!(card.contains(&words), "{card}");
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains(&host));
    let statement: Value =
        serde_json::from_slice(&fs::read(release.join("privacy.json")).unwrap()).unwrap();
    let expected = json!([{
        "stage": "caption", "sent": "photos", "host": host, "encrypted": false, "model": "far",
    }]);
    assert_eq!(statement["left_machine"], expected);
    let (code, told) = say(at, &["verify", "runs/smoke/release"]);
    assert_eq!(code, 0, "{told}");
    let (_, told) = until(at, "report");
    assert!(told.contains("export: finished before"), "{told}");
}
