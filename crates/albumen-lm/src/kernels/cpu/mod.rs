//! The kernels on the processor's own cores: f32 operands, or bf16 ones with AVX512-BF16.
//!
//! A row's results have the same bits whatever other sequences are in the matrix and however many
//! threads there are.

pub(crate) mod attention;
mod bf16;
pub(crate) mod buffer;
pub(crate) mod cache;
mod gate;
mod int8;
mod lora;
mod loss;
mod matmul;
mod norm;
mod pack;
pub(crate) mod simd;
mod tile;
mod weight;

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::{AttentionShape, Kernels, LoraScale, PackedRun, Precision};
use crate::config::Activation;
use crate::error::LmError;
use crate::lora::Site;
use attention::Keys;

pub use buffer::Matrix;
pub use weight::Weight;

/// The processor's kernels. They run in rayon's current thread pool.
pub struct Cpu {
    precision: Precision,
    pool: Arc<buffer::Pool>,
}

impl Cpu {
    /// Kernels of this precision. bf16 falls back to f32 where the processor cannot do it, or where
    /// the environment variable `ALBUMEN_CPU` is `f32` or `avx2`.
    pub fn new(precision: Precision) -> Self {
        let precision = match precision {
            Precision::Bf16 if !simd::features().bf16 => Precision::F32,
            other => other,
        };
        Self {
            precision,
            pool: Arc::default(),
        }
    }

    /// The precision in use.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Gives memory that is kept for later calls back to the system.
    pub fn trim(&self) {
        self.pool.trim();
    }

    fn matrix(&self, rows: usize, cols: usize) -> Matrix {
        self.pool.matrix(rows, cols)
    }

    fn like(&self, x: &Matrix) -> Matrix {
        self.matrix(x.rows(), x.cols())
    }
}

#[expect(
    private_interfaces,
    reason = "sites are made by this crate's layouts only"
)]
impl Kernels for Cpu {
    type Matrix = Matrix;
    type Weight = Weight;

    fn upload(&self, data: &[f32], cols: usize) -> Result<Matrix, LmError> {
        let mut x = self.matrix(data.len() / cols, cols);
        x.copy_from_slice(data);
        Ok(x)
    }

    fn download(&self, x: &Matrix) -> Result<Vec<f32>, LmError> {
        Ok(x.to_vec())
    }

    fn zeros(&self, rows: usize, cols: usize) -> Result<Matrix, LmError> {
        let mut x = self.matrix(rows, cols);
        x.fill(0.0);
        Ok(x)
    }

    fn copy(&self, x: &Matrix) -> Result<Matrix, LmError> {
        let mut y = self.like(x);
        y.copy_from_slice(x);
        Ok(y)
    }

    fn with_row(&self, x: &Matrix, row: usize, f: &mut dyn FnMut(&[f32])) -> Result<(), LmError> {
        f(x.row(row));
        Ok(())
    }

    fn weight(&self, data: Vec<f32>, out: usize, input: usize) -> Result<Weight, LmError> {
        Ok(Weight::new(data, out, input, self.precision))
    }

    fn embed(&self, embedding: &Weight, tokens: &[u32], scale: f32) -> Result<Matrix, LmError> {
        let d = embedding.input();
        let mut x = self.matrix(tokens.len(), d);
        let rows = x.par_chunks_mut(d).zip(tokens).with_min_len(16);
        rows.for_each(|(row, &token)| embedding.read_row(token as usize, scale, row));
        Ok(x)
    }

    fn gather(&self, x: &Matrix, rows: &[u32]) -> Result<Matrix, LmError> {
        let mut y = self.matrix(rows.len(), x.cols());
        for (y, &i) in y.chunks_exact_mut(x.cols()).zip(rows) {
            y.copy_from_slice(x.row(i as usize));
        }
        Ok(y)
    }

    fn scatter(&self, g: &Matrix, rows: &[u32], count: usize) -> Result<Matrix, LmError> {
        let d = g.cols();
        let mut x = self.zeros(count, d)?;
        for (g, &i) in g.chunks_exact(d).zip(rows) {
            let row = &mut x[i as usize * d..(i as usize + 1) * d];
            row.iter_mut().zip(g).for_each(|(x, g)| *x += g);
        }
        Ok(x)
    }

    fn add(&self, x: &mut Matrix, y: &Matrix) -> Result<(), LmError> {
        x.par_chunks_mut(norm::TASK)
            .zip(y.par_chunks(norm::TASK))
            .for_each(|(x, y)| {
                x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
            });
        Ok(())
    }

    fn add_bias(&self, x: &mut Matrix, bias: &Matrix) -> Result<(), LmError> {
        let rows = norm::task_rows(x.cols());
        x.par_chunks_mut(bias.len())
            .with_min_len(rows)
            .for_each(|x| {
                x.iter_mut().zip(&**bias).for_each(|(x, b)| *x += b);
            });
        Ok(())
    }

    fn linear(&self, x: &Matrix, w: &Weight, onto: Option<Matrix>) -> Result<Matrix, LmError> {
        let add = onto.is_some();
        let mut y = onto.unwrap_or_else(|| self.matrix(x.rows(), w.out()));
        w.forward_rows(x, x.rows(), &mut y, add);
        Ok(y)
    }

    fn linear_backward(&self, g: &Matrix, w: &Weight) -> Result<Matrix, LmError> {
        let mut dx = self.matrix(g.rows(), w.input());
        w.backward_rows(g, g.rows(), &mut dx)?;
        Ok(dx)
    }

