//! Simple facts of a picture, from its pixels alone: light, colours, format, background.

use image::RgbImage;
use image::imageops;

use crate::error::{Result, VisionError};

/// Facts are read from a thumbnail of this side, which also averages noise away.
const THUMBNAIL: u32 = 32;

/// The light, judged by brightness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// Almost everything is dark, or the top of the picture is: a black sky.
    Night,
    /// Dim, with some light left.
    Dusk,
    /// Ordinary daylight.
    Daylight,
    /// Most of the picture is bright.
    Bright,
}

/// The format of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Orientation {
    /// Wider than high.
    Landscape,
    /// Higher than wide.
    Portrait,
    /// Neither, within a tenth.
    Square,
}

/// What the pixels say.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Mean luma, 0 to 1.
    pub brightness: f32,
    /// The light.
    pub light: Light,
    /// One or two colour words, the commonest first.
    pub colours: Vec<&'static str>,
    /// The format of the frame.
    pub orientation: Orientation,
    /// The colour word of the background where it is plain (a studio shot, a cut-out).
    pub plain_background: Option<&'static str>,
    /// A number made from the pixels, for choices that should vary between pictures and never
    /// between runs.
    pub(crate) variety: u32,
}

impl Facts {
    /// The facts of a picture.
    ///
    /// # Errors
    /// Where it has no pixels.
    pub fn of(image: &RgbImage) -> Result<Self> {
        let (w, h) = image.dimensions();
        if w == 0 || h == 0 {
            return Err(VisionError::Picture {
                reason: format!("it is {w} x {h} pixels"),
            });
        }
        let small = imageops::thumbnail(image, THUMBNAIL, THUMBNAIL);
        let mut lumas: Vec<f32> = small.pixels().map(|p| luma(p.0)).collect();
        let brightness = lumas.iter().sum::<f32>() / lumas.len() as f32;
        let top = &lumas[..(THUMBNAIL * THUMBNAIL / 5) as usize];
        let sky = top.iter().sum::<f32>() / top.len() as f32;
        lumas.sort_by(f32::total_cmp);
        let quantile = |q: usize| lumas[(lumas.len() - 1) * q / 100];
        let light = match (quantile(50), quantile(90)) {
            _ if sky < 0.13 => Light::Night,
            (median, high) if median < 0.16 && high < 0.5 => Light::Night,
            (median, high) if median < 0.28 && high < 0.62 => Light::Dusk,
            (median, _) if median > 0.62 => Light::Bright,
            _ => Light::Daylight,
        };
        let ratio = w as f32 / h as f32;
        let orientation = if ratio > 1.1 {
            Orientation::Landscape
        } else if ratio < 1.0 / 1.1 {
            Orientation::Portrait
        } else {
            Orientation::Square
        };
        Ok(Self {
            brightness,
            light,
            colours: dominant_colours(&small),
            orientation,
            plain_background: plain_background(&small),
            variety: fnv1a(&small),
        })
    }
}

/// The one or two commonest colour words of a picture, the commonest first. Every pixel counts,
/// so give a thumbnail.
pub fn dominant_colours(image: &RgbImage) -> Vec<&'static str> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for pixel in image.pixels() {
        let name = colour_word(pixel.0);
        match counts.iter_mut().find(|(n, _)| *n == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    // Grey is everywhere and says little: it counts half.
    for (_, count) in counts.iter_mut().filter(|(name, _)| *name == "grey") {
        *count /= 2;
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let total = (image.width() * image.height()) as usize;
    let common = |&(i, &(_, count)): &(usize, &(&str, usize))| i == 0 || count * 6 > total;
    counts
        .iter()
        .enumerate()
        .take(2)
        .filter(common)
        .map(|(_, &(name, _))| name)
        .collect()
}

/// Rec. 601 luma, 0 to 1.
fn luma([r, g, b]: [u8; 3]) -> f32 {
    (0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)) / 255.0
}

