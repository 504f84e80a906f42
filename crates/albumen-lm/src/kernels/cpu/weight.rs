//! Frozen weights and their products with activations.

use std::sync::OnceLock;

use crate::error::LmError;
use crate::kernels::Precision;

use super::bf16::{self, Packed};
use super::int8;
use super::matmul::{Threads, View, ViewMut, matmul};

/// A frozen (out, in) weight.
pub struct Weight {
    out: usize,
    input: usize,
    store: Store,
}

enum Store {
    /// Row-major (out, in), for products in both directions.
    F32(Vec<f32>),
    /// Packed for `x W^T`; packed for `g W` when first needed.
    Bf16 {
        forward: Packed,
        backward: OnceLock<Packed>,
    },
    /// Packed for `x W^T`; there is no backward product.
    Int8(int8::Packed),
}

impl Weight {
    pub(crate) fn new(data: Vec<f32>, out: usize, input: usize, precision: Precision) -> Self {
        assert_eq!(
            data.len(),
            out * input,
            "a weight's length and shape disagree"
        );
        let at = |k, n| data[n * input + k];
        let store = match precision {
            Precision::F32 => Store::F32(data),
            Precision::Bf16 => Store::Bf16 {
                forward: Packed::new(input, out, at),
                backward: OnceLock::new(),
            },
            Precision::Int8 => Store::Int8(int8::Packed::new(input, out, at)),
        };
        Self { out, input, store }
    }

    /// Rows.
    pub fn out(&self) -> usize {
        self.out
    }

    /// Columns.
    pub fn input(&self) -> usize {
        self.input
    }

    /// Row `i`, times `scale`, to `to`.
    pub(crate) fn read_row(&self, i: usize, scale: f32, to: &mut [f32]) {
        match &self.store {
            Store::F32(w) => {
                let row = &w[i * self.input..(i + 1) * self.input];
                to.iter_mut().zip(row).for_each(|(t, w)| *t = w * scale);
            }
            Store::Bf16 { forward, .. } => {
                for (k, t) in to.iter_mut().enumerate() {
                    *t = forward.get(k, i) * scale;
                }
            }
            Store::Int8(w) => {
                for (k, t) in to.iter_mut().enumerate() {
                    *t = w.get(k, i) * scale;
                }
            }
        }
    }

    /// `y = x W^T`, or `y += x W^T` where `accumulate`, of `n` rows.
    pub(crate) fn forward_rows(&self, x: &[f32], n: usize, y: &mut [f32], accumulate: bool) {
        match &self.store {
            Store::F32(w) => {
                let x = View::new(x, n, self.input, self.input);
                let w = View::new(w, self.out, self.input, self.input).t();
                matmul(
                    ViewMut::new(y, n, self.out, self.out),
                    accumulate,
                    1.0,
                    x,
                    w,
                    Threads::All,
                );
            }
            Store::Bf16 { forward, .. } => bf16::product(x, forward, y, accumulate),
            Store::Int8(w) => int8::product(x, w, y, accumulate),
        }
    }

    /// `dx = g W` of `n` rows.
    pub(crate) fn backward_rows(&self, g: &[f32], n: usize, dx: &mut [f32]) -> Result<(), LmError> {
        match &self.store {
            Store::F32(w) => {
                let g = View::new(g, n, self.out, self.out);
                let w = View::new(w, self.out, self.input, self.input);
                matmul(
                    ViewMut::new(dx, n, self.input, self.input),
                    false,
                    1.0,
                    g,
                    w,
                    Threads::All,
                );
            }
            Store::Bf16 { forward, backward } => {
                let packed = backward.get_or_init(|| forward.transposed());
                bf16::product(g, packed, dx, false);
            }
            Store::Int8(_) => return Err(LmError::DecodingOnly),
        }
        Ok(())
    }
}
