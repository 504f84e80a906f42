//! Measures on sentence embeddings: rows of unit length, so that dot products are cosines.

use nalgebra::DMatrix;
use rayon::prelude::*;

/// Rows of one matrix, each of unit length.
#[derive(Clone, Copy, Debug)]
pub struct Features<'a> {
    rows: &'a [Vec<f32>],
}

impl<'a> Features<'a> {
    /// Takes rows of one length and of unit norm; the measures trust both.
    pub fn new(rows: &'a [Vec<f32>]) -> Self {
        Self { rows }
    }

    /// The Vendi score (Friedman & Dieng 2023, definition 3.1): the exponential of the entropy of the
    /// eigenvalues of `K / n`, `K` the cosines. 1 where all rows are equal, `n` where all are
    /// orthogonal: the effective number of different texts. 0 without rows.
    pub fn vendi_score(&self) -> f64 {
        let (n, d) = (self.rows.len(), self.rows.first().map_or(0, Vec::len));
        if n == 0 {
            return 0.0;
        }
        let x = DMatrix::from_fn(n, d, |i, j| f64::from(self.rows[i][j])); // (n, d)
        // X X' and X' X share their eigenvalues but for zeros; take the smaller (section 3.2).
        let k = if n < d {
            &x * x.transpose()
        } else {
            x.transpose() * &x
        };
        let eigenvalues = (k / n as f64).symmetric_eigenvalues();
        // Rounding gives tiny negative values for zeros.
        let entropy: f64 = eigenvalues
            .iter()
            .filter(|value| **value > 0.0)
            .map(|value| -value * value.ln())
            .sum();
        entropy.exp()
    }

    /// Share of rows whose most similar other row has a cosine of at least `threshold`; 0 for fewer
    /// than two rows. Quadratic in the rows.
    pub fn near_duplicate_rate(&self, threshold: f32) -> f64 {
        let near = |i: &usize| {
            let others = self.rows.iter().enumerate().filter(|(j, _)| j != i);
            others
                .into_iter()
                .any(|(_, other)| cosine(&self.rows[*i], other) >= threshold)
        };
        let count = (0..self.rows.len()).into_par_iter().filter(near).count();
        count as f64 / self.rows.len().max(1) as f64
    }
}

/// Mean cosine of all pairs of the rows; `None` for fewer than two.
pub fn mean_pairwise_cosine<'a>(rows: impl IntoIterator<Item = &'a Vec<f32>>) -> Option<f64> {
    let rows: Vec<&Vec<f32>> = rows.into_iter().collect();
    let pairs = rows.len() * rows.len().saturating_sub(1) / 2;
    let sum: f64 = rows
        .iter()
        .enumerate()
        .flat_map(|(i, a)| rows[..i].iter().map(|b| f64::from(cosine(a, b))))
        .sum();
    (pairs > 0).then(|| sum / pairs as f64)
}

/// The dot product of two rows of unit length.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
