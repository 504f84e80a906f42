//! Every kernel's backward against finite differences of its forward, along a random direction.

use super::*;
use crate::config::{Activation, Rope, RopeScaling};
use crate::kernels::rope::table;
use crate::lora::Block;

fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut s = seed.wrapping_mul(2_654_435_761).wrapping_add(99);
    let mut next = || {
        s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (s >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

fn inner(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.sum()
}

/// Checks `dx`, the gradient of `sum(f(x) g)`, with five points (the error is of fourth order).
fn check(what: &str, x: &[f32], g: &[f32], dx: &[f32], f: impl Fn(&[f32]) -> Vec<f32>) {
    // Along the gradient too: f32 resolves no slope much smaller than the function.
    let (norm, random) = (inner(dx, dx).sqrt() as f32, numbers(x.len(), 77));
    let direction: Vec<f32> = dx
        .iter()
        .zip(&random)
        .map(|(d, r)| d / norm + 0.3 * r)
        .collect();
    let at = |step: f32| {
        let moved: Vec<f32> = x
            .iter()
            .zip(&direction)
            .map(|(x, d)| x + step * d)
            .collect();
        inner(&f(&moved), g)
    };
    let step = 1e-2;
    let slope = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step)))
        / (12.0 * f64::from(step));
    let expected = inner(dx, &direction);
    let d = (slope - expected).abs() / expected.abs();
    assert!(d < 3e-3, "{what}: slope {slope}, backward {expected}");
}

fn kernels() -> Cpu {
    Cpu::new(Precision::F32)
}

fn matrix(data: &[f32], cols: usize) -> Matrix {
    kernels().upload(data, cols).unwrap()
}

const ROWS: usize = 13;

#[test]
fn products_and_norms() {
    let k = kernels();
    let (x, g) = (numbers(ROWS * 24, 1), numbers(ROWS * 40, 2));
    let w = k.weight(numbers(40 * 24, 3), 40, 24).unwrap();
    let dx = k.linear_backward(&matrix(&g, 40), &w).unwrap();
    let f = |x: &[f32]| k.linear(&matrix(x, 24), &w, None).unwrap().to_vec();
    check("linear", &x, &g, &dx, f);

    let (w, g) = (matrix(&numbers(24, 4), 24), numbers(ROWS * 24, 5));
    let f = |x: &[f32]| k.rms_norm(&matrix(x, 24), &w, 1e-5).unwrap().0.to_vec();
    let r = k.rms_norm(&matrix(&x, 24), &w, 1e-5).unwrap().1;
    let (x_, g_) = (matrix(&x, 24), matrix(&g, 24));
    let dx = k.rms_norm_backward(&x_, &r, &w, &g_, None).unwrap();
    check("rms_norm", &x, &g, &dx, f);
    let added = k
        .rms_norm_backward(&x_, &r, &w, &g_, Some(matrix(&g, 24)))
        .unwrap();
    let near = |((a, d), g): ((&f32, &f32), &f32)| (a - d - g).abs() < 1e-5;
    assert!(added.iter().zip(dx.iter()).zip(&g).all(near));
    let again = k.rms_norm_again(&x_, &r, &w).unwrap();
    assert_eq!(again.to_vec(), f(&x));
}

#[test]
fn gates() {
    let k = kernels();
    let (x, g) = (numbers(ROWS * 2 * 37, 6), numbers(ROWS * 37, 7));
    let x: Vec<f32> = x.iter().map(|x| 4.0 * x).collect();
    for act in [Activation::Silu, Activation::GeluTanh] {
        let dx = k
            .gate_backward(&matrix(&x, 74), &matrix(&g, 37), act)
            .unwrap();
        let f = |x: &[f32]| k.gate(&matrix(x, 74), act).unwrap().to_vec();
        check("gate", &x, &g, &dx, f);
    }
}

fn shape(soft_cap: Option<f32>, window: Option<usize>) -> AttentionShape {
    AttentionShape {
        heads: 4,
        kv_heads: 2,
        head_dim: 8,
        scale: 0.7,
        soft_cap,
        window,
    }
}

/// A causal sequence of 4 rows, then a tree: a trunk of 3, branches of 2 and 4.
const RUNS: [PackedRun; 4] = [
    PackedRun {
        origin: 0,
        start: 0,
        len: 4,
        context: 0,
    },
    PackedRun {
        origin: 4,
        start: 4,
        len: 3,
        context: 0,
    },
    PackedRun {
        origin: 4,
        start: 7,
        len: 2,
        context: 3,
    },
    PackedRun {
        origin: 4,
        start: 9,
        len: 4,
        context: 3,
    },
];

