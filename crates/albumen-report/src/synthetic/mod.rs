//! Measures of the synthetic albums alone: functions of released albums and a public seed, so they may
//! be shared. They say whether albums hang together and differ from one another, not whether they are
//! like the private ones.

pub mod bootstrap;
pub mod features;
pub mod texts;

use std::collections::{BTreeMap, HashMap};

use albumen_schema::SyntheticAlbum;
use albumen_synth::SynthError;
use albumen_synth::curate::SentenceEmbedding;
use rand::SeedableRng;
use rand::seq::{SliceRandom, index};
use rand_chacha::ChaCha8Rng;

use self::bootstrap::Estimate;
use self::features::{Features, cosine, mean_pairwise_cosine};
use crate::error::Result;

/// Albums that are measured, at most: bounds the time, which goes into embedding, and makes numbers of
/// large releases comparable.
pub const MOST_ALBUMS: usize = 500;
/// Texts of a kind that Vendi score, distinct-n and near-duplicates look at, at most.
pub const MOST_TEXTS: usize = 1000;
/// Two texts are near-duplicates from this cosine on.
pub const NEAR_DUPLICATE: f32 = 0.95;
/// Distinct-n is measured for these n.
pub const GRAMS: [usize; 3] = [1, 2, 3];

/// A similarity within albums, and the same where texts are dealt to albums at random.
#[derive(Clone, Debug, PartialEq)]
pub struct Similarity {
    /// One cosine an album.
    pub albums: Vec<f64>,
    /// One cosine an album of the same sizes with texts of others.
    pub shuffled: Vec<f64>,
    /// Mean of `albums`.
    pub mean: Option<Estimate>,
    /// Mean of `shuffled`.
    pub shuffled_mean: Option<Estimate>,
}

/// How much texts of one kind differ from one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Diversity {
    /// Texts that were looked at.
    pub texts: usize,
    /// Distinct-n for [`GRAMS`].
    pub distinct: [f64; 3],
    /// Effective number of different texts.
    pub vendi_score: f64,
    /// Share of texts with another at a cosine of [`NEAR_DUPLICATE`] or more.
    pub near_duplicates: f64,
}

/// How many items have which size.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// Number of items by size.
    pub counts: BTreeMap<usize, usize>,
    /// Mean size.
    pub mean: Option<Estimate>,
}

/// Everything that is measured on synthetic albums alone.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticMetrics {
    /// Seed of samples, shuffles and intervals.
    pub seed: u64,
    /// Albums that were measured.
    pub albums: usize,
    /// Mean cosine of the pairs of an album's captions; albums with one photo have none.
    pub coherence: Similarity,
    /// Mean cosine of an album's captions with its summary.
    pub agreement: Similarity,
    /// The summaries.
    pub summaries: Diversity,
    /// The captions.
    pub captions: Diversity,
    /// Words a summary.
    pub summary_words: Sizes,
    /// Words a caption.
    pub caption_words: Sizes,
    /// Photos an album.
    pub photos: Sizes,
}

