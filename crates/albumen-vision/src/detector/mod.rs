//! People, animals and things with their boxes: NanoDet-g on the 80 classes of COCO.

use std::path::Path;

use candle_core::Tensor;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rayon::prelude::*;

use self::nanodet::{CLASSES, DISTANCES, Level, NanoDetG, RESOLUTION};
use self::nouns::NOUNS;
use crate::arrays::Arrays;
use crate::error::{Result, VisionError};
use crate::preprocess::normalise;

mod nanodet;
mod nouns;
mod weights;

/// Mean and deviation of NanoDet's training, blue first: its network reads BGR.
const MEAN_BGR: [f32; 3] = [103.53, 116.28, 123.675];
const DEVIATION_BGR: [f32; 3] = [57.375, 57.12, 58.395];
/// Two boxes of a class that overlap more than this are one thing.
const SAME_IOU: f32 = 0.6;
/// Boxes of two classes that overlap more than this are two guesses at one thing.
const RIVAL_IOU: f32 = 0.75;

/// Something found in a photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// COCO class, 0 to 79.
    pub class: usize,
    /// 0 to 1.
    pub score: f32,
    /// Left, top, right, bottom as shares of the photo's width and height, 0 to 1.
    pub bounds: [f32; 4],
}

impl Detection {
    /// The plain noun, without an article: "dog".
    pub fn noun(&self) -> &'static str {
        NOUNS.get(self.class).copied().unwrap_or("thing")
    }

    /// The share of the photo that the box covers, 0 to 1.
    pub fn area(&self) -> f32 {
        let [left, top, right, bottom] = self.bounds;
        (right - left).max(0.0) * (bottom - top).max(0.0)
    }

    /// Intersection over union of two boxes, 0 to 1.
    pub(crate) fn overlap(&self, other: &Self) -> f32 {
        overlap(&self.bounds, &other.bounds)
    }
}

pub(crate) fn is_person(detection: &Detection) -> bool {
    detection.class == 0
}

/// Bicycle to boat.
pub(crate) fn is_vehicle(detection: &Detection) -> bool {
    (1..=8).contains(&detection.class)
}

/// Bird to giraffe.
pub(crate) fn is_animal(detection: &Detection) -> bool {
    (14..=23).contains(&detection.class)
}

/// The detector.
pub struct Detector {
    network: NanoDetG,
}

impl Detector {
    /// Loads `nanodet.json` and `nanodet.bin` from `dir`.
    ///
    /// # Errors
    /// A file that is missing, damaged or of another architecture.
    pub fn load(dir: &Path) -> Result<Self> {
        Ok(Self {
            network: NanoDetG::load(&mut Arrays::of_nanodet(dir)?)?,
        })
    }

    /// What each image holds with a score of at least `threshold`, highest score first. Every image
    /// is looked at alone.
    ///
    /// # Errors
    /// Where an image has no pixels or the computation fails.
    pub fn detect(&self, images: &[RgbImage], threshold: f32) -> Result<Vec<Vec<Detection>>> {
        images
            .par_iter()
            .map(|image| {
                let (framed, frame) = letterbox(image)?;
                let levels = self.network.forward(&input(&framed)?)?;
                let mut found = suppress(decode(&levels, threshold));
                for detection in &mut found {
                    detection.bounds = frame.to_photo(detection.bounds);
                }
                Ok(found)
            })
            .collect()
    }
}

