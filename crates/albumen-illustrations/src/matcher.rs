//! The icon nearest in meaning to a phrase, by the cosine of their MiniLM sentence embeddings.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::error::{IllustrationError, Result, read_file};
use albumen_vision::embedder::{EMBEDDING_DIM, Embedder};

/// Phrases of up to this many bytes are remembered: nouns come back in many captions, whole
/// captions seldom do.
const MEMO_BYTES: usize = 40;

/// Names the tensor in the cache file.
const TENSOR: &str = "embeddings";

/// Texts that stand for things, and their embeddings.
pub(crate) struct Matcher {
    embedder: Arc<Embedder>,
    /// One unit row a text.
    rows: Vec<Vec<f32>>,
    /// Answers so far: a phrase comes back in many captions.
    memo: RwLock<HashMap<String, Arc<[f32]>>>,
}

impl Matcher {
    /// Embeds `texts`, or reads their embeddings from the file `cache` if it holds these texts'.
    pub(crate) fn new(
        embedder: Arc<Embedder>,
        texts: &[String],
        cache: Option<&Path>,
    ) -> Result<Self> {
        let key = key(texts);
        let cached = cache.and_then(|path| read_cache(path, &key, texts.len()));
        let rows = if let Some(rows) = cached {
            rows
        } else {
            let rows = embedder.embed(texts)?;
            if let Some(path) = cache {
                write_cache(path, &key, &rows)?;
            }
            rows
        };
        Ok(Self {
            embedder,
            rows,
            memo: RwLock::default(),
        })
    }

    /// Cosine similarity of `phrase` with every text, in their order.
    pub(crate) fn similarities(&self, phrase: &str) -> Result<Arc<[f32]>> {
        let known = self
            .memo
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(phrase)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let query = self.embedder.embed(&[phrase])?.pop().unwrap_or_default();
        let all: Arc<[f32]> = self
            .rows
            .iter()
            .map(|row| row.iter().zip(&query).map(|(a, b)| a * b).sum())
            .collect();
        if phrase.len() <= MEMO_BYTES {
            let mut memo = self.memo.write().unwrap_or_else(PoisonError::into_inner);
            memo.insert(phrase.to_owned(), all.clone());
        }
        Ok(all)
    }
}

/// The largest value and its index. Ties go to the first.
pub(crate) fn best(values: &[f32]) -> Option<(usize, f32)> {
    values
        .iter()
        .copied()
        .enumerate()
        .reduce(|a, b| if b.1 > a.1 { b } else { a })
}

/// Says for which texts a cache was made.
fn key(texts: &[String]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    format!("{:x}", hash.finalize())
}

/// A cache that is missing, damaged or another list's counts as absent: it is written anew.
fn read_cache(path: &Path, key: &str, rows: usize) -> Option<Vec<Vec<f32>>> {
    let bytes = read_file(path).ok()?;
    let (_, head) = SafeTensors::read_metadata(&bytes).ok()?;
    if head.metadata().as_ref()?.get("texts")? != key {
        return None;
    }
    let file = SafeTensors::deserialize(&bytes).ok()?;
    let tensor = file.tensor(TENSOR).ok()?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != [rows, EMBEDDING_DIM] {
        return None;
    }
    let (numbers, _) = tensor.data().as_chunks::<4>();
    let flat: Vec<f32> = numbers.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Some(
        flat.chunks_exact(EMBEDDING_DIM)
            .map(<[f32]>::to_vec)
            .collect(),
    )
}

/// Writes beside, then renames: a reader never sees half a file.
fn write_cache(path: &Path, key: &str, rows: &[Vec<f32>]) -> Result<()> {
    let failed = |source: std::io::Error| IllustrationError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let invalid = |reason: String| IllustrationError::Format {
        path: path.to_owned(),
        format: "safetensors",
        offset: 0,
        reason,
    };
    let bytes: Vec<u8> = rows
        .iter()
        .flatten()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F32, vec![rows.len(), EMBEDDING_DIM], &bytes)
        .map_err(|e| invalid(e.to_string()))?;
    let note = HashMap::from([("texts".to_owned(), key.to_owned())]);
    let file =
        safetensors::serialize([(TENSOR, view)], Some(note)).map_err(|e| invalid(e.to_string()))?;
    let part = path.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&part, file).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}
