//! Pillow's resampling of 8-bit images, bit for bit.
//!
//! A filter is widened by the scale when shrinking, its coefficients are normalised in f64, rounded
//! to 22 bits after the point, and summed in integers; rows are resampled first and rounded to 8 bits,
//! then columns (Pillow, src/libImaging/Resample.c). The networks were trained on such pixels, and
//! other libraries' "bicubic" differs from it by several levels.

use image::RgbImage;
use rayon::prelude::*;

/// Fractional bits of a coefficient: products of 8-bit values with room for a sign and overshoot.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Pillow's filters, by their numbers in a processor's `resample`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Lanczos,
    Bilinear,
    Bicubic,
    Box,
    Hamming,
}

impl Filter {
    pub(crate) fn from_pillow(number: usize) -> Option<Self> {
        Some(match number {
            1 => Self::Lanczos,
            2 => Self::Bilinear,
            3 => Self::Bicubic,
            4 => Self::Box,
            5 => Self::Hamming,
            _ => return None,
        })
    }

    /// Half the width in which the filter is not zero, in source pixels at scale 1.
    fn support(self) -> f64 {
        match self {
            Self::Lanczos => 3.0,
            Self::Bicubic => 2.0,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Box => 0.5,
        }
    }

    fn at(self, x: f64) -> f64 {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI)
            }
        };
        let distance = x.abs();
        match self {
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Hamming if distance == 0.0 => 1.0,
            Self::Hamming if distance >= 1.0 => 0.0,
            Self::Hamming => {
                let angle = distance * std::f64::consts::PI;
                angle.sin() / angle * (0.54 + 0.46 * angle.cos())
            }
            // Keys' cubic with a = -0.5.
            Self::Bicubic if distance < 1.0 => ((1.5 * distance - 2.5) * distance) * distance + 1.0,
            Self::Bicubic if distance < 2.0 => {
                (((distance - 5.0) * distance + 8.0) * distance - 4.0) * -0.5
            }
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Bicubic | Self::Lanczos => 0.0,
        }
    }
}

/// The source pixels of one target pixel.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let widening = scale.max(1.0);
    let support = filter.support() * widening;
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            // Truncation towards zero, as C casts.
            let first = ((centre - support + 0.5) as i64).max(0) as usize;
            let end = ((centre + support + 0.5) as i64).clamp(0, from as i64) as usize;
            let raw: Vec<f64> = (first..end)
                .map(|x| filter.at((x as f64 - centre + 0.5) * (1.0 / widening)))
                .collect();
            let sum: f64 = raw.iter().sum();
            let one = f64::from(1_u32 << PRECISION_BITS);
            let fixed = |w: f64| {
                let w = if sum == 0.0 { w } else { w / sum } * one;
                if w < 0.0 {
                    (w - 0.5) as i32
                } else {
                    (w + 0.5) as i32
                }
            };
            Taps {
                first,
                weights: raw.into_iter().map(fixed).collect(),
            }
        })
        .collect()
}

fn rounded(sum: i64) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

const HALF: i64 = 1 << (PRECISION_BITS - 1);

/// The image at `width` x `height` pixels.
pub(crate) fn resize(image: &RgbImage, width: usize, height: usize, filter: Filter) -> RgbImage {
    let (from_width, from_height) = (image.width() as usize, image.height() as usize);
    let mut pixels = image.as_raw().clone();
    if width != from_width {
        let taps = taps(from_width, width, filter);
        let mut narrow = vec![0; from_height * width * 3];
        narrow
            .par_chunks_exact_mut(width * 3)
            .zip(pixels.par_chunks_exact(from_width * 3))
            .for_each(|(to, from)| {
                for (pixel, tap) in to.chunks_exact_mut(3).zip(&taps) {
                    let mut sums = [HALF; 3];
                    for (weight, source) in tap
                        .weights
                        .iter()
                        .zip(from[tap.first * 3..].chunks_exact(3))
                    {
                        for (sum, value) in sums.iter_mut().zip(source) {
                            *sum += i64::from(*weight) * i64::from(*value);
                        }
                    }
                    pixel.copy_from_slice(&sums.map(rounded));
                }
            });
        pixels = narrow;
    }
    if height != from_height {
        let taps = taps(from_height, height, filter);
        let row = width * 3;
        let mut short = vec![0; height * row];
        short
            .par_chunks_exact_mut(row)
            .zip(&taps)
            .for_each(|(to, tap)| {
                let mut sums = vec![HALF; row];
                for (weight, from) in tap
                    .weights
                    .iter()
                    .zip(pixels[tap.first * row..].chunks_exact(row))
                {
                    for (sum, value) in sums.iter_mut().zip(from) {
                        *sum += i64::from(*weight) * i64::from(*value);
                    }
                }
                for (value, sum) in to.iter_mut().zip(sums) {
                    *value = rounded(sum);
                }
            });
        pixels = short;
    }
    // The length is right by construction: an empty image stands for what cannot happen.
    RgbImage::from_raw(width as u32, height as u32, pixels).unwrap_or_default()
}
