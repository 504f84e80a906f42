//! What sentence embeddings say of an album: do the captions belong under their summary, how alike
//! are they, and which topic is it?

use std::collections::HashMap;

use albumen_schema::SyntheticAlbum;
use albumen_topics::TopicModel;
use albumen_vision::embedder::Embedder;

use crate::error::{Result, SynthError};

/// Albums embedded together: bounds memory, changes no number.
const CHUNK: usize = 256;

/// Above this agreement with the summary, a caption rather repeats it than belongs under it; and
/// above this likeness captions repeat each other. Nine of ten hand-made good albums (tests/golden)
/// lie below both.
const ENOUGH: f32 = 0.6;

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

/// The measures of one album.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measures {
    /// Mean cosine similarity of the captions to the summary.
    pub(super) coherence: f32,
    /// Mean cosine similarity of the captions to one another; none for one caption.
    pub(super) sameness: Option<f32>,
    /// The summary's topic, where there are topics.
    pub(super) topic: Option<usize>,
}

impl Measures {
    /// The public score by which candidates compete: agreement with the summary, as far as it is no
    /// mere repetition, less the captions' repetition of one another.
    pub(super) fn score(&self) -> f32 {
        let repeated = self.sameness.map_or(0.0, |s| (s - ENOUGH).max(0.0));
        self.coherence.min(ENOUGH) - (self.coherence - ENOUGH).max(0.0) / 2.0 - repeated
    }
}

/// Measures each album.
pub(super) fn of(
    albums: &[&SyntheticAlbum],
    embedder: &dyn SentenceEmbedding,
    topics: Option<&TopicModel>,
) -> Result<Vec<Measures>> {
    let mut measures = Vec::with_capacity(albums.len());
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
        measures.extend(chunk.iter().map(|album| {
            let row = |text: &String| embedded[rows[text.as_str()]].as_slice();
            let summary = row(&album.summary);
            let captions: Vec<&[f32]> = album.captions.iter().map(row).collect();
            let sum: f32 = captions.iter().map(|c| dot(summary, c)).sum();
            Measures {
                coherence: sum / captions.len().max(1) as f32,
                sameness: sameness(&captions),
                topic: topics.and_then(|topics| topics.assign(summary)),
            }
        }));
    }
    Ok(measures)
}

/// Mean cosine over all pairs.
fn sameness(captions: &[&[f32]]) -> Option<f32> {
    let pairs = captions.len() * captions.len().saturating_sub(1) / 2;
    let sum: f32 = (captions.iter().enumerate())
        .flat_map(|(i, a)| captions[..i].iter().map(move |b| dot(a, b)))
        .sum();
    (pairs > 0).then(|| sum / pairs as f32)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_costs_more_than_agreement_gains() {
        let of = |coherence, sameness| Measures {
            coherence,
            sameness: Some(sameness),
            topic: None,
        };
        let [copied, good, loose] = [of(0.95, 0.95), of(0.55, 0.4), of(0.25, 0.1)];
        assert!(good.score() > loose.score());
        assert!(loose.score() > copied.score());
    }

    #[test]
    fn sameness_is_the_mean_over_pairs() {
        let rows: [&[f32]; 3] = [&[1.0, 0.0], &[0.0, 1.0], &[0.6, 0.8]];
        let mean = sameness(&rows).unwrap();
        assert!((mean - (0.0 + 0.6 + 0.8) / 3.0).abs() < 1e-6, "{mean}");
        assert_eq!(sameness(&rows[..1]), None);
    }
}
