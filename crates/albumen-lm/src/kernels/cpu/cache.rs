//! Keys and values of tokens already seen, and the attention of new tokens to them.
//!
//! A row's result has the same bits whatever other rows are in work: it depends on the row's own
//! caches only, in their order.

use std::cell::Cell;

use rayon::prelude::*;

use super::attention::cap;
use super::buffer::Matrix;
use super::simd::{LANES, exp, max, simd, sum2};
use crate::kernels::AttentionShape;

/// Keys and values of a run of tokens in every layer.
pub struct Cache {
    kv_heads: usize,
    head_dim: usize,
    /// Room for so many blocks of 16 tokens.
    blocks: usize,
    len: usize,
    /// (layers, kv_heads, blocks, head_dim, 16): 16 keys side by side, so that a query meets them in
    /// one register.
    keys: Vec<f32>,
    /// (layers, kv_heads, tokens, head_dim).
    values: Vec<f32>,
}

impl Cache {
    /// An empty cache with room for `tokens`.
    pub(crate) fn new(layers: usize, shape: &AttentionShape, tokens: usize) -> Self {
        let (kv_heads, head_dim) = (shape.kv_heads, shape.head_dim);
        let blocks = tokens.div_ceil(LANES);
        let numbers = layers * kv_heads * head_dim * blocks * LANES;
        let (keys, values) = (vec![0.0; numbers], vec![0.0; numbers]);
        Self {
            kv_heads,
            head_dim,
            blocks,
            len: 0,
            keys,
            values,
        }
    }

    /// Tokens in all layers.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Counts `n` tokens as there, once every layer has them.
    pub(crate) fn advance(&mut self, n: usize) {
        self.len += n;
    }

    /// One layer's and head's numbers, of keys or of values.
    fn part(&self, layer: usize, kv_head: usize) -> std::ops::Range<usize> {
        let size = self.blocks * LANES * self.head_dim;
        let start = (layer * self.kv_heads + kv_head) * size;
        start..start + size
    }

    /// Writes one layer's keys and values of the tokens after `len`, from rows of queries, keys and
    /// values.
    pub(crate) fn write(&mut self, layer: usize, qkv: &[f32], shape: &AttentionShape) {
        let d = self.head_dim;
        for kv_head in 0..self.kv_heads {
            let part = self.part(layer, kv_head);
            let (keys, values) = (&mut self.keys[part.clone()], &mut self.values[part]);
            for (i, row) in qkv.chunks_exact(shape.width()).enumerate() {
                let at = self.len + i;
                values[at * d..(at + 1) * d].copy_from_slice(&row[shape.value(kv_head)..][..d]);
                let block = &mut keys[at / LANES * LANES * d..];
                let column = block[at % LANES..].iter_mut().step_by(LANES);
                let key = &row[shape.key(kv_head)..][..d];
                column.zip(key).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// What one new token sees: caches in order of position, and how many tokens of each.
pub(crate) type Visible<'a> = Vec<(&'a Cache, usize)>;

thread_local! {
    /// The scores of one head, kept from call to call.
    static SCORES: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Attention of each row of `qkv` to what it sees, to the rows of `y`.
pub(crate) fn attend(
    qkv: &Matrix,
    shape: &AttentionShape,
    layer: usize,
    visible: &[Visible<'_>],
    y: &mut Matrix,
) {
    let (d, group) = (shape.head_dim, shape.heads / shape.kv_heads);
    let rows = qkv.par_chunks(shape.width()).zip(visible);
    y.par_chunks_mut(shape.heads * d)
        .zip(rows)
        .for_each(|(y, (row, caches))| {
            let mut s = SCORES.take();
            let total: usize = caches.iter().map(|c| c.1).sum();
            s.resize(total + LANES, 0.0);
            let from = shape.window.map_or(0, |w| total.saturating_sub(w));
            for (head, y) in y.chunks_exact_mut(d).enumerate() {
                let q = &row[head * d..(head + 1) * d];
                let mut at = 0;
                for &(cache, n) in caches {
                    let keys = &cache.keys[cache.part(layer, head / group)];
                    scores(q, keys, n, shape.scale, &mut s[at..]);
                    at += n;
                }
                if let Some(c) = shape.soft_cap {
                    cap(&mut s[..total], c);
                }
                softmax(&mut s[from..total]);
                y.fill(0.0);
                let mut at = 0;
                for &(cache, n) in caches {
                    let seen = from.saturating_sub(at).min(n);
                    let values = &cache.values[cache.part(layer, head / group)];
                    weighted_sum(&s[at + seen..at + n], &values[seen * d..], y);
                    at += n;
                }
            }
            SCORES.set(s);
        });
}

simd! {
    /// `s = scale q . k` of `n` keys in blocks of 16; the last block is written whole.
    fn scores(q: &[f32], keys: &[f32], n: usize, scale: f32, s: &mut [f32]) {
        let blocks = keys.chunks_exact(q.len() * LANES).take(n.div_ceil(LANES));
        for (block, s) in blocks.zip(s.chunks_mut(LANES)) {
            let mut sums = [[0.0_f32; LANES]; 2];
            let (pairs, _) = block.as_chunks::<{ 2 * LANES }>();
            for (keys, q) in pairs.iter().zip(q.chunks_exact(2)) {
                for j in 0..LANES {
                    sums[0][j] = q[0].mul_add(keys[j], sums[0][j]);
                    sums[1][j] = q[1].mul_add(keys[LANES + j], sums[1][j]);
                }
            }
            for ((s, a), b) in s.iter_mut().zip(sums[0]).zip(sums[1]) {
                *s = (a + b) * scale;
            }
        }
    }
}

simd! {
    fn softmax(s: &mut [f32]) {
        let m = max(s);
        for x in s.iter_mut() {
            *x = exp(*x - m);
        }
        let sum = sum2(s, s, |t, x, _| t + x);
        for x in s.iter_mut() {
            *x /= sum;
        }
    }
}

simd! {
    /// `y += sum_t p[t] v[t]`.
    fn weighted_sum(p: &[f32], values: &[f32], y: &mut [f32]) {
        const WIDE: usize = 4 * LANES;
        let d = y.len();
        let wide = d / WIDE * WIDE;
        for start in (0..wide).step_by(WIDE) {
            let mut sums = [0.0_f32; WIDE];
            sums.copy_from_slice(&y[start..start + WIDE]);
            for (p, v) in p.iter().zip(values.chunks_exact(d)) {
                let v = &v[start..start + WIDE];
                for j in 0..WIDE {
                    sums[j] = p.mul_add(v[j], sums[j]);
                }
            }
            y[start..start + WIDE].copy_from_slice(&sums);
        }
        for (p, v) in p.iter().zip(values.chunks_exact(d)) {
            for (y, v) in y[wide..].iter_mut().zip(&v[wide..]) {
                *y = p.mul_add(*v, *y);
            }
        }
    }
}
