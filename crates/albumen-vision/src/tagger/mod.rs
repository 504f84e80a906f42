//! The embedded tagger: EfficientNet-Lite0 on ImageNet-1k, in plain English nouns.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{D, Tensor};
use image::RgbImage;
use rayon::prelude::*;

pub use self::efficientnet::FEATURE_DIM;
use self::efficientnet::{EfficientNetLite0, RESOLUTION};
pub use self::nouns::Kind;
pub(crate) use self::nouns::Place;
use self::nouns::{NOUNS, Words};
use crate::error::Result;
use crate::preprocess::{center_crop, normalise};

mod checkpoint;
mod efficientnet;
mod nouns;

/// The share of the shorter side that is looked at, as in TensorFlow's evaluation of this model.
const CROP: f32 = 224.0 / 256.0;
/// The Lite models were trained on (pixel - 127) / 128, unlike the larger EfficientNets.
const MEAN: [f32; 3] = [127.0; 3];
const DEVIATION: [f32; 3] = [128.0; 3];
/// Nouns that [`Tagger::tags`] gives for each image.
const TAGS: usize = 8;

/// What may be in a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// A plain noun with its article: "a swan".
    pub noun: &'static str,
    /// A broader one: "a bird".
    pub broad: &'static str,
    /// The sort of thing.
    pub kind: Kind,
    /// Summed probability of the classes that this noun covers, 0 to 1.
    pub probability: f32,
    /// Summed probability of the classes that the broader noun covers, 0 to 1.
    pub broad_probability: f32,
    pub(crate) row: &'static Words,
}

/// The tagger.
pub struct Tagger {
    network: EfficientNetLite0,
}

impl Tagger {
    /// Loads the legacy PyTorch checkpoint `efficientnet-lite0-57934424.pth`.
    ///
    /// # Errors
    /// A file that is missing, damaged or of another architecture.
    pub fn load(path: &Path) -> Result<Self> {
        Ok(Self {
            network: EfficientNetLite0::load(path)?,
        })
    }

    /// The likeliest nouns of each image, likeliest first. Every image is looked at alone.
    ///
    /// # Errors
    /// Where an image has no pixels or the computation fails.
    pub fn tags(&self, images: &[RgbImage]) -> Result<Vec<Vec<Tag>>> {
        images
            .par_iter()
            .map(|image| Ok(merge_classes(&self.probabilities(image)?)))
            .collect()
    }

    /// The pooled features of the last layer, [`FEATURE_DIM`] numbers an image: photos that look
    /// alike have features with a high cosine similarity.
    ///
    /// # Errors
    /// Where an image has no pixels or the computation fails.
    pub fn features(&self, images: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        images
            .par_iter()
            .map(|image| {
                Ok(self
                    .network
                    .features(&input(image)?)?
                    .flatten_all()?
                    .to_vec1()?)
            })
            .collect()
    }

    /// The 1,000 ImageNet logits of each image.
    ///
    /// # Errors
    /// Where an image has no pixels or the computation fails.
    pub fn logits(&self, images: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        images
            .par_iter()
            .map(|image| Ok(self.logits_of(image)?.to_vec1()?))
            .collect()
    }

    fn logits_of(&self, image: &RgbImage) -> Result<Tensor> {
        let features = self.network.features(&input(image)?)?;
        Ok(self.network.classify(&features)?)
    }

    fn probabilities(&self, image: &RgbImage) -> Result<Vec<f32>> {
        Ok(candle_nn::ops::softmax(&self.logits_of(image)?, D::Minus1)?.to_vec1()?)
    }
}

fn input(image: &RgbImage) -> Result<Tensor> {
    normalise(
        &center_crop(image, CROP, RESOLUTION as u32)?,
        MEAN,
        DEVIATION,
    )
}

/// Sums the classes of one plain noun: thirty breeds at 3% each are a dog at 90%.
pub(crate) fn merge_classes(probabilities: &[f32]) -> Vec<Tag> {
    let mut nouns: BTreeMap<&str, (f32, &'static Words)> = BTreeMap::new();
    let mut broad: BTreeMap<&str, f32> = BTreeMap::new();
    for (p, row) in probabilities.iter().zip(NOUNS.iter()) {
        nouns.entry(row.noun).or_insert((0.0, row)).0 += p;
        *broad.entry(row.broad).or_default() += p;
    }
    let mut tags: Vec<Tag> = nouns
        .into_values()
        .map(|(probability, row)| Tag {
            noun: row.noun,
            broad: row.broad,
            kind: row.kind,
            probability,
            broad_probability: broad.get(row.broad).copied().unwrap_or(probability),
            row,
        })
        .collect();
    tags.sort_by(|a, b| {
        b.probability
            .total_cmp(&a.probability)
            .then(a.noun.cmp(b.noun))
    });
    tags.truncate(TAGS);
    tags
}
