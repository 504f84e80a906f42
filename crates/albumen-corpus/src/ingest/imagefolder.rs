//! Layout 3: Hugging Face imagefolder. A row of `metadata.jsonl` names one photo (`file_name`) or
//! all those of an album (`file_names`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::folders::one_line;
use super::inside::Root;
use super::jsonl::{self, Id};
use super::{IngestError, Listed, ListedPhoto, Seen};

pub(super) const METADATA: &str = "metadata.jsonl";
const HINT: &str =
    "a row has `file_name` or `file_names`, and optionally `album_id`, `owner_id` and `text`";

/// Other columns are data sets' own affair and are left alone, but for those that look like a
/// misspelt `owner_id`: to miss it would weaken the guarantee by owner without a word.
#[derive(Deserialize)]
struct Row {
    file_name: Option<String>,
    file_names: Option<Vec<String>>,
    album_id: Option<Id>,
    owner_id: Option<Id>,
    text: Option<Text>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

/// A caption, or one for each of the row's photos.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`text` must be text or a list of texts")]
enum Text {
    One(String),
    Each(Vec<String>),
}

/// Lists the albums. Rows of one photo with the same `album_id` are one album, in their order; a
/// row of several photos is an album, and its `text`, if it is a single one, the album's title.
pub(super) fn list(root: &Root) -> Result<Vec<Listed>, IngestError> {
    let path = root.path.join(METADATA);
    let wrong = |line, problem: String| IngestError::Line {
        path: path.clone(),
        line,
        problem,
        hint: HINT,
    };
    let mut rows_of_photos: BTreeMap<String, usize> = BTreeMap::new();
    let mut albums: Vec<Listed> = Vec::new();
    let mut seen = Seen::new(&path);
    jsonl::lines(&path, HINT, |line, row: Row| {
        if let Some(key) = row
            .other
            .keys()
            .find(|k| k.to_ascii_lowercase().starts_with("owner"))
        {
            return Err(wrong(
                line,
                format!("unknown key `{key}`; did you mean `owner_id`?"),
            ));
        }
        let whole_album = row.file_names.is_some();
        let files = match (row.file_name, row.file_names) {
            (Some(file), None) => vec![file],
            (None, Some(files)) => files,
            (None, None) => {
                return Err(wrong(
                    line,
                    "there is neither `file_name` nor `file_names`".into(),
                ));
            }
            (Some(_), Some(_)) => {
                return Err(wrong(
                    line,
                    "there are both `file_name` and `file_names`".into(),
                ));
            }
        };
        let Some(first) = files.first().cloned() else {
            return Err(wrong(line, "`file_names` is empty".into()));
        };
        let (captions, title) = captions(row.text, files.len()).map_err(|e| wrong(line, e))?;
        let id_of = |id: Option<Id>, key: &str| {
            id.map(|id| {
                id.text()
                    .ok_or_else(|| wrong(line, format!("`{key}` is empty")))
            })
            .transpose()
        };
        let owner_id = id_of(row.owner_id, "owner_id")?;
        let id = match id_of(row.album_id, "album_id")? {
            Some(id) => id,
            None if whole_album => format!("row-{line:06}"),
            None => first,
        };
        let mut photos = Vec::with_capacity(files.len());
        for (file, caption) in files.into_iter().zip(captions) {
            if !Root::stays_inside(&file) {
                return Err(wrong(
                    line,
                    format!("`{file}` leads out of the input folder"),
                ));
            }
            let found = root
                .file(&root.path.join(&file))
                .map_err(|refused| refused.reason());
            photos.push(ListedPhoto {
                id: file,
                file: found,
                caption,
            });
        }
        let index = match rows_of_photos.get(&id) {
            Some(&index) if !whole_album => index,
            _ => {
                seen.add(&id, line)?;
                albums.push(Listed {
                    id: id.clone(),
                    owner_id: owner_id.clone(),
                    title,
                    photos: Vec::new(),
                    by_time: false,
                });
                if !whole_album {
                    rows_of_photos.insert(id.clone(), albums.len() - 1);
                }
                albums.len() - 1
            }
        };
        let Some(album) = albums.get_mut(index) else {
            return Ok(());
        };
        if album.owner_id != owner_id {
            return Err(wrong(
                line,
                format!("the album `{id}` has another `owner_id` here than in the rows before"),
            ));
        }
        for photo in photos {
            if album.photos.iter().any(|p| p.id == photo.id) {
                return Err(wrong(
                    line,
                    format!("`{}` stands twice in the album `{id}`", photo.id),
                ));
            }
            album.photos.push(photo);
        }
        Ok(())
    })?;
    if albums.is_empty() {
        return Err(IngestError::NoAlbums { path, hint: HINT });
    }
    Ok(albums)
}

type Captions = (Vec<Option<String>>, Option<String>);

/// One caption or none a photo, and the album's title.
fn captions(text: Option<Text>, photos: usize) -> Result<Captions, String> {
    match text {
        None => Ok((vec![None; photos], None)),
        Some(Text::One(text)) if photos == 1 => Ok((vec![one_line(&text)], None)),
        Some(Text::One(text)) => Ok((vec![None; photos], one_line(&text))),
        Some(Text::Each(texts)) if texts.len() == photos => {
            Ok((texts.iter().map(|t| one_line(t)).collect(), None))
        }
        Some(Text::Each(texts)) => Err(format!(
            "`text` has {} entries for {photos} photos",
            texts.len()
        )),
    }
}
