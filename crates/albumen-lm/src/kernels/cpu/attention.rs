//! Attention of packed sequences, forward and backward, a block of queries at a time.

mod blocks;

use std::cell::Cell;

use rayon::prelude::*;

use super::buffer::Matrix;
use super::matmul::{Threads, View, ViewMut, matmul};
use super::simd::{exp, max, simd, sum2};
use crate::kernels::{AttentionShape, PackedRun};
use blocks::{Block, blocks};

pub(crate) use blocks::Keys;

thread_local! {
    /// Scores and their gradients of one block, kept from call to call.
    static SCRATCH: Cell<[Vec<f32>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// One sequence's runs, its first row and its rows.
fn sequences(runs: &[PackedRun]) -> impl Iterator<Item = (&[PackedRun], usize, usize)> {
    runs.chunk_by(|a, b| a.origin == b.origin).map(|runs| {
        let rows = runs.iter().map(|r| r.len).sum();
        (runs, runs[0].origin, rows)
    })
}

/// `s = scale q k^T`, (block.len, block.keys()).
fn scores(keys: &Keys<'_>, shape: &AttentionShape, block: &Block, head: usize, s: &mut [f32]) {
    let (w, d) = (shape.width(), shape.head_dim);
    let key = shape.key(head / (shape.heads / shape.kv_heads));
    let q = View::new(&keys.qkv[block.start * w + head * d..], block.len, d, w);
    for p in block.pieces() {
        let k = View::new(&keys.of(&p)[p.row * w + key..], p.rows, d, w);
        let to = ViewMut::new(&mut s[p.col..], block.len, p.rows, block.keys());
        matmul(to, false, shape.scale, q, k.t(), Threads::One);
    }
}

simd! {
    /// `x = c tanh(x / c)`.
    pub(crate) fn cap(x: &mut [f32], c: f32) {
        for x in x {
            *x = c * (1.0 - 2.0 / (1.0 + exp(2.0 * *x / c)));
        }
    }
}

simd! {
    /// Softmax of the visible scores, zero elsewhere; gives the log of the denominator.
    fn softmax(s: &mut [f32], from: usize, to: usize) -> f32 {
        s[..from].fill(0.0);
        s[to..].fill(0.0);
        let s = &mut s[from..to];
        let m = max(s);
        for x in s.iter_mut() {
            *x = exp(*x - m);
        }
        let sum = sum2(s, s, |t, x, _| t + x);
        for x in s.iter_mut() {
            *x /= sum;
        }
        sum.ln() + m
    }
}

simd! {
    /// Probabilities again from scores and the log of the denominator.
    fn probabilities(s: &mut [f32], from: usize, to: usize, log_sum: f32) {
        s[..from].fill(0.0);
        s[to..].fill(0.0);
        for x in &mut s[from..to] {
            *x = exp(*x - log_sum);
        }
    }
}

simd! {
    /// `ds = p (dp - sum(p dp)) scale`, over dp.
    fn softmax_backward(p: &[f32], dp: &mut [f32], scale: f32) {
        let inner = sum2(p, dp, |s, a, b| a.mul_add(b, s));
        for (d, p) in dp.iter_mut().zip(p) {
            *d = p * (*d - inner) * scale;
        }
    }
}

/// Multiplies by the soft cap's slope, `1 - (s / c)^2`, where s is capped.
fn cap_slope(ds: &mut [f32], capped: &[f32], c: f32) {
    for (d, s) in ds.iter_mut().zip(capped) {
        let t = s / c;
        *d *= 1.0 - t * t;
    }
}

struct Forward<'a> {
    runs: &'a [PackedRun],
    origin: usize,
    head: usize,
    /// (rows, head_dim) of this sequence and head.
    y: &'a mut [f32],
    /// (rows) of this sequence and head.
    log_sum: &'a mut [f32],
}

/// See `Kernels::attention`.
pub(crate) fn forward(
    keys: &Keys<'_>,
    shape: &AttentionShape,
    runs: &[PackedRun],
    y: &mut Matrix,
    log_sum: &mut Matrix,
) {
    let (heads, d) = (shape.heads, shape.head_dim);
    // By sequence, then head, so that each task writes to memory of its own.
    let mut by_head = keys.qkv.pool().matrix(keys.qkv.rows(), heads * d);
    let mut tasks = Vec::new();
    let (mut y_left, mut log_left) = (&mut by_head[..], &mut log_sum[..]);
    for (runs, origin, rows) in sequences(runs) {
        for head in 0..heads {
            let (y, log_sum);
            (y, y_left) = y_left.split_at_mut(rows * d);
            (log_sum, log_left) = log_left.split_at_mut(rows);
            tasks.push(Forward {
                runs,
                origin,
                head,
                y,
                log_sum,
            });
        }
    }
    tasks
        .into_par_iter()
        .for_each(|task| head_forward(keys, shape, task));
    let rows = y.par_chunks_mut(heads * d).enumerate();
    let places: Vec<_> = sequences(runs)
        .flat_map(|(_, o, n)| (0..n).map(move |_| (o, n)))
        .collect();
    rows.with_min_len(16).for_each(|(row, y)| {
        let (origin, rows) = places[row];
        for (head, y) in y.chunks_exact_mut(d).enumerate() {
            let from = (origin * heads + head * rows + row - origin) * d;
            y.copy_from_slice(&by_head[from..from + d]);
        }
    });
}

fn head_forward(all: &Keys<'_>, shape: &AttentionShape, task: Forward<'_>) {
    let Forward {
        runs,
        origin,
        head,
        y,
        log_sum,
    } = task;
    let (w, d) = (shape.width(), shape.head_dim);
    let value = shape.value(head / (shape.heads / shape.kv_heads));
    let mut scratch = SCRATCH.take();
    for block in blocks(runs, all.before()) {
        let keys = block.keys();
        scratch[0].resize(block.len * keys, 0.0);
        let s = &mut scratch[0][..];
        scores(all, shape, &block, head, s);
        if let Some(c) = shape.soft_cap {
            cap(s, c);
        }
        let first = block.start - origin;
        for (i, s) in s.chunks_exact_mut(keys).enumerate() {
            let (from, to) = block.visible(i, shape.window);
            log_sum[first + i] = softmax(s, from, to);
        }
        for (i, piece) in block.pieces().enumerate() {
            let p = View::new(&s[piece.col..], block.len, piece.rows, keys);
            let v = View::new(&all.of(&piece)[piece.row * w + value..], piece.rows, d, w);
            let y = ViewMut::new(&mut y[first * d..], block.len, d, d);
            matmul(y, i > 0, 1.0, p, v, Threads::One);
        }
    }
    SCRATCH.set(scratch);
}

struct Backward<'a> {
    runs: &'a [PackedRun],
    origin: usize,
    rows: usize,
    kv_head: usize,
    /// (heads of the group, rows, head_dim).
    dq: &'a mut [f32],
    /// (2, rows, head_dim): of keys, then values.
    dkv: &'a mut [f32],
}

