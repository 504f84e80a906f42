//! What a server is shown before it sees anything private.

use image::{Rgb, RgbImage};

/// How far the grain moves a colour, in steps of 255: about as many bytes of JPEG as a photo full of
/// detail, so that a server's limit on requests is met here.
const GRAIN: f32 = 14.0;

/// A picture that shows nobody's photo: sky, a low sun, sea and sand. It is `side` pixels square, the
/// most that a photo is sent with.
pub fn public_picture(side: u32) -> RgbImage {
    let scale = 1.0 / side.max(1) as f32;
    RgbImage::from_fn(side, side, |x, y| {
        let grain = GRAIN * grain(x, y);
        let colour = scene(x as f32 * scale, y as f32 * scale);
        Rgb(colour.map(|value| (value + grain).clamp(0.0, 255.0) as u8))
    })
}

/// Red, green and blue at a place, both coordinates from 0 to 1.
fn scene(x: f32, y: f32) -> [f32; 3] {
    if (x - 0.7).hypot(y - 0.3) < 0.08 {
        return [255.0, 225.0, 120.0];
    }
    match y {
        y if y < 0.5 => [90.0 + 200.0 * y, 150.0 + 100.0 * y, 235.0],
        y if y < 0.7 => [40.0, 110.0, 150.0],
        _ => [215.0, 190.0, 140.0],
    }
}

/// Between -1 and 1, without a pattern.
fn grain(x: u32, y: u32) -> f32 {
    let mut bits = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2c1b_3c6d);
    bits ^= bits >> 12;
    (bits & 0xffff) as f32 / 32_767.5 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_url;

    #[test]
    fn it_is_as_large_as_a_detailed_photo() {
        let side = 512;
        let picture = public_picture(side);
        assert_eq!(picture.dimensions(), (side, side));
        let bits = data_url(&picture, side).unwrap().len() * 6;
        let per_pixel = bits as f64 / f64::from(side * side);
        assert!((2.5..5.0).contains(&per_pixel), "{per_pixel}");
    }
}
