//! Reading private albums: which photos there are, whose they are, and whether each can be decoded.
//!
//! Three layouts are read: a folder an album, Hugging Face imagefolder, and text alone (see
//! [`InputFormat`]). Photos are hashed and decoded once here, in parallel and within limits, and not
//! kept: later stages open them again by path. A photo that cannot be used is set aside with a
//! reason; anything else that is wrong with the input ends the run with a place and a hint.
//!
//! Nothing outside the input folder is read, whatever names, `..` or links say.

mod error;
mod folders;
mod imagefolder;
mod inside;
mod jpeg;
mod jsonl;
mod parse_error;
mod photo;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use albumen_dp::Sensitive;
use albumen_files::write_private;
use albumen_schema::config::{CorpusConfig, InputFormat, OwnerlessAlbums};
use albumen_schema::{Album, Photo, PhotoContent, Unit};
use rayon::prelude::*;
use serde::Serialize;

use crate::{CorpusError, store};
pub use error::IngestError;
use inside::Root;
pub(crate) use photo::decode;
use photo::{Facts, Inspector};

/// The private log of photos that were set aside, in the stage's directory.
pub const LOG: &str = "set-aside.jsonl";

/// What ingest found. All of it is private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// The usable albums in the order of their identifiers; each has at least one photo.
    pub albums: Vec<Album>,
    /// Photos that could not be used.
    pub set_aside: Vec<SetAside>,
}

/// A photo that could not be used: one line of the private log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// The album's identifier.
    pub album: String,
    /// The photo's path below the input folder.
    pub photo: String,
    /// Why, in words.
    pub reason: String,
}

/// Reads the private albums.
///
/// # Errors
/// [`IngestError`] for input that is missing, empty or malformed, and if more than
/// `max_bad_photos` photos were set aside.
pub fn ingest(config: &CorpusConfig) -> Result<Sensitive<Ingested>, IngestError> {
    let ingested = read(config)?;
    check(config, &ingested, None)?;
    Ok(Sensitive::new(ingested))
}

/// Reads the private albums into `albums.parquet` in `dir`, and writes the log beside it. The log
/// is written even where too many photos were set aside, since it says which.
///
/// # Errors
/// As [`ingest`], and if a file cannot be written.
pub(crate) fn to_directory(
    config: &CorpusConfig,
    unit: Unit,
    dir: &Path,
) -> Result<(), CorpusError> {
    let ingested = read(config)?;
    let log = dir.join(LOG);
    write_log(&log, &ingested.set_aside).map_err(IngestError::io("write", &log))?;
    check(config, &ingested, Some(&log))?;
    let own_owner = |album: &Album| album.owner_id.starts_with(NOBODY);
    if unit == Unit::Owner
        && config.ownerless_albums == OwnerlessAlbums::Refuse
        && ingested.albums.iter().any(own_owner)
    {
        return Err(CorpusError::Ownerless);
    }
    store::write_albums(&dir.join("albums.parquet"), &ingested.albums)
}

fn write_log(path: &Path, set_aside: &[SetAside]) -> std::io::Result<()> {
    let mut text = Vec::new();
    for entry in set_aside {
        serde_json::to_writer(&mut text, entry)?;
        text.push(b'\n');
    }
    Ok(write_private(path, &text)?)
}

fn check(config: &CorpusConfig, found: &Ingested, log: Option<&Path>) -> Result<(), IngestError> {
    if found.set_aside.len() > config.max_bad_photos {
        return Err(IngestError::TooManyBad {
            max_bad_photos: config.max_bad_photos,
            log: log.map(Path::to_owned),
        });
    }
    if found.albums.is_empty() {
        return Err(IngestError::NothingUsable {
            path: config.path.clone(),
        });
    }
    Ok(())
}

/// An album as a reader of one layout lists it, before its photos are looked at.
struct Listed {
    id: String,
    owner_id: Option<String>,
    title: Option<String>,
    photos: Vec<ListedPhoto>,
    /// Whether capture times decide the order; otherwise the order is as listed.
    by_time: bool,
}

struct ListedPhoto {
    id: String,
    /// The file, or why there is none that may be read.
    file: Result<PathBuf, String>,
    caption: Option<String>,
}

