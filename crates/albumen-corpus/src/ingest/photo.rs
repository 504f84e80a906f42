//! Looking at one photo: hash, size, orientation, capture time, and whether it decodes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use exif::{In, Tag, Value};
use image::metadata::Orientation;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage, Rgba,
};

use super::jpeg;

/// No photo of a camera or phone comes near this size.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Photos above this size are decoded one at a time, so that memory does not grow with threads.
const LARGE_PIXELS: u64 = 16_000_000;

/// What is known of a usable photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) sha256: String,
    /// In pixels, upright.
    pub(super) width: u32,
    /// In pixels, upright.
    pub(super) height: u32,
    /// EXIF, 1 to 8.
    pub(super) orientation: u8,
    /// Seconds since the Unix epoch, the camera's clock taken as UTC.
    pub(super) taken_at: Option<i64>,
}

/// Looks at photos, at each content once: a private corpus holds many copies.
pub(super) struct Inspector {
    max_pixels: u64,
    known: Mutex<HashMap<String, Result<Facts, String>>>,
    large: Mutex<()>,
}

impl Inspector {
    pub(super) fn new(max_pixels: u64) -> Self {
        Self {
            max_pixels,
            known: Mutex::default(),
            large: Mutex::default(),
        }
    }

    /// The photo's facts, or why it cannot be used, in words for the private log.
    pub(super) fn inspect(&self, path: &Path) -> Result<Facts, String> {
        let bytes = read(path)?;
        let sha256 = albumen_files::sha256_hex(&bytes);
        if let Some(facts) = lock(&self.known).get(&sha256) {
            return facts.clone();
        }
        // A decoder's bug must cost one photo, not the run.
        let facts = catch_unwind(AssertUnwindSafe(|| self.decode(&bytes, &sha256)))
            .unwrap_or_else(|_| Err("the decoder failed on it".into()));
        lock(&self.known).insert(sha256, facts.clone());
        facts
    }

    fn decode(&self, bytes: &[u8], sha256: &str) -> Result<Facts, String> {
        let decoder = open(bytes, self.max_pixels)?;
        let (width, height) = decoder.dimensions();
        let large = u64::from(width) * u64::from(height) > LARGE_PIXELS;
        let _one_at_a_time = large.then(|| lock(&self.large));
        drop(DynamicImage::from_decoder(decoder).map_err(|e| undecodable(&e))?);
        let (orientation, taken_at) = exif_of(bytes);
        let (width, height) = if orientation >= 5 {
            (height, width)
        } else {
            (width, height)
        };
        Ok(Facts {
            sha256: sha256.to_owned(),
            width,
            height,
            orientation,
            taken_at,
        })
    }
}

/// The pixels of a photo that was ingested, turned upright; transparent ones lie on white.
///
/// # Errors
/// Why it cannot be used, in words.
pub(crate) fn decode(path: &Path, orientation: u8, max_pixels: u64) -> Result<RgbImage, String> {
    let bytes = read(path)?;
    let decoder = open(&bytes, max_pixels)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| undecodable(&e))?;
    image.apply_orientation(
        Orientation::from_exif(orientation).unwrap_or(Orientation::NoTransforms),
    );
    if !image.color().has_alpha() {
        return Ok(image.into_rgb8());
    }
    let rgba = image.into_rgba8();
    let (width, height) = rgba.dimensions();
    Ok(RgbImage::from_fn(width, height, |x, y| {
        let Rgba([r, g, b, a]) = *rgba.get_pixel(x, y);
        let on_white =
            |c: u8| ((u32::from(c) * u32::from(a) + 255 * (255 - u32::from(a))) / 255) as u8;
        Rgb([r, g, b].map(on_white))
    }))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |e: std::io::Error| format!("it cannot be read: {e}");
    let mut bytes = Vec::new();
    let mut file = File::open(path)
        .map_err(unreadable)?
        .take(MAX_FILE_BYTES + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file is larger than {MAX_FILE_BYTES} bytes"));
    }
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    Ok(bytes)
}

