//! The topics that a released histogram asks for: post-processing of noisy counts.

use albumen_schema::NoisyCounts;
use albumen_topics::TopicModel;

use crate::error::{Result, SynthError};

/// Shares of the public topics, as a released histogram gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicTarget {
    shares: Vec<f64>,
}

impl TopicTarget {
    /// Reads a released histogram: the shares nearest to it in the sense of least squares, none
    /// below 0 ("norm-sub", Wang et al. 2020, "Locally differentially private frequency estimation
    /// with consistency", section 4). Raising negative counts to 0 alone would favour rare topics.
    ///
    /// `None` where the counts add up to nothing: the noise has drowned them.
    ///
    /// # Errors
    /// [`SynthError::OtherTopics`] where its categories are not the model's topics.
    pub fn new(released: &NoisyCounts, topics: &TopicModel) -> Result<Option<Self>> {
        let names = topics.names();
        let same = released.categories == names && released.counts.len() == names.len();
        if !same {
            let strange = |name: &&String| !names.contains(name);
            return Err(SynthError::OtherTopics {
                released: released.categories.iter().filter(strange).count(),
                topics: names.len(),
            });
        }
        let counts: Vec<f64> = released.counts.iter().map(|&n| n as f64).collect();
        Ok(shares(&counts).map(|shares| Self { shares }))
    }

    /// One share a topic, adding up to 1.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }
}

/// `max(count - d, 0) / total`, with d such that they add up to 1.
fn shares(counts: &[f64]) -> Option<Vec<f64>> {
    let total: f64 = counts.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let mut sorted = counts.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    // The projection onto the simplex: the j largest stay above 0.
    let (mut sum, mut shift) = (0.0, 0.0);
    for (j, &count) in sorted.iter().enumerate() {
        sum += count;
        let candidate = (sum - total) / (j + 1) as f64;
        if count - candidate > 0.0 {
            shift = candidate;
        }
    }
    let share = |&count: &f64| (count - shift).max(0.0) / total;
    Some(counts.iter().map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_the_nearest_to_the_counts() {
        assert_eq!(shares(&[1.0, 3.0]).unwrap(), [0.25, 0.75]);
        // -4 goes to 0, and the 4 that this adds are taken evenly from the others.
        let found = shares(&[12.0, 6.0, -4.0]).unwrap();
        let expected = [10.0 / 14.0, 4.0 / 14.0, 0.0];
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-12, "{found:?}");
        }
        // What would fall below 0 by that is 0, too.
        let found = shares(&[12.0, 1.0, -4.0]).unwrap();
        assert!(
            (found[0] - 1.0).abs() < 1e-12 && found[1] == 0.0,
            "{found:?}"
        );
        assert_eq!(shares(&[-3.0, 2.0]), None);
    }
}
