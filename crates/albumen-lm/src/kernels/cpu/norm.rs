//! RMS norms and rotations.

use rayon::prelude::*;

use super::buffer::Matrix;
use super::simd::{simd, sum2};
use crate::kernels::AttentionShape;

/// Numbers that one parallel task should have at least.
pub(crate) const TASK: usize = 16384;

/// Rows of width `cols` that make up a task.
pub(crate) fn task_rows(cols: usize) -> usize {
    (TASK / cols.max(1)).max(1)
}

simd! {
    fn norm_row(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) -> f32 {
        let squares = sum2(x, x, |s, a, b| a.mul_add(b, s));
        let r = 1.0 / (squares / x.len() as f32 + eps).sqrt();
        for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
            *y = x * r * w;
        }
        r
    }
}

simd! {
    fn scale_row(x: &[f32], w: &[f32], r: f32, y: &mut [f32]) {
        for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
            *y = x * r * w;
        }
    }
}

simd! {
    /// With y = x r w: `dx = r (w g) - x (r^3 / d) sum(w g x)`.
    fn norm_row_backward(x: &[f32], w: &[f32], r: f32, g: &[f32], add: bool, dx: &mut [f32]) {
        let mut s = 0.0;
        // w g is formed twice; keeping it would cost a row of memory.
        let (xs, gs, ws) = (x.chunks(64), g.chunks(64), w.chunks(64));
        for ((x, g), w) in xs.zip(gs).zip(ws) {
            let mut wg = [0.0_f32; 64];
            for ((p, g), w) in wg.iter_mut().zip(g).zip(w) {
                *p = g * w;
            }
            s += sum2(x, &wg[..x.len()], |s, a, b| a.mul_add(b, s));
        }
        let c = s * r * r * r / x.len() as f32;
        if add {
            for (((d, x), g), w) in dx.iter_mut().zip(x).zip(g).zip(w) {
                *d += g * w * r - x * c;
            }
        } else {
            for (((d, x), g), w) in dx.iter_mut().zip(x).zip(g).zip(w) {
                *d = g * w * r - x * c;
            }
        }
    }
}

pub(crate) fn rms_norm(x: &Matrix, w: &[f32], eps: f32, y: &mut Matrix, r: &mut Matrix) {
    let (d, rows) = (x.cols(), task_rows(x.cols()));
    y.par_chunks_mut(d * rows)
        .zip(x.par_chunks(d * rows))
        .zip(r.par_chunks_mut(rows))
        .for_each(|((y, x), r)| {
            for ((y, x), r) in y.chunks_exact_mut(d).zip(x.chunks_exact(d)).zip(r) {
                *r = norm_row(x, w, eps, y);
            }
        });
}

pub(crate) fn rms_norm_again(x: &Matrix, r: &Matrix, w: &[f32], y: &mut Matrix) {
    let (d, rows) = (x.cols(), task_rows(x.cols()));
    y.par_chunks_mut(d * rows)
        .zip(x.par_chunks(d * rows))
        .zip(r.par_chunks(rows))
        .for_each(|((y, x), r)| {
            for ((y, x), r) in y.chunks_exact_mut(d).zip(x.chunks_exact(d)).zip(r) {
                scale_row(x, w, *r, y);
            }
        });
}

pub(crate) fn rms_norm_backward(
    x: &Matrix,
    r: &Matrix,
    w: &[f32],
    g: &Matrix,
    add: bool,
    dx: &mut Matrix,
) {
    let (d, rows) = (x.cols(), task_rows(x.cols()));
    let inputs = x
        .par_chunks(d * rows)
        .zip(g.par_chunks(d * rows))
        .zip(r.par_chunks(rows));
    dx.par_chunks_mut(d * rows)
        .zip(inputs)
        .for_each(|(dx, ((x, g), r))| {
            let inputs = x.chunks_exact(d).zip(g.chunks_exact(d)).zip(r);
            for (dx, ((x, g), r)) in dx.chunks_exact_mut(d).zip(inputs) {
                norm_row_backward(x, w, *r, g, add, dx);
            }
        });
}

/// The weight of head `i`, queries first, then keys.
fn head_weight<'a>(s: &AttentionShape, i: usize, (q, k): (&'a [f32], &'a [f32])) -> &'a [f32] {
    if i < s.heads { q } else { k }
}

pub(crate) fn head_norm(
    qkv: &mut Matrix,
    s: &AttentionShape,
    w: (&[f32], &[f32]),
    eps: f32,
    r: &mut Matrix,
) {
    let (width, heads, d) = (s.width(), s.heads + s.kv_heads, s.head_dim);
    qkv.par_chunks_mut(width)
        .zip(r.par_chunks_mut(heads))
        .with_min_len(8)
        .for_each(|(row, r)| {
            let mut x = [0.0; 512];
            let x = &mut x[..d];
            for (i, (head, r)) in row.chunks_exact_mut(d).zip(r).enumerate() {
                x.copy_from_slice(head);
                *r = norm_row(x, head_weight(s, i, w), eps, head);
            }
        });
}

pub(crate) fn head_norm_backward(
    g: &mut Matrix,
    qkv: &Matrix,
    r: &Matrix,
    s: &AttentionShape,
    w: (&[f32], &[f32]),
) {
    let (width, heads, d) = (s.width(), s.heads + s.kv_heads, s.head_dim);
    let inputs = qkv.par_chunks(width).zip(r.par_chunks(heads));
    g.par_chunks_mut(width)
        .zip(inputs)
        .with_min_len(8)
        .for_each(|(g, (x, r))| {
            let mut dy = [0.0; 512];
            let dy = &mut dy[..d];
            for (i, ((g, x), r)) in g
                .chunks_exact_mut(d)
                .zip(x.chunks_exact(d))
                .zip(r)
                .enumerate()
            {
                dy.copy_from_slice(g);
                norm_row_backward(x, head_weight(s, i, w), *r, dy, false, g);
            }
        });
}

simd! {
    /// Turns each head's pairs (i, i + d/2) by the row's angles; `sign` -1 turns them back.
    fn rotate_row(heads: &mut [f32], d: usize, table: &[f32], sign: f32) {
        let (cos, sin) = table.split_at(d / 2);
        for head in heads.chunks_exact_mut(d) {
            let (a, b) = head.split_at_mut(d / 2);
            for (((a, b), c), s) in a.iter_mut().zip(b).zip(cos).zip(sin) {
                let (u, v, s) = (*a, *b, sign * s);
                *a = u * c - v * s;
                *b = v * c + u * s;
            }
        }
    }
}

pub(crate) fn rope(qkv: &mut Matrix, s: &AttentionShape, table: &Matrix, backward: bool) {
    let sign = if backward { -1.0 } else { 1.0 };
    let turned = (s.heads + s.kv_heads) * s.head_dim;
    let rows = qkv
        .par_chunks_mut(s.width())
        .zip(table.par_chunks(s.head_dim));
    rows.with_min_len(task_rows(turned))
        .for_each(|(row, table)| {
            rotate_row(&mut row[..turned], s.head_dim, table, sign);
        });
}
