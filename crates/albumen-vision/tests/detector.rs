//! NanoDet against TensorFlow.js (scripts/golden/vision_nanodet.py).
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::path::PathBuf;

use albumen_vision::{Detector, VisionError};
use image::RgbImage;
use image::imageops::{self, FilterType};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    threshold: f32,
    pictures: Vec<Picture>,
}

#[derive(Deserialize)]
struct Picture {
    name: String,
    boxes: Vec<GoldenBox>,
}

#[derive(Deserialize)]
struct GoldenBox {
    class: usize,
    score: f32,
    bounds: [f32; 4],
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/nanodet.json")).unwrap()
}

/// Doubled to 416 pixels, so that nothing is interpolated.
fn picture(name: &str) -> RgbImage {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let small = image::open(dir.join(format!("nanodet_{name}.png")))
        .unwrap()
        .to_rgb8();
    imageops::resize(&small, 416, 416, FilterType::Nearest)
}

#[test]
fn boxes_equal_the_reference() {
    let golden = golden();
    let detector = Detector::load(&common::asset("nanodet")).unwrap();
    for expected in golden.pictures {
        let images = [picture(&expected.name)];
        let found = detector
            .detect(&images, golden.threshold)
            .unwrap()
            .remove(0);
        assert_eq!(found.len(), expected.boxes.len(), "{}", expected.name);
        for (ours, theirs) in found.iter().zip(&expected.boxes) {
            assert_eq!(ours.class, theirs.class, "{}", expected.name);
            assert!(
                (ours.score - theirs.score).abs() < 1e-3,
                "{}",
                expected.name
            );
            for (a, b) in ours.bounds.iter().zip(&theirs.bounds) {
                assert!(
                    (a * 416.0 - b).abs() < 0.05,
                    "{}: {a} and {b}",
                    expected.name
                );
            }
        }
    }
}

#[test]
fn a_photo_of_any_shape_is_searched_alike_in_any_batch() {
    let detector = Detector::load(&common::asset("nanodet")).unwrap();
    let horses = picture("horses");
    let wide = imageops::crop_imm(&horses, 0, 120, 416, 260).to_image();
    let tall = imageops::crop_imm(&horses, 60, 0, 100, 416).to_image();
    let images = [horses, wide, tall, RgbImage::new(1, 1)];
    let together = detector.detect(&images, 0.3).unwrap();
    for (image, found) in images.iter().zip(&together) {
        let alone = detector.detect(std::slice::from_ref(image), 0.3).unwrap();
        assert_eq!(&alone[0], found);
        for d in found {
            let [left, top, right, bottom] = d.bounds;
            assert!(0.0 <= left && left <= right && right <= 1.0);
            assert!(0.0 <= top && top <= bottom && bottom <= 1.0);
        }
    }
    assert_eq!(together[1][0].noun(), "horse");
    let empty = detector.detect(&[RgbImage::new(0, 10)], 0.3);
    assert!(matches!(empty, Err(VisionError::Picture { .. })));
}

#[test]
fn damaged_weights_are_refused() {
    let asset = common::asset("nanodet");
    let dir = tempfile::tempdir().unwrap();
    let refusal = || match Detector::load(dir.path()) {
        Ok(_) => panic!("loaded a damaged model"),
        Err(error) => error,
    };
    assert!(matches!(refusal(), VisionError::MissingFile { .. }));
    std::fs::write(dir.path().join("nanodet.json"), "{}").unwrap();
    assert!(matches!(refusal(), VisionError::Format { .. }));

    let manifest = std::fs::read_to_string(asset.join("nanodet.json")).unwrap();
    std::fs::write(dir.path().join("nanodet.json"), &manifest).unwrap();
    let whole = std::fs::read(asset.join("nanodet.bin")).unwrap();
    std::fs::write(dir.path().join("nanodet.bin"), &whole[..whole.len() - 2]).unwrap();
    assert!(refusal().to_string().contains("is cut off"));
    std::fs::write(
        dir.path().join("nanodet.bin"),
        [&whole[..], &[0, 0]].concat(),
    )
    .unwrap();
    assert!(refusal().to_string().contains("after the last weight"));

    std::fs::write(dir.path().join("nanodet.bin"), &whole).unwrap();
    let renamed = manifest.replace("PartitionedCall/split_7\"", "PartitionedCall/other_7\"");
    std::fs::write(dir.path().join("nanodet.json"), renamed).unwrap();
    assert!(matches!(refusal(), VisionError::Checkpoint { .. }));
}