#[test]
fn attention_and_its_inputs() {
    let k = kernels();
    for shape in [shape(None, None), shape(Some(0.8), Some(3))] {
        let width = shape.width();
        let x: Vec<f32> = numbers(ROWS * width, 8).iter().map(|x| 2.0 * x).collect();
        let g = numbers(ROWS * 32, 9);
        let f = |x: &[f32]| {
            let y = k.attention(&matrix(x, width), None, &shape, &RUNS);
            y.unwrap().0.to_vec()
        };
        let x_ = matrix(&x, width);
        let log_sum = k.attention(&x_, None, &shape, &RUNS).unwrap().1;
        let dx = k.attention_backward(&x_, None, &log_sum, &matrix(&g, 32), &shape, &RUNS);
        check("attention", &x, &g, &dx.unwrap(), f);

        let g = numbers(ROWS * width, 10);
        let rope = Rope {
            theta: 100.0,
            scaling: RopeScaling::None,
        };
        let table = matrix(&table(&rope, 8, 0..ROWS as u32), 8);
        let turned = |x: &[f32], backward| {
            let mut x = matrix(x, width);
            k.rope(&mut x, &shape, &table, backward).unwrap();
            x.to_vec()
        };
        check("rope", &x, &g, &turned(&g, true), |x| turned(x, false));

        let (wq, wk) = (matrix(&numbers(8, 11), 8), matrix(&numbers(8, 12), 8));
        let normed = |x: &[f32]| {
            let mut x = matrix(x, width);
            let r = k.head_norm(&mut x, &shape, (&wq, &wk), 1e-5).unwrap();
            (x.to_vec(), r)
        };
        let mut dx = matrix(&g, width);
        let r = normed(&x).1;
        k.head_norm_backward(&mut dx, &x_, &r, &shape, (&wq, &wk))
            .unwrap();
        check("head_norm", &x, &g, &dx, |x| normed(x).0);
    }
}

#[test]
fn cross_entropy_with_and_without_a_cap() {
    let k = kernels();
    let head = k.weight(numbers(50 * 24, 13), 50, 24).unwrap();
    let x: Vec<f32> = numbers(ROWS * 24, 14).iter().map(|x| 4.0 * x).collect();
    let targets: Vec<u32> = (0..ROWS as u32).map(|i| i * 7 % 50).collect();
    let weights: Vec<f32> = numbers(ROWS, 15).iter().map(|w| w + 0.7).collect();
    for cap in [None, Some(1.5)] {
        let run = |x: &[f32], backward| {
            let x = matrix(x, 24);
            k.cross_entropy(&x, &head, &targets, &weights, cap, backward)
                .unwrap()
        };
        let dx = run(&x, true).1.unwrap();
        check("cross_entropy", &x, &[1.0; ROWS], &dx, |x| run(x, false).0);
    }
}

#[test]
fn low_rank_updates() {
    let k = kernels();
    let (rank, input, out) = (3, 24, 40);
    let blocks = vec![
        Block {
            b: 2 * rank * input,
            columns: 0..16,
        },
        Block {
            b: 2 * rank * input + 16 * rank,
            columns: 20..40,
        },
    ];
    let site = Site {
        input,
        a: 0,
        blocks,
    };
    let lora = LoraScale {
        rank,
        scale: 0.6,
        frozen: 0,
    };
    let len = 2 * rank * input + 36 * rank;
    let (x, g, p) = (
        numbers(ROWS * input, 16),
        numbers(ROWS * out, 17),
        numbers(len, 18),
    );
    let y = |x: &[f32], p: &[f32]| {
        let mut y = k.zeros(ROWS, out).unwrap();
        let u = k.lora(&matrix(x, input), &matrix(p, len), &site, lora, &mut y);
        (y.to_vec(), u.unwrap())
    };
    let (x_, g_, p_) = (matrix(&x, input), matrix(&g, out), matrix(&p, len));
    let du = k.lora_backward(&g_, &p_, &site, lora).unwrap();
    let mut dx = k.zeros(ROWS, input).unwrap();
    k.lora_input(&du, &p_, &site, &mut dx).unwrap();
    check("lora's input", &x, &g, &dx, |x| y(x, &p).0);

    let u = y(&x, &p).1;
    let units = [0..5, 5..ROWS];
    let mut rows = k.zeros(2, len).unwrap();
    k.lora_gradients(Some((&x_, &du)), &u, &g_, &site, lora, &units, &mut rows)
        .unwrap();
    for (i, unit) in units.into_iter().enumerate() {
        // The unit's own loss: no one else's rows count.
        let of_unit = |v: &[f32]| v[unit.start * out..unit.end * out].to_vec();
        check("lora's parameters", &p, &of_unit(&g), rows.row(i), |p| {
            of_unit(&y(&x, p).0)
        });
    }
}
