//! Matrices whose memory is used again.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Memory of dropped matrices by size class. A step asks for the same sizes over and over; fresh
/// memory would cost a page fault every 4 KiB.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Mutex<HashMap<usize, Vec<Vec<f32>>>>,
}

impl Pool {
    /// A matrix with unspecified, but initialised, numbers.
    pub(crate) fn matrix(self: &Arc<Self>, rows: usize, cols: usize) -> Matrix {
        let class = size_class(rows * cols);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let data = free.get_mut(&class).and_then(Vec::pop);
        drop(free);
        let data = data.unwrap_or_else(|| vec![0.0; class]);
        Matrix {
            rows,
            cols,
            data,
            pool: Arc::clone(self),
        }
    }

    /// Gives all unused memory back to the system.
    pub(crate) fn trim(&self) {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// `n` rounded up by an eighth at most, so that micro-batches of like size share their memory.
fn size_class(n: usize) -> usize {
    let step = (n.max(64).next_power_of_two() / 16).max(16);
    n.max(1).div_ceil(step) * step
}

/// A row-major (rows, cols) matrix of f32. Dereferences to its numbers.
#[derive(Debug)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f32>,
    pool: Arc<Pool>,
}

impl Matrix {
    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// One row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self[i * self.cols..(i + 1) * self.cols]
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

impl Deref for Matrix {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data[..self.rows * self.cols]
    }
}

impl DerefMut for Matrix {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[..self.rows * self.cols]
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        let mut free = self
            .pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        free.entry(data.len()).or_default().push(data);
    }
}
