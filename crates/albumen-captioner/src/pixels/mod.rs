//! From a photo to a network's input, as the checkpoint's own image processor does it.
//!
//! The reference is `transformers`' processors on Pillow. Those on torchvision differ from them by
//! single levels of 255 in some resized pixels.

mod resample;

use std::path::Path;

use candle_core::{Device, Tensor};
use image::RgbImage;
use image::imageops;

use crate::config::Section;
use crate::error::{CaptionerError, Result};
use resample::Filter;

/// The mean and deviation of a colour in CLIP's training data.
const CLIP: ([f32; 3], [f32; 3]) = (
    [0.481_454_66, 0.457_827_5, 0.408_210_73],
    [0.268_629_54, 0.261_302_6, 0.275_777_1],
);

/// Scales -1 to 1.
const HALF: ([f32; 3], [f32; 3]) = ([0.5; 3], [0.5; 3]);

/// A photo is no more than this many times as long as it is wide, where its shape is kept.
const MAX_ASPECT: usize = 200;

/// The size that a photo gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resize {
    /// It keeps its own.
    Keep,
    /// Squeezed to (height, width).
    Exact(usize, usize),
    /// The shorter side gets this many pixels, the shape stays.
    ShortestEdge(usize),
    /// Both sides become multiples of a merged patch's side, their product lies between the two.
    Area(usize, usize),
}

/// Patches in the order of Qwen's vision tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patches {
    side: usize,
    temporal: usize,
    merge: usize,
}

/// A checkpoint's image processor: resize, crop, rescale, normalise, cut into patches.
#[derive(Clone, Debug)]
pub struct ImageProcessor {
    resize: Resize,
    filter: Filter,
    /// (height, width) of the middle that is kept.
    crop: Option<(usize, usize)>,
    factor: Option<f64>,
    normalise: Option<([f32; 3], [f32; 3])>,
    patches: Option<Patches>,
}

/// A photo as a network takes it.
#[derive(Clone, Debug)]
pub struct Pixels {
    /// (3, height, width), or (patches, channels x frames x side x side) where there is a grid.
    pub values: Tensor,
    /// Rows and columns of patches, where the processor cuts the photo into them.
    pub grid: Option<(usize, usize)>,
}

impl ImageProcessor {
    /// Reads `preprocessor_config.json`, or `image_processor` in `processor_config.json`.
    ///
    /// # Errors
    /// Where neither is there, or what it asks for is not supported.
    pub fn load(dir: &Path) -> Result<Self> {
        let combined = dir.join("processor_config.json");
        let file = dir.join("preprocessor_config.json");
        if !file.is_file() && combined.is_file() {
            let section = Section::read(&combined, "the processor's configuration", "")?;
            if section.get("image_processor").is_some() {
                return Self::from_section(&section.section("image_processor")?);
            }
        }
        Self::from_section(&Section::read(
            &file,
            "the image processor's configuration",
            "download preprocessor_config.json with the rest of the repository",
        )?)
    }

    /// Reads a processor's configuration from its JSON.
    ///
    /// # Errors
    /// Where it is not JSON, or what it asks for is not supported.
    pub fn from_json(json: &str) -> Result<Self> {
        let path = Path::new("preprocessor_config.json");
        let value = serde_json::from_str(json).map_err(|e| CaptionerError::Format {
            path: path.to_owned(),
            reason: format!("it is not JSON: {e}"),
        })?;
        Self::from_section(&Section::new(path, value))
    }

