//! Pictures by a server, and what a release says of servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;
#[path = "../../albumen-endpoint/tests/server/mod.rs"]
mod server;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use albumen_endpoint::{Client, EndpointConfig};
use albumen_schema::{Config, Departure, PrivacyStatement, Sent, SyntheticAlbum};
use albumen_synth::export::{Release, export};
use albumen_synth::render::{EndpointPainter, Rendered, image_path, render};
use albumen_verify::verify;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{albums, config, make_release};
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::json;
use server::{Asked, Play, Server};

fn painter(server: &Server, concurrency: usize) -> EndpointPainter {
    let settings = EndpointConfig {
        concurrency,
        retries: 0,
        ..EndpointConfig::default()
    };
    EndpointPainter {
        client: Client::new(server.name().parse().unwrap(), &settings).unwrap(),
        negative_prompt: "text".to_owned(),
        album_style: false,
    }
}

/// A picture whose colour is the prompt's length; longer ones come sooner.
fn draw(asked: &Asked) -> Play {
    let length = asked.body["prompt"].as_str().unwrap().len();
    let picture = RgbImage::from_pixel(48, 32, Rgb([length as u8 * 8, 7, 9]));
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    let data = STANDARD.encode(png.into_inner());
    let body = json!({"data": [{"b64_json": data}]}).to_string();
    Play::Slow(Duration::from_millis(60 - length as u64), body.into_bytes())
}

fn draw_all(images: &Path, painter: &EndpointPainter) -> albumen_synth::Result<Rendered> {
    let curated = albums();
    let kept: Vec<&SyntheticAlbum> = curated
        .iter()
        .filter(|c| c.verdict.kept())
        .map(|c| &c.album)
        .collect();
    render(&kept, painter, &config().render, "", 7, images, &|_| ())
}

#[test]
fn every_caption_gets_its_own_picture_and_only_missing_ones_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|n, asked| match n {
        // The fourth is refused, so that the first call ends before its end.
        3 => Play::Status(400, "", Vec::new()),
        _ => draw(asked),
    });
    let error = draw_all(dir.path(), &painter(&server, 1)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot draw album-"), "{text}");
    assert!(text.contains("answered with status 400"), "{text}");
    assert_eq!(server.asked().len(), 4);

    let rendered = draw_all(dir.path(), &painter(&server, 4)).unwrap();
    assert_eq!((rendered.drawn, rendered.reused), (4, 3));
    assert_eq!(server.asked().len(), 8);
    assert!(server.most_at_once() > 1 && server.most_at_once() <= 4);
    for album in albums().iter().filter(|c| c.verdict.kept()) {
        for (photo, caption) in album.album.captions.iter().enumerate() {
            let path = dir.path().join(image_path(&album.album.id, photo));
            let picture = image::open(path).unwrap().into_rgb8();
            let [red, _, _] = picture.get_pixel(20, 20).0;
            assert!(
                (i32::from(red) - caption.len() as i32 * 8).abs() < 6,
                "{caption}"
            );
        }
    }
    let asked = server.asked();
    assert!(asked.iter().all(|a| a.body["negative_prompt"] == "text"));
    let drawn = asked.iter().map(|a| a.body["seed"].as_u64().unwrap());
    assert_eq!(drawn.collect::<BTreeSet<_>>().len(), 7, "a seed a picture");

    // The same pictures are asked for with the same seeds, whatever is drawn beside them.
    let again = tempfile::tempdir().unwrap();
    let other = Server::start(|_, asked| draw(asked));
    draw_all(again.path(), &painter(&other, 2)).unwrap();
    let seeds = |asked: Vec<Asked>| -> BTreeSet<(String, u64)> {
        let pair = |a: &Asked| {
            (
                a.body["prompt"].to_string(),
                a.body["seed"].as_u64().unwrap(),
            )
        };
        asked.iter().map(pair).collect()
    };
    assert_eq!(seeds(asked), seeds(other.asked()));
}

