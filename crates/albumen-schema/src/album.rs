//! Private albums, as the corpus holds them and as text.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What stands for the pixels of a photo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PhotoContent {
    /// An image file inside the input folder.
    File {
        /// Absolute path of the file, already checked to lie inside the input folder.
        path: PathBuf,
        /// SHA-256 of the file's bytes, lower-case hexadecimal; equal photos share a caption.
        sha256: String,
        /// Width in pixels, after the EXIF orientation is applied.
        width: u32,
        /// Height in pixels, after the EXIF orientation is applied.
        height: u32,
        /// EXIF orientation, 1 to 8 (1 = upright).
        orientation: u8,
    },
    /// A text-only corpus has no pixels.
    None,
}

/// Where a caption came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptionSource {
    /// Written by people: a sidecar file or a caption in the metadata.
    Given,
    /// Made by the embedded tagger from tags and image facts.
    Tagger,
    /// Written by a vision-language model.
    Model,
}

/// One photo of an album.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    /// Identifier, unique inside its album.
    pub id: String,
    /// The pixels, or none for a text-only corpus.
    pub content: PhotoContent,
    /// A caption that came with the photo (sidecar file, metadata).
    pub caption: Option<String>,
    /// Capture time in seconds since the Unix epoch, camera's local time taken as UTC.
    pub taken_at: Option<i64>,
}

/// An album: photos in order, and whose they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Album {
    /// Identifier, unique in the corpus.
    pub id: String,
    /// Whose album it is; an album without a known owner is its own owner.
    pub owner_id: String,
    /// Title given by the owner, if any. Never used for training.
    pub title: Option<String>,
    /// The photos in album order; at least one.
    pub photos: Vec<Photo>,
}

/// One album as text: what the two models are trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlbumText {
    /// Identifier of the album.
    pub album_id: String,
    /// Whose album it is.
    pub owner_id: String,
    /// One caption a photo, in order.
    pub captions: Vec<String>,
    /// The album's summary; empty before the summarise stage.
    pub summary: String,
}

/// The albums of one privacy unit, already bounded in number.
pub type UnitTexts = Vec<AlbumText>;
