//! Albums as text from files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use albumen_files::FileError;
use albumen_schema::SyntheticAlbum;
use albumen_synth::storage::{read_curated, read_sampled};
use serde::Deserialize;

use super::sets::TextAlbum;
use crate::error::{EvaluateError, Result};

#[derive(Deserialize)]
struct AlbumLine {
    album_id: Option<String>,
    owner_id: Option<String>,
    summary: String,
    #[serde(default)]
    photos: Vec<PhotoLine>,
    #[serde(default)]
    captions: Vec<String>,
}

#[derive(Deserialize)]
struct PhotoLine {
    caption: String,
}

/// Reads albums from JSON lines `{"album_id", "owner_id", "summary", "photos": [{"caption"}]}`, where
/// `captions` may stand for `photos` and identifiers may be missing, or from a run's `sampled.parquet`,
/// or the kept ones of its `curated.parquet`.
///
/// # Errors
/// [`EvaluateError::Line`] with the line; it never repeats what stands there.
pub fn read_albums(path: &Path) -> Result<Vec<TextAlbum>> {
    if path.extension().is_some_and(|e| e == "parquet") {
        return read_parquet(path);
    }
    let file = File::open(path).map_err(FileError::at("read", path))?;
    let mut albums = Vec::new();
    for (i, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(FileError::at("read", path))?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |e: &serde_json::Error| EvaluateError::Line {
            path: path.to_owned(),
            line: i + 1,
            column: e.column(),
        };
        let album: AlbumLine = serde_json::from_str(&line).map_err(|e| wrong(&e))?;
        let photos = album.photos.into_iter().map(|photo| photo.caption);
        let unit = album.owner_id.or(album.album_id);
        albums.push(TextAlbum {
            unit: unit.unwrap_or_else(|| format!("line {}", i + 1)),
            summary: album.summary,
            captions: photos.chain(album.captions).collect(),
        });
    }
    Ok(albums)
}

fn read_parquet(path: &Path) -> Result<Vec<TextAlbum>> {
    let albums: Vec<SyntheticAlbum> = match read_curated(path) {
        Ok(curated) => {
            let kept = curated.into_iter().filter(|c| c.verdict.kept());
            kept.map(|c| c.album).collect()
        }
        // A file without verdicts.
        Err(_) => read_sampled(path)?,
    };
    Ok(albums.iter().map(TextAlbum::from).collect())
}

impl From<&SyntheticAlbum> for TextAlbum {
    fn from(album: &SyntheticAlbum) -> Self {
        Self {
            unit: album.id.clone(),
            summary: album.summary.clone(),
            captions: album.captions.clone(),
        }
    }
}
