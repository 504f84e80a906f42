//! EfficientNet-Lite0 against PyTorch (scripts/golden/vision_efficientnet.py), and its file format.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use albumen_vision::VisionError;
use albumen_vision::preprocess::center_crop;
use albumen_vision::tagger::Tagger;
use image::RgbImage;
use image::imageops::{self, FilterType};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    pictures: Vec<Picture>,
    bicubic: BTreeMap<u32, Vec<u8>>,
}

#[derive(Deserialize)]
struct Picture {
    name: String,
    logits: Vec<f32>,
    features: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/efficientnet.json")).unwrap()
}

fn thumbnail(name: &str) -> RgbImage {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    image::open(dir.join(format!("efficientnet_{name}.png")))
        .unwrap()
        .to_rgb8()
}

/// Doubled to 256 pixels, so that the tagger crops 224 without interpolation.
fn picture(name: &str) -> RgbImage {
    imageops::resize(&thumbnail(name), 256, 256, FilterType::Nearest)
}

fn checkpoint() -> PathBuf {
    common::asset("efficientnet-lite0").join("efficientnet-lite0-57934424.pth")
}

#[test]
fn logits_and_features_equal_the_reference() {
    let tagger = Tagger::load(&checkpoint()).unwrap();
    for expected in golden().pictures {
        let images = [picture(&expected.name)];
        let logits = tagger.logits(&images).unwrap().remove(0);
        assert_eq!(logits.len(), expected.logits.len());
        let largest = |ours: &[f32], theirs: &[f32]| {
            ours.iter()
                .zip(theirs)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max)
        };
        let difference = largest(&logits, &expected.logits);
        assert!(
            difference < 1e-3,
            "{}: logits differ by {difference}",
            expected.name
        );
        let features = tagger.features(&images).unwrap().remove(0);
        let difference = largest(&features, &expected.features);
        assert!(
            difference < 1e-3,
            "{}: features differ by {difference}",
            expected.name
        );
    }
}

#[test]
fn resizing_equals_pillow_within_rounding() {
    for (side, expected) in golden().bicubic {
        let resized = center_crop(&thumbnail("photo"), 0.875, side).unwrap();
        let ours = (0..side).step_by(7).flat_map(|y| {
            let row: Vec<_> = (0..side)
                .step_by(7)
                .map(|x| resized.get_pixel(x, y).0)
                .collect();
            row.into_iter().flatten()
        });
        let (mut count, mut largest) = (0, 0);
        for (a, b) in ours.zip(&expected) {
            count += 1;
            largest = largest.max(a.abs_diff(*b));
        }
        assert_eq!(count, expected.len());
        assert!(
            largest <= 1,
            "side {side}: a pixel differs by {largest} of 255"
        );
    }
}

#[test]
fn an_image_is_tagged_alike_in_any_batch() {
    let tagger = Tagger::load(&checkpoint()).unwrap();
    let images: Vec<_> = ["photo", "disc", "stripes", "photo"].map(picture).into();
    let together = tagger.tags(&images).unwrap();
    for (image, tags) in images.iter().zip(&together) {
        assert_eq!(&tagger.tags(std::slice::from_ref(image)).unwrap()[0], tags);
    }
    assert_eq!(together[0][0].noun, "a dog");
    assert!(together[0][0].probability > 0.5);
    assert!(tagger.tags(&[]).unwrap().is_empty());
    let empty = tagger.tags(&[RgbImage::new(0, 10)]);
    assert!(matches!(empty, Err(VisionError::Picture { .. })));
}

#[test]
fn damaged_checkpoints_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pth");
    assert!(matches!(
        Tagger::load(&path),
        Err(VisionError::MissingFile { .. })
    ));
    let whole = std::fs::read(checkpoint()).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    let cut = whole[..whole.len() - 1].to_vec();
    for bytes in [cut, changed, b"PK\x03\x04 a zip file".to_vec(), Vec::new()] {
        std::fs::write(&path, bytes).unwrap();
        let error = Tagger::load(&path).err().unwrap();
        assert!(matches!(error, VisionError::OtherFile { .. }), "{error}");
        let words = error.to_string();
        assert!(
            words.contains("model.pth") && words.contains("SHA-256") && words.contains("hint:")
        );
    }
}
