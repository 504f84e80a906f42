//! Statistics of the private albums, as they are released and read.

use serde::{Deserialize, Serialize};

/// The ledger's stage of the noisy number of albums.
pub const ALBUM_COUNT: &str = "album-count";
/// The ledger's stage of the noisy histogram of album sizes.
pub const ALBUM_SIZES: &str = "album-sizes";
/// The ledger's stage of the noisy histogram of the albums' topics.
pub const TOPIC_HISTOGRAM: &str = "topic-histogram";

/// Every statistic that a run can release, by its stage, in the order in which they run.
pub const STATISTICS: [&str; 3] = [ALBUM_COUNT, ALBUM_SIZES, TOPIC_HISTOGRAM];

/// Noisy counts as a mechanism gave them, with the public words that they are read with.
///
/// Noise is added to each count on its own, so counts may be negative and need not add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisyCounts {
    /// What each count is of.
    pub categories: Vec<String>,
    /// One noisy count a category.
    pub counts: Vec<i64>,
    /// Items of one privacy unit that counted, at most.
    pub max_per_unit: u32,
}

impl NoisyCounts {
    /// The bytes that the ledger's hash is of: one JSON object, keys in alphabetical order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let object = serde_json::json!({
            "categories": self.categories,
            "counts": self.counts,
            "max_per_unit": self.max_per_unit,
        });
        object.to_string().into_bytes()
    }
}

/// A released statistic and how to read it: post-processing of the noisy counts and of the public
/// epsilon that the ledger holds for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistic {
    /// The stage that the ledger names.
    pub stage: String,
    /// What was released.
    pub released: NoisyCounts,
    /// The counts with negative ones raised to 0.
    pub counts: Vec<u64>,
    /// Epsilon that was paid.
    pub epsilon: f64,
    /// Scale of the discrete Laplace noise on each count: `max_per_unit / epsilon`.
    pub noise_scale: f64,
    /// Standard deviation of that noise, to three decimals.
    pub standard_error: f64,
    /// The noise is at most this, up or down, in at least 95 of 100 cases.
    pub margin_95: u64,
}

impl Statistic {
    /// Reads the counts of a stage with what the ledger says was paid for them.
    pub fn new(stage: &str, released: NoisyCounts, epsilon: f64) -> Self {
        let noise_scale = f64::from(released.max_per_unit) / epsilon;
        // Discrete Laplace: P(x) is proportional to p^|x|.
        let p = (-1.0 / noise_scale).exp();
        let standard_error = (2.0 * p).sqrt() / (1.0 - p);
        // P(|x| > m) = 2 p^(m + 1) / (1 + p).
        let margin = (0.05 * (1.0 + p) / 2.0).ln() / p.ln() - 1.0;
        Self {
            stage: stage.to_owned(),
            counts: released.counts.iter().map(|&n| n.max(0) as u64).collect(),
            released,
            epsilon,
            noise_scale,
            standard_error: (standard_error * 1000.0).round() / 1000.0,
            margin_95: margin.max(0.0).ceil() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(max_per_unit: u32) -> NoisyCounts {
        NoisyCounts {
            categories: vec!["albums".to_owned(), "more".to_owned()],
            counts: vec![-3, 7],
            max_per_unit,
        }
    }

    #[test]
    fn the_hashed_bytes_are_fixed() {
        assert_eq!(
            String::from_utf8(counts(2).to_bytes()).unwrap(),
            r#"{"categories":["albums","more"],"counts":[-3,7],"max_per_unit":2}"#
        );
        let again: NoisyCounts = serde_json::from_slice(&counts(2).to_bytes()).unwrap();
        assert_eq!(again, counts(2));
    }

    #[test]
    fn errors_are_those_of_the_discrete_laplace_distribution() {
        for (bound, epsilon) in [(1, 1.0), (2, 0.1), (4, 3.0), (1, 20.0)] {
            let statistic = Statistic::new(ALBUM_COUNT, counts(bound), epsilon);
            assert_eq!(statistic.counts, [0, 7]);
            // By direct summation.
            let p = (-epsilon / f64::from(bound)).exp();
            let weight = |x: i32| p.powi(x.abs()) * (1.0 - p) / (1.0 + p);
            let range = -5000..=5000;
            let variance: f64 = range
                .clone()
                .map(|x| weight(x) * f64::from(x) * f64::from(x))
                .sum();
            assert!((variance.sqrt() - statistic.standard_error).abs() < 6e-4);
            let within = |m: u64| -> f64 {
                let m = m as i32;
                (-m..=m).map(weight).sum()
            };
            let margin = statistic.margin_95;
            assert!(within(margin) >= 0.95);
            assert!(margin == 0 || within(margin - 1) < 0.95, "{margin}");
        }
    }
}