/// Measures the kept albums.
///
/// # Errors
/// [`crate::ReportError::Statement`] where a text cannot be embedded.
pub fn measure(
    albums: &[&SyntheticAlbum],
    embedder: &dyn SentenceEmbedding,
    seed: u64,
) -> Result<SyntheticMetrics> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let albums: Vec<&SyntheticAlbum> = sample(albums.len(), MOST_ALBUMS, &mut random)
        .into_iter()
        .map(|i| albums[i])
        .collect();
    let summaries: Vec<&str> = albums.iter().map(|a| a.summary.as_str()).collect();
    let captions: Vec<&str> = albums
        .iter()
        .flat_map(|a| a.captions.iter().map(String::as_str))
        .collect();
    let summary_rows = embed_once(&summaries, embedder)?;
    let caption_rows = embed_once(&captions, embedder)?;

    let mut ends = Vec::with_capacity(albums.len());
    let mut end = 0;
    for album in &albums {
        let start = end;
        end += album.captions.len();
        ends.push(start..end);
    }
    let mut order: Vec<usize> = (0..caption_rows.len()).collect();
    order.shuffle(&mut random);
    let others = shifted(albums.len(), &mut random);

    let coherence = |row_of: &dyn Fn(usize) -> usize| -> Vec<f64> {
        ends.iter()
            .filter_map(|photos| {
                mean_pairwise_cosine(photos.clone().map(|i| &caption_rows[row_of(i)]))
            })
            .collect()
    };
    let agreement = |summary_of: &dyn Fn(usize) -> usize| -> Vec<f64> {
        let with_photos = ends
            .iter()
            .enumerate()
            .filter(|(_, photos)| !photos.is_empty());
        with_photos
            .map(|(i, photos)| {
                let summary = &summary_rows[summary_of(i)];
                let cosines = photos
                    .clone()
                    .map(|c| f64::from(cosine(summary, &caption_rows[c])));
                cosines.sum::<f64>() / photos.len() as f64
            })
            .collect()
    };
    let sizes = |sizes: Vec<usize>| Sizes::of(&sizes, seed);
    Ok(SyntheticMetrics {
        seed,
        albums: albums.len(),
        coherence: Similarity::of(coherence(&|i| i), coherence(&|i| order[i]), seed),
        agreement: Similarity::of(agreement(&|i| i), agreement(&|i| others[i]), seed),
        summary_words: sizes(summaries.iter().map(|t| texts::words(t).len()).collect()),
        caption_words: sizes(captions.iter().map(|t| texts::words(t).len()).collect()),
        photos: sizes(albums.iter().map(|a| a.captions.len()).collect()),
        summaries: Diversity::of(&summaries, &summary_rows, &mut random),
        captions: Diversity::of(&captions, &caption_rows, &mut random),
    })
}

impl Similarity {
    fn of(albums: Vec<f64>, shuffled: Vec<f64>, seed: u64) -> Self {
        Self {
            mean: bootstrap::mean(&albums, seed),
            shuffled_mean: bootstrap::mean(&shuffled, seed),
            albums,
            shuffled,
        }
    }
}

impl Diversity {
    fn of(texts: &[&str], rows: &[Vec<f32>], random: &mut ChaCha8Rng) -> Self {
        let chosen = sample(texts.len(), MOST_TEXTS, random);
        let texts: Vec<&str> = chosen.iter().map(|&i| texts[i]).collect();
        let rows: Vec<Vec<f32>> = chosen.iter().map(|&i| rows[i].clone()).collect();
        let features = Features::new(&rows);
        Self {
            texts: texts.len(),
            distinct: GRAMS.map(|n| texts::distinct_n(&texts, n)),
            vendi_score: features.vendi_score(),
            near_duplicates: features.near_duplicate_rate(NEAR_DUPLICATE),
        }
    }
}

impl Sizes {
    fn of(sizes: &[usize], seed: u64) -> Self {
        let mut counts = BTreeMap::new();
        for &size in sizes {
            *counts.entry(size).or_insert(0) += 1;
        }
        let values: Vec<f64> = sizes.iter().map(|&size| size as f64).collect();
        Self {
            counts,
            mean: bootstrap::mean(&values, seed),
        }
    }
}

/// Embeds each different text once; rows in the order of `texts`.
///
/// # Errors
/// Those of `embedder`, and [`SynthError::Embedding`] where it does not give a row for each text.
pub fn embed_once(
    texts: &[&str],
    embedder: &dyn SentenceEmbedding,
) -> albumen_synth::Result<Vec<Vec<f32>>> {
    let mut different: Vec<&str> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for text in texts {
        places.entry(text).or_insert_with(|| {
            different.push(text);
            different.len() - 1
        });
    }
    let rows = embedder.embed(&different)?;
    if rows.len() != different.len() {
        let reason = format!("{} rows for {} texts", rows.len(), different.len());
        return Err(SynthError::Embedding(reason));
    }
    Ok(texts
        .iter()
        .map(|text| rows[places[text]].clone())
        .collect())
}

/// `most` of `0..n` at random in ascending order, or all.
pub(crate) fn sample(n: usize, most: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut chosen = index::sample(random, n, n.min(most)).into_vec();
    chosen.sort_unstable();
    chosen
}

/// For each of `0..n` another one, each once: neighbours on a random ring.
fn shifted(n: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut ring: Vec<usize> = (0..n).collect();
    ring.shuffle(random);
    let mut other = vec![0; n];
    for (i, &item) in ring.iter().enumerate() {
        other[item] = ring[(i + 1) % n];
    }
    other
}
