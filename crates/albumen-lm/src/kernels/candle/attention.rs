//! Attention of packed sequences, forward and backward, as masked batched products.
//!
//! Shapes: b sequences of a batch padded to l rows, h query and kv key heads of width d; a piece of
//! s queries sees the first t rows. Query heads that share a key head are stacked, (b, kv, h/kv s,
//! d), so that keys and values are never repeated.

use std::ops::Range;

use candle_core::{D, Device, Tensor};

use super::batches::{Batch, batches, order};
use crate::error::LmError;
use crate::kernels::{AttentionShape, PackedRun};

/// Queries `start..start + len` of each sequence of a batch.
struct Piece {
    start: usize,
    len: usize,
    /// (b, 1, len, before + start + len): 0 where the query sees the key, else minus infinity.
    mask: Tensor,
}

/// What a plan depends on.
#[derive(PartialEq, Eq)]
pub(super) struct PlanKey {
    pub(super) runs: Vec<PackedRun>,
    /// Keys before every sequence.
    pub(super) before: usize,
    pub(super) heads: usize,
    pub(super) window: Option<usize>,
}

/// How the sequences of a micro-batch are batched and what each of their tokens sees.
pub(super) struct AttentionPlan {
    batches: Vec<(Batch, Vec<Piece>)>,
    /// Where each packed row is among the batches' rows.
    order: Option<Tensor>,
}

impl AttentionPlan {
    pub(super) fn new(
        key: &PlanKey,
        scores_at_once: usize,
        device: &Device,
    ) -> Result<Self, LmError> {
        let PlanKey {
            runs,
            before,
            heads,
            window,
        } = key;
        let (before, heads) = (*before, *heads);
        let sequences: Vec<&[PackedRun]> = runs.chunk_by(|a, b| a.origin == b.origin).collect();
        let ranges: Vec<Range<usize>> = sequences
            .iter()
            .map(|runs| runs[0].origin..runs[0].origin + runs.iter().map(|r| r.len).sum::<usize>())
            .collect();
        let rows = ranges.last().map_or(0, |r| r.end);
        let mut plan = Self {
            batches: Vec::new(),
            order: None,
        };
        let (mut places, mut place) = (vec![0; rows], 0);
        for batch in split(&ranges, before, heads, scores_at_once, device)? {
            // More than one piece only where a single sequence is too long.
            let most = scores_at_once / (batch.count * heads * (before + batch.len));
            let rows_at_once = most.clamp(1, batch.len);
            let mut pieces = Vec::new();
            for start in (0..batch.len).step_by(rows_at_once) {
                let len = rows_at_once.min(batch.len - start);
                let members = batch.members.iter().map(|&m| sequences[m]);
                let mask = mask(members, before, start, len, *window);
                let keys = before + start + len;
                let mask = Tensor::from_vec(mask, (batch.count, 1, len, keys), device)?;
                pieces.push(Piece { start, len, mask });
            }
            for &m in &batch.members {
                for (i, row) in ranges[m].clone().enumerate() {
                    places[row] = (place + i) as u32;
                }
                place += batch.len;
            }
            plan.batches.push((batch, pieces));
        }
        // Padding shifts rows, so rows in order and as many as there are places mean no padding.
        if place != rows || places.iter().enumerate().any(|(i, &p)| i as u32 != p) {
            plan.order = order(&places, device)?.or(Some(Tensor::arange(0, rows as u32, device)?));
        }
        Ok(plan)
    }

    /// The batches' results, (b l, c) each, as packed rows.
    fn packed(&self, results: &[Tensor]) -> Result<Tensor, LmError> {
        let all = Tensor::cat(results, 0)?;
        match &self.order {
            Some(order) => Ok(all.index_select(order, 0)?),
            None => Ok(all),
        }
    }
}

/// Batches of so few sequences that their scores fit, one at least.
fn split(
    sequences: &[Range<usize>],
    before: usize,
    heads: usize,
    scores_at_once: usize,
    device: &Device,
) -> Result<Vec<Batch>, LmError> {
    let mut fitting = Vec::new();
    for batch in batches(sequences, device)? {
        let most = (scores_at_once / (heads * batch.len * (before + batch.len))).max(1);
        if batch.count <= most {
            fitting.push(batch);
            continue;
        }
        for members in batch.members.chunks(most) {
            fitting.push(Batch::new(members.to_vec(), sequences, device)?);
        }
    }
    Ok(fitting)
}