/// See `Kernels::attention_backward`.
pub(crate) fn backward(
    keys: &Keys<'_>,
    log_sum: &Matrix,
    g: &Matrix,
    shape: &AttentionShape,
    runs: &[PackedRun],
    dqkv: &mut Matrix,
) {
    let (heads, kv, d) = (shape.heads, shape.kv_heads, shape.head_dim);
    let qkv = keys.qkv;
    let mut dq_all = qkv.pool().matrix(qkv.rows(), heads * d);
    let mut dkv_all = qkv.pool().matrix(qkv.rows(), 2 * kv * d);
    let mut tasks = Vec::new();
    let (mut dq_left, mut dkv_left) = (&mut dq_all[..], &mut dkv_all[..]);
    for (runs, origin, rows) in sequences(runs) {
        for kv_head in 0..kv {
            let (dq, dkv);
            (dq, dq_left) = dq_left.split_at_mut(rows * d * (heads / kv));
            (dkv, dkv_left) = dkv_left.split_at_mut(rows * d * 2);
            tasks.push(Backward {
                runs,
                origin,
                rows,
                kv_head,
                dq,
                dkv,
            });
        }
    }
    tasks
        .into_par_iter()
        .for_each(|task| group_backward(keys, log_sum, g, shape, task));
    let places: Vec<_> = sequences(runs)
        .flat_map(|(_, o, n)| (0..n).map(move |_| (o, n)))
        .collect();
    dqkv.par_chunks_mut(shape.width())
        .enumerate()
        .with_min_len(16)
        .for_each(|(row, dqkv)| {
            let (origin, rows) = places[row];
            let (dq, dkv) = dqkv.split_at_mut(heads * d);
            for (head, dq) in dq.chunks_exact_mut(d).enumerate() {
                let from = (origin * heads + head * rows + row - origin) * d;
                dq.copy_from_slice(&dq_all[from..from + d]);
            }
            for (i, to) in dkv.chunks_exact_mut(d).enumerate() {
                let (part, kv_head) = (i / kv, i % kv);
                let from = (2 * origin * kv + (2 * kv_head + part) * rows + row - origin) * d;
                to.copy_from_slice(&dkv_all[from..from + d]);
            }
        });
}

