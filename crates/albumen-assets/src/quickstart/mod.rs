//! The quickstart corpus: albums of real photos that anyone may use, so that the whole of Albumen
//! can be tried before private albums are at hand.
//!
//! The photos are real. The owners, the themes, the titles and which photos share an album are
//! drawn by a seeded generator, so the corpus shows that the machinery works and says little about
//! how real albums hang together.

mod plan;
mod themes;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::{self, Fingerprint};
use crate::photos::{Attribution, read_attribution};
use crate::status::{self, TABLE};
use crate::{Check, Error, Home, PINS, Pin, Result, State};
use plan::{MAX_ALBUMS, PlannedAlbum, plan};

/// The asset that the photos come from.
const ASSET: &str = "gcompris-photos";
/// Raised whenever the same settings give other albums.
const VERSION: u32 = 1;
const MANIFEST: &str = "quickstart.json";

/// How large a corpus to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Number of albums: at least `owners`, at most four times `owners`.
    pub albums: usize,
    /// Number of owners; each has 1 to 4 albums and a taste for two or three themes.
    pub owners: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            albums: 1200,
            owners: 600,
        }
    }
}

/// The corpus that is there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quickstart {
    version: u32,
    seed: u64,
    /// What was asked for.
    pub size: Size,
    /// Number of photos, each counted as often as it lies in an album.
    pub photos: usize,
    /// Number of different photos.
    pub distinct_photos: usize,
    attribution_sha256: String,
    /// Whether an earlier call made it and this one did nothing.
    #[serde(skip)]
    pub was_there: bool,
}

/// Writes the corpus to the folder `out`: `<album>/album.toml`, `<album>/<nn>-<photo>.webp`,
/// `ATTRIBUTION.tsv`, `README.md` and `quickstart.json`. Photos are hard links to the asset's files
/// where the file system allows, and copies elsewhere. The same size and seed give the same tree.
///
/// # Errors
/// [`Error::NotFetched`] without the photos; [`Error::OutNotEmpty`] if `out` holds anything but this
/// very corpus; [`Error::Size`] for numbers that cannot be met; [`Error::Io`].
pub fn write(home: &Home, out: &Path, size: Size, seed: u64) -> Result<Quickstart> {
    if size.owners == 0 || size.albums < size.owners || size.albums > MAX_ALBUMS * size.owners {
        return Err(Error::Size {
            albums: size.albums,
            owners: size.owners,
        });
    }
    let photos = photos_of(home)?;
    let ids: Vec<String> = photos.keys().cloned().collect();
    let albums = plan(&ids, size.owners, size.albums, seed);
    let mut used: Vec<&String> = albums.iter().flat_map(|a| &a.photos).collect();
    let total = used.len();
    used.sort();
    used.dedup();
    let attribution = attribution_of(&used, &photos);
    let mut made = Quickstart {
        version: VERSION,
        seed,
        size,
        photos: total,
        distinct_photos: used.len(),
        attribution_sha256: Fingerprint::of_bytes(attribution.as_bytes()).sha256,
        was_there: false,
    };
    if stands(out, &made)? {
        made.was_there = true;
        return Ok(made);
    }
    let part = part_of(out)?;
    files::remove_dir(&part)?;
    files::create_dir(&part)?;
    for album in &albums {
        write_album(home, &part.join(&album.id), album, &photos)?;
    }
    files::write_bytes(&part.join("ATTRIBUTION.tsv"), attribution.as_bytes())?;
    files::write_bytes(&part.join("README.md"), readme(&made).as_bytes())?;
    let manifest = part.join(MANIFEST);
    let json = serde_json::to_vec_pretty(&made).map_err(|e| Error::Io {
        action: "write",
        path: manifest.clone(),
        source: e.into(),
    })?;
    files::write_bytes(&manifest, &json)?;
    files::rename(&part, out)?;
    Ok(made)
}