/// A decoder that has read the header and no pixels, its limits set.
fn open(bytes: &[u8], max_pixels: u64) -> Result<impl ImageDecoder, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| format!("it cannot be read: {e}"))?;
    let known = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP];
    let Some(format) = reader.format().filter(|f| known.contains(f)) else {
        return Err("it is not a JPEG, PNG or WebP image".into());
    };
    if format == ImageFormat::Jpeg && !jpeg::is_whole(bytes) {
        return Err("the JPEG is cut short".into());
    }
    let mut limits = Limits::default();
    // Eight bytes is the widest pixel of these formats; decoders keep a second copy at most.
    limits.max_alloc = Some(max_pixels.saturating_mul(16).max(1 << 20));
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|e| undecodable(&e))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err("it has no pixels".into());
    }
    if pixels > max_pixels {
        return Err(format!(
            "{width} x {height} pixels are more than `max_pixels` = {max_pixels} allows"
        ));
    }
    Ok(decoder)
}

/// The data behind these locks stay valid if a thread panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn undecodable(e: &ImageError) -> String {
    match e {
        ImageError::Limits(_) => "it needs more memory than `max_pixels` allows".into(),
        e => format!("it cannot be decoded: {e}"),
    }
}

/// Orientation (1 if there is none) and capture time. EXIF that cannot be read counts as none.
fn exif_of(bytes: &[u8]) -> (u8, Option<i64>) {
    let Ok(exif) = exif::Reader::new().read_from_container(&mut Cursor::new(bytes)) else {
        return (1, None);
    };
    let orientation = exif
        .get_field(Tag::Orientation, In::PRIMARY)
        .and_then(|field| field.value.get_uint(0))
        .filter(|o| (1..=8).contains(o));
    let times = [Tag::DateTimeOriginal, Tag::DateTimeDigitized, Tag::DateTime];
    let taken_at = times
        .iter()
        .find_map(|tag| match &exif.get_field(*tag, In::PRIMARY)?.value {
            Value::Ascii(text) => epoch_seconds(&exif::DateTime::from_ascii(text.first()?).ok()?),
            _ => None,
        });
    (orientation.map_or(1, |o| o as u8), taken_at)
}

/// Seconds from 1970-01-01 in the proleptic Gregorian calendar (Hinnant, "chrono-compatible
/// low-level date algorithms", days_from_civil).
fn epoch_seconds(t: &exif::DateTime) -> Option<i64> {
    let valid = t.year > 0 && (1..=12).contains(&t.month) && (1..=31).contains(&t.day);
    if !valid || t.hour > 23 || t.minute > 59 || t.second > 60 {
        return None;
    }
    let (month, day) = (i64::from(t.month), i64::from(t.day));
    let year = i64::from(t.year) - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(days * 86_400 + i64::from(t.hour) * 3600 + i64::from(t.minute) * 60 + i64::from(t.second))
}

#[cfg(test)]
mod tests {
    use image::RgbaImage;

    use super::*;

    /// Red, then half green, then clear, side by side.
    fn stripes(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("stripes.png");
        let pixels = [[255, 0, 0, 255], [0, 255, 0, 128], [9, 9, 9, 0]].concat();
        RgbaImage::from_raw(3, 1, pixels)
            .unwrap()
            .save(&path)
            .unwrap();
        path
    }

    #[test]
    fn clear_pixels_lie_on_white() {
        let dir = tempfile::tempdir().unwrap();
        let image = decode(&stripes(dir.path()), 1, 100).unwrap();
        let row: Vec<[u8; 3]> = image.pixels().map(|p| p.0).collect();
        assert_eq!(row, [[255, 0, 0], [127, 255, 127], [255, 255, 255]]);
    }

    #[test]
    fn pixels_are_turned_upright() {
        let dir = tempfile::tempdir().unwrap();
        let path = stripes(dir.path());
        // 6: the camera was turned so that the image's left edge is the top; 8: the right edge.
        for (orientation, top) in [(6, [255, 0, 0]), (8, [255, 255, 255])] {
            let image = decode(&path, orientation, 100).unwrap();
            assert_eq!(image.dimensions(), (1, 3));
            assert_eq!(image.get_pixel(0, 0).0, top);
        }
    }

    #[test]
    fn a_photo_that_grew_since_ingest_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let problem = decode(&stripes(dir.path()), 1, 2).unwrap_err();
        assert_eq!(
            problem,
            "3 x 1 pixels are more than `max_pixels` = 2 allows"
        );
        assert!(decode(&dir.path().join("gone.png"), 1, 2).is_err());
    }
}
