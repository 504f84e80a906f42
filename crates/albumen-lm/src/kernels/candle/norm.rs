//! RMS norms and rotations. All rest on the last dimension: rows of a matrix, or of its heads.

use candle_core::{D, Tensor};

use crate::error::LmError;
use crate::kernels::AttentionShape;

/// `r = (mean x^2 + eps)^-1/2`, (.., 1).
pub(super) fn inverse(x: &Tensor, eps: f32) -> Result<Tensor, LmError> {
    let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
    Ok((mean + f64::from(eps))?.sqrt()?.recip()?)
}

/// `y = x r w`.
pub(super) fn apply(x: &Tensor, r: &Tensor, w: &Tensor) -> Result<Tensor, LmError> {
    Ok(x.broadcast_mul(r)?.broadcast_mul(w)?)
}

/// With y = x r w over d columns: `dx = r (w g) - x (r^3 / d) sum(w g x)`.
pub(super) fn backward(x: &Tensor, r: &Tensor, w: &Tensor, g: &Tensor) -> Result<Tensor, LmError> {
    let wg = g.broadcast_mul(w)?;
    let mean = (&wg * x)?.mean_keepdim(D::Minus1)?;
    let c = (mean * (r.sqr()? * r)?)?;
    Ok((wg.broadcast_mul(r)? - x.broadcast_mul(&c)?)?)
}

/// Splits rows (n, (h + 2 kv) d) into query and key heads, (n, h + kv, d), and values, (n, kv d).
fn split(x: &Tensor, shape: &AttentionShape) -> Result<(Tensor, Tensor), LmError> {
    let ((n, _), d) = (x.dims2()?, shape.head_dim);
    let turned = (shape.heads + shape.kv_heads) * d;
    let heads = x.narrow(1, 0, turned)?.contiguous()?;
    let values = x.narrow(1, turned, shape.kv_heads * d)?;
    Ok((heads.reshape((n, turned / d, d))?, values.contiguous()?))
}

/// The inverse of `split`.
fn join(heads: &Tensor, values: &Tensor) -> Result<Tensor, LmError> {
    Ok(Tensor::cat(&[&heads.flatten_from(1)?, values], 1)?)
}

/// Each head's weight, (h + kv, d).
fn head_weights((q, k): (&Tensor, &Tensor), shape: &AttentionShape) -> Result<Tensor, LmError> {
    let d = shape.head_dim;
    let of = |w: &Tensor, heads| w.reshape((1, d))?.broadcast_as((heads, d))?.contiguous();
    Ok(Tensor::cat(
        &[of(q, shape.heads)?, of(k, shape.kv_heads)?],
        0,
    )?)
}

/// See `Kernels::head_norm`; gives the normalised rows too.
pub(super) fn head_norm(
    qkv: &Tensor,
    shape: &AttentionShape,
    w: (&Tensor, &Tensor),
    eps: f32,
) -> Result<(Tensor, Tensor), LmError> {
    let (x, values) = split(qkv, shape)?;
    let r = inverse(&x, eps)?; // (n, h + kv, 1)
    let y = apply(&x, &r, &head_weights(w, shape)?)?;
    Ok((join(&y, &values)?, r.squeeze(2)?))
}

/// See `Kernels::head_norm_backward`.
pub(super) fn head_norm_backward(
    g: &Tensor,
    qkv: &Tensor,
    r: &Tensor,
    shape: &AttentionShape,
    w: (&Tensor, &Tensor),
) -> Result<Tensor, LmError> {
    let ((x, _), (g, values)) = (split(qkv, shape)?, split(g, shape)?);
    let dx = backward(&x, &r.unsqueeze(2)?, &head_weights(w, shape)?, &g)?;
    join(&dx, &values)
}

/// See `Kernels::rope`: pairs (i, i + d/2) of each head turned by the row's angles.
pub(super) fn rope(
    qkv: &Tensor,
    shape: &AttentionShape,
    table: &Tensor,
    backward: bool,
) -> Result<Tensor, LmError> {
    let half = shape.head_dim / 2;
    let (x, values) = split(qkv, shape)?;
    let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
    let cos = table.narrow(1, 0, half)?.unsqueeze(1)?; // (n, 1, d/2)
    let mut sin = table.narrow(1, half, half)?.unsqueeze(1)?;
    if backward {
        sin = sin.neg()?;
    }
    let turned_a = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let turned_b = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    join(&Tensor::cat(&[turned_a, turned_b], 2)?, &values)
}