/// The masks of queries `start..start + len` of some sequences, one after the other.
fn mask<'a>(
    sequences: impl Iterator<Item = &'a [PackedRun]>,
    before: usize,
    start: usize,
    len: usize,
    window: Option<usize>,
) -> Vec<f32> {
    let keys = before + start + len;
    let mut mask = Vec::new();
    for runs in sequences {
        for query in start..start + len {
            let row = mask.len();
            mask.resize(row + keys, f32::NEG_INFINITY);
            // Padding sees what the sequence's first row sees: itself.
            let (run, query) = runs
                .iter()
                .map(|run| (run, run.start - run.origin))
                .find(|(run, first)| (*first..first + run.len).contains(&query))
                .map_or((&runs[0], 0), |(run, _)| (run, query));
            let first = run.start - run.origin;
            let position = before + run.context + query - first;
            let oldest = window.map_or(0, |w| (position + 1).saturating_sub(w));
            // By position: what stands before the sequence and the context lie where they are, the
            // run itself lies after its siblings.
            let context = before + run.context;
            mask[row..][oldest.min(context)..context].fill(0.0);
            let own = oldest.max(context)..position + 1;
            let shift = before + first - context;
            mask[row..][own.start + shift..own.end + shift].fill(0.0);
        }
    }
    mask
}

/// Columns of packed rows in a batch, heads `first..first + count`, as (b, count, l, d).
pub(super) fn heads(
    x: &Tensor,
    first: usize,
    count: usize,
    shape: &AttentionShape,
) -> Result<Tensor, LmError> {
    let ((b, l, _), d) = (x.dims3()?, shape.head_dim);
    let x = x.narrow(2, first * d, count * d)?.contiguous()?;
    Ok(x.reshape((b, l, count, d))?.transpose(1, 2)?.contiguous()?)
}

/// Queries (or what has their shape), (b, h, s, d), by key head: (b, kv, h/kv s, d).
pub(super) fn stacked(x: &Tensor, shape: &AttentionShape) -> Result<Tensor, LmError> {
    let (b, h, s, d) = x.dims4()?;
    Ok(x.reshape((b, shape.kv_heads, h / shape.kv_heads * s, d))?)
}

/// A piece's rows of (b, h, l, d), stacked.
fn piece_of(x: &Tensor, piece: &Piece, shape: &AttentionShape) -> Result<Tensor, LmError> {
    let x = x.narrow(2, piece.start, piece.len)?.contiguous()?;
    stacked(&x, shape)
}

/// The keys (or values) that a piece's queries may see, (b, kv, before + t, d), with those before
/// every sequence, (1, kv, before, d).
fn seen(x: &Tensor, before: Option<&Tensor>, piece: &Piece) -> Result<Tensor, LmError> {
    let own = x.narrow(2, 0, piece.start + piece.len)?;
    let Some(before) = before else {
        return Ok(own.contiguous()?);
    };
    let (b, kv, _, d) = own.dims4()?;
    let shape = (b, kv, before.dim(2)?, d);
    Ok(Tensor::cat(
        &[
            &before.broadcast_as(shape)?.contiguous()?,
            &own.contiguous()?,
        ],
        2,
    )?)
}

/// Keys and values, (1, kv, before, d) each, of what stands before every sequence.
fn constants(
    before: Option<&Tensor>,
    shape: &AttentionShape,
) -> Result<Option<(Tensor, Tensor)>, LmError> {
    let (h, kv) = (shape.heads, shape.kv_heads);
    let split = |x: &Tensor| {
        let x = x.unsqueeze(0)?;
        Ok((heads(&x, h, kv, shape)?, heads(&x, h + kv, kv, shape)?))
    };
    before.map(split).transpose()
}

/// Scores (b, h, s, t) of stacked queries: capped, not yet masked.
fn scores(q: &Tensor, k: &Tensor, shape: &AttentionShape) -> Result<Tensor, LmError> {
    let (b, kv, rows, _) = q.dims4()?;
    let queries = rows * kv / shape.heads;
    let s = (q.matmul(&k.transpose(2, 3)?)? * f64::from(shape.scale))?;
    let s = s.reshape((b, shape.heads, queries, k.dim(2)?))?;
    match shape.soft_cap.map(f64::from) {
        Some(c) => Ok(((s / c)?.tanh()? * c)?),
        None => Ok(s),
    }
}

/// Attention of stacked queries: (b, h, s, d), and the logs of the denominators, (b, h, s, 1).
pub(super) fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: &Tensor,
    shape: &AttentionShape,
) -> Result<(Tensor, Tensor), LmError> {
    let s = scores(q, k, shape)?.broadcast_add(mask)?;
    let m = s.max_keepdim(D::Minus1)?;
    let e = s.broadcast_sub(&m)?.exp()?;
    let sum = e.sum_keepdim(D::Minus1)?;
    let p = e.broadcast_div(&sum)?;
    let y = stacked(&p, shape)?.matmul(v)?; // (b, kv, h/kv s, d)
    let (b, h, s, _) = p.dims4()?;
    let y = y.reshape((b, h, s, shape.head_dim))?;
    Ok((y, (sum.log()? + m)?))
}

/// (b, n, l, d) to (b, l, n d).
pub(super) fn by_row(x: &Tensor) -> Result<Tensor, LmError> {
    let (b, n, l, d) = x.dims4()?;
    Ok(x.transpose(1, 2)?.contiguous()?.reshape((b, l, n * d))?)
}

