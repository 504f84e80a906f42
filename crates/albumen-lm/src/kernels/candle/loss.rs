//! Cross-entropy over the vocabulary, some rows at a time.

use candle_core::{D, Tensor};

use super::Candle;
use crate::error::LmError;
use crate::kernels::Kernels;

/// See `Kernels::cross_entropy`.
pub(super) fn cross_entropy(
    k: &Candle,
    x: &Tensor,
    head: &Tensor,
    targets: &[u32],
    weights: &[f32],
    soft_cap: Option<f32>,
    backward: bool,
) -> Result<(Vec<f32>, Option<Tensor>), LmError> {
    let (vocab, width) = head.dims2()?;
    let rows_at_once = (k.limits.logits / vocab).max(1);
    let (mut losses, mut gradients) = (Vec::with_capacity(targets.len()), Vec::new());
    let pieces = targets
        .chunks(rows_at_once)
        .zip(weights.chunks(rows_at_once));
    for (piece, (targets, weights)) in pieces.enumerate() {
        let n = targets.len();
        let x = x.narrow(0, piece * rows_at_once, n)?;
        let targets = k.indices(targets)?.unsqueeze(1)?; // (n, 1)
        let weights = k.upload(weights, 1)?;
        let mut logits = k.linear(&x, head, None)?; // (n, vocab)
        if let Some(c) = soft_cap.map(f64::from) {
            logits = ((logits / c)?.tanh()? * c)?;
        }
        let m = logits.max_keepdim(D::Minus1)?;
        let e = logits.broadcast_sub(&m)?.exp()?;
        let sum = e.sum_keepdim(D::Minus1)?; // (n, 1)
        let at_target = logits.gather(&targets, 1)?;
        let loss = (&weights * ((sum.log()? + m)? - at_target)?)?;
        losses.extend(k.download(&loss)?);
        if !backward {
            continue;
        }
        // w (softmax - onehot), through the cap's slope 1 - (value / c)^2.
        let mut d = e.broadcast_mul(&(&weights / sum)?)?;
        d.scatter_add_set(&targets, &weights.neg()?, 1)?;
        if let Some(c) = soft_cap.map(f64::from) {
            d = (d * (1.0 - (logits / c)?.sqr()?)?)?;
        }
        gradients.push(k.linear_backward(&d, head)?);
    }
    let gradient = match (backward, gradients.is_empty()) {
        (false, _) => None,
        (true, true) => Some(k.zeros(0, width)?),
        (true, false) => Some(Tensor::cat(&gradients, 0)?),
    };
    Ok((losses, gradient))
}