/// Whether the finished corpus is there already. A folder with anything else in it is refused.
fn stands(out: &Path, wanted: &Quickstart) -> Result<bool> {
    if let Ok(json) = fs::read(out.join(MANIFEST)) {
        let same = serde_json::from_slice::<Quickstart>(&json).is_ok_and(|there| there == *wanted);
        return if same {
            Ok(true)
        } else {
            Err(Error::OutNotEmpty {
                path: out.to_owned(),
            })
        };
    }
    if files::entries(out)?.is_empty() {
        Ok(false)
    } else {
        Err(Error::OutNotEmpty {
            path: out.to_owned(),
        })
    }
}

fn part_of(out: &Path) -> Result<PathBuf> {
    let out = std::path::absolute(out).map_err(Error::io("resolve", out))?;
    let mut name = out.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".part");
    Ok(out.with_file_name(name))
}

fn photos_of(home: &Home) -> Result<BTreeMap<String, Attribution>> {
    let table = home.path(ASSET, TABLE);
    let pin: Option<&Pin> = PINS.iter().find(|p| p.asset == ASSET);
    match pin
        .map(|pin| status::state(home, pin, Check::Stamp))
        .transpose()?
    {
        Some(State::Present) => {}
        _ => {
            return Err(Error::NotFetched {
                asset: ASSET.into(),
                path: table,
            });
        }
    }
    Ok(read_attribution(&table)?
        .into_iter()
        .map(|p| (p.id.clone(), p))
        .collect())
}

fn write_album(
    home: &Home,
    dir: &Path,
    album: &PlannedAlbum,
    photos: &BTreeMap<String, Attribution>,
) -> Result<()> {
    files::create_dir(dir)?;
    let toml = format!("owner = \"{}\"\ntitle = \"{}\"\n", album.owner, album.title);
    let path = dir.join("album.toml");
    // Not synced one by one: 1,200 syncs would take longer than making the corpus again.
    fs::write(&path, toml).map_err(Error::io("write", &path))?;
    for (i, id) in album.photos.iter().enumerate() {
        let Some(photo) = photos.get(id) else {
            continue;
        };
        let from = home.path(ASSET, &photo.file());
        let to = dir.join(format!("{:02}-{id}.webp", i + 1));
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).map_err(Error::io("copy a photo to", &to))?;
        }
    }
    Ok(())
}

fn attribution_of(used: &[&String], photos: &BTreeMap<String, Attribution>) -> String {
    let mut text = String::from("photo\tauthor\tlicence\tsource\tchanges\n");
    for photo in used.iter().filter_map(|id| photos.get(*id)) {
        let changes = if photo.changes.is_empty() {
            "scaled, converted to WebP"
        } else {
            &photo.changes
        };
        let Attribution {
            id,
            author,
            licence,
            source,
            ..
        } = photo;
        let _ = writeln!(text, "{id}\t{author}\t{licence}\t{source}\t{changes}");
    }
    text
}

fn readme(made: &Quickstart) -> String {
    let names: Vec<&str> = themes::THEMES.iter().map(|t| t.name).collect();
    format!(
        "# Quickstart corpus\n\
         {albums} albums of {owners} owners, made by `albumen dataset quickstart` (version {version}, \
         seed {seed}) to try Albumen without private photos.\n\n\
         **Real:** the {distinct} photos. They come from the Debian package `gcompris-qt-data`, whose \
         own READMEs place each of them in the public domain or under CC0. `ATTRIBUTION.tsv` has the \
         author, licence and source of every one; a file `01-farm-cow.webp` is the photo `farm-cow` \
         there. The package's makers scaled and cropped them.\n\n\
         **Made up by us:** the owners, the themes, the titles, and which photos share an album. \
         Each owner has 1 to 4 albums and a taste for two or three themes; each album draws 3 to 8 \
         different photos of its theme at random. So {photos} photo files show only {distinct} \
         photos, and the same photo lies in the albums of many owners. Figures measured on this \
         corpus show that the machinery works; they do not say how well it does on real albums.\n\n\
         Themes: {themes}.\n\n\
         The photo files are hard links to Albumen's asset folder where the file system allows it: \
         copy one before you change it.\n",
        albums = made.size.albums,
        owners = made.size.owners,
        version = made.version,
        seed = made.seed,
        distinct = made.distinct_photos,
        photos = made.photos,
        themes = names.join(", "),
    )
}
