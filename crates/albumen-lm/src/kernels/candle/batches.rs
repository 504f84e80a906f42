//! Ranges of packed rows as padded batches.
//!
//! Ranges of like length share a batch: one launch serves many, and at most a third of a batch is
//! padding. A range is padded by its own first row.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Tensor};

use crate::error::LmError;

/// Ranges of one batch as (ranges, longest length).
pub(super) struct Batch {
    /// How many ranges.
    pub(super) count: usize,
    /// Rows of the longest, to which all are padded.
    pub(super) len: usize,
    /// Which of the given ranges they are, in the batch's order.
    pub(super) members: Vec<usize>,
    from: Source,
    /// (count, len, 1): 1 on rows and 0 on padding; `None` where there is no padding.
    mask: Option<Tensor>,
}

enum Source {
    /// The ranges lie back to back from this row on.
    Rows(usize),
    /// The row of each place, (count * len).
    Index(Tensor),
}

impl Batch {
    pub(super) fn new(
        members: Vec<usize>,
        ranges: &[Range<usize>],
        device: &Device,
    ) -> Result<Self, LmError> {
        let count = members.len();
        let len = members.iter().map(|&m| ranges[m].len()).max().unwrap_or(0);
        let even = members.iter().all(|&m| ranges[m].len() == len);
        let neighbours = members
            .windows(2)
            .all(|m| ranges[m[0]].end == ranges[m[1]].start);
        let mut mask = None;
        if !even {
            let ones: Vec<f32> = members
                .iter()
                .flat_map(|&m| (0..len).map(move |i| f32::from(u8::from(i < ranges[m].len()))))
                .collect();
            mask = Some(Tensor::from_vec(ones, (count, len, 1), device)?);
        }
        let from = if even && neighbours {
            Source::Rows(members.first().map_or(0, |&m| ranges[m].start))
        } else {
            let row = |m: usize, i| ranges[m].start + if i < ranges[m].len() { i } else { 0 };
            let index: Vec<u32> = members
                .iter()
                .flat_map(|&m| (0..len).map(move |i| row(m, i) as u32))
                .collect();
            Source::Index(Tensor::from_vec(index, count * len, device)?)
        };
        Ok(Self {
            count,
            len,
            members,
            from,
            mask,
        })
    }

    /// Rows (n, c) as (count, len, c), padded.
    pub(super) fn take(&self, x: &Tensor) -> Result<Tensor, LmError> {
        let places = self.count * self.len;
        let rows = match &self.from {
            Source::Rows(start) => x.narrow(0, *start, places)?,
            Source::Index(index) => x.contiguous()?.index_select(index, 0)?,
        };
        Ok(rows.reshape((self.count, self.len, x.dim(1)?))?)
    }

    /// As `take`, with zeros for padding.
    pub(super) fn take_zero_padded(&self, x: &Tensor) -> Result<Tensor, LmError> {
        let x = self.take(x)?;
        match &self.mask {
            Some(mask) => Ok(x.broadcast_mul(mask)?),
            None => Ok(x),
        }
    }
}

/// Sorts ranges into batches; empty ranges are in none.
pub(super) fn batches(ranges: &[Range<usize>], device: &Device) -> Result<Vec<Batch>, LmError> {
    let mut members: Vec<usize> = (0..ranges.len())
        .filter(|&i| !ranges[i].is_empty())
        .collect();
    members.sort_by_key(|&i| ranges[i].len());
    let mut batches = Vec::new();
    let mut left = &members[..];
    while let Some(&first) = left.first() {
        let limit = ranges[first].len() * 3 / 2;
        let count = left.partition_point(|&i| ranges[i].len() <= limit);
        let (batch, later) = left.split_at(count);
        let mut batch = batch.to_vec();
        batch.sort_unstable();
        batches.push(Batch::new(batch, ranges, device)?);
        left = later;
    }
    Ok(batches)
}

/// The place of each item when all are already in order, else an index that puts them in order.
pub(super) fn order(places: &[u32], device: &Device) -> Result<Option<Tensor>, LmError> {
    if places.iter().enumerate().all(|(i, &p)| i as u32 == p) {
        return Ok(None);
    }
    Ok(Some(Tensor::from_slice(places, places.len(), device)?))
}

/// How the units of a micro-batch are batched.
pub(super) struct UnitPlan {
    pub(super) batches: Vec<Batch>,
    /// Where each unit's result is among the batches' results; units without rows take the zeros
    /// that stand after them.
    order: Option<Tensor>,
    some_empty: bool,
}

impl UnitPlan {
    pub(super) fn new(units: &[Range<usize>], device: &Device) -> Result<Self, LmError> {
        let batches = batches(units, device)?;
        let filled = batches.iter().map(|b| b.count).sum::<usize>();
        let mut places = vec![filled as u32; units.len()];
        let members = batches.iter().flat_map(|b| &b.members);
        for (place, &unit) in members.enumerate() {
            places[unit] = place as u32;
        }
        Ok(Self {
            order: order(&places, device)?,
            some_empty: filled < units.len(),
            batches,
        })
    }

    /// The results of all batches, (count, width) each, by unit: (units, width).
    pub(super) fn by_unit(
        &self,
        mut results: Vec<Tensor>,
        width: usize,
    ) -> Result<Tensor, LmError> {
        if self.some_empty {
            let device = results.first().map_or(&Device::Cpu, Tensor::device);
            results.push(Tensor::zeros((1, width), DType::F32, device)?);
        }
        let all = Tensor::cat(&results, 0)?;
        match &self.order {
            Some(order) => Ok(all.index_select(order, 0)?),
            None => Ok(all),
        }
    }
}

/// What was made for the last few keys: all layers of a pass share their plans, and a model's
/// layers know two windows at most.
pub(super) struct Recent<K, V>(Mutex<Vec<(K, Arc<V>)>>);

const KEPT: usize = 2;

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<K: PartialEq, V> Recent<K, V> {
    pub(super) fn get(
        &self,
        key: K,
        make: impl FnOnce(&K) -> Result<V, LmError>,
    ) -> Result<Arc<V>, LmError> {
        // A poisoned lock holds whole entries still: each is pushed at once.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, value)) = kept.iter().find(|(k, _)| *k == key) {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make(&key)?);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&value)));
        Ok(value)
    }
}
