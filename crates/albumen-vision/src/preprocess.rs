//! From a photo to a network's input.

use candle_core::{Device, Tensor};
use image::RgbImage;
use image::imageops::{self, FilterType};

use crate::error::{Result, VisionError};

/// The largest centred square, shrunk by `fraction`, resized to `side` x `side` pixels (bicubic,
/// a = -0.5, with the support widened when shrinking, as Pillow does). This is how ImageNet
/// classifiers are evaluated.
///
/// # Errors
/// Where the picture has no pixels.
pub fn center_crop(image: &RgbImage, fraction: f32, side: u32) -> Result<RgbImage> {
    let (w, h) = image.dimensions();
    if w == 0 || h == 0 {
        return Err(VisionError::Picture {
            reason: format!("it is {w} x {h} pixels"),
        });
    }
    let crop = ((w.min(h) as f32 * fraction) as u32).max(1);
    let (x, y) = ((w - crop).div_ceil(2), (h - crop).div_ceil(2));
    let square = imageops::crop_imm(image, x, y, crop, crop).to_image();
    if crop == side {
        return Ok(square);
    }
    Ok(imageops::resize(
        &square,
        side,
        side,
        FilterType::CatmullRom,
    ))
}

/// Pixels -> a tensor of (3, height, width) with (value - mean) / deviation.
///
/// # Errors
/// Where the tensor library fails.
pub fn normalise(image: &RgbImage, mean: [f32; 3], deviation: [f32; 3]) -> Result<Tensor> {
    let (w, h) = (image.width() as usize, image.height() as usize);
    let mut planes = Vec::with_capacity(3 * h * w);
    for c in 0..3 {
        planes.extend(
            image
                .pixels()
                .map(|p| (f32::from(p.0[c]) - mean[c]) / deviation[c]),
        );
    }
    Ok(Tensor::from_vec(planes, (3, h, w), &Device::Cpu)?)
}
