//! Image processors at their real sizes against transformers (scripts/golden/captioner_pixels.py).
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::fmt::Write as _;

use albumen_captioner::{CaptionerError, ImageProcessor};
use common::{golden, photo};
use image::RgbImage;
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Case {
    photo: String,
    processor: String,
    config: serde_json::Value,
    shape: Vec<usize>,
    size: [u32; 2],
    sha256: String,
    values: Vec<f32>,
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[test]
fn every_byte_and_value_equals_the_reference() {
    let text = std::fs::read_to_string(golden("pixels.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 18);
    for case in cases {
        let name = format!("{} {}", case.photo, case.processor);
        let processor = ImageProcessor::from_json(&case.config.to_string()).unwrap();
        let photo = photo(&case.photo);
        let resized = processor.resized(&photo, None).unwrap();
        assert_eq!([resized.height(), resized.width()], case.size, "{name}");
        assert_eq!(
            hex(resized.as_raw()),
            case.sha256,
            "{name}: some byte differs"
        );
        let pixels = processor.prepare(&photo, None).unwrap();
        assert_eq!(pixels.values.dims(), case.shape, "{name}");
        let ours = pixels
            .values
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        let ours: Vec<f32> = ours.into_iter().step_by(997).collect();
        assert_eq!(ours, case.values, "{name}: some value differs");
    }
}

#[test]
fn a_limit_of_tokens_makes_a_photo_smaller_but_keeps_its_shape() {
    let config = r#"{"image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 16, "merge_size": 2,
                     "size": {"shortest_edge": 1024, "longest_edge": 16777216}}"#;
    let processor = ImageProcessor::from_json(config).unwrap();
    let photo = RgbImage::new(1200, 800);
    let whole = processor.resized(&photo, None).unwrap();
    assert_eq!((whole.width(), whole.height()), (1216, 800));
    let small = processor.resized(&photo, Some(100)).unwrap();
    let tokens = (small.width() / 32) * (small.height() / 32);
    assert!(tokens <= 100 && tokens > 80, "{tokens}");
    assert!(small.width() > small.height());
    // Fewer tokens than the least area has: the limit wins.
    let one = processor.resized(&RgbImage::new(10, 10), Some(1)).unwrap();
    assert_eq!((one.width(), one.height()), (32, 32));
}

#[test]
fn photos_without_pixels_or_shape_are_refused() {
    let config = r#"{"image_processor_type": "CLIPImageProcessor"}"#;
    let processor = ImageProcessor::from_json(config).unwrap();
    for photo in [
        RgbImage::new(0, 10),
        RgbImage::new(1, 201),
        RgbImage::new(10_000, 2),
    ] {
        let error = processor.resized(&photo, None).unwrap_err();
        assert!(matches!(error, CaptionerError::Photo { .. }), "{error}");
    }
    assert!(processor.resized(&RgbImage::new(1, 1), None).is_ok());
}

#[test]
fn processors_that_are_not_supported_are_refused_with_what_is() {
    let refusal = |config: &str| ImageProcessor::from_json(config).unwrap_err().to_string();
    let other = refusal(r#"{"image_processor_type": "PixtralImageProcessor"}"#);
    assert!(
        other.contains("PixtralImageProcessor") && other.contains("SiglipImageProcessor"),
        "{other}"
    );
    let nearest = refusal(r#"{"image_processor_type": "BlipImageProcessor", "resample": 0}"#);
    assert!(nearest.contains("`resample` is 0"), "{nearest}");
    let size = refusal(r#"{"image_processor_type": "BlipImageProcessor", "size": {"height": 3}}"#);
    assert!(size.contains("`size`"), "{size}");
}
