//! Sets of albums as text, and what is drawn from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use albumen_synth::SynthError;
use albumen_synth::curate::SentenceEmbedding;
use nalgebra::DMatrix;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::intervals::Groups;
use super::matrix::columns;
use crate::error::Result;
use albumen_report::synthetic::embed_once;

/// An album as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextAlbum {
    /// Whose it is, or its own identifier: units are split and resampled whole.
    pub unit: String,
    /// The summary.
    pub summary: String,
    /// One caption a photo.
    pub captions: Vec<String>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Summaries of albums.
    Summaries,
    /// The captions of their photos.
    Captions,
}

impl Kind {
    /// What people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Summaries => "summaries",
            Self::Captions => "captions",
        }
    }
}

/// A set that is compared with one half of the real albums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The synthetic albums that curation kept.
    Kept,
    /// All synthetic albums.
    Sampled,
    /// The other half of the real albums: the ceiling.
    HeldOut,
    /// What the public model writes without an adapter: the floor.
    Floor,
    /// The same after the filters.
    FloorKept,
}

impl Role {
    /// What people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Sampled => "sampled",
            Self::HeldOut => "real, other half (ceiling)",
            Self::Floor => "public model (floor)",
            Self::FloorKept => "public model, kept (floor)",
        }
    }
}

/// Splits albums into two halves, by unit, at random.
pub fn halves(albums: Vec<TextAlbum>, seed: u64) -> (Vec<TextAlbum>, Vec<TextAlbum>) {
    let units: BTreeSet<&str> = albums.iter().map(|a| a.unit.as_str()).collect();
    let mut units: Vec<String> = units.into_iter().map(str::to_owned).collect();
    units.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let half = units.len() / 2;
    let second: BTreeSet<&String> = units[half..].iter().collect();
    albums
        .into_iter()
        .partition(|album| !second.contains(&album.unit))
}

/// Texts of one kind, in random order: a prefix is a sample.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    /// The texts.
    pub(super) all: Vec<String>,
    /// The unit of each.
    pub(super) units: Vec<String>,
    /// For a caption the place of its album's summary.
    pub(super) summary: Vec<usize>,
    /// The embedding of each, (d, n).
    pub(super) features: DMatrix<f64>,
}

/// The texts drawn from one set.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) albums: Vec<TextAlbum>,
    pub(super) summaries: Texts,
    pub(super) captions: Texts,
}

impl Drawn {
    /// Draws at most `most` albums and `most` of their captions; empty texts are left out, and so are
    /// captions of albums without a summary.
    pub(super) fn new(
        albums: &[TextAlbum],
        most: usize,
        embedder: &dyn SentenceEmbedding,
        seed: u64,
    ) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut albums: Vec<TextAlbum> = albums
            .iter()
            .filter(|album| !album.summary.trim().is_empty())
            .cloned()
            .collect();
        albums.shuffle(&mut random);
        albums.truncate(most);
        let mut captions: Vec<(usize, &String)> = Vec::new();
        for (i, album) in albums.iter().enumerate() {
            let texts = album.captions.iter().filter(|c| !c.trim().is_empty());
            captions.extend(texts.map(|caption| (i, caption)));
        }
        captions.shuffle(&mut random);
        captions.truncate(most);
        let unit = |i: usize| albums[i].unit.clone();
        let summaries = Texts::new(
            albums.iter().map(|a| a.summary.clone()).collect(),
            (0..albums.len()).map(unit).collect(),
            (0..albums.len()).collect(),
            embedder,
        )?;
        let captions = Texts::new(
            captions.iter().map(|(_, text)| (*text).clone()).collect(),
            captions.iter().map(|(i, _)| unit(*i)).collect(),
            captions.iter().map(|(i, _)| *i).collect(),
            embedder,
        )?;
        Ok(Self {
            albums,
            summaries,
            captions,
        })
    }

    /// The texts of a kind.
    pub(super) fn texts(&self, kind: Kind) -> &Texts {
        match kind {
            Kind::Summaries => &self.summaries,
            Kind::Captions => &self.captions,
        }
    }
}

impl Texts {
    fn new(
        texts: Vec<String>,
        units: Vec<String>,
        summary: Vec<usize>,
        embedder: &dyn SentenceEmbedding,
    ) -> Result<Self> {
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let features = columns(&embed_once(&borrowed, embedder)?);
        Ok(Self {
            all: texts,
            units,
            summary,
            features,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The embeddings of the first `n`.
    pub(super) fn features(&self, n: usize) -> DMatrix<f64> {
        self.features.columns(0, n).into_owned()
    }

    /// Which of the first `n` belong together.
    pub(super) fn groups(&self, n: usize) -> Groups {
        Groups::new(&self.units[..n])
    }
}

/// An embedder that embeds no text twice: kept albums are among the sampled ones.
pub(super) struct Remembering<'a> {
    inner: &'a dyn SentenceEmbedding,
    rows: Mutex<HashMap<String, Vec<f32>>>,
}

impl<'a> Remembering<'a> {
    pub(super) fn new(inner: &'a dyn SentenceEmbedding) -> Self {
        Self {
            inner,
            rows: Mutex::default(),
        }
    }
}

impl SentenceEmbedding for Remembering<'_> {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let new = texts.iter().filter(|text| !rows.contains_key(**text));
        let new: Vec<&str> = new.copied().collect();
        let found = self.inner.embed(&new)?;
        if found.len() != new.len() {
            let reason = format!("{} rows for {} texts", found.len(), new.len());
            return Err(SynthError::Embedding(reason));
        }
        rows.extend(new.into_iter().map(str::to_owned).zip(found));
        Ok(texts.iter().map(|text| rows[*text].clone()).collect())
    }
}

/// Number of albums by number of photos.
pub(super) fn sizes(albums: &[TextAlbum]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for album in albums {
        *counts.entry(album.captions.len()).or_default() += 1;
    }
    counts
}