fn release(
    dir: &Path,
    config: &Config,
    departed: &[Departure],
    name: &str,
) -> (String, PrivacyStatement) {
    let out = dir.join(name);
    let release = Release {
        config,
        curated: &albums(),
        images: &dir.join("images"),
        models: &[],
        public_training: None,
        statistics: dir,
        ledger: &dir.join("ledger.jsonl"),
        departed,
    };
    export(&release, &out).unwrap();
    assert!(verify(&out).unwrap().intact());
    let read = |file| std::fs::read_to_string(out.join(file)).unwrap();
    let statement = serde_json::from_str(&read("privacy.json")).unwrap();
    (read("README.md"), statement)
}

#[test]
fn a_release_says_what_left_the_machine_and_for_which_host() {
    let dir = tempfile::tempdir().unwrap();
    make_release(dir.path());
    let mut config = config();
    config.caption.model = "endpoint:http://gpu.example.org:8000/v1#big-captioner".into();
    config.summarize.model = "endpoint:https://llm.example.org#big-writer".into();
    config.render.model = "endpoint:http://127.0.0.1:9000/v1#big-painter".into();
    let (card, statement) = release(dir.path(), &config, &[], "inside");
    assert!(statement.left_machine.is_empty());
    assert!(!card.contains("example.org"), "{card}");

    config.endpoint.allow_remote = true;
    let (card, statement) = release(dir.path(), &config, &[], "outside");
    let left: Vec<_> = statement
        .left_machine
        .iter()
        .map(|d| (d.sent, d.host.as_str(), d.encrypted))
        .collect();
    assert_eq!(
        left,
        [
            (Sent::Photos, "gpu.example.org:8000", false),
            (Sent::Captions, "llm.example.org", true),
        ]
    );
    let (_, limits) = card
        .split_once("### What the guarantee does not cover")
        .unwrap();
    for words in [
        "- Private photos, without their metadata, left the publisher's machine for \
         gpu.example.org:8000: whoever runs that server could see and keep them, and so could",
        "- Captions of private photos left the publisher's machine for llm.example.org: whoever runs \
         that server could see and keep them.",
    ] {
        assert!(limits.contains(words), "{limits}");
    }
    for words in [
        "went to big-captioner, behind a server on another machine, gpu.example.org:8000, each in a",
        "big-writer, behind a server on another machine, llm.example.org, wrote one sentence",
        "into a picture by big-painter, behind a server on the same machine. Only synthetic",
    ] {
        assert!(card.contains(words), "{words}: {card}");
    }
    assert!(!card.contains("illustration"), "{card}");
}

#[test]
fn what_left_under_another_configuration_is_stated_beside_what_leaves_now() {
    let dir = tempfile::tempdir().unwrap();
    make_release(dir.path());
    let departure = |stage: &str, sent, model: &str| Departure {
        stage: stage.to_owned(),
        sent,
        host: "gpu.example.org".to_owned(),
        encrypted: true,
        model: Some(model.to_owned()),
    };
    let first = departure("caption", Sent::Photos, "first-captioner");
    let second = departure("caption", Sent::Photos, "second-captioner");
    let summaries = departure("summarize", Sent::Captions, "writer");
    let mut config = config();
    config.endpoint.allow_remote = true;
    config.summarize.model = "endpoint:https://gpu.example.org#writer".into();
    assert_eq!(config.departures(), std::slice::from_ref(&summaries));
    let recorded = [first.clone(), summaries.clone(), second.clone()];
    let (card, statement) = release(dir.path(), &config, &recorded, "same");
    assert_eq!(statement.left_machine, recorded);
    assert_eq!(card.matches("Private photos, without").count(), 1, "{card}");
    let (_, statement) = release(dir.path(), &config, std::slice::from_ref(&first), "more");
    assert_eq!(statement.left_machine, [first, summaries]);
}