/// See `Kernels::attention`. The logs come as one row, in the order in which `backward` reads them.
pub(super) fn forward(
    qkv: &Tensor,
    before: Option<&Tensor>,
    shape: &AttentionShape,
    plan: &AttentionPlan,
) -> Result<(Tensor, Tensor), LmError> {
    let (h, kv) = (shape.heads, shape.kv_heads);
    let (mut outputs, mut logs) = (Vec::new(), Vec::new());
    let constant = constants(before, shape)?;
    let constant = constant.as_ref();
    for (batch, pieces) in &plan.batches {
        let x = batch.take(qkv)?; // (b, l, (h + 2 kv) d)
        let (q, k, v) = (
            heads(&x, 0, h, shape)?,
            heads(&x, h, kv, shape)?,
            heads(&x, h + kv, kv, shape)?,
        );
        let mut y = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let k = seen(&k, constant.map(|c| &c.0), piece)?;
            let v = seen(&v, constant.map(|c| &c.1), piece)?;
            let q = piece_of(&q, piece, shape)?;
            let (out, log) = attend(&q, &k, &v, &piece.mask, shape)?;
            logs.push(log.flatten_all()?);
            y.push(out);
        }
        let y = by_row(&Tensor::cat(&y, 2)?)?; // (b, l, h d)
        outputs.push(y.flatten_to(1)?);
    }
    let logs = Tensor::cat(&logs, 0)?.unsqueeze(0)?;
    Ok((plan.packed(&outputs)?, logs))
}

/// See `Kernels::attention_backward`. Names as in Dao et al. 2022, appendix B.4: with p the
/// probabilities, `dp = dy v^T`, `ds = p (dp - sum(p dp))`.
pub(super) fn backward(
    qkv: &Tensor,
    before: Option<&Tensor>,
    log_sum: &Tensor,
    g: &Tensor,
    shape: &AttentionShape,
    plan: &AttentionPlan,
) -> Result<Tensor, LmError> {
    let (h, kv, d) = (shape.heads, shape.kv_heads, shape.head_dim);
    let (mut gradients, mut logs_read) = (Vec::new(), 0);
    let log_sum = log_sum.flatten_all()?;
    let constant = constants(before, shape)?;
    let constant = constant.as_ref();
    for (batch, pieces) in &plan.batches {
        let (b, l) = (batch.count, batch.len);
        let x = batch.take(qkv)?;
        let (q, k, v) = (
            heads(&x, 0, h, shape)?,
            heads(&x, h, kv, shape)?,
            heads(&x, h + kv, kv, shape)?,
        );
        // Padding must give keys and values nothing.
        let dy = heads(&batch.take_zero_padded(g)?, 0, h, shape)?;
        let mut dq = Vec::with_capacity(pieces.len());
        let (mut dk, mut dv) = (k.zeros_like()?, v.zeros_like()?);
        for piece in pieces {
            let (s, t) = (piece.len, piece.start + piece.len);
            let (q, dy) = (piece_of(&q, piece, shape)?, piece_of(&dy, piece, shape)?);
            let k = seen(&k, constant.map(|c| &c.0), piece)?;
            let v = seen(&v, constant.map(|c| &c.1), piece)?;
            let keys = k.dim(2)?;
            let capped = scores(&q, &k, shape)?; // (b, h, s, keys)
            let log = log_sum.narrow(0, logs_read, b * h * s)?;
            logs_read += b * h * s;
            let p = capped.broadcast_add(&piece.mask)?;
            let p = p.broadcast_sub(&log.reshape((b, h, s, 1))?)?.exp()?;
            let dp = dy.matmul(&v.transpose(2, 3)?)?.reshape((b, h, s, keys))?;
            let inner = (&p * &dp)?.sum_keepdim(D::Minus1)?;
            let mut ds = (&p * dp.broadcast_sub(&inner)?)?;
            if let Some(c) = shape.soft_cap.map(f64::from) {
                // c tanh(x / c) has the slope 1 - (its value / c)^2.
                ds = (ds * (1.0 - (capped / c)?.sqr()?)?)?;
            }
            let ds = stacked(&(ds * f64::from(shape.scale))?, shape)?;
            let p = stacked(&p, shape)?;
            dq.push(ds.matmul(&k)?.reshape((b, h, s, d))?);
            let below = l - t;
            // What stands before the sequences is constant.
            let add = |sum: Tensor, part: Tensor| {
                sum + part.narrow(2, keys - t, t)?.pad_with_zeros(2, 0, below)?
            };
            dk = add(dk, ds.transpose(2, 3)?.contiguous()?.matmul(&q)?)?;
            dv = add(dv, p.transpose(2, 3)?.contiguous()?.matmul(&dy)?)?;
        }
        let dq = Tensor::cat(&dq, 2)?;
        let all = [by_row(&dq)?, by_row(&dk)?, by_row(&dv)?];
        gradients.push(Tensor::cat(&all, 2)?.flatten_to(1)?);
    }
    plan.packed(&gradients)
}
