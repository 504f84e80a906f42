//! `[release]`: numbers about the private albums that go out beside the synthetic ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::statistic::{ALBUM_COUNT, ALBUM_SIZES, TOPIC_HISTOGRAM};

/// `[release]`: noisy statistics of the private albums, off by default. Each is charged to the
/// same budget as the models, which share what is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseConfig {
    /// Epsilon for a noisy number of albums; 0 publishes none.
    #[schemars(
        range(min = 0, max = 50),
        extend("x-usual" = "0.1 is a usual share of a budget of 8")
    )]
    pub album_count_epsilon: f64,
    /// Epsilon for a noisy histogram of the albums' numbers of photos; 0 publishes none.
    #[schemars(
        range(min = 0, max = 50),
        extend("x-usual" = "0.1 is a usual share of a budget of 8")
    )]
    pub album_sizes_epsilon: f64,
    /// The histogram's bins, public numbers: the fewest photos of each, ascending. A bin ends where
    /// the next begins, and the last has no end.
    #[schemars(length(min = 1, max = 1000), inner(range(min = 1, max = 1_000_000)))]
    pub album_size_bins: Vec<usize>,
    /// Epsilon for a noisy histogram of the albums' topics (`[topics]`), which curation then follows
    /// in its choice among the sampled albums; 0 publishes none and steers nothing.
    #[schemars(
        range(min = 0, max = 50),
        extend("x-usual" = "0.1 is a usual share of a budget of 8")
    )]
    pub topic_histogram_epsilon: f64,
}

impl Default for ReleaseConfig {
    fn default() -> Self {
        Self {
            album_count_epsilon: 0.0,
            album_sizes_epsilon: 0.0,
            album_size_bins: vec![1, 2, 4, 7, 10],
            topic_histogram_epsilon: 0.0,
        }
    }
}

impl ReleaseConfig {
    /// The statistics that are asked for, by their stage in the ledger, with their epsilon.
    pub fn wanted(&self) -> Vec<(&'static str, f64)> {
        [
            (ALBUM_COUNT, self.album_count_epsilon),
            (ALBUM_SIZES, self.album_sizes_epsilon),
            (TOPIC_HISTOGRAM, self.topic_histogram_epsilon),
        ]
        .into_iter()
        .filter(|(_, epsilon)| *epsilon > 0.0)
        .collect()
    }

    /// The bins in words, as the release names them.
    pub fn bin_names(&self) -> Vec<String> {
        let ends = self.album_size_bins.iter().skip(1).map(Some).chain([None]);
        let name = |(&start, end): (&usize, Option<&usize>)| match end {
            Some(&2) if start == 1 => "1 photo".to_owned(),
            Some(&end) if end == start + 1 => format!("{start} photos"),
            Some(&end) => format!("{start} to {} photos", end - 1),
            None => format!("{start} or more photos"),
        };
        self.album_size_bins.iter().zip(ends).map(name).collect()
    }

    /// The bin of an album with this many photos; none where it is smaller than the first.
    pub fn bin_of(&self, photos: usize) -> Option<usize> {
        self.album_size_bins
            .partition_point(|&start| start <= photos)
            .checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_the_bin_that_its_name_says() {
        let release = ReleaseConfig {
            album_size_bins: vec![2, 3, 6],
            ..ReleaseConfig::default()
        };
        assert_eq!(
            release.bin_names(),
            ["2 photos", "3 to 5 photos", "6 or more photos"]
        );
        assert_eq!(ReleaseConfig::default().bin_names()[0], "1 photo");
        let bins = [0, 1, 2, 3, 5, 6, 1000].map(|photos| release.bin_of(photos));
        assert_eq!(
            bins,
            [None, None, Some(0), Some(1), Some(1), Some(2), Some(2)]
        );
    }

    #[test]
    fn nothing_is_wanted_by_default() {
        assert!(ReleaseConfig::default().wanted().is_empty());
    }
}
