//! `images/generations`: a text in, one picture out.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::imageops::{FilterType, crop_imm, resize};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use serde_json::{Value, json};

use crate::error::Problem;

/// A server's picture has at most this many pixels.
const MAX_PIXELS: u64 = 64_000_000;

/// A picture to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureRequest<'a> {
    /// What it shows.
    pub prompt: &'a str,
    /// What it must not show; empty for none.
    pub negative_prompt: &'a str,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Seed of the picture's noise; its lowest 31 bits are sent, which every server can hold.
    pub seed: u64,
}

pub(crate) fn body(model: Option<&str>, request: &PictureRequest<'_>, send_seed: bool) -> Value {
    let (width, height) = request.size;
    let mut body = json!({
        "prompt": request.prompt,
        "n": 1,
        "size": format!("{width}x{height}"),
        "response_format": "b64_json",
    });
    if let Some(model) = model {
        body["model"] = json!(model);
    }
    if !request.negative_prompt.is_empty() {
        body["negative_prompt"] = json!(request.negative_prompt);
    }
    if send_seed {
        body["seed"] = json!(request.seed & 0x7fff_ffff);
    }
    body
}

/// The picture of an answer, at the size asked for: where the server has drawn another one, its middle
/// is cut to the wanted shape and scaled.
pub(crate) fn answer(bytes: &[u8], size: (u32, u32)) -> Result<RgbImage, Problem> {
    let answer: Value = serde_json::from_slice(bytes).map_err(|_| Problem::NotJson)?;
    let Value::String(text) = &answer["data"][0]["b64_json"] else {
        return Err(Problem::Missing("data[0].b64_json"));
    };
    let data = match text.split_once(";base64,") {
        Some((head, data)) if head.starts_with("data:") => data,
        _ => text,
    };
    let data: Vec<u8> = data.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let picture = decode(&STANDARD.decode(data).map_err(|_| Problem::Base64)?)?;
    Ok(fitted(picture, size))
}

fn decode(bytes: &[u8]) -> Result<RgbImage, Problem> {
    let broken = |_| Problem::Picture("is broken or cut short");
    let mut reader = ImageReader::new(Cursor::new(bytes));
    let format = image::guess_format(bytes)
        .ok()
        .filter(|f| [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP].contains(f))
        .ok_or(Problem::Picture("is no PNG, JPEG or WebP"))?;
    // The decoder fills what is missing at the end with grey.
    if format == ImageFormat::Jpeg && !ends_as_jpeg(bytes) {
        return Err(Problem::Picture("is broken or cut short"));
    }
    reader.set_format(format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Problem::Picture("has no pixels, or far too many"));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    Ok(picture.into_rgb8())
}

/// Whether the end-of-image marker stands at the end, zeros aside.
fn ends_as_jpeg(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|&b| b != 0).map_or(0, |at| at + 1);
    bytes[..end].ends_with(&[0xff, 0xd9])
}

fn fitted(picture: RgbImage, (width, height): (u32, u32)) -> RgbImage {
    let (w, h) = picture.dimensions();
    if (w, h) == (width, height) {
        return picture;
    }
    // The largest rectangle of the wanted shape: w x (w * height / width), or the other way.
    let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
    let (cut_w, cut_h) = if product(w, height) > product(h, width) {
        ((product(h, width) / u64::from(height)).max(1) as u32, h)
    } else {
        (w, (product(w, height) / u64::from(width)).max(1) as u32)
    };
    let middle = crop_imm(&picture, (w - cut_w) / 2, (h - cut_h) / 2, cut_w, cut_h);
    resize(&middle.to_image(), width, height, FilterType::Lanczos3)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// Left third red, middle green, right third blue.
    fn stripes(format: ImageFormat) -> Vec<u8> {
        let colour = |x| [[200, 0, 0], [0, 200, 0], [0, 0, 200]][x as usize / 32];
        let picture = RgbImage::from_fn(96, 32, |x, _| Rgb(colour(x)));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn read(bytes: &[u8], size: (u32, u32)) -> Result<RgbImage, Problem> {
        let body = json!({"data": [{"b64_json": STANDARD.encode(bytes)}]});
        answer(body.to_string().as_bytes(), size)
    }

    #[test]
    fn the_middle_is_cut_to_the_wanted_shape() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let bytes = stripes(format);
            assert_eq!(read(&bytes, (96, 32)).unwrap().dimensions(), (96, 32));
            let square = read(&bytes, (16, 16)).unwrap();
            assert_eq!(square.dimensions(), (16, 16));
            let [r, g, b] = square.get_pixel(8, 8).0;
            assert!(g > 150 && r < 60 && b < 60, "{format:?}: {r} {g} {b}");
            let tall = read(&bytes, (8, 64)).unwrap();
            assert_eq!(tall.dimensions(), (8, 64));
        }
    }

    #[test]
    fn half_a_picture_is_none() {
        let broken = Err(Problem::Picture("is broken or cut short"));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let bytes = stripes(format);
            for part in [bytes.len() / 2, bytes.len() * 3 / 4] {
                assert_eq!(read(&bytes[..part], (96, 32)), broken, "{format:?} {part}");
            }
        }
        // Cut where only pixels are: the decoder itself would not mind.
        let jpeg = stripes(ImageFormat::Jpeg);
        assert_eq!(read(&jpeg[..jpeg.len() - 12], (96, 32)), broken);
        let html = b"<html>no</html>";
        assert_eq!(
            read(html, (9, 9)),
            Err(Problem::Picture("is no PNG, JPEG or WebP"))
        );
        let cut = br#"{"data": [{"b64_json": "AAAAA"}]}"#;
        assert_eq!(answer(cut, (9, 9)), Err(Problem::Base64));
        let missing = Err(Problem::Missing("data[0].b64_json"));
        let address = br#"{"data": [{"url": "http://127.0.0.1/x.png"}]}"#;
        assert_eq!(answer(address, (9, 9)), missing);
        assert_eq!(answer(b"{\"data\": []}", (9, 9)), missing);
    }

    #[test]
    fn requests_hold_seed_and_negative_prompt_where_wanted() {
        let request = PictureRequest {
            prompt: "a dog",
            negative_prompt: "",
            size: (512, 384),
            seed: u64::MAX,
        };
        assert_eq!(
            body(None, &request, false),
            json!({"prompt": "a dog", "n": 1, "size": "512x384", "response_format": "b64_json"})
        );
        let full = PictureRequest {
            negative_prompt: "text",
            ..request
        };
        let full = body(Some("m"), &full, true);
        assert_eq!(full["negative_prompt"], "text");
        assert_eq!(full["seed"], 0x7fff_ffff_u32);
        assert_eq!(full["model"], "m");
    }
}
