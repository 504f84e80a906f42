//! Layout 1: a folder an album, with an optional `album.toml` and sidecar captions.

use std::ffi::OsStr;
use std::path::Path;

use serde::Deserialize;

use super::inside::{self, Refused, Root};
use super::parse_error::without_content;
use super::{IngestError, Listed, ListedPhoto};

const PHOTOS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];
/// Photos to people, but not to the decoders here: set aside, so that nobody misses them unawares.
const OTHER_PHOTOS: [&str; 14] = [
    "heic", "heif", "avif", "tif", "tiff", "gif", "bmp", "jxl", "jp2", "dng", "cr2", "nef", "arw",
    "raf",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlbumToml {
    owner: Option<String>,
    title: Option<String>,
}

pub(super) fn list(root: &Root) -> Result<Vec<Listed>, IngestError> {
    let (mut albums, mut loose) = (Vec::new(), false);
    for path in inside::entries(&root.path)? {
        let dir = match root.resolve(&path) {
            Ok(dir) => dir,
            Err(Refused::Io(e)) => return Err(IngestError::io("read", &path)(e)),
            // A dangling link is no album.
            Err(Refused::NotThere) => continue,
            Err(_) => return Err(root.outside(&path)),
        };
        if dir.is_dir() {
            albums.extend(album(root, &path)?);
        } else {
            loose |= extension(&path).is_some_and(|e| PHOTOS.contains(&e.as_str()));
        }
    }
    if albums.is_empty() {
        let hint = if loose {
            "photos lie in it directly; put those of an album into a folder of their own"
        } else {
            "an album is a folder with .jpg, .jpeg, .png or .webp files in it"
        };
        return Err(IngestError::NoAlbums {
            path: root.path.clone(),
            hint,
        });
    }
    Ok(albums)
}

/// The album in a folder; none if there are no photos in it.
fn album(root: &Root, dir: &Path) -> Result<Option<Listed>, IngestError> {
    let name = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    let id = name(dir).ok_or_else(|| IngestError::Name {
        path: dir.to_owned(),
    })?;
    let mut photos = Vec::new();
    for path in inside::entries(dir)? {
        let Some(extension) = extension(&path) else {
            continue;
        };
        let file = if OTHER_PHOTOS.contains(&extension.as_str()) {
            Err(format!(
                ".{extension} files are not read; convert it to JPEG"
            ))
        } else if !PHOTOS.contains(&extension.as_str()) {
            continue;
        } else if name(&path).is_none() {
            Err("its name is not valid UTF-8; rename it".to_owned())
        } else {
            root.file(&path).map_err(|refused| refused.reason())
        };
        let caption = match &file {
            Ok(_) => root.text(&path.with_extension("txt"))?,
            Err(_) => None,
        };
        photos.push(ListedPhoto {
            id: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            file,
            caption: caption.and_then(|c| one_line(&c)),
        });
    }
    if photos.is_empty() {
        return Ok(None);
    }
    let AlbumToml { owner, title } = album_toml(root, &dir.join("album.toml"))?;
    let title = title.and_then(|t| one_line(&t));
    Ok(Some(Listed {
        id,
        owner_id: owner,
        title,
        photos,
        by_time: true,
    }))
}

fn album_toml(root: &Root, path: &Path) -> Result<AlbumToml, IngestError> {
    let text = root.text(path)?.unwrap_or_default();
    let wrong = |at: usize, problem: &str| {
        let before = text.get(..at).unwrap_or(&text);
        IngestError::AlbumToml {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1,
            problem: problem.trim_end().to_owned(),
        }
    };
    let toml: AlbumToml = toml::from_str(&text).map_err(|e| {
        wrong(
            e.span().map_or(0, |s| s.start),
            &without_content(e.message()),
        )
    })?;
    if toml.owner.as_ref().is_some_and(|o| o.trim().is_empty()) {
        return Err(wrong(text.find("owner").unwrap_or(0), "`owner` is empty"));
    }
    Ok(toml)
}

fn extension(path: &Path) -> Option<String> {
    path.extension()
        .and_then(OsStr::to_str)
        .map(str::to_ascii_lowercase)
}

/// Single-spaced text; none if it is blank.
pub(super) fn one_line(text: &str) -> Option<String> {
    let line = albumen_schema::format::one_line(text);
    (!line.is_empty()).then_some(line)
}
