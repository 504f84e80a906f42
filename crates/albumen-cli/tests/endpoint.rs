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
use std::path::Path;
use std::process::{Command as Process, Stdio};
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

/// The photo that a request shows, by its colour; `None` for other requests.
fn shown(asked: &Asked) -> Option<usize> {
    let url = asked.body["messages"][0]["content"][0]["image_url"]["url"].as_str()?;
    let jpeg = STANDARD.decode(url.split_once(',').unwrap().1).unwrap();
    assert!(!jpeg.windows(CAMERA.len()).any(|w| w == CAMERA.as_bytes()));
    let picture = image::load_from_memory(&jpeg).unwrap().into_rgb8();
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

/// Captions by album and photo.
fn captions(run: &Path) -> BTreeMap<String, String> {
    let file = fs::File::open(run.join("private/caption/captions.parquet")).unwrap();
    let mut found = BTreeMap::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap()
    {
        let batch = batch.unwrap();
        let column = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            column
                .as_any()
                .downcast_ref::<StringArray>()
                .unwrap()
                .clone()
        };
        let (albums, photos) = (column("album_id"), column("photo_id"));
        let captions = column("caption");
        for row in 0..captions.len() {
            let key = format!("{}/{}", albums.value(row), photos.value(row));
            found.insert(key, captions.value(row).to_owned());
        }
    }
    found
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

#[test]
fn a_server_that_refuses_ends_the_run_and_keeps_what_it_said_private() {
    let server = Server::start(|n, asked| match n {
        30..60 => Play::Status(422, "", format!("{{\"was\": {}}}", asked.body).into()),
        _ => good(asked),
    });
    let dir = workplace(&configuration(&server.name(), "concurrency = 1"));
    let (at, private) = (dir.path(), dir.path().join("runs/smoke/private"));
    let (code, told) = until(at, "caption");
    assert_eq!(code, 1, "{told}");
    let host = format!("127.0.0.1:{}", server.port);
    let expected = format!("error: {host} (chat/completions) answered with status 422\n  hint: ");
    assert!(told.contains(&expected), "{told}");
    assert!(told.contains("private/server-said.txt"), "{told}");
    is_private(&private.join("server-said.txt"));
    let words = fs::read_to_string(private.join("server-said.txt")).unwrap();
    assert!(words.starts_with("{\"was\": {\"max_tokens\""), "{words}");
    let asked = server.asked().len();
    assert_eq!(asked, 31);

    // Other settings, other answers: nothing of the journal is used.
    let config = fs::read_to_string(at.join("smoke.toml")).unwrap();
    let other = config.replace("concurrency = 1", "concurrency = 1\nphoto_side = 512");
    fs::write(at.join("smoke.toml"), other).unwrap();
    let (code, _) = until(at, "caption");
    assert_eq!(code, 1);
    let journal = fs::read_to_string(private.join("caption.journal")).unwrap();
    assert_eq!(journal.lines().count(), 1, "{journal}");
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