/// The everyday word for a colour, by hue, saturation and value.
fn colour_word([r, g, b]: [u8; 3]) -> &'static str {
    let (r, g, b) = (
        f32::from(r) / 255.0,
        f32::from(g) / 255.0,
        f32::from(b) / 255.0,
    );
    let value = r.max(g).max(b);
    let chroma = value - r.min(g).min(b);
    let saturation = if value > 0.0 { chroma / value } else { 0.0 };
    if value < 0.12 || (value < 0.22 && saturation < 0.35) {
        return "black";
    }
    if saturation < 0.14 || chroma < 0.07 {
        return if value > 0.86 { "white" } else { "grey" };
    }
    let hue = 60.0
        * if value == r {
            ((g - b) / chroma).rem_euclid(6.0)
        } else if value == g {
            (b - r) / chroma + 2.0
        } else {
            (r - g) / chroma + 4.0
        };
    match hue {
        _ if (15.0..55.0).contains(&hue) && saturation < 0.4 && value > 0.6 => "beige",
        _ if hue < 50.0 && value < 0.65 => "brown",
        _ if !(15.0..345.0).contains(&hue) => {
            if saturation < 0.5 && value > 0.7 {
                "pink"
            } else {
                "red"
            }
        }
        _ if hue < 42.0 => "orange",
        _ if hue < 66.0 && value > 0.7 => "yellow",
        _ if hue < 54.0 => "brown",
        _ if hue < 165.0 => "green",
        _ if hue < 190.0 => "turquoise",
        _ if hue < 258.0 => "blue",
        _ if hue < 300.0 => "purple",
        _ => "pink",
    }
}

/// The colour word of the outermost ring of pixels where they are nearly all alike.
fn plain_background(small: &RgbImage) -> Option<&'static str> {
    let (w, h) = small.dimensions();
    let ring: Vec<[u8; 3]> = small
        .enumerate_pixels()
        .filter(|&(x, y, _)| x == 0 || y == 0 || x + 1 == w || y + 1 == h)
        .map(|(_, _, p)| p.0)
        .collect();
    let median = [0, 1, 2].map(|c| {
        let mut channel: Vec<u8> = ring.iter().map(|p| p[c]).collect();
        channel.sort_unstable();
        channel[channel.len() / 2]
    });
    let alike = |p: &&[u8; 3]| p.iter().zip(&median).all(|(a, b)| a.abs_diff(*b) < 14);
    let plain = ring.iter().filter(alike).count() * 10 >= ring.len() * 9;
    plain.then(|| colour_word(median))
}

/// FNV-1a over the thumbnail's pixels.
fn fnv1a(small: &RgbImage) -> u32 {
    small.as_raw().iter().fold(0x811c_9dc5, |h, &b| {
        (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn filled(colour: [u8; 3]) -> RgbImage {
        RgbImage::from_pixel(64, 48, Rgb(colour))
    }

    #[test]
    fn colours_have_their_everyday_words() {
        for (rgb, word) in [
            ([255, 255, 255], "white"),
            ([10, 10, 12], "black"),
            ([128, 128, 128], "grey"),
            ([220, 30, 30], "red"),
            ([240, 130, 20], "orange"),
            ([250, 230, 40], "yellow"),
            ([40, 140, 50], "green"),
            ([60, 200, 190], "turquoise"),
            ([40, 80, 200], "blue"),
            ([120, 60, 190], "purple"),
            ([250, 170, 190], "pink"),
            ([110, 70, 30], "brown"),
            ([220, 200, 160], "beige"),
        ] {
            assert_eq!(colour_word(rgb), word, "{rgb:?}");
        }
    }

    #[test]
    fn light_follows_brightness() {
        let light = |v| Facts::of(&filled([v, v, v])).unwrap().light;
        assert_eq!(light(15), Light::Night);
        assert_eq!(light(60), Light::Dusk);
        assert_eq!(light(120), Light::Daylight);
        assert_eq!(light(220), Light::Bright);
        let facts = Facts::of(&filled([255, 255, 255])).unwrap();
        assert!((facts.brightness - 1.0).abs() < 1e-6);
        assert_eq!(facts.plain_background, Some("white"));
        assert_eq!(facts.orientation, Orientation::Landscape);
    }

    #[test]
    fn two_colours_are_named_by_their_share() {
        let mut image = filled([40, 80, 200]);
        for (_, y, p) in image.enumerate_pixels_mut() {
            if y >= 32 {
                *p = Rgb([40, 140, 50]);
            }
        }
        let facts = Facts::of(&image).unwrap();
        assert_eq!(facts.colours, ["blue", "green"]);
        assert_eq!(facts.plain_background, None);
        assert!(Facts::of(&RgbImage::new(0, 0)).is_err());
    }
}
