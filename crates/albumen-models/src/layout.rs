//! Which files of a directory are a model's weights, and what a diffusers directory holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::safetensors::Header;

/// The configuration of a model of transformers.
pub const CONFIG: &str = "config.json";
/// The list of parts of a diffusers directory.
pub const MODEL_INDEX: &str = "model_index.json";

/// What weight files are called: by transformers, and by diffusers.
const STEMS: [&str; 2] = ["model", "diffusion_pytorch_model"];
/// The variant of a repository in 16 bits.
const FP16: &str = "fp16";
/// Parts of a pipeline that no picture needs.
const LEFT_OUT: [&str; 3] = ["safety_checker", "feature_extractor", "image_encoder"];

/// One part of a diffusers directory, in a folder of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// `unet`, `vae`, `text_encoder` ...
    pub name: String,
    /// The class that made it: `UNet2DConditionModel`.
    pub class: String,
}

impl Component {
    /// Whether it has weights; schedulers and tokenizers have none.
    pub fn has_weights(&self) -> bool {
        !["scheduler", "tokenizer"]
            .iter()
            .any(|part| self.name.starts_with(part))
    }
}

/// The parts of a pipeline, from the text of its `model_index.json`: those that a picture needs.
pub fn components(index: &Value) -> Vec<Component> {
    let parts = index.as_object().into_iter().flatten();
    parts
        .filter(|(name, _)| !name.starts_with('_') && !LEFT_OUT.contains(&name.as_str()))
        .filter_map(|(name, value)| {
            // `[library, class]`; `[null, null]` where the pipeline does without.
            let class = value.get(1)?.as_str()?.to_owned();
            // A name is a folder within the directory, and may come from anywhere.
            let plain = Path::new(name).file_name() == Some(name.as_ref());
            plain.then(|| Component {
                name: name.clone(),
                class,
            })
        })
        .collect()
}

/// Where weights may be: one file, or the index of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Candidate {
    Single(String),
    Index(String),
}

impl Candidate {
    pub(crate) fn file(&self) -> &str {
        match self {
            Self::Single(file) | Self::Index(file) => file,
        }
    }
}

/// The names under which a folder's weights may be, the preferred first.
pub(crate) fn candidates(half: bool) -> Vec<Candidate> {
    let whole = |stem: &str| {
        [
            Candidate::Single(format!("{stem}.safetensors")),
            Candidate::Index(format!("{stem}.safetensors.index.json")),
        ]
    };
    // diffusers has written the variant's index under either name.
    let variant = |stem: &str| {
        [
            Candidate::Single(format!("{stem}.{FP16}.safetensors")),
            Candidate::Index(format!("{stem}.safetensors.index.{FP16}.json")),
            Candidate::Index(format!("{stem}.{FP16}.safetensors.index.json")),
        ]
    };
    let mut all: Vec<_> = STEMS.iter().flat_map(|s| whole(s)).collect();
    let variants = STEMS.iter().flat_map(|s| variant(s));
    if half {
        all.splice(0..0, variants);
    } else {
        all.extend(variants);
    }
    all
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that an index (`*.safetensors.index.json`) names, each a plain name.
///
/// # Errors
/// [`Error::Io`], and [`Error::Malformed`] where it is no index or leads out of its directory.
pub fn shards(index: &Path) -> Result<BTreeSet<String>, Error> {
    let text = std::fs::read_to_string(index).map_err(|source| Error::Io {
        path: index.into(),
        source,
    })?;
    let malformed = |reason: String| Error::Malformed {
        path: index.into(),
        reason,
    };
    let parsed: Index = serde_json::from_str(&text).map_err(|e| malformed(e.to_string()))?;
    let names: BTreeSet<String> = parsed.weight_map.into_values().collect();
    // An index may come from anywhere: it must not lead out of its directory.
    let outside = |name: &&String| Path::new(name).file_name() != Some(name.as_ref());
    match names.iter().find(outside) {
        Some(name) => Err(malformed(format!(
            "it names the file {name:?} outside its directory"
        ))),
        None => Ok(names),
    }
}

/// The safetensors files of a folder's weights, as transformers and diffusers name them: one file or
/// shards with their index, whole or in the `fp16` variant. `half` prefers the variant; where only
/// the other is there, that is taken.
///
/// # Errors
/// [`Error::MissingFile`] where there are none or a shard is missing, [`Error::Malformed`] for an
/// index that is none.
pub fn weight_files(folder: &Path, half: bool) -> Result<Vec<PathBuf>, Error> {
    let all = candidates(half);
    let found = all.into_iter().find(|c| folder.join(c.file()).is_file());
    let names = match found {
        Some(Candidate::Single(file)) => BTreeSet::from([file]),
        Some(Candidate::Index(file)) => shards(&folder.join(file))?,
        None => {
            return Err(Error::MissingFile {
                path: folder.into(),
                file: wanted(folder),
            });
        }
    };
    let missing = names.iter().find(|name| !folder.join(name).is_file());
    match missing {
        Some(name) => Err(Error::MissingFile {
            path: folder.into(),
            file: name.clone(),
        }),
        None => Ok(names.iter().map(|name| folder.join(name)).collect()),
    }
}

/// What a folder without weights should have, with a word on the formats that it has instead.
fn wanted(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    let old = names.filter(|n| pickled(n)).min();
    let wanted = "model.safetensors or model.safetensors.index.json";
    match old {
        Some(old) => format!("{wanted} ({old} cannot be read; convert it to safetensors)"),
        None => wanted.to_owned(),
    }
}

/// Whether a name is that of weights in a format that is not read.
pub(crate) fn pickled(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| {
        ["bin", "pt", "pth", "ckpt", "h5", "msgpack"].contains(&&*e.to_string_lossy())
    })
}

/// Reads the headers of a folder's weights: [`weight_files`] and [`Header::read`] of each, so that a
/// file that is cut short is found before the first is loaded.
///
/// # Errors
/// Those of the two.
pub fn headers(folder: &Path, half: bool) -> Result<Vec<(PathBuf, Header)>, Error> {
    let files = weight_files(folder, half)?;
    let read = |path: PathBuf| Header::read(&path).map(|header| (path, header));
    files.into_iter().map(read).collect()
}
