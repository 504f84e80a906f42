//! Coherence: do the captions belong under their summary?

use std::collections::HashMap;

use albumen_schema::SyntheticAlbum;
use albumen_vision::embedder::Embedder;

use crate::error::{Result, SynthError};

/// Albums embedded together: bounds memory, changes no number.
const CHUNK: usize = 256;

/// Sentence embeddings of unit length.
pub trait SentenceEmbedding: Sync {
    /// One row of unit length for each text, in the order given; a row depends on its text alone.
    ///
    /// # Errors
    /// [`SynthError::Embedding`].
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>>;
}

impl SentenceEmbedding for Embedder {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        Self::embed(self, texts).map_err(|e| SynthError::Embedding(e.to_string()))
    }
}

/// Mean cosine similarity of the captions to the summary, for each album.
pub(super) fn of(albums: &[&SyntheticAlbum], embedder: &dyn SentenceEmbedding) -> Result<Vec<f32>> {
    let mut cosines = Vec::with_capacity(albums.len());
    for chunk in albums.chunks(CHUNK) {
        let mut rows: HashMap<&str, usize> = HashMap::new();
        let mut texts: Vec<&str> = Vec::new();
        for album in chunk {
            for text in std::iter::once(&album.summary).chain(&album.captions) {
                rows.entry(text).or_insert_with(|| {
                    texts.push(text);
                    texts.len() - 1
                });
            }
        }
        let embedded = embedder.embed(&texts)?;
        if embedded.len() != texts.len() {
            return Err(SynthError::Embedding(format!(
                "{} rows for {} texts",
                embedded.len(),
                texts.len()
            )));
        }
        cosines.extend(chunk.iter().map(|album| {
            let row = |text: &String| &embedded[rows[text.as_str()]];
            let summary = row(&album.summary);
            let sum: f32 = album.captions.iter().map(|c| dot(summary, row(c))).sum();
            sum / album.captions.len().max(1) as f32
        }));
    }
    Ok(cosines)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
