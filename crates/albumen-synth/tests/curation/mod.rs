//! What the tests of curation share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses a part of these helpers, which fail by panicking"
)]

use std::path::PathBuf;

use albumen_schema::SyntheticAlbum;
use albumen_synth::curate::{SentenceEmbedding, WordList};
use albumen_vision::embedder::Embedder;

pub(crate) fn asset(name: &str, file: &str) -> PathBuf {
    let home = std::env::var_os("ALBUMEN_HOME").map_or_else(
        || {
            std::env::var_os("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
                .expect("no home directory: set ALBUMEN_HOME")
                .join("albumen")
        },
        PathBuf::from,
    );
    let path = home.join("assets").join(name).join(file);
    assert!(
        path.exists(),
        "{} is missing: run `make assets`",
        path.display()
    );
    path
}

pub(crate) fn word_list() -> WordList {
    WordList::load(&asset("naughty-words", "en.json")).unwrap()
}

pub(crate) fn embedder() -> Embedder {
    let weights = asset("all-minilm-l6-v2", "model.safetensors");
    Embedder::load(weights.parent().unwrap()).unwrap()
}

/// Every text is the same direction: everything coheres.
pub(crate) struct Agreeing;

impl SentenceEmbedding for Agreeing {
    fn embed(&self, texts: &[&str]) -> albumen_synth::Result<Vec<Vec<f32>>> {
        Ok(vec![vec![1.0]; texts.len()])
    }
}

/// An album of nothing in particular with these captions.
pub(crate) fn plain(index: u64, captions: &[&str]) -> SyntheticAlbum {
    album(
        index,
        &format!("Album number {index} of this test."),
        captions,
    )
}

/// A whole album.
pub(crate) fn album(index: u64, summary: &str, captions: &[&str]) -> SyntheticAlbum {
    SyntheticAlbum {
        id: SyntheticAlbum::id_of(index),
        index,
        raw_summary: format!(" {} photos: {summary}", captions.len()),
        summary: summary.to_owned(),
        captions: captions.iter().map(|&c| c.to_owned()).collect(),
        truncated: false,
    }
}
