//! Near-duplicates by MinHash and locality-sensitive hashing, in time linear in the albums.
//!
//! The share of permutations under which two sets have the same minimum estimates their Jaccard
//! similarity (Broder 1997, "On the resemblance and containment of documents"). Signatures are cut
//! into bands; albums that agree on a whole band become candidates (Leskovec, Rajaraman & Ullman,
//! "Mining of Massive Datasets", section 3.4), and their exact similarity decides.

use std::collections::{HashMap, HashSet};

use albumen_schema::SyntheticAlbum;

use super::text;

/// Length of a signature.
const PERMUTATIONS: usize = 128;
/// A pair exactly at the threshold is missed with at most this probability.
const MOST_MISSED: f64 = 1e-3;
/// Public seed of the permutations (the fractional digits of pi).
const SEED: u64 = 0x243f_6a88_85a3_08d3;

/// An album's word trigrams as a sorted set of hashes, and its bands.
pub(super) struct Shingled {
    shingles: Vec<u64>,
    bands: Vec<u64>,
}

impl Shingled {
    pub(super) fn new(album: &SyntheticAlbum, threshold: f64) -> Self {
        let mut shingles: Vec<u64> = text::parts(album)
            .flat_map(|(_, text)| {
                let words: Vec<String> = text::words(text).collect();
                let width = words.len().clamp(1, 3);
                words.windows(width).map(hash_words).collect::<Vec<_>>()
            })
            .collect();
        shingles.sort_unstable();
        shingles.dedup();
        let rows = rows_per_band(threshold);
        let bands = signature(&shingles)
            .chunks_exact(rows)
            .enumerate()
            .map(|(band, rows)| rows.iter().fold(mix(band as u64), |h, &row| mix(h ^ row)))
            .collect();
        Self { shingles, bands }
    }
}

/// The albums met so far that are no near-duplicate of one before them.
pub(super) struct NearDuplicates {
    threshold: f64,
    kept: Vec<(usize, Vec<u64>)>,
    buckets: HashMap<u64, Vec<usize>>,
}

impl NearDuplicates {
    pub(super) fn new(threshold: f64) -> Self {
        Self {
            threshold,
            kept: Vec::new(),
            buckets: HashMap::new(),
        }
    }

    /// The earliest album that `index` is too close to, with their Jaccard similarity; or keeps
    /// `index` for those that follow.
    pub(super) fn find_or_insert(&mut self, index: usize, album: Shingled) -> Option<(usize, f64)> {
        let mut seen = HashSet::new();
        let found = album
            .bands
            .iter()
            .filter_map(|band| self.buckets.get(band))
            .flatten()
            .filter(|&&candidate| seen.insert(candidate))
            .map(|&candidate| &self.kept[candidate])
            .map(|(first, shingles)| (*first, jaccard(shingles, &album.shingles)))
            .filter(|(_, similarity)| *similarity >= self.threshold)
            .min_by_key(|(first, _)| *first);
        if found.is_none() {
            for band in album.bands {
                self.buckets.entry(band).or_default().push(self.kept.len());
            }
            self.kept.push((index, album.shingles));
        }
        found
    }
}

/// The most rows a band can have with which a pair at the threshold still meets in some band.
fn rows_per_band(threshold: f64) -> usize {
    (1..=PERMUTATIONS)
        .rev()
        .find(|&rows| {
            let bands = PERMUTATIONS / rows;
            (1.0 - threshold.powi(rows as i32)).powi(bands as i32) <= MOST_MISSED
        })
        .unwrap_or(1)
}

fn signature(shingles: &[u64]) -> Vec<u64> {
    (0..PERMUTATIONS as u64)
        .map(|i| {
            let key = mix(SEED ^ i);
            shingles.iter().map(|s| mix(s ^ key)).min().unwrap_or(key)
        })
        .collect()
}

/// Jaccard similarity of two sorted sets.
fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                i += 1;
                j += 1;
            }
        }
    }
    let union = a.len() + b.len() - common;
    if union == 0 {
        1.0
    } else {
        common as f64 / union as f64
    }
}

/// 64-bit FNV-1a of the words, each closed by a byte that no UTF-8 text holds. The standard
/// library's hasher may change with its version; these hashes must not.
fn hash_words(words: &[String]) -> u64 {
    let bytes = words.iter().flat_map(|w| w.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection of 64-bit words.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn album(captions: &[String]) -> SyntheticAlbum {
        SyntheticAlbum {
            id: String::new(),
            index: 0,
            summary: String::new(),
            captions: captions.to_vec(),
            raw_summary: String::new(),
            truncated: false,
        }
    }

    /// Sets of 400 one-word shingles of which `common` are shared.
    fn pair(common: usize, round: usize) -> (Vec<String>, Vec<String>) {
        let word = |side: &str, i: usize| format!("{side}{round}x{i}");
        let shared = (0..common).map(|i| word("s", i));
        let a = shared.clone().chain((common..400).map(|i| word("a", i)));
        let b = shared.chain((common..400).map(|i| word("b", i)));
        (a.collect(), b.collect())
    }

    #[test]
    fn signatures_estimate_the_jaccard_similarity() {
        // 320 of 400 shared: J = 320 / 480 = 2/3. Ten pairs give 1280 permutations; the estimate's
        // standard error is sqrt(J (1 - J) / 1280) = 0.013, and the bound is four of them.
        let (mut equal, mut exact) = (0, 0.0);
        for round in 0..10 {
            let (a, b) = pair(320, round);
            let (a, b) = (
                Shingled::new(&album(&a), 1.0),
                Shingled::new(&album(&b), 1.0),
            );
            exact = jaccard(&a.shingles, &b.shingles);
            let (a, b) = (signature(&a.shingles), signature(&b.shingles));
            equal += a.iter().zip(&b).filter(|(a, b)| a == b).count();
        }
        let estimate = equal as f64 / 1280.0;
        assert!((exact - 2.0 / 3.0).abs() < 0.002, "{exact}");
        assert!((estimate - exact).abs() < 0.053, "{estimate} {exact}");
    }

    #[test]
    fn bands_fit_the_threshold() {
        assert_eq!(rows_per_band(0.8), 5);
        assert_eq!(rows_per_band(1.0), PERMUTATIONS);
        assert_eq!(rows_per_band(0.1), 1);
    }

    #[test]
    fn pairs_above_the_threshold_are_found_and_pairs_below_are_not() {
        let mut found = 0;
        for round in 0..100 {
            let (a, b) = pair(360, round); // J = 360 / 440 = 0.82
            let mut kept = NearDuplicates::new(0.8);
            assert!(
                kept.find_or_insert(0, Shingled::new(&album(&a), 0.8))
                    .is_none()
            );
            found += usize::from(
                kept.find_or_insert(1, Shingled::new(&album(&b), 0.8))
                    .is_some_and(|(first, similarity)| first == 0 && similarity > 0.8),
            );
            let (a, b) = pair(350, round); // J = 350 / 450 = 0.78
            let mut kept = NearDuplicates::new(0.8);
            kept.find_or_insert(0, Shingled::new(&album(&a), 0.8));
            assert!(
                kept.find_or_insert(1, Shingled::new(&album(&b), 0.8))
                    .is_none()
            );
        }
        assert_eq!(found, 100);
    }
}
