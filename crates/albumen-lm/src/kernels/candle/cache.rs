//! Keys and values of tokens already seen, in one pool of rows for all caches.
//!
//! A cache is a list of rows, so that a prefix is shared by naming its rows, and one step gathers
//! what all its queries see in one launch (Kwon et al. 2023, arXiv:2309.06180, with pages of one
//! token).

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Tensor};

use super::batches::{Batch, batches, order};
use super::{Candle, attention};
use crate::error::LmError;
use crate::kernels::{AttentionShape, Decode, Feed, Kernels};

/// Rows that a pool has at least.
const FEWEST_ROWS: usize = 1024;

/// Keys and values of every layer, (rows, kv_heads * head_dim) each.
#[derive(Default)]
pub(super) struct Pool {
    layers: Vec<(Tensor, Tensor)>,
    rows: usize,
    free: Vec<u32>,
}

pub(super) type SharedPool = Arc<Mutex<Pool>>;

fn lock(pool: &SharedPool) -> MutexGuard<'_, Pool> {
    // Rows are handed out and taken back whole, so that a poisoned lock is in order.
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    fn take(
        &mut self,
        count: usize,
        layers: usize,
        width: usize,
        device: &Device,
    ) -> Result<Vec<u32>, LmError> {
        if self.free.len() < count {
            let more = self.rows.max(count).max(FEWEST_ROWS);
            let zeros = || Tensor::zeros((more, width), DType::F32, device);
            if self.layers.is_empty() {
                let fresh = (0..layers).map(|_| Ok((zeros()?, zeros()?)));
                self.layers = fresh.collect::<Result<_, LmError>>()?;
            } else {
                for (keys, values) in &mut self.layers {
                    *keys = Tensor::cat(&[&*keys, &zeros()?], 0)?;
                    *values = Tensor::cat(&[&*values, &zeros()?], 0)?;
                }
            }
            let end = self.rows + more;
            self.free.extend((self.rows..end).rev().map(|r| r as u32));
            self.rows = end;
        }
        Ok(self.free.split_off(self.free.len() - count))
    }
}

/// Rows of the pool.
pub struct Cache {
    pool: SharedPool,
    rows: Vec<u32>,
    len: usize,
}

impl Drop for Cache {
    fn drop(&mut self) {
        let mut pool = lock(&self.pool);
        pool.free.append(&mut self.rows);
        if pool.free.len() == pool.rows {
            // The last cache gives the memory back.
            *pool = Pool::default();
        }
    }
}

impl crate::kernels::Cache for Cache {
    fn len(&self) -> usize {
        self.len
    }

    fn advance(&mut self, n: usize) {
        self.len += n;
    }
}

/// What a step depends on: each feed's rows of queries and the pool's rows it sees, its own last.
#[derive(PartialEq, Eq)]
pub(super) struct StepKey {
    queries: Vec<Range<usize>>,
    seen: Vec<Vec<u32>>,
    window: Option<usize>,
}

/// One step's feeds, batched by their number of queries.
pub(super) struct Step {
    batches: Vec<Seen>,
    /// Where each row of queries is among the batches' rows.
    order: Tensor,
    /// The pool's rows of the new tokens.
    fresh: Tensor,
}

struct Seen {
    batch: Batch,
    /// The pool's rows, (count * keys).
    index: Tensor,
    keys: usize,
    /// (count, 1, queries, keys).
    mask: Tensor,
}

impl Step {
    fn new(key: &StepKey, device: &Device) -> Result<Self, LmError> {
        let rows = key.queries.last().map_or(0, |r| r.end);
        let (mut places, mut place) = (vec![0; rows], 0);
        let mut all = Vec::new();
        for batch in batches(&key.queries, device)? {
            for &m in &batch.members {
                for (i, row) in key.queries[m].clone().enumerate() {
                    places[row] = (place + i) as u32;
                }
                place += batch.len;
            }
            all.push(Seen::new(batch, key, device)?);
        }
        let fresh = key.queries.iter().zip(&key.seen);
        let fresh = fresh.flat_map(|(q, seen)| &seen[seen.len() - q.len()..]);
        let order = match order(&places, device)? {
            Some(order) => order,
            None => Tensor::arange(0, rows as u32, device)?,
        };
        Ok(Self {
            batches: all,
            order,
            fresh: Tensor::from_iter(fresh.copied(), device)?,
        })
    }
}