/// Where the photo lies in the square input, in pixels of the input.
struct Frame {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

impl Frame {
    fn to_photo(&self, [left, top, right, bottom]: [f32; 4]) -> [f32; 4] {
        let x = |v: f32| ((v - self.left) / self.width).clamp(0.0, 1.0);
        let y = |v: f32| ((v - self.top) / self.height).clamp(0.0, 1.0);
        [x(left), y(top), x(right), y(bottom)]
    }
}

/// The photo shrunk or enlarged to fit the square input, on black.
fn letterbox(image: &RgbImage) -> Result<(RgbImage, Frame)> {
    let (w, h) = image.dimensions();
    if w == 0 || h == 0 {
        return Err(VisionError::Picture {
            reason: format!("it is {w} x {h} pixels"),
        });
    }
    let side = RESOLUTION as u32;
    let scale = side as f32 / w.max(h) as f32;
    let fit = |n: u32| ((n as f32 * scale).round() as u32).clamp(1, side);
    let (fw, fh) = (fit(w), fit(h));
    let (left, top) = ((side - fw) / 2, (side - fh) / 2);
    let mut framed = RgbImage::from_pixel(side, side, Rgb([0; 3]));
    let resized = if (fw, fh) == (w, h) {
        image.clone()
    } else {
        imageops::resize(image, fw, fh, FilterType::Triangle)
    };
    imageops::replace(&mut framed, &resized, left.into(), top.into());
    let frame = Frame {
        left: left as f32,
        top: top as f32,
        width: fw as f32,
        height: fh as f32,
    };
    Ok((framed, frame))
}

/// (3, 416, 416), blue first.
fn input(framed: &RgbImage) -> Result<Tensor> {
    let [b, g, r] = MEAN_BGR;
    let [sb, sg, sr] = DEVIATION_BGR;
    let rgb = normalise(framed, [r, g, b], [sr, sg, sb])?;
    Ok(Tensor::cat(
        &[
            &rgb.narrow(0, 2, 1)?,
            &rgb.narrow(0, 1, 1)?,
            &rgb.narrow(0, 0, 1)?,
        ],
        0,
    )?)
}

/// Boxes in pixels of the input. The distance from a cell's centre to a side is the mean of the
/// predicted distribution over 0, 1, .. 10 strides (Generalized Focal Loss, equation 6).
fn decode(levels: &[Level], threshold: f32) -> Vec<Detection> {
    let mut found = Vec::new();
    for level in levels {
        let stride = level.stride as f32;
        let columns = RESOLUTION / level.stride;
        for class in 0..CLASSES {
            for (cell, &score) in level.scores[class].iter().enumerate() {
                if score < threshold {
                    continue;
                }
                let x = ((cell % columns) as f32 + 0.5) * stride;
                let y = ((cell / columns) as f32 + 0.5) * stride;
                let [left, top, right, bottom] =
                    [0, 1, 2, 3].map(|side| stride * mean_distance(level, side, cell));
                let limit = |v: f32| v.clamp(0.0, RESOLUTION as f32);
                let bounds = [
                    limit(x - left),
                    limit(y - top),
                    limit(x + right),
                    limit(y + bottom),
                ];
                found.push(Detection {
                    class,
                    score,
                    bounds,
                });
            }
        }
    }
    found
}

fn mean_distance(level: &Level, side: usize, cell: usize) -> f32 {
    let logits = (0..DISTANCES).map(|i| level.distances[side * DISTANCES + i][cell]);
    let highest = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for (i, logit) in logits.enumerate() {
        let p = (logit - highest).exp();
        sum += p;
        weighted += i as f32 * p;
    }
    weighted / sum
}

/// Greedy non-maximum suppression, within a class and, for near-equal boxes, across classes.
fn suppress(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
    let mut kept: Vec<Detection> = Vec::new();
    for detection in found {
        let repeats = |other: &Detection| {
            let iou = overlap(&other.bounds, &detection.bounds);
            iou > RIVAL_IOU || (other.class == detection.class && iou > SAME_IOU)
        };
        if !kept.iter().any(repeats) {
            kept.push(detection);
        }
    }
    kept
}

/// Intersection over union.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let area = |[l, t, r, b]: &[f32; 4]| (r - l).max(0.0) * (b - t).max(0.0);
    let both = area(&[
        a[0].max(b[0]),
        a[1].max(b[1]),
        a[2].min(b[2]),
        a[3].min(b[3]),
    ]);
    let union = area(a) + area(b) - both;
    if union > 0.0 { both / union } else { 0.0 }
}
