//! Jensen-Shannon divergence of what texts hold: topics, n-grams, lengths.

use std::collections::HashMap;
use std::hash::Hash;

/// Jensen-Shannon divergence (Lin 1991, equation 4.1, equal weights) in bits: 0 where `p` and `q` are
/// proportional, 1 where they share nothing. Neither needs to be normalised; 1 where one is all zeros.
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let (p_sum, q_sum) = (p.iter().sum::<f64>(), q.iter().sum::<f64>());
    if p_sum <= 0.0 || q_sum <= 0.0 {
        return 1.0;
    }
    let half = |p: f64, middle: f64| {
        if p > 0.0 {
            p * (p / middle).log2()
        } else {
            0.0
        }
    };
    let terms = p.iter().zip(q).map(|(p, q)| {
        let (p, q) = (p / p_sum, q / q_sum);
        let middle = f64::midpoint(p, q);
        half(p, middle) + half(q, middle)
    });
    (terms.sum::<f64>() / 2.0).clamp(0.0, 1.0)
}

/// What each text of two sets holds, numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    p: Vec<Vec<usize>>,
    q: Vec<Vec<usize>>,
    different: usize,
}

impl Profile {
    /// Takes the items of each text of both sets.
    pub fn new<T: Hash + Eq>(
        p: impl IntoIterator<Item = impl IntoIterator<Item = T>>,
        q: impl IntoIterator<Item = impl IntoIterator<Item = T>>,
    ) -> Self {
        let mut numbers = HashMap::new();
        let mut number = |item: T| {
            let next = numbers.len();
            *numbers.entry(item).or_insert(next)
        };
        let p = p
            .into_iter()
            .map(|text| text.into_iter().map(&mut number).collect())
            .collect();
        let q = q
            .into_iter()
            .map(|text| text.into_iter().map(&mut number).collect())
            .collect();
        Self {
            p,
            q,
            different: numbers.len(),
        }
    }

    /// The divergence of the items' frequencies where each text counts as often as its weight says.
    pub fn divergence(&self, p_weights: &[f64], q_weights: &[f64]) -> f64 {
        let count = |texts: &[Vec<usize>], weights: &[f64]| {
            let mut counts = vec![0.0; self.different];
            for (text, weight) in texts.iter().zip(weights) {
                for &item in text {
                    counts[item] += weight;
                }
            }
            counts
        };
        jensen_shannon(&count(&self.p, p_weights), &count(&self.q, q_weights))
    }
}
