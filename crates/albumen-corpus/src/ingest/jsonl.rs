//! Layout 5: text alone, one JSON object of an album a line. Also the line reader that layout 3
//! shares.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use albumen_schema::{Album, Photo, PhotoContent};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::folders::one_line;
use super::parse_error::without_content;
use super::{IngestError, Seen, owner_name};

/// Longest line; an album of captions is a few kilobytes.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Unknown keys are refused: a misspelt `owner_id` would make every album its own owner and so
/// weaken the guarantee by owner without a word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlbumLine {
    album_id: Id,
    owner_id: Option<Id>,
    title: Option<String>,
    photos: Vec<PhotoLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhotoLine {
    id: Option<Id>,
    caption: String,
}

/// An identifier, as text or as a whole number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an identifier must be text or a whole number")]
pub(super) enum Id {
    Text(String),
    Number(i64),
}

impl Id {
    /// As text; none if it is blank.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => (!text.trim().is_empty()).then_some(text),
            Self::Number(n) => Some(n.to_string()),
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<Album>, IngestError> {
    let (mut albums, mut seen) = (Vec::new(), Seen::new(path));
    let hint = "a line is {\"album_id\": \"...\", \"owner_id\": \"...\", \"photos\": [{\"id\": \"...\", \"caption\": \"...\"}]}";
    lines(path, hint, |line, album: AlbumLine| {
        let wrong = |problem: &str| IngestError::Line {
            path: path.to_owned(),
            line,
            problem: problem.to_owned(),
            hint,
        };
        let id = album
            .album_id
            .text()
            .ok_or_else(|| wrong("`album_id` is empty"))?;
        seen.add(&id, line)?;
        let owner = album.owner_id.map(Id::text);
        let owner = owner.map(|owner| owner.ok_or_else(|| wrong("`owner_id` is empty")));
        let owner_id = owner_name(owner.transpose()?.as_deref(), &id);
        if album.photos.is_empty() {
            return Err(wrong("the album has no photos"));
        }
        let mut ids = BTreeSet::new();
        let mut photos = Vec::with_capacity(album.photos.len());
        for (i, photo) in album.photos.into_iter().enumerate() {
            let place = i + 1;
            let id = match photo.id {
                None => place.to_string(),
                Some(id) => id
                    .text()
                    .ok_or_else(|| wrong(&format!("the id of photo {place} is empty")))?,
            };
            if !ids.insert(id.clone()) {
                return Err(wrong(&format!(
                    "the id of photo {place} stands twice in the album"
                )));
            }
            let caption = one_line(&photo.caption)
                .ok_or_else(|| wrong(&format!("the caption of photo {place} is empty")))?;
            photos.push(Photo {
                id,
                content: PhotoContent::None,
                caption: Some(caption),
                taken_at: None,
            });
        }
        let title = album.title.as_deref().and_then(one_line);
        albums.push(Album {
            id,
            owner_id,
            title,
            photos,
        });
        Ok(())
    })?;
    if albums.is_empty() {
        return Err(IngestError::NoAlbums {
            path: path.to_owned(),
            hint,
        });
    }
    Ok(albums)
}

/// Calls `take` with the number and value of each line that is not blank.
pub(super) fn lines<T: DeserializeOwned>(
    path: &Path,
    hint: &'static str,
    mut take: impl FnMut(usize, T) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let mut reader = BufReader::new(File::open(path).map_err(IngestError::io("read", path))?);
    let mut bytes = Vec::new();
    for line in 1.. {
        let wrong = |problem: String| IngestError::Line {
            path: path.to_owned(),
            line,
            problem,
            hint,
        };
        bytes.clear();
        let read = reader
            .by_ref()
            .take(MAX_LINE_BYTES + 1)
            .read_until(b'\n', &mut bytes);
        if read.map_err(IngestError::io("read", path))? == 0 {
            break;
        }
        if bytes.len() as u64 > MAX_LINE_BYTES {
            return Err(wrong(format!(
                "the line is longer than {MAX_LINE_BYTES} bytes"
            )));
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| wrong("the line is not valid UTF-8 text".into()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
        if text.is_empty() {
            continue;
        }
        take(
            line,
            serde_json::from_str(text).map_err(|e| wrong(column_only(&e)))?,
        )?;
    }
    Ok(())
}

/// Column and reason; serde's message would quote the input and count lines within this one.
fn column_only(e: &serde_json::Error) -> String {
    let message = e.to_string();
    let (reason, _) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
    format!("{} at column {}", without_content(reason), e.column())
}
