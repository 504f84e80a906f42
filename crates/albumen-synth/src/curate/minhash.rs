//! Near-duplicates by MinHash and locality-sensitive hashing, in time linear in the albums.
//!
//! The share of permutations under which two sets have the same minimum estimates their Jaccard
//! similarity (Broder 1997, "On the resemblance and containment of documents"). Signatures are cut
//! into bands; albums that agree on a whole band become candidates (Leskovec, Rajaraman & Ullman,
//! "Mining of Massive Datasets", section 3.4), and their exact similarity decides.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use albumen_schema::SyntheticAlbum;

use super::text;

/// Length of a signature. A longer one tells pairs near the threshold from those far below better,
/// so that fewer of these are compared.
const PERMUTATIONS: usize = 256;
/// A pair exactly at the threshold is missed with at most this probability.
const MOST_MISSED: f64 = 1e-3;
/// Public seed of the permutations (the fractional digits of pi).
const SEED: u64 = 0x243f_6a88_85a3_08d3;
/// The end of a bucket's chain.
const END: u32 = u32::MAX;

/// An album's word trigrams as a sorted set of hashes, and its bands.
pub(super) struct Shingled {
    shingles: Vec<u64>,
    bands: Vec<u32>,
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
        // 32 bits of a band: two bands that differ meet by chance once in 4 billion pairs, and the
        // exact similarity then tells them apart.
        let bands = signature(&shingles)
            .chunks_exact(rows)
            .enumerate()
            .map(|(band, rows)| {
                let hash = rows.iter().fold(mix(band as u64), |h, &row| mix(h ^ row));
                (hash >> 32) as u32
            })
            .collect();
        Self { shingles, bands }
    }
}

/// Keys that are hashes themselves.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, key: u32) {
        self.0 = mix(self.0 ^ u64::from(key));
    }
}

/// The albums met so far that are no near-duplicate of one before them.
///
/// A bucket is a chain through `next`, from the newest album to the oldest; a place in `next` is
/// (number of the kept album) x bands + band. That takes about 0.9 kB an album at the usual
/// threshold, shingles apart.
pub(super) struct NearDuplicates {
    threshold: f64,
    kept: Vec<(usize, Box<[u64]>)>,
    buckets: HashMap<u32, u32, BuildHasherDefault<AsIs>>,
    next: Vec<u32>,
    /// Exact comparisons so far: what may grow faster than the albums.
    comparisons: u64,
}

impl NearDuplicates {
    pub(super) fn new(threshold: f64) -> Self {
        Self {
            threshold,
            kept: Vec::new(),
            buckets: HashMap::default(),
            next: Vec::new(),
            comparisons: 0,
        }
    }

    /// The earliest kept album that this one is too close to, with their Jaccard similarity.
    pub(super) fn find(&mut self, album: &Shingled) -> Option<(usize, f64)> {
        let bands = album.bands.len();
        let mut seen = HashSet::new();
        for band in &album.bands {
            let mut place = self.buckets.get(band).copied().unwrap_or(END);
            while place != END {
                seen.insert(place as usize / bands);
                place = self.next[place as usize];
            }
        }
        self.comparisons += seen.len() as u64;
        seen.into_iter()
            .map(|candidate| &self.kept[candidate])
            .map(|(first, shingles)| (*first, jaccard(shingles, &album.shingles)))
            .filter(|(_, similarity)| *similarity >= self.threshold)
            .min_by_key(|(first, _)| *first)
    }

    /// Keeps the album at `index` for those that follow.
    pub(super) fn keep(&mut self, index: usize, album: Shingled) {
        for band in album.bands {
            let place = self.next.len() as u32;
            let before = self.buckets.insert(band, place);
            self.next.push(before.unwrap_or(END));
        }
        self.kept.push((index, album.shingles.into()));
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
        // 320 of 400 shared: J = 320 / 480 = 2/3. Ten pairs give 2560 permutations; the estimate's
        // standard error is sqrt(J (1 - J) / 2560) = 0.0093, and the bound is four of them.
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
        let estimate = equal as f64 / 2560.0;
        assert!((exact - 2.0 / 3.0).abs() < 0.002, "{exact}");
        assert!((estimate - exact).abs() < 0.037, "{estimate} {exact}");
    }

    #[test]
    fn bands_fit_the_threshold() {
        assert_eq!(rows_per_band(0.8), 7);
        assert_eq!(rows_per_band(1.0), PERMUTATIONS);
        assert_eq!(rows_per_band(0.1), 1);
    }

    #[test]
    fn pairs_above_the_threshold_are_found_and_pairs_below_are_not() {
        let mut found = 0;
        for round in 0..100 {
            let (a, b) = pair(360, round); // J = 360 / 440 = 0.82
            let near = |a: &[String], b: &[String]| {
                let mut kept = NearDuplicates::new(0.8);
                kept.keep(0, Shingled::new(&album(a), 0.8));
                kept.find(&Shingled::new(&album(b), 0.8))
            };
            found += usize::from(
                near(&a, &b).is_some_and(|(first, similarity)| first == 0 && similarity > 0.8),
            );
            let (a, b) = pair(350, round); // J = 350 / 450 = 0.78
            assert!(near(&a, &b).is_none());
        }
        assert_eq!(found, 100);
    }

    #[test]
    fn hardly_a_pair_is_compared() {
        // Short captions from few words and one pattern, as a small model writes them.
        let word = |x: u64, n: u64| format!("w{}", mix(x) % n);
        let text = |i: u64| {
            let [a, b, c] = [0, 1, 2].map(|j| word(i * 3 + j, 60));
            format!("A photo of a {a} and a {b} in daylight, mostly {c}.")
        };
        let comparisons = |count: u64| {
            let mut kept = NearDuplicates::new(0.8);
            for i in 0..count {
                let captions: Vec<String> = (0..4).map(|j| text(i * 4 + j)).collect();
                let shingled = Shingled::new(&album(&captions), 0.8);
                if kept.find(&shingled).is_none() {
                    kept.keep(i as usize, shingled);
                }
            }
            kept.comparisons
        };
        // Of 32 million pairs 1,149 are compared; with half the permutations it would be 10,624.
        let compared = comparisons(8_000);
        assert!(compared < 4_000, "{compared}");
    }
}
