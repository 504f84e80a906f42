//! `webdataset/albums-NNNNNN.tar`: one sample a photo, albums whole and in order.
//!
//! A sample is three files of one key, `album-000042-01`: `.jpg`, `.txt` (the caption) and `.json`
//! (album, place in it, summary, caption). One a photo, since training on pictures with captions
//! wants that; whoever wants albums groups neighbours by the JSON's `album`.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use tar::{Builder, Header};

use super::WEBDATASET_DIR;
use super::rows::{Pictures, Row};
use super::shards;
use crate::error::{Result, SynthError, io_error};
use crate::{files, render};

#[derive(Serialize)]
struct Sample<'a> {
    album: &'a str,
    /// From 1.
    photo: usize,
    n_photos: usize,
    summary: &'a str,
    caption: &'a str,
}

/// Writes the shards into `release` and returns their names.
pub(super) fn write(
    rows: &[Row<'_>],
    pictures: &Pictures,
    release: &Path,
    shard_bytes: u64,
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (i, shard) in shards::of(rows, pictures, shard_bytes).iter().enumerate() {
        let name = format!("{WEBDATASET_DIR}/albums-{i:06}.tar");
        let path = release.join(&name);
        files::write_whole(&path, |file| {
            let mut tar = Builder::new(&mut *file);
            for row in *shard {
                append_album(&mut tar, row, release, &path)?;
            }
            tar.finish().map_err(io_error("write", &path))
        })?;
        names.push(name);
    }
    Ok(names)
}

fn append_album<W: Write>(
    tar: &mut Builder<W>,
    row: &Row<'_>,
    release: &Path,
    path: &Path,
) -> Result<()> {
    for (i, (name, caption)) in row.file_names.iter().zip(row.captions).enumerate() {
        let sample = Sample {
            album: row.id,
            photo: i + 1,
            n_photos: row.n_photos,
            summary: row.summary,
            caption,
        };
        let json = serde_json::to_vec(&sample).map_err(SynthError::Json)?;
        let picture = release.join(name);
        let picture = fs::read(&picture).map_err(io_error("read", &picture))?;
        let parts: [(&str, &[u8]); 3] = [
            (render::EXTENSION, &picture),
            ("json", &json),
            ("txt", caption.as_bytes()),
        ];
        for (extension, bytes) in parts {
            // No time, no owner: equal inputs give equal bytes.
            let mut header = Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            let inside = format!("{}-{:02}.{extension}", row.id, i + 1);
            tar.append_data(&mut header, inside, bytes)
                .map_err(io_error("write", path))?;
        }
    }
    Ok(())
}