    fn rms_norm(&self, x: &Matrix, w: &Matrix, eps: f32) -> Result<(Matrix, Matrix), LmError> {
        let (mut y, mut r) = (self.like(x), self.matrix(x.rows(), 1));
        norm::rms_norm(x, w, eps, &mut y, &mut r);
        Ok((y, r))
    }

    fn rms_norm_again(&self, x: &Matrix, r: &Matrix, w: &Matrix) -> Result<Matrix, LmError> {
        let mut y = self.like(x);
        norm::rms_norm_again(x, r, w, &mut y);
        Ok(y)
    }

    fn rms_norm_backward(
        &self,
        x: &Matrix,
        r: &Matrix,
        w: &Matrix,
        g: &Matrix,
        onto: Option<Matrix>,
    ) -> Result<Matrix, LmError> {
        let add = onto.is_some();
        let mut dx = onto.unwrap_or_else(|| self.like(x));
        norm::rms_norm_backward(x, r, w, g, add, &mut dx);
        Ok(dx)
    }

    fn head_norm(
        &self,
        qkv: &mut Matrix,
        shape: &AttentionShape,
        w: (&Matrix, &Matrix),
        eps: f32,
    ) -> Result<Matrix, LmError> {
        let mut r = self.matrix(qkv.rows(), shape.heads + shape.kv_heads);
        norm::head_norm(qkv, shape, (w.0, w.1), eps, &mut r);
        Ok(r)
    }

    fn head_norm_backward(
        &self,
        g: &mut Matrix,
        qkv: &Matrix,
        r: &Matrix,
        shape: &AttentionShape,
        w: (&Matrix, &Matrix),
    ) -> Result<(), LmError> {
        norm::head_norm_backward(g, qkv, r, shape, (w.0, w.1));
        Ok(())
    }

    fn rope(
        &self,
        qkv: &mut Matrix,
        shape: &AttentionShape,
        table: &Matrix,
        backward: bool,
    ) -> Result<(), LmError> {
        norm::rope(qkv, shape, table, backward);
        Ok(())
    }

    fn attention(
        &self,
        qkv: &Matrix,
        before: Option<&Matrix>,
        shape: &AttentionShape,
        runs: &[PackedRun],
    ) -> Result<(Matrix, Matrix), LmError> {
        let mut y = self.matrix(qkv.rows(), shape.heads * shape.head_dim);
        let mut log_sum = self.matrix(shape.heads, qkv.rows());
        attention::forward(&Keys { qkv, before }, shape, runs, &mut y, &mut log_sum);
        Ok((y, log_sum))
    }

    fn attention_backward(
        &self,
        qkv: &Matrix,
        before: Option<&Matrix>,
        log_sum: &Matrix,
        g: &Matrix,
        shape: &AttentionShape,
        runs: &[PackedRun],
    ) -> Result<Matrix, LmError> {
        let mut dqkv = self.like(qkv);
        attention::backward(&Keys { qkv, before }, log_sum, g, shape, runs, &mut dqkv);
        Ok(dqkv)
    }

    fn gate(&self, gate_up: &Matrix, act: Activation) -> Result<Matrix, LmError> {
        let mut z = self.matrix(gate_up.rows(), gate_up.cols() / 2);
        gate::gate(gate_up, act, &mut z);
        Ok(z)
    }

    fn gate_backward(
        &self,
        gate_up: &Matrix,
        g: &Matrix,
        act: Activation,
    ) -> Result<Matrix, LmError> {
        let mut d = self.like(gate_up);
        gate::gate_backward(gate_up, g, act, &mut d);
        Ok(d)
    }

    fn cross_entropy(
        &self,
        x: &Matrix,
        head: &Weight,
        targets: &[u32],
        weights: &[f32],
        soft_cap: Option<f32>,
        backward: bool,
    ) -> Result<(Vec<f32>, Option<Matrix>), LmError> {
        let mut dx = backward.then(|| self.like(x));
        let losses = loss::cross_entropy(x, head, targets, weights, soft_cap, dx.as_mut())?;
        Ok((losses, dx))
    }

    fn lora(
        &self,
        x: &Matrix,
        params: &Matrix,
        site: &Site,
        lora: LoraScale,
        y: &mut Matrix,
    ) -> Result<Matrix, LmError> {
        let mut u = self.matrix(x.rows(), lora::width(site, lora));
        lora::forward(x, params, site, lora, &mut u, y);
        Ok(u)
    }

    fn lora_backward(
        &self,
        g: &Matrix,
        params: &Matrix,
        site: &Site,
        lora: LoraScale,
    ) -> Result<Matrix, LmError> {
        let mut du = self.matrix(g.rows(), lora::width(site, lora));
        lora::backward(g, params, site, lora, &mut du);
        Ok(du)
    }

    fn lora_input(
        &self,
        du: &Matrix,
        params: &Matrix,
        site: &Site,
        dx: &mut Matrix,
    ) -> Result<(), LmError> {
        lora::input(du, params, site, dx);
        Ok(())
    }

    fn lora_gradients(
        &self,
        a: Option<(&Matrix, &Matrix)>,
        u: &Matrix,
        g: &Matrix,
        site: &Site,
        lora: LoraScale,
        units: &[Range<usize>],
        gradients: &mut Matrix,
    ) -> Result<(), LmError> {
        lora::gradients(a, u, g, site, lora, units, gradients);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