fn group_backward(
    all: &Keys<'_>,
    log_sum: &Matrix,
    g: &Matrix,
    shape: &AttentionShape,
    task: Backward<'_>,
) {
    let Backward {
        runs,
        origin,
        rows,
        kv_head,
        dq,
        dkv,
    } = task;
    let qkv = all.qkv;
    let (w, d, heads) = (shape.width(), shape.head_dim, shape.heads);
    let (key, value) = (shape.key(kv_head), shape.value(kv_head));
    let group = heads / shape.kv_heads;
    dkv.fill(0.0);
    let (dk, dv) = dkv.split_at_mut(rows * d);
    let mut scratch = SCRATCH.take();
    for block in blocks(runs, all.before()) {
        let (n, keys) = (block.len, block.keys());
        let first = block.start - origin;
        for h in 0..group {
            let head = kv_head * group + h;
            let [p, dp] = &mut scratch;
            p.resize(n * keys, 0.0);
            dp.resize(n * keys, 0.0);
            scores(all, shape, &block, head, p);
            if let Some(c) = shape.soft_cap {
                cap(p, c);
            }
            let capped = shape.soft_cap.map(|c| (c, p.clone()));
            let dy = View::new(&g[block.start * heads * d + head * d..], n, d, heads * d);
            let logs = &log_sum[(origin * heads + head * rows + first)..][..n];
            for (i, p) in p.chunks_exact_mut(keys).enumerate() {
                let (from, to) = block.visible(i, shape.window);
                probabilities(p, from, to, logs[i]);
            }
            for piece in block.pieces() {
                let (m, of) = (piece.rows, all.of(&piece));
                let v = View::new(&of[piece.row * w + value..], m, d, w);
                let to = ViewMut::new(&mut dp[piece.col..], n, m, keys);
                matmul(to, false, 1.0, dy, v.t(), Threads::One);
            }
            for (p, dp) in p.chunks_exact(keys).zip(dp.chunks_exact_mut(keys)) {
                softmax_backward(p, dp, shape.scale);
            }
            if let Some((c, capped)) = capped {
                cap_slope(dp, &capped, c);
            }
            let q = View::new(&qkv[block.start * w + head * d..], n, d, w);
            for (i, piece) in block.pieces().enumerate() {
                let (row, m, of) = (piece.row, piece.rows, all.of(&piece));
                let p = View::new(&p[piece.col..], n, m, keys);
                let ds = View::new(&dp[piece.col..], n, m, keys);
                let k = View::new(&of[row * w + key..], m, d, w);
                let dq = &mut dq[(h * rows + first) * d..];
                matmul(ViewMut::new(dq, n, d, d), i > 0, 1.0, ds, k, Threads::One);
                // What stands before the sequences is constant.
                if piece.before {
                    continue;
                }
                let at = (row - origin) * d;
                let dk = ViewMut::new(&mut dk[at..], m, d, d);
                matmul(dk, true, 1.0, ds.t(), q, Threads::One);
                let dv = ViewMut::new(&mut dv[at..], m, d, d);
                matmul(dv, true, 1.0, p.t(), dy, Threads::One);
            }
        }
    }
    SCRATCH.set(scratch);
}
