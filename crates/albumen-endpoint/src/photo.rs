//! Photos as they are sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};

use crate::{EndpointError, Result};

/// JPEG quality, 1 to 100.
const QUALITY: u8 = 90;

/// A photo as a `data:` address: JPEG made anew from the pixels, so without any metadata, its longest
/// side at most `side` pixels.
///
/// # Errors
/// [`EndpointError::Photo`] for a picture without pixels.
pub fn data_url(photo: &RgbImage, side: u32) -> Result<String> {
    let (width, height) = photo.dimensions();
    let longest = width.max(height);
    let smaller = (longest > side).then(|| {
        let scaled = |length: u32| {
            let scaled = u64::from(length) * u64::from(side) / u64::from(longest);
            (scaled as u32).max(1)
        };
        resize(photo, scaled(width), scaled(height), FilterType::Triangle)
    });
    let mut jpeg = Vec::new();
    smaller
        .as_ref()
        .unwrap_or(photo)
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
        .map_err(|e| EndpointError::Photo(e.to_string()))?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(&jpeg)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(width: u32, height: u32, side: u32) -> RgbImage {
        let photo = RgbImage::from_fn(width, height, |x, _| image::Rgb([(x % 256) as u8, 0, 9]));
        let url = data_url(&photo, side).unwrap();
        let data = url.strip_prefix("data:image/jpeg;base64,").unwrap();
        let bytes = STANDARD.decode(data).unwrap();
        assert!(!bytes.windows(4).any(|w| w == b"Exif"));
        image::load_from_memory(&bytes).unwrap().into_rgb8()
    }

    #[test]
    fn photos_shrink_to_the_side_and_never_grow() {
        assert_eq!(sent(400, 200, 100).dimensions(), (100, 50));
        assert_eq!(sent(200, 400, 100).dimensions(), (50, 100));
        assert_eq!(sent(1000, 1, 100).dimensions(), (100, 1));
        assert_eq!(sent(30, 20, 100).dimensions(), (30, 20));
    }
}
