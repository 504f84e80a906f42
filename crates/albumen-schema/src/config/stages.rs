//! One table a stage. The documentation of each field is the configuration reference.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ranges::{MAX_ALBUMS, MAX_CANDIDATES, MAX_PHOTOS, MAX_TRIES};
use crate::ModelName;

/// How the input is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputFormat {
    /// Find out from what lies there.
    #[default]
    Auto,
    /// A folder an album.
    Folders,
    /// Hugging Face imagefolder with `metadata.jsonl`.
    Imagefolder,
    /// Text only: JSON lines of albums with captions.
    Jsonl,
}

/// What to do with albums that name no owner where the privacy unit is the owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnerlessAlbums {
    /// Refuse the corpus: the guarantee by owner would silently be one by album.
    #[default]
    Refuse,
    /// Take each as the only album of an owner of its own.
    OwnOwner,
}

/// `[corpus]`: the private albums.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorpusConfig {
    /// The input folder, or file for text-only input. Relative to the working directory.
    pub path: PathBuf,
    /// Layout of the input.
    #[serde(default)]
    pub format: InputFormat,
    /// Albums that name no owner, where the privacy unit is the owner.
    #[serde(default)]
    pub ownerless_albums: OwnerlessAlbums,
    /// How many photos may be set aside as unreadable before the run fails.
    #[serde(default = "default_max_bad_photos")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_bad_photos: usize,
    /// Photos with more pixels than this are refused before they are decoded.
    #[serde(default = "default_max_pixels")]
    #[schemars(range(min = 1, max = u32::MAX))]
    pub max_pixels: u64,
    /// An album keeps at most this many photos, the first ones.
    #[serde(default = "default_max_photos")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_photos_per_album: usize,
}

fn default_max_bad_photos() -> usize {
    100
}
fn default_max_pixels() -> u64 {
    100_000_000
}
fn default_max_photos() -> usize {
    12
}

/// `[summarize]`: how albums get summaries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SummarizeConfig {
    /// The public language model that writes them, or a server, `endpoint:http://HOST:PORT/v1#MODEL`.
    #[schemars(with = "String")]
    pub model: ModelName,
    /// Longest summary, in tokens.
    #[schemars(range(min = 1, max = 256))]
    pub max_tokens: usize,
}

impl Default for SummarizeConfig {
    fn default() -> Self {
        Self {
            model: "asset:smollm2-135m-instruct".into(),
            max_tokens: 30,
        }
    }
}

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Temperature; 0 takes the most likely token.
    #[schemars(range(min = 0, max = 100))]
    pub temperature: f32,
    /// Keep the k most likely tokens; 0 keeps all.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub top_k: usize,
    /// Keep the most likely tokens that hold this much probability.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub top_p: f32,
    /// Divide the logits of tokens already written by this.
    #[schemars(range(min = 1, max = 100), extend("x-usual" = "1 is none"))]
    pub repetition_penalty: f32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.9,
            top_k: 0,
            top_p: 0.95,
            repetition_penalty: 1.0,
        }
    }
}

/// `[generate]`: how synthetic albums are sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateConfig {
    /// Number of albums to sample, before curation.
    #[schemars(range(min = 1, max = MAX_ALBUMS))]
    pub albums: u64,
    /// Candidates that are sampled for each of them; curation keeps the best that passes. Sampling
    /// takes as many times longer.
    #[serde(default = "default_candidates")]
    #[schemars(
        range(min = 1, max = MAX_CANDIDATES),
        extend("x-usual" = "1 keeps what is sampled first")
    )]
    pub candidates: u32,
    /// Seed of the public randomness of decoding and rendering.
    #[serde(default)]
    #[schemars(range(min = 0, max = i64::MAX))]
    pub seed: u64,
    /// How often a text that breaks the format or does not end is sampled, at most.
    #[serde(default = "default_tries")]
    #[schemars(range(min = 1, max = MAX_TRIES))]
    pub tries: u32,
    /// Sample with 8-bit weights and activations (processor only): less memory and more speed for a
    /// little quality, about 0.02 nats a token for a model of 135 million parameters.
    #[serde(default)]
    pub eight_bit: bool,
    /// Texts decoded together; changes no text.
    #[serde(default = "default_batch")]
    #[schemars(range(min = 1, max = 65_536))]
    pub batch: usize,
    /// Longest summary, in tokens. Training cuts to this length too: a change after training asks for
    /// a new training, which is refused in the same run directory.
    #[serde(default = "default_summary_tokens")]
    #[schemars(range(min = 1, max = 65_536))]
    pub max_summary_tokens: usize,
    /// Longest caption, in tokens; the same holds for a change after training.
    #[serde(default = "default_caption_tokens")]
    #[schemars(range(min = 1, max = 65_536))]
    pub max_caption_tokens: usize,
    /// Most photos of a sampled album: its number of photos is drawn from 1 to this, by what the model
    /// finds likely.
    #[serde(default = "default_max_photos")]
    #[schemars(range(min = 1, max = MAX_PHOTOS))]
    pub max_photos: usize,
    /// Sampling of summaries.
    #[serde(default)]
    pub summary: Sampling,
    /// Sampling of captions.
    #[serde(default)]
    pub caption: Sampling,
}

fn default_batch() -> usize {
    64
}
fn default_candidates() -> u32 {
    1
}
fn default_tries() -> u32 {
    6
}
fn default_summary_tokens() -> usize {
    64
}
fn default_caption_tokens() -> usize {
    48
}

/// A form in which a release holds its albums again, for the tools that read that form.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// `parquet/`: one row an album with the pictures' bytes, as Hugging Face `Image` features.
    Parquet,
    /// `webdataset/`: tar shards, one sample a photo.
    WebDataset,
    /// `coco/captions.json`: COCO captions over the pictures in `images/`.
    Coco,
    /// `croissant.json`: Croissant 1.0 metadata of the release.
    Croissant,
}

/// `[export]`: what the release says of itself, and its forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExportConfig {
    /// Title of the data card; the run's name where empty.
    pub title: String,
    /// Licence under which the release may be used, as an SPDX identifier.
    pub license: String,
    /// What the private corpus is, in public words.
    pub source: String,
    /// Attributions that must travel with the release, one a line.
    pub attribution: Vec<String>,
    /// What is written beside the imagefolder and `albums.parquet`: `parquet`, `webdataset`, `coco`,
    /// `croissant`. The first two hold every picture once more.
    pub formats: Vec<ExportFormat>,
    /// Size in bytes at which a new shard of `parquet` or `webdataset` begins, counting pictures; an
    /// album is never split.
    #[schemars(
        range(min = 1, max = 1_000_000_000_000_u64),
        extend("x-usual" = "500_000_000 is usual")
    )]
    pub shard_bytes: u64,
}

impl Default for ExportConfig {
    fn default() -> Self {
        Self {
            title: String::new(),
            license: String::new(),
            source: String::new(),
            attribution: Vec::new(),
            formats: vec![
                ExportFormat::Parquet,
                ExportFormat::Coco,
                ExportFormat::Croissant,
            ],
            shard_bytes: 500_000_000,
        }
    }
}
