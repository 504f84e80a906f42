//! The gallery's data: albums as JSON with their thumbnails.

use std::path::Path;

use albumen_schema::{Curated, Reason};
use albumen_synth::render::image_path;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use minijinja::Value;
use rayon::prelude::*;
use serde::Serialize;

use super::AlbumTopics;
use crate::error::{ReportError, Result};
use crate::shell::json_for_script;

/// Kept albums shown with pictures, and dropped albums shown for each reason: bounds the page.
const MOST_KEPT: usize = 1000;
const MOST_DROPPED: usize = 100;

/// JPEG quality of thumbnails, 1 to 100.
const QUALITY: u8 = 72;

/// What the template needs of the gallery.
pub(super) struct Gallery {
    /// `{"albums": [...]}`, safe inside a script element.
    pub(super) json: Value,
    /// Reasons that occur: name, title, number of albums shown.
    pub(super) reasons: Vec<(&'static str, &'static str, usize)>,
    /// Albums left out, if any.
    pub(super) left_out: Option<usize>,
}

/// One album as the page's script reads it; short names, since there are many.
#[derive(Serialize)]
struct Card<'a> {
    id: &'a str,
    summary: &'a str,
    captions: &'a [String],
    reason: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    coherence: Option<f32>,
    /// Position among the topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<usize>,
    /// JPEG thumbnails in base64, one a caption; empty where there are no pictures.
    pictures: Vec<String>,
}

/// The albums that the page shows, by reason in the order of the filters.
pub(super) fn shown(curated: &[Curated]) -> Vec<&Curated> {
    let of_reason = |reason: Reason| {
        let most = match reason {
            Reason::Passed => MOST_KEPT,
            _ => MOST_DROPPED,
        };
        let albums = curated.iter().filter(move |c| c.verdict.reason == reason);
        albums.take(most)
    };
    Reason::ALL.into_iter().flat_map(of_reason).collect()
}

pub(super) fn collect(
    curated: &[Curated],
    images: Option<&Path>,
    topics: Option<&AlbumTopics>,
) -> Result<Gallery> {
    let shown = shown(curated);
    let reasons = Reason::ALL.into_iter().filter_map(|reason| {
        let of_reason = shown.iter().filter(|c| c.verdict.reason == reason);
        let count = of_reason.count();
        (count > 0).then(|| (reason.name(), reason.title(), count))
    });
    let kept = shown.iter().filter(|c| c.verdict.kept());
    let widths = thumbnail_widths(kept.map(|c| c.album.captions.len()).sum());
    let cards = shown
        .par_iter()
        .map(|c| card(c, images, topics, widths))
        .collect::<Result<Vec<_>>>()?;
    Ok(Gallery {
        json: json_for_script(&serde_json::to_string(&cards)?),
        reasons: reasons.collect(),
        left_out: Some(curated.len() - shown.len()).filter(|n| *n > 0),
    })
}

/// Widths in pixels of an album's first thumbnail and of the others: wide for few pictures, narrow
/// for many, so that the page stays under about 30 MB.
fn thumbnail_widths(pictures: usize) -> (u32, u32) {
    match pictures {
        0..=900 => (320, 320),
        901..=1600 => (320, 240),
        _ => (256, 160),
    }
}

fn card<'a>(
    curated: &'a Curated,
    images: Option<&Path>,
    topics: Option<&AlbumTopics>,
    (cover, rest): (u32, u32),
) -> Result<Card<'a>> {
    let album = &curated.album;
    let pictures = match images.filter(|_| curated.verdict.kept()) {
        Some(images) => (0..album.captions.len())
            .map(|photo| {
                let width = if photo == 0 { cover } else { rest };
                thumbnail(&images.join(image_path(&album.id, photo)), width)
            })
            .collect::<Result<_>>()?,
        None => Vec::new(),
    };
    Ok(Card {
        id: &album.id,
        summary: &album.summary,
        captions: &album.captions,
        reason: curated.verdict.reason.name(),
        detail: &curated.verdict.detail,
        coherence: curated.verdict.coherence,
        topic: topics.and_then(|topics| topics.of(album)),
        pictures,
    })
}

fn thumbnail(path: &Path, width: u32) -> Result<String> {
    let refused = |e: image::ImageError| ReportError::Picture {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let picture = image::open(path).map_err(refused)?;
    let height = (picture.height() * width)
        .div_ceil(picture.width().max(1))
        .max(1);
    let small = picture
        .resize_exact(width, height, FilterType::Triangle)
        .to_rgb8();
    let mut bytes = Vec::new();
    small
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))
        .map_err(refused)?;
    Ok(STANDARD.encode(bytes))
}