fn read(config: &CorpusConfig) -> Result<Ingested, IngestError> {
    let mut found = match format_of(config)? {
        InputFormat::Jsonl => Ingested {
            albums: jsonl::read(&config.path)?,
            set_aside: Vec::new(),
        },
        InputFormat::Imagefolder => {
            let root = Root::new(&config.path)?;
            inspect(imagefolder::list(&root)?, config.max_pixels)
        }
        InputFormat::Auto | InputFormat::Folders => {
            let root = Root::new(&config.path)?;
            inspect(folders::list(&root)?, config.max_pixels)
        }
    };
    for album in &mut found.albums {
        album.photos.truncate(config.max_photos_per_album);
    }
    found.albums.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

/// The layout that is named, or that of what lies there, checked against what lies there.
fn format_of(config: &CorpusConfig) -> Result<InputFormat, IngestError> {
    let path = &config.path;
    let meta = fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => IngestError::Missing { path: path.clone() },
        _ => IngestError::io("read", path)(e),
    })?;
    let metadata = path.join(imagefolder::METADATA);
    let mismatch = |format, wants| {
        Err(IngestError::Layout {
            path: path.clone(),
            format,
            wants,
        })
    };
    match config.format {
        InputFormat::Jsonl if meta.is_dir() => mismatch("jsonl", "a file, not a folder"),
        InputFormat::Folders if !meta.is_dir() => mismatch("folders", "a folder, not a file"),
        InputFormat::Imagefolder if !metadata.is_file() => {
            mismatch("imagefolder", "a folder with a file `metadata.jsonl`")
        }
        InputFormat::Auto if !meta.is_dir() => Ok(InputFormat::Jsonl),
        InputFormat::Auto if metadata.is_file() => Ok(InputFormat::Imagefolder),
        InputFormat::Auto => Ok(InputFormat::Folders),
        named => Ok(named),
    }
}

/// Looks at every photo, in parallel: memory holds what is known of each, and the pixels of at most
/// one photo a thread (one at a time, for large ones).
fn inspect(listed: Vec<Listed>, max_pixels: u64) -> Ingested {
    let inspector = Inspector::new(max_pixels);
    let photos: Vec<&ListedPhoto> = listed.iter().flat_map(|album| &album.photos).collect();
    let facts: Vec<Result<Facts, String>> = photos
        .into_par_iter()
        .map(|photo| inspector.inspect(photo.file.as_deref().map_err(Clone::clone)?))
        .collect();
    let mut facts = facts.into_iter();
    let (mut albums, mut set_aside) = (Vec::new(), Vec::new());
    for Listed {
        id,
        owner_id,
        title,
        photos,
        by_time,
    } in listed
    {
        let mut usable = Vec::new();
        for (photo, facts) in photos.into_iter().zip(facts.by_ref()) {
            match (facts, photo.file) {
                (Ok(facts), Ok(path)) => {
                    usable.push(to_photo(photo.id, path, photo.caption, facts));
                }
                (Err(reason), _) | (_, Err(reason)) => {
                    set_aside.push(SetAside {
                        album: id.clone(),
                        photo: photo.id,
                        reason,
                    });
                }
            }
        }
        if by_time && usable.iter().all(|p| p.taken_at.is_some()) {
            usable.sort_by_key(|p| p.taken_at);
        }
        if !usable.is_empty() {
            let owner_id = owner_name(owner_id.as_deref(), &id);
            albums.push(Album {
                id,
                owner_id,
                title,
                photos: usable,
            });
        }
    }
    Ingested { albums, set_aside }
}

/// Before the name of an owner who has no name but that of the one album.
const NOBODY: char = '\u{1f}';

/// The owner's name, or one that no named owner can have: an album without an owner must never
/// count as one more album of the owner who happens to be called like it.
fn owner_name(owner: Option<&str>, album: &str) -> String {
    match owner {
        Some(owner) => owner.trim().trim_start_matches(NOBODY).to_owned(),
        None => format!("{NOBODY}{album}"),
    }
}

fn to_photo(id: String, path: PathBuf, caption: Option<String>, facts: Facts) -> Photo {
    let Facts {
        sha256,
        width,
        height,
        orientation,
        taken_at,
    } = facts;
    let content = PhotoContent::File {
        path,
        sha256,
        width,
        height,
        orientation,
    };
    Photo {
        id,
        content,
        caption,
        taken_at,
    }
}

/// Refuses an album that is listed a second time.
struct Seen {
    file: PathBuf,
    lines: BTreeMap<String, usize>,
}

impl Seen {
    fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            lines: BTreeMap::new(),
        }
    }

    fn add(&mut self, album_id: &str, line: usize) -> Result<(), IngestError> {
        match self.lines.insert(album_id.to_owned(), line) {
            None => Ok(()),
            Some(first) => Err(IngestError::Line {
                path: self.file.clone(),
                line,
                problem: format!("this album stands in line {first} already"),
                hint: "give each album an `album_id` of its own",
            }),
        }
    }
}