impl Seen {
    fn new(batch: Batch, key: &StepKey, device: &Device) -> Result<Self, LmError> {
        let seen: Vec<&Vec<u32>> = batch.members.iter().map(|&m| &key.seen[m]).collect();
        let keys = seen.iter().map(|s| s.len()).max().unwrap_or(0);
        let mut index = Vec::with_capacity(batch.count * keys);
        let mut mask = vec![f32::NEG_INFINITY; batch.count * batch.len * keys];
        let mut masks = mask.chunks_exact_mut(keys);
        for (&m, seen) in batch.members.iter().zip(&seen) {
            index.extend_from_slice(seen);
            // Padding is one's own first key, and masked.
            index.resize(index.len() + keys - seen.len(), seen[0]);
            let count = key.queries[m].len();
            for (i, mask) in masks.by_ref().take(batch.len).enumerate() {
                // Padding sees what the first query sees.
                let end = seen.len() - count + if i < count { i } else { 0 } + 1;
                let start = key.window.map_or(0, |w| end.saturating_sub(w));
                mask[start..end].fill(0.0);
            }
        }
        Ok(Self {
            index: Tensor::from_vec(index, batch.count * keys, device)?,
            mask: Tensor::from_vec(mask, (batch.count, 1, batch.len, keys), device)?,
            keys,
            batch,
        })
    }

    /// Rows of the pool as (count, kv, keys, d).
    fn gather(&self, pool: &Tensor, shape: &AttentionShape) -> Result<Tensor, LmError> {
        let width = shape.kv_heads * shape.head_dim;
        let x = pool.index_select(&self.index, 0)?;
        let x = x.reshape((self.batch.count, self.keys, width))?;
        attention::heads(&x, 0, shape.kv_heads, shape)
    }
}

impl Decode for Candle {
    type Cache = Cache;

    fn new_cache(
        &self,
        layers: usize,
        shape: &AttentionShape,
        tokens: usize,
    ) -> Result<Cache, LmError> {
        let width = shape.kv_heads * shape.head_dim;
        let rows = lock(&self.cached).take(tokens, layers, width, &self.device)?;
        let pool = Arc::clone(&self.cached);
        Ok(Cache { pool, rows, len: 0 })
    }

    fn attend(
        &self,
        layer: usize,
        qkv: &Tensor,
        shape: &AttentionShape,
        feeds: &mut [Feed<'_, Cache>],
    ) -> Result<Tensor, LmError> {
        let (h, kv, d) = (shape.heads, shape.kv_heads, shape.head_dim);
        let (mut row, mut queries) = (0, Vec::with_capacity(feeds.len()));
        let mut seen = Vec::with_capacity(feeds.len());
        for feed in feeds.iter() {
            let count = feed.tokens.len();
            queries.push(row..row + count);
            row += count;
            let before = feed.before.iter().flat_map(|c| &c.rows[..c.len]);
            let own = &feed.own.rows[..feed.own.len + count];
            seen.push(before.chain(own).copied().collect());
        }
        let key = StepKey {
            queries,
            seen,
            window: shape.window,
        };
        let step = self.steps.get(key, |key| Step::new(key, &self.device))?;
        let pool = lock(&self.cached);
        let (keys, values) = &pool.layers[layer];
        let fresh = step.fresh.unsqueeze(1)?;
        let fresh = fresh.broadcast_as((row, kv * d))?.contiguous()?;
        for (to, first) in [(keys, h), (values, h + kv)] {
            let new = qkv.narrow(1, first * d, kv * d)?.contiguous()?;
            to.scatter_set(&fresh, &new, 0)?;
        }
        let mut outputs = Vec::with_capacity(step.batches.len());
        for part in &step.batches {
            let q = attention::heads(&part.batch.take(qkv)?, 0, h, shape)?;
            let (k, v) = (part.gather(keys, shape)?, part.gather(values, shape)?);
            let q = attention::stacked(&q, shape)?;
            let (y, _) = attention::attend(&q, &k, &v, &part.mask, shape)?;
            outputs.push(attention::by_row(&y)?.flatten_to(1)?);
        }
        Ok(Tensor::cat(&outputs, 0)?.index_select(&step.order, 0)?)
    }

    fn consume(&self, x: Tensor, f: &mut dyn FnMut(&mut [f32])) -> Result<(), LmError> {
        f(&mut self.download(&x)?);
        Ok(())
    }
}
