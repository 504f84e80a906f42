//! The rows of a release: one an album, in `metadata.jsonl` and in `albums.parquet`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use albumen_schema::Curated;
use arrow::array::{ArrayRef, Int32Array};
use image::ImageReader;
use rayon::prelude::*;
use serde::Serialize;

use super::IMAGES_DIR;
use crate::error::{Result, SynthError, io_error};
use crate::{files, render, table};

/// One album of the release. Hugging Face's imagefolder loads `file_names` as `images`.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    pub(super) file_names: Vec<String>,
    pub(super) id: &'a str,
    pub(super) summary: &'a str,
    pub(super) n_photos: usize,
    pub(super) captions: &'a [String],
}

/// The kept albums.
pub(super) fn of(curated: &[Curated]) -> Vec<Row<'_>> {
    let kept = curated.iter().filter(|c| c.verdict.kept());
    kept.map(|c| {
        let photos = 0..c.album.captions.len();
        Row {
            file_names: photos
                .map(|i| format!("{IMAGES_DIR}/{}", render::image_path(&c.album.id, i)))
                .collect(),
            id: &c.album.id,
            summary: &c.album.summary,
            n_photos: c.album.captions.len(),
            captions: &c.album.captions,
        }
    })
    .collect()
}

pub(super) fn jsonl(rows: &[Row<'_>]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut bytes, row).map_err(SynthError::Json)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

pub(super) fn write_table(path: &Path, rows: &[Row<'_>]) -> Result<()> {
    let each = || rows.iter();
    let counts: Int32Array = each().map(|r| Some(r.n_photos as i32)).collect();
    let batch = table::batch(
        path,
        vec![
            ("id", table::strings(each().map(|r| r.id)), false),
            ("summary", table::strings(each().map(|r| r.summary)), false),
            ("n_photos", Arc::new(counts) as ArrayRef, false),
            (
                "captions",
                table::string_lists(each().map(|r| r.captions)),
                false,
            ),
            (
                "images",
                table::string_lists(each().map(|r| r.file_names.as_slice())),
                false,
            ),
        ],
    )?;
    table::write(path, batch.schema(), std::iter::once(Ok(batch)))
}

/// A picture of the release.
#[derive(Debug)]
pub(super) struct Picture {
    /// Lower-case hexadecimal.
    pub(super) sha256: String,
    /// Size of the file.
    pub(super) bytes: u64,
    /// In pixels.
    pub(super) width: u32,
    /// In pixels.
    pub(super) height: u32,
}

/// The pictures by path relative to the release.
pub(super) type Pictures = BTreeMap<String, Picture>;

/// Copies every picture of the rows into `release`.
pub(super) fn copy_pictures(rows: &[Row<'_>], images: &Path, release: &Path) -> Result<Pictures> {
    rows.par_iter()
        .flat_map(|row| row.file_names.par_iter())
        .map(|name| {
            let inside = name.trim_start_matches(IMAGES_DIR).trim_start_matches('/');
            let (from, to) = (images.join(inside), release.join(name));
            if !from.is_file() {
                return Err(SynthError::MissingPicture { path: from });
            }
            let bytes = fs::read(&from).map_err(io_error("read", &from))?;
            let (width, height) = dimensions(&bytes).map_err(|e| SynthError::DamagedPicture {
                path: from,
                reason: e.to_string(),
            })?;
            files::make_parent(&to)?;
            // The release as a whole gets its name once every file of it is on the disk.
            fs::write(&to, &bytes).map_err(io_error("write", &to))?;
            let picture = Picture {
                sha256: albumen_files::sha256_hex(&bytes),
                bytes: bytes.len() as u64,
                width,
                height,
            };
            Ok((name.clone(), picture))
        })
        .collect()
}

/// Width and height, from the header alone.
fn dimensions(bytes: &[u8]) -> image::ImageResult<(u32, u32)> {
    ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()?
        .into_dimensions()
}
