//! Products with low-rank matrices, and each unit's gradients of them.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::buffer::Matrix;
use super::matmul::{Threads, View, ViewMut, matmul};
use crate::kernels::LoraScale;
use crate::lora::{Block, Site};

thread_local! {
    /// A gradient of B before it is transposed.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Columns of u that belong to the site.
pub(crate) fn width(site: &Site, lora: LoraScale) -> usize {
    site.blocks.len() * lora.rank
}

fn a<'a>(params: &'a [f32], site: &Site, width: usize) -> View<'a> {
    View::new(&params[site.a..], width, site.input, site.input)
}

fn b<'a>(params: &'a [f32], block: &Block, rank: usize) -> View<'a> {
    View::new(&params[block.b..], block.columns.len(), rank, rank)
}

/// u = x A^T, y += scale u B^T.
pub(crate) fn forward(
    x: &Matrix,
    params: &[f32],
    site: &Site,
    lora: LoraScale,
    u: &mut Matrix,
    y: &mut Matrix,
) {
    let (n, w, rank) = (x.rows(), u.cols(), lora.rank);
    let x = View::new(x, n, site.input, site.input);
    matmul(
        ViewMut::new(u, n, w, w),
        false,
        1.0,
        x,
        a(params, site, w).t(),
        Threads::All,
    );
    let stride = y.cols();
    for (i, block) in site.blocks.iter().enumerate() {
        let u = View::new(&u[i * rank..], n, rank, w);
        let y = ViewMut::new(
            &mut y[block.columns.start..],
            n,
            block.columns.len(),
            stride,
        );
        matmul(
            y,
            true,
            lora.scale,
            u,
            b(params, block, rank).t(),
            Threads::All,
        );
    }
}

/// du = scale g B.
pub(crate) fn backward(g: &Matrix, params: &[f32], site: &Site, lora: LoraScale, du: &mut Matrix) {
    let (n, w, rank) = (g.rows(), du.cols(), lora.rank);
    for (i, block) in site.blocks.iter().enumerate() {
        let g = View::new(&g[block.columns.start..], n, block.columns.len(), g.cols());
        let du = ViewMut::new(&mut du[i * rank..], n, rank, w);
        matmul(
            du,
            false,
            lora.scale,
            g,
            b(params, block, rank),
            Threads::All,
        );
    }
}

/// dx += du A.
pub(crate) fn input(du: &Matrix, params: &[f32], site: &Site, dx: &mut Matrix) {
    let (n, w, d) = (du.rows(), du.cols(), site.input);
    let du = View::new(du, n, w, w);
    matmul(
        ViewMut::new(dx, n, d, d),
        true,
        1.0,
        du,
        a(params, site, w),
        Threads::All,
    );
}

/// Part of one unit's gradient: of the stacked A matrices, or of one block's B.
struct Part<'a> {
    rows: &'a Range<usize>,
    of: Of<'a>,
    to: &'a mut [f32],
}

#[derive(Clone, Copy)]
enum Of<'a> {
    /// The stacked A matrices, from x and du.
    A(&'a Matrix, &'a Matrix),
    B(&'a Block, usize),
}

/// See `Kernels::lora_gradients`.
pub(crate) fn gradients(
    a: Option<(&Matrix, &Matrix)>,
    u: &Matrix,
    g: &Matrix,
    site: &Site,
    lora: LoraScale,
    units: &[Range<usize>],
    gradients: &mut Matrix,
) {
    let (w, rank, stride) = (u.cols(), lora.rank, gradients.cols());
    let mut parts = Vec::with_capacity(units.len() * (1 + site.blocks.len()));
    for (gradient, rows) in gradients.chunks_exact_mut(stride).zip(units) {
        let (front, mut left) = gradient.split_at_mut(site.blocks[0].b - lora.frozen);
        if let Some((x, du)) = a {
            let to = &mut front[site.a..site.a + w * site.input];
            let of = Of::A(x, du);
            parts.push(Part { rows, of, to });
        }
        for (i, block) in site.blocks.iter().enumerate() {
            let to;
            (to, left) = left.split_at_mut(block.columns.len() * rank);
            let of = Of::B(block, i);
            parts.push(Part { rows, of, to });
        }
    }
    parts.into_par_iter().for_each(|Part { rows, of, to }| {
        let (n, first) = (rows.len(), rows.start);
        if n == 0 {
            return to.fill(0.0);
        }
        let (block, i) = match of {
            Of::B(block, i) => (block, i),
            Of::A(x, du) => {
                let du = View::new(&du[first * w..], n, w, w);
                let x = View::new(&x[first * site.input..], n, site.input, site.input);
                let to = ViewMut::new(to, w, site.input, site.input);
                return matmul(to, false, 1.0, du.t(), x, Threads::One);
            }
        };
        let columns = &block.columns;
        let out = columns.len();
        // (rank, out) is the shape that `gemm` is fast at.
        let mut transposed = SCRATCH.take();
        transposed.resize(rank * out, 0.0);
        let u = View::new(&u[first * w + i * rank..], n, rank, w);
        let g = View::new(&g[first * g.cols() + columns.start..], n, out, g.cols());
        let t = ViewMut::new(&mut transposed, rank, out, out);
        matmul(t, false, lora.scale, u.t(), g, Threads::One);
        for (r, row) in transposed.chunks_exact(out).enumerate() {
            for (to, v) in to[r..].iter_mut().step_by(rank).zip(row) {
                *to = *v;
            }
        }
        SCRATCH.set(transposed);
    });
}
