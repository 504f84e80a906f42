//! Layout 3: Hugging Face imagefolder. A row of `metadata.jsonl` names one photo (`file_name`) or
//! all those of an album (`file_names`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::folders::one_line;
use super::inside::Root;
use super::jsonl::{self, Id};
use super::parse_error::near;
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
    let mut reader = Reader {
        root,
        seen: Seen::new(&path),
        path,
        albums: Vec::new(),
        by_photo: BTreeMap::new(),
        photos: BTreeSet::new(),
    };
    let path = reader.path.clone();
    jsonl::lines(&path, HINT, |line, row| reader.row(line, row))?;
    if reader.albums.is_empty() {
        return Err(IngestError::NoAlbums { path, hint: HINT });
    }
    Ok(reader.albums)
}

struct Reader<'a> {
    root: &'a Root,
    path: PathBuf,
    albums: Vec<Listed>,
    /// Every album with the line it stands in.
    seen: Seen,
    /// Where in `albums` those are that rows of one photo make.
    by_photo: BTreeMap<String, usize>,
    /// Album and file of every photo.
    photos: BTreeSet<(usize, String)>,
}

impl Reader<'_> {
    fn row(&mut self, line: usize, row: Row) -> Result<(), IngestError> {
        let wrong = |problem: String| IngestError::Line {
            path: self.path.clone(),
            line,
            problem,
            hint: HINT,
        };
        let near_owner = |k: &&String| k.to_ascii_lowercase().starts_with("owner");
        if let Some(key) = row.other.keys().find(near_owner) {
            let named = if near(key, "owner_id") {
                format!(" `{key}`")
            } else {
                String::new()
            };
            return Err(wrong(format!(
                "unknown key{named}; did you mean `owner_id`?"
            )));
        }
        let whole_album = row.file_names.is_some();
        let files = files(row.file_name, row.file_names).map_err(|e| wrong(e.into()))?;
        if let Some(at) = files.iter().position(|file| !Root::stays_inside(file)) {
            let place = at + 1;
            return Err(wrong(format!(
                "the name of photo {place} leads out of the input folder"
            )));
        }
        let (captions, title) = captions(row.text, files.len()).map_err(wrong)?;
        let owner_id = given(row.owner_id, "owner_id").map_err(wrong)?;
        let id = match given(row.album_id, "album_id").map_err(wrong)? {
            Some(id) => id,
            None if whole_album => name_of(&files),
            None => files.concat(),
        };
        let index = match self.by_photo.get(&id) {
            Some(&index) if !whole_album => index,
            _ => {
                self.seen.add(&id, line)?;
                self.albums.len()
            }
        };
        if index == self.albums.len() {
            let (id, owner_id) = (id.clone(), owner_id.clone());
            let photos = Vec::new();
            self.albums.push(Listed {
                id,
                owner_id,
                title,
                photos,
                by_time: false,
            });
        }
        if !whole_album {
            self.by_photo.insert(id.clone(), index);
        }
        let album = &mut self.albums[index];
        if album.owner_id != owner_id {
            let problem = "the album has another `owner_id` here than in the rows before";
            return Err(wrong(problem.to_owned()));
        }
        for (i, (file, caption)) in files.into_iter().zip(captions).enumerate() {
            if !self.photos.insert((index, file.clone())) {
                let place = i + 1;
                return Err(wrong(format!(
                    "the file of photo {place} of this row stands twice in its album"
                )));
            }
            let found = self.root.file(&self.root.path.join(&file));
            let found = found.map_err(|refused| refused.reason());
            album.photos.push(ListedPhoto {
                id: file,
                file: found,
                caption,
            });
        }
        Ok(())
    }
}

/// A name for an album without one, from its own row alone: which albums of an owner fall under
/// the bound must not depend on other owners' rows, as it would with a line's number.
fn name_of(files: &[String]) -> String {
    let mut hash = albumen_files::Hasher::default();
    for file in files {
        hash.update(&(file.len() as u64).to_le_bytes());
        hash.update(file.as_bytes());
    }
    format!("row-{}", hash.hex())
}

fn files(one: Option<String>, many: Option<Vec<String>>) -> Result<Vec<String>, &'static str> {
    match (one, many) {
        (Some(file), None) => Ok(vec![file]),
        (None, Some(files)) if files.is_empty() => Err("`file_names` is empty"),
        (None, Some(files)) => Ok(files),
        (None, None) => Err("there is neither `file_name` nor `file_names`"),
        (Some(_), Some(_)) => Err("there are both `file_name` and `file_names`"),
    }
}

fn given(id: Option<Id>, key: &str) -> Result<Option<String>, String> {
    id.map(|id| id.text().ok_or_else(|| format!("`{key}` is empty")))
        .transpose()
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
