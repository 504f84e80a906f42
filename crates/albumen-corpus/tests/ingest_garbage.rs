//! Garbage of any kind is an error or a photo set aside, never a panic or a wait.

mod ingest_support;

use image::ImageFormat;
use ingest_support::{Input, jpeg_with_exif, picture, png};
use proptest::collection::vec;
use proptest::prelude::*;

/// A panicking decoder would be caught; here it must not come to that.
fn no_decoder_panicked(found: &[(String, String)]) {
    assert!(
        found
            .iter()
            .all(|(_, reason)| reason != "the decoder failed on it")
    );
}

fn samples() -> Vec<Vec<u8>> {
    let exif = jpeg_with_exif(40, 30, 6, Some("2024:02:29 12:00:01"));
    vec![
        exif,
        picture(ImageFormat::Png, 40, 30, 1),
        picture(ImageFormat::WebP, 40, 30, 1),
    ]
}

#[test]
fn photos_cut_short_anywhere() {
    let mut input = Input::new();
    input.put("a/whole.png", png(1));
    let mut cut = 0;
    for (i, sample) in samples().iter().enumerate() {
        for n in (1..sample.len()).step_by(7) {
            input.put(&format!("a/{i}-{n}.jpg"), &sample[..n]);
            cut += 1;
        }
    }
    let found = input.set_aside();
    no_decoder_panicked(&found);
    // A PNG whose pixels are complete may lack its end.
    assert!(found.len() >= cut - 4, "{} of {cut}", found.len());
    assert!(
        found
            .iter()
            .filter(|(p, _)| p.starts_with("0-"))
            .all(|(_, r)| r.contains("cut short") || r.contains("not a JPEG"))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn photos_with_damage(damage in vec((0usize..3, any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut input = Input::new();
        input.put("a/whole.png", png(1));
        let mut samples = samples();
        for (which, at, byte) in damage {
            let sample = &mut samples[which];
            let at = at.index(sample.len());
            sample[at] = byte;
        }
        for (i, sample) in samples.iter().enumerate() {
            input.put(&format!("a/{i}.jpg"), sample);
        }
        no_decoder_panicked(&input.set_aside());
    }

    #[test]
    fn photos_of_noise(noise in vec(any::<u8>(), 1..300), magic in 0usize..4) {
        let mut input = Input::new();
        input.put("a/whole.png", png(1));
        let magic: &[u8] = [&b""[..], b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\x01\0\0WEBPVP8X"][magic];
        input.put("a/1.jpg", [magic, &noise].concat());
        no_decoder_panicked(&input.set_aside());
    }

    #[test]
    fn texts_of_noise(noise in vec(any::<u8>(), 0..200), json in "[\\[\\]{}\",:a-z_0-9 \\\\\n]{0,200}") {
        for text in [&noise[..], json.as_bytes()] {
            let mut input = Input::new();
            input.put("a/1.png", png(1));
            input.put("a/album.toml", text);
            let _ = input.read();
            input.put("metadata.jsonl", text);
            let _ = input.read();
            input.text(text);
            prop_assert!(input.read().is_err());
        }
    }

    #[test]
    fn file_names_of_metadata_never_lead_out(name in "[./a]{1,12}") {
        let mut input = Input::new();
        std::fs::write(input.beside("a"), png(9)).unwrap();
        input.put("whole.png", png(1));
        let row = serde_json::json!({"file_name": name, "album_id": "x"});
        input.put("metadata.jsonl", format!("{{\"file_name\": \"whole.png\"}}\n{row}"));
        input.config.max_bad_photos = 1;
        if let Ok(found) = input.read() {
            prop_assert_eq!(found.albums.len(), 1);
        }
    }
}