    fn from_section(config: &Section) -> Result<Self> {
        let key = ["image_processor_type", "feature_extractor_type"]
            .into_iter()
            .find(|key| config.get(key).is_some())
            .unwrap_or("image_processor_type");
        let name = config.string(key, "none")?;
        let kind = name.trim_end_matches("Fast").trim_end_matches("Pil");
        let (default, (mean, deviation)) = match kind {
            "BlipImageProcessor" => (Resize::Exact(384, 384), CLIP),
            "CLIPImageProcessor" | "CLIPFeatureExtractor" => (Resize::ShortestEdge(224), CLIP),
            "SiglipImageProcessor" => (Resize::Exact(224, 224), HALF),
            "Qwen2VLImageProcessor" => (Resize::Area(56 * 56, 28 * 28 * 1280), CLIP),
            _ => {
                return Err(config.error(
                    key,
                    format!(
                        "is {name:?}; supported: BlipImageProcessor, CLIPImageProcessor, \
                         SiglipImageProcessor, Qwen2VLImageProcessor"
                    ),
                ));
            }
        };
        let resize = if config.bool("do_resize", true)? {
            read_resize(config, default)?
        } else {
            Resize::Keep
        };
        let number = config.optional_usize("resample")?.unwrap_or(3);
        let filter = Filter::from_pillow(number).ok_or_else(|| {
            config.error(
                "resample",
                format!("is {number}; supported are Pillow's filters 1 to 5"),
            )
        })?;
        let crops = config.bool("do_center_crop", kind.starts_with("CLIP"))?;
        let patches = matches!(default, Resize::Area(..))
            .then(|| {
                Ok::<_, CaptionerError>(Patches {
                    side: config.size("patch_size", 14)?,
                    temporal: config.size("temporal_patch_size", 2)?,
                    merge: config.size("merge_size", 2)?,
                })
            })
            .transpose()?;
        if patches.is_some() && !matches!(resize, Resize::Area(..)) {
            return Err(config.error("do_resize", "must be true: photos must fit the patches"));
        }
        Ok(Self {
            resize,
            filter,
            crop: crops.then(|| read_crop(config)).transpose()?,
            factor: (config.bool("do_rescale", true)?)
                .then(|| config.f64("rescale_factor", 1.0 / 255.0))
                .transpose()?,
            normalise: (config.bool("do_normalize", true)?)
                .then(|| {
                    let means = config.colours("image_mean", mean)?;
                    Ok::<_, CaptionerError>((means, config.colours("image_std", deviation)?))
                })
                .transpose()?,
            patches,
        })
    }

    /// The (height, width) of every output, where photos of all shapes give the same.
    pub(crate) fn fixed_size(&self) -> Option<(usize, usize)> {
        match self.resize {
            Resize::Exact(height, width) => Some(self.crop.unwrap_or((height, width))),
            _ => self.crop,
        }
    }

    /// Side of a patch, frames of one, and patches merged along a side, of Qwen's processors.
    pub(crate) fn patching(&self) -> Option<(usize, usize, usize)> {
        self.patches.map(|p| (p.side, p.temporal, p.merge))
    }

    /// The most merged patches of a photo, where the processor keeps shapes.
    pub(crate) fn max_merged_patches(&self) -> Option<usize> {
        match (self.resize, self.patches) {
            (Resize::Area(_, most), Some(p)) => Some(most / (p.side * p.merge).pow(2)),
            _ => None,
        }
    }

    /// The photo after resizing and cropping, 8 bits a colour. `max_merged_patches` lowers the area
    /// of processors that keep shapes.
    ///
    /// # Errors
    /// Where the photo has no pixels, or is longer than 200 times its width.
    pub fn resized(&self, photo: &RgbImage, max_merged_patches: Option<usize>) -> Result<RgbImage> {
        let (width, height) = (photo.width() as usize, photo.height() as usize);
        if width == 0 || height == 0 {
            return Err(CaptionerError::Photo {
                reason: format!("it is {width} x {height} pixels"),
            });
        }
        let keeps_shape = matches!(self.resize, Resize::ShortestEdge(_) | Resize::Area(..));
        if keeps_shape && width.max(height) > MAX_ASPECT * width.min(height) {
            return Err(CaptionerError::Photo {
                reason: format!(
                    "it is {width} x {height} pixels, longer than {MAX_ASPECT} times its other side; crop it"
                ),
            });
        }
        let (to_height, to_width) = match (self.resize, self.patches) {
            (Resize::Exact(height, width), _) => (height, width),
            (Resize::ShortestEdge(edge), _) => shortest_edge(height, width, edge),
            (Resize::Area(least, most), Some(p)) => {
                let side = p.side * p.merge;
                let most = max_merged_patches.map_or(most, |n| most.min(n.max(1) * side * side));
                fit_area(height, width, side, least.min(most), most)
            }
            _ => (height, width),
        };
        let resized = resample::resize(photo, to_width, to_height, self.filter);
        Ok(match self.crop {
            Some((height, width)) => center_crop(&resized, height, width),
            None => resized,
        })
    }

    /// What the network takes, on the processor in f32.
    ///
    /// # Errors
    /// As [`Self::resized`].
    pub fn prepare(&self, photo: &RgbImage, max_merged_patches: Option<usize>) -> Result<Pixels> {
        let image = self.resized(photo, max_merged_patches)?;
        let (h, w) = (image.height() as usize, image.width() as usize);
        let mut planes = Vec::with_capacity(3 * h * w);
        for colour in 0..3 {
            planes.extend(image.pixels().map(|p| self.value(p.0[colour], colour)));
        }
        let values = Tensor::from_vec(planes, (3, h, w), &Device::Cpu)?;
        let Some(Patches {
            side,
            temporal,
            merge,
        }) = self.patches
        else {
            return Ok(Pixels { values, grid: None });
        };
        let (rows, cols) = (h / side, w / side);
        // The merged patches of a square stand together; the photo is every frame of its patch.
        let values = values
            .reshape(vec![
                3,
                rows / merge,
                merge,
                side,
                cols / merge,
                merge,
                side,
            ])?
            .permute([1, 4, 2, 5, 0, 3, 6].as_slice())?
            .reshape((rows * cols, 3, 1, side * side))?
            .broadcast_as((rows * cols, 3, temporal, side * side))?
            .reshape((rows * cols, 3 * temporal * side * side))?;
        let grid = Some((rows, cols));
        Ok(Pixels { values, grid })
    }

