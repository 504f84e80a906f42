//! A vision-language model that one photo breaks does not end the run.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::fs;
use std::path::Path;

use albumen_captioner::{CaptionSettings, Captioner, CaptionerError, DType, Device};
use albumen_corpus::{FrozenCaptioner, PhotoCaptioner};
use image::RgbImage;

/// The tiny BLIP of the captioner crate, after `damage` to its weights file.
fn blip(damage: impl Fn(&mut [u8])) -> FrozenCaptioner {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../albumen-captioner/tests/golden/blip");
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if path.ends_with("model.safetensors") {
            damage(&mut bytes);
        }
        fs::write(dir.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    FrozenCaptioner {
        captioner: Captioner::load(dir.path(), &Device::Cpu, DType::F32).unwrap(),
        // The tiny model sees 40 tokens.
        settings: CaptionSettings {
            max_tokens: 8,
            ..CaptionSettings::default()
        },
    }
}

#[test]
fn scores_that_are_not_finite_leave_a_photo_without_a_caption() {
    let photos = [RgbImage::new(24, 16), RgbImage::new(16, 24)];
    let sound = blip(|_| ());
    sound.captioner.rehearse(&sound.settings).unwrap();
    // Bytes of ones are no numbers; the last tensors are the vision tower's.
    let broken = blip(|bytes| {
        let last = bytes.len() - 4096;
        bytes[last..].fill(0xff);
    });
    let refused = broken.captioner.rehearse(&broken.settings).unwrap_err();
    assert!(matches!(refused, CaptionerError::NotFinite), "{refused}");
    assert_eq!(broken.caption(&photos).unwrap(), ["", ""]);
}

#[test]
fn a_prompt_without_room_leaves_a_photo_without_a_caption() {
    let mut captioner = blip(|_| ());
    captioner.settings.max_tokens = 100_000;
    let refused = captioner.captioner.rehearse(&captioner.settings);
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, CaptionerError::Settings { .. }),
        "{refused}"
    );
    let captions = captioner.caption(&[RgbImage::new(24, 16)]).unwrap();
    assert_eq!(captions, [""]);
}
