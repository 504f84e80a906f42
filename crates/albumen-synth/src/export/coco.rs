//! `coco/captions.json`: COCO captions (Lin et al. 2014, section 3 and the data set's format page)
//! over the pictures in `images/`.
//!
//! Beside COCO's own fields, an image names its album and its place there, and `albums` holds the
//! summaries; COCO's readers pass over what they do not know. One annotation an image, in the same
//! order, identifiers from 1.

use std::io::Write;
use std::path::Path;

use albumen_schema::TOOL;
use serde::Serialize;

use super::rows::{Pictures, Row};
use crate::error::{Result, SynthError, io_error};
use crate::files;

#[derive(Serialize)]
struct Document<'a> {
    info: Info<'a>,
    licenses: [License<'a>; 1],
    images: Vec<Image<'a>>,
    annotations: Vec<Annotation<'a>>,
    albums: Vec<Album<'a>>,
}

#[derive(Serialize)]
struct Info<'a> {
    description: &'a str,
    version: &'static str,
}

#[derive(Serialize)]
struct License<'a> {
    id: u64,
    name: &'a str,
    url: &'static str,
}

#[derive(Serialize)]
struct Image<'a> {
    id: u64,
    file_name: &'a str,
    width: u32,
    height: u32,
    license: u64,
    album: &'a str,
    /// From 1.
    photo: usize,
}

#[derive(Serialize)]
struct Annotation<'a> {
    id: u64,
    image_id: u64,
    caption: &'a str,
}

#[derive(Serialize)]
struct Album<'a> {
    id: &'a str,
    summary: &'a str,
}

/// Writes the document to `path`; file names in it are relative to the release.
pub(super) fn write(
    rows: &[Row<'_>],
    pictures: &Pictures,
    title: &str,
    license: &str,
    path: &Path,
) -> Result<()> {
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    let photos = rows.iter().flat_map(|row| {
        let photos = row.file_names.iter().zip(row.captions).enumerate();
        photos.map(move |(i, (name, caption))| (row.id, i + 1, name, caption))
    });
    for (id, (album, photo, name, caption)) in (1..).zip(photos) {
        let Some(picture) = pictures.get(name) else {
            return Err(SynthError::MissingPicture { path: name.into() });
        };
        images.push(Image {
            id,
            file_name: name,
            width: picture.width,
            height: picture.height,
            license: 1,
            album,
            photo,
        });
        annotations.push(Annotation {
            id,
            image_id: id,
            caption,
        });
    }
    let albums = rows.iter().map(|row| Album {
        id: row.id,
        summary: row.summary,
    });
    let document = Document {
        info: Info {
            description: title,
            version: TOOL,
        },
        licenses: [License {
            id: 1,
            name: license,
            url: "",
        }],
        images,
        annotations,
        albums: albums.collect(),
    };
    files::write_whole(path, |file| {
        serde_json::to_writer(&mut *file, &document).map_err(SynthError::Json)?;
        file.write_all(b"\n").map_err(io_error("write", path))
    })
}
