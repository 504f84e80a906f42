//! Gated activations.

#![expect(
    clippy::inline_always,
    reason = "compiled anew within each instruction set"
)]

use rayon::prelude::*;

use super::buffer::Matrix;
use super::norm::task_rows;
use super::simd::{exp, simd};
use crate::config::Activation;

/// `2 sqrt(2 / pi)` and the cubic's factor in GELU's tanh form, written with a sigmoid:
/// `gelu(x) = x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3))`.
const GELU: (f32, f32) = (1.595_769_2, 0.044_715);

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

simd! {
    fn silu_row(gate: &[f32], up: &[f32], z: &mut [f32]) {
        for ((z, &a), u) in z.iter_mut().zip(gate).zip(up) {
            *z = a * sigmoid(a) * u;
        }
    }
}

simd! {
    fn gelu_row(gate: &[f32], up: &[f32], z: &mut [f32]) {
        for ((z, &a), u) in z.iter_mut().zip(gate).zip(up) {
            let inner = GELU.0 * a * (GELU.1 * a).mul_add(a, 1.0);
            *z = a * sigmoid(inner) * u;
        }
    }
}

simd! {
    fn silu_row_backward(gate: &[f32], up: &[f32], g: &[f32], da: &mut [f32], du: &mut [f32]) {
        let inputs = gate.iter().zip(up).zip(g);
        for ((da, du), ((&a, u), g)) in da.iter_mut().zip(du).zip(inputs) {
            let s = sigmoid(a);
            let y = a * s;
            *du = g * y;
            *da = g * u * (s + y * (1.0 - s));
        }
    }
}

simd! {
    fn gelu_row_backward(gate: &[f32], up: &[f32], g: &[f32], da: &mut [f32], du: &mut [f32]) {
        let inputs = gate.iter().zip(up).zip(g);
        for ((da, du), ((&a, u), g)) in da.iter_mut().zip(du).zip(inputs) {
            let s = sigmoid(GELU.0 * a * (GELU.1 * a).mul_add(a, 1.0));
            let slope = GELU.0 * (3.0 * GELU.1 * a).mul_add(a, 1.0);
            *du = g * a * s;
            *da = g * u * (s + a * s * (1.0 - s) * slope);
        }
    }
}

pub(crate) fn gate(gate_up: &Matrix, act: Activation, z: &mut Matrix) {
    let i = z.cols();
    let rows = z.par_chunks_mut(i).zip(gate_up.par_chunks(2 * i));
    rows.with_min_len(task_rows(i)).for_each(|(z, row)| {
        let (gate, up) = row.split_at(i);
        match act {
            Activation::Silu => silu_row(gate, up, z),
            Activation::GeluTanh => gelu_row(gate, up, z),
        }
    });
}

pub(crate) fn gate_backward(gate_up: &Matrix, g: &Matrix, act: Activation, d: &mut Matrix) {
    let i = g.cols();
    let inputs = gate_up.par_chunks(2 * i).zip(g.par_chunks(i));
    let rows = d.par_chunks_mut(2 * i).zip(inputs);
    rows.with_min_len(task_rows(2 * i))
        .for_each(|(d, (row, g))| {
            let (gate, up) = row.split_at(i);
            let (da, du) = d.split_at_mut(i);
            match act {
                Activation::Silu => silu_row_backward(gate, up, g, da, du),
                Activation::GeluTanh => gelu_row_backward(gate, up, g, da, du),
            }
        });
}
