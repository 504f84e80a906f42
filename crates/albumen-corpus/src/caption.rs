//! One caption a photo: given captions where there are any, the embedded tagger elsewhere.
//!
//! The tagger is frozen and sees each photo alone, so a caption depends on no other photo.

use std::collections::BTreeMap;
use std::path::Path;

use albumen_schema::{Album, CaptionSource, Photo, PhotoContent, format};
use albumen_vision::VisionError;
use image::RgbImage;
use rayon::prelude::*;

use crate::{CorpusError, ingest};

/// Photos decoded at once: bounds memory, changes no caption.
const BATCH: usize = 16;

/// Makes captions from pixels. The model behind it is frozen and public.
pub trait PhotoCaptioner: Sync {
    /// One caption for each image, each from its own pixels alone.
    ///
    /// # Errors
    /// Where the model fails.
    fn caption(&self, images: &[RgbImage]) -> Result<Vec<String>, VisionError>;
}

impl PhotoCaptioner for albumen_vision::Describer {
    fn caption(&self, images: &[RgbImage]) -> Result<Vec<String>, VisionError> {
        self.describe(images)
    }
}

/// A caption with its source.
pub(crate) type Caption = (String, CaptionSource);

/// Captions every photo. `progress` gets the finished share, 0 to 1.
pub(crate) fn caption_albums(
    albums: &[Album],
    use_given: bool,
    captioner: &dyn PhotoCaptioner,
    max_pixels: u64,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Vec<Caption>>, CorpusError> {
    let given = |photo: &Photo| {
        let text = format::one_line(photo.caption.as_deref().unwrap_or_default());
        let wanted = use_given || photo.content == PhotoContent::None;
        (wanted && !text.is_empty()).then_some(text)
    };
    let photos = || albums.iter().flat_map(|a| &a.photos);

    // One caption for each distinct photo, by the hash of its bytes.
    let mut distinct: BTreeMap<&str, (&Path, u8)> = BTreeMap::new();
    for photo in photos().filter(|p| given(p).is_none()) {
        if let PhotoContent::File {
            path,
            sha256,
            orientation,
            ..
        } = &photo.content
        {
            distinct.entry(sha256).or_insert((path, *orientation));
        }
    }
    let todo: Vec<(&str, (&Path, u8))> = distinct.into_iter().collect();
    let mut tagged: BTreeMap<&str, String> = BTreeMap::new();
    for chunk in todo.chunks(BATCH) {
        let images = chunk
            .par_iter()
            .map(|(_, (path, orientation))| decode(path, *orientation, max_pixels))
            .collect::<Result<Vec<RgbImage>, _>>()?;
        let captions = captioner.caption(&images)?;
        tagged.extend(chunk.iter().map(|(hash, _)| *hash).zip(captions));
        progress(tagged.len() as f64 / todo.len() as f64);
    }

    let caption = |photo: &Photo| -> Caption {
        if let Some(text) = given(photo) {
            return (text, CaptionSource::Given);
        }
        let text = match &photo.content {
            PhotoContent::File { sha256, .. } => tagged.get(sha256.as_str()).cloned(),
            PhotoContent::None => None,
        };
        (
            text.unwrap_or_else(|| "A photo.".to_owned()),
            CaptionSource::Tagger,
        )
    };
    Ok(albums
        .iter()
        .map(|a| a.photos.iter().map(caption).collect())
        .collect())
}

fn decode(path: &Path, orientation: u8, max_pixels: u64) -> Result<RgbImage, CorpusError> {
    ingest::decode(path, orientation, max_pixels)
        .map_err(|problem| CorpusError::PhotoGone { problem })
}