    /// As numpy computes it: scaled in f64, rounded to f32, normalised in f32.
    fn value(&self, byte: u8, colour: usize) -> f32 {
        let scaled = self
            .factor
            .map_or(f32::from(byte), |f| (f64::from(byte) * f) as f32);
        self.normalise.map_or(scaled, |(mean, deviation)| {
            (scaled - mean[colour]) / deviation[colour]
        })
    }
}

fn read_resize(config: &Section, default: Resize) -> Result<Resize> {
    if let Resize::Area(least, most) = default {
        let size = config.section("size")?;
        let read = |section: &Section, key: &str| section.optional_usize(key);
        let least = read(config, "min_pixels")?
            .or(read(&size, "shortest_edge")?)
            .unwrap_or(least);
        let most = read(config, "max_pixels")?
            .or(read(&size, "longest_edge")?)
            .unwrap_or(most);
        if least > most || most > 1 << 30 {
            return Err(config.error("size", format!("goes from {least} to {most} pixels")));
        }
        return Ok(Resize::Area(least, most));
    }
    if let Ok(Some(side)) = config.optional_usize("size") {
        return Ok(match default {
            Resize::ShortestEdge(_) => Resize::ShortestEdge(side),
            _ => Resize::Exact(side, side),
        });
    }
    let size = config.section("size")?;
    let (height, width) = (
        size.optional_usize("height")?,
        size.optional_usize("width")?,
    );
    Ok(
        match (height, width, size.optional_usize("shortest_edge")?) {
            (Some(_), Some(_), _) => Resize::Exact(size.size("height", 1)?, size.size("width", 1)?),
            (None, None, Some(_)) => Resize::ShortestEdge(size.size("shortest_edge", 1)?),
            (None, None, None) => default,
            _ => return Err(config.error("size", "must have height and width, or shortest_edge")),
        },
    )
}

fn read_crop(config: &Section) -> Result<(usize, usize)> {
    if let Ok(Some(side)) = config.optional_usize("crop_size") {
        return Ok((side, side));
    }
    let crop = config.section("crop_size")?;
    Ok((crop.size("height", 224)?, crop.size("width", 224)?))
}

/// (height, width) with the shorter side `edge`; the longer one is cut to a whole number.
fn shortest_edge(height: usize, width: usize, edge: usize) -> (usize, usize) {
    if width <= height {
        (edge * height / width, edge)
    } else {
        (edge, edge * width / height)
    }
}

/// Qwen's `smart_resize`: multiples of `side`, area within bounds, shape about kept.
fn fit_area(height: usize, width: usize, side: usize, least: usize, most: usize) -> (usize, usize) {
    let (h, w, s) = (height as f64, width as f64, side as f64);
    let near = |x: f64| (x / s).round_ties_even() as usize * side;
    let (rounded_h, rounded_w) = (near(h), near(w));
    if rounded_h * rounded_w > most {
        let beta = (h * w / most as f64).sqrt();
        let down = |x: f64| ((x / beta / s).floor() as usize * side).max(side);
        (down(h), down(w))
    } else if rounded_h * rounded_w < least {
        let beta = (least as f64 / (h * w)).sqrt();
        let up = |x: f64| (x * beta / s).ceil() as usize * side;
        (up(h), up(w))
    } else {
        (rounded_h, rounded_w)
    }
}

/// The middle of an image; black where it is smaller.
fn center_crop(image: &RgbImage, height: usize, width: usize) -> RgbImage {
    let (h, w) = (image.height() as usize, image.width() as usize);
    let mut cropped = RgbImage::new(width as u32, height as u32);
    // As the reference: the cut starts at half the difference rounded down, the margin at half up.
    let offset = |has: usize, wants: usize| {
        if has >= wants {
            -(((has - wants) / 2) as i64)
        } else {
            (wants - has).div_ceil(2) as i64
        }
    };
    imageops::replace(&mut cropped, image, offset(w, width), offset(h, height));
    cropped
}
