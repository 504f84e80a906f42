//! One caption a photo: given captions where there are any, a frozen model's elsewhere.
//!
//! The model sees each photo alone, so a caption depends on no other photo.

use std::collections::BTreeMap;
use std::path::Path;

use albumen_captioner::{CaptionSettings, Captioner, CaptionerError};
use albumen_schema::{Album, CaptionSource, Photo, PhotoContent, format};
use image::RgbImage;
use rayon::prelude::*;

use crate::journal::Journal;
use crate::{CorpusError, ingest};

/// Photos decoded at once: bounds memory, changes no caption.
pub const PHOTOS_AT_ONCE: usize = 16;

/// Takes the caption of the photo of an index.
pub type Captioned<'a> = dyn FnMut(usize, String) -> Result<(), CorpusError> + 'a;

/// Makes captions from pixels. The model behind it is frozen and public.
pub trait PhotoCaptioner: Sync {
    /// One caption for each image, each from its own pixels alone.
    ///
    /// # Errors
    /// Where the model fails.
    fn caption(&self, images: &[RgbImage]) -> Result<Vec<String>, CorpusError>;

    /// What its captions count as.
    fn source(&self) -> CaptionSource {
        CaptionSource::Model
    }

    /// Captions every photo, and hands over each caption as soon as it is there, in any order. Unless
    /// an implementation knows better, photos are loaded and captioned in batches.
    ///
    /// # Errors
    /// Where a photo or the model fails, and whatever `captioned` returns.
    fn caption_all(
        &self,
        photos: &Photos<'_>,
        captioned: &mut Captioned<'_>,
    ) -> Result<(), CorpusError> {
        for start in (0..photos.len()).step_by(PHOTOS_AT_ONCE) {
            let batch = start..photos.len().min(start + PHOTOS_AT_ONCE);
            let images = batch
                .clone()
                .into_par_iter()
                .map(|index| photos.load(index))
                .collect::<Result<Vec<RgbImage>, _>>()?;
            for (index, caption) in batch.zip(self.caption(&images)?) {
                captioned(index, caption)?;
            }
        }
        Ok(())
    }
}

/// Photos that want a caption, each once; loaded one by one, since they do not fit into memory at once.
pub struct Photos<'a> {
    /// File and EXIF orientation.
    files: Vec<(&'a Path, u8)>,
    max_pixels: u64,
}

impl Photos<'_> {
    /// How many.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks for none")]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The pixels of the photo of an index, upright.
    ///
    /// # Errors
    /// [`CorpusError::PhotoGone`] where it can no longer be read.
    pub fn load(&self, index: usize) -> Result<RgbImage, CorpusError> {
        let (path, orientation) = self.files[index];
        ingest::decode(path, orientation, self.max_pixels)
            .map_err(|problem| CorpusError::PhotoGone { problem })
    }
}

impl PhotoCaptioner for albumen_vision::Describer {
    fn caption(&self, images: &[RgbImage]) -> Result<Vec<String>, CorpusError> {
        Ok(self.describe(images)?)
    }

    fn source(&self) -> CaptionSource {
        CaptionSource::Tagger
    }
}

/// A vision-language model with its settings.
pub struct FrozenCaptioner {
    /// The model.
    pub captioner: Captioner,
    /// How it writes.
    pub settings: CaptionSettings,
}

impl PhotoCaptioner for FrozenCaptioner {
    /// A photo that the model cannot take (one much longer than wide, one whose tokens leave no room, one
    /// whose scores overflow) gets no caption: it must not end the run, whose outcome would then tell of
    /// it. Settings and weights that serve no photo fail at the rehearsal, before any is read.
    fn caption(&self, images: &[RgbImage]) -> Result<Vec<String>, CorpusError> {
        let each = self.captioner.caption_each(images, &self.settings);
        let of = |caption| match caption {
            Err(
                CaptionerError::Photo { .. }
                | CaptionerError::Settings { .. }
                | CaptionerError::NotFinite,
            ) => Ok(String::new()),
            other => Ok(other?),
        };
        each.into_iter().map(of).collect()
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
    journal: &mut Journal,
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
    distinct.retain(|hash, _| journal.get(hash).is_none());
    let (hashes, files): (Vec<&str>, Vec<(&Path, u8)>) = distinct.into_iter().unzip();
    let mut done = 0_usize;
    let todo = Photos { files, max_pixels };
    captioner.caption_all(&todo, &mut |index, caption| {
        journal.add(hashes[index], caption)?;
        done += 1;
        progress(done as f64 / hashes.len() as f64);
        Ok(())
    })?;

    let caption = |photo: &Photo| -> Caption {
        if let Some(text) = given(photo) {
            return (text, CaptionSource::Given);
        }
        let text = match &photo.content {
            PhotoContent::File { sha256, .. } => journal.get(sha256).map(format::one_line),
            PhotoContent::None => None,
        };
        (
            text.filter(|text| !text.is_empty())
                .unwrap_or_else(|| "A photo.".to_owned()),
            captioner.source(),
        )
    };
    Ok(albums
        .iter()
        .map(|a| a.photos.iter().map(caption).collect())
        .collect())
}
