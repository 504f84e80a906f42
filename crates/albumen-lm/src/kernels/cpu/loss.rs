//! Cross-entropy over the vocabulary, a few rows at a time.

use rayon::prelude::*;

use super::attention::cap;
use super::buffer::Matrix;
use super::simd::{exp, max, simd, sum2};
use super::weight::Weight;
use crate::error::LmError;

/// Rows whose logits exist at once: enough for the product's speed, 25 MB at a vocabulary of 49152.
const ROWS: usize = 128;

simd! {
    /// `w * -log softmax(x)[target]`; over x, its gradient.
    fn row_loss(x: &mut [f32], target: usize, w: f32) -> f32 {
        let m = max(x);
        let at_target = x[target];
        for x in x.iter_mut() {
            *x = exp(*x - m);
        }
        let sum = sum2(x, x, |s, x, _| s + x);
        let scale = w / sum;
        for x in x.iter_mut() {
            *x *= scale;
        }
        x[target] -= w;
        w * (sum.ln() + m - at_target)
    }
}

simd! {
    /// Multiplies by the soft cap's slope, `1 - (x / c)^2`, where x is capped.
    fn slope(g: &mut [f32], capped: &[f32], c: f32) {
        for (g, x) in g.iter_mut().zip(capped) {
            let t = x / c;
            *g *= 1.0 - t * t;
        }
    }
}

/// See `Kernels::cross_entropy`.
pub(crate) fn cross_entropy(
    x: &Matrix,
    head: &Weight,
    targets: &[u32],
    weights: &[f32],
    soft_cap: Option<f32>,
    mut dx: Option<&mut Matrix>,
) -> Result<Vec<f32>, LmError> {
    let (d, vocab) = (x.cols(), head.out());
    let mut losses = vec![0.0; x.rows()];
    let mut logits = x.pool().matrix(ROWS.min(x.rows()), vocab);
    for first in (0..x.rows()).step_by(ROWS) {
        let n = ROWS.min(x.rows() - first);
        let logits = &mut logits[..n * vocab];
        head.forward_rows(&x[first * d..(first + n) * d], n, logits, false);
        let rows = logits
            .par_chunks_mut(vocab)
            .zip(&mut losses[first..first + n]);
        rows.enumerate().for_each(|(i, (logits, loss))| {
            let (target, w) = (targets[first + i] as usize, weights[first + i]);
            if let Some(c) = soft_cap {
                cap(logits, c);
                let capped = logits.to_vec();
                *loss = row_loss(logits, target, w);
                slope(logits, &capped, c);
            } else {
                *loss = row_loss(logits, target, w);
            }
        });
        if let Some(dx) = dx.as_deref_mut() {
            head.backward_rows(logits, n, &mut dx[first * d..(first + n) * d])?;
        }
    }
    Ok(losses)
}
