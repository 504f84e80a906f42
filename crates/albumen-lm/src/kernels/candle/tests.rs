//! Every kernel on candle's processor backend: against the `cpu` kernels, against candle's
//! autograd, and against finite differences on a random direction.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod edges;
mod loss;
mod units;

use candle_core::{Device, Tensor, Var};

use super::{Candle, Limits};
use crate::config::{Activation, Rope, RopeScaling};
use crate::kernels::{
    AttentionShape, Cpu, Kernels, LoraScale, PackedRun, Precision, rope as angles,
};
use crate::lora::{Block, Site};

/// Numbers in +-1/2 that need no generator of random numbers.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

fn candle() -> Candle {
    Candle::new(Device::Cpu, Precision::F32)
}

/// Kernels that must cut everything into small pieces.
fn cramped() -> Candle {
    let limits = Limits {
        scores: 150,
        logits: 30,
    };
    Candle { limits, ..candle() }
}

fn cpu() -> Cpu {
    Cpu::new(Precision::F32)
}

/// Largest difference over the largest expected number.
fn difference(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1e-6_f32, |m, x| m.max(x.abs()));
    let pairs = got.iter().zip(expected);
    pairs.fold(0.0_f32, |m, (a, b)| m.max((a - b).abs())) / scale
}

/// A kernel as a function of one matrix.
trait Case {
    /// Rows and columns of the input.
    const INPUT: (usize, usize);

    fn name(&self) -> String;
    fn forward<K: Kernels>(&self, k: &K, x: K::Matrix) -> K::Matrix;
    /// The gradient of x from that of the output.
    fn backward<K: Kernels>(&self, k: &K, x: K::Matrix, g: &K::Matrix) -> K::Matrix;
}

/// Output for `x`, and for the gradient `numbers(.., 9)` of the output that of x.
fn run<K: Kernels>(k: &K, case: &impl Case, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let x = || k.upload(x, case_cols(case)).unwrap();
    let y = k.download(&case.forward(k, x())).unwrap();
    let g = k.upload(&numbers(y.len(), 9), y.len() / case_rows(case));
    let dx = case.backward(k, x(), &g.unwrap());
    (y, k.download(&dx).unwrap())
}

fn case_rows<C: Case>(_: &C) -> usize {
    C::INPUT.0
}

fn case_cols<C: Case>(_: &C) -> usize {
    C::INPUT.1
}

fn inner(a: &[f32], b: &[f32]) -> f64 {
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn hold<C: Case>(case: &C) {
    let (name, (rows, cols)) = (case.name(), C::INPUT);
    let x = numbers(rows * cols, 1);
    let (y, dx) = run(&cpu(), case, &x);
    let g = numbers(y.len(), 9);
    for k in [candle(), cramped()] {
        let (got_y, got_dx) = run(&k, case, &x);
        let (d, e) = (difference(&got_y, &y), difference(&got_dx, &dx));
        assert!(d < 1e-5 && e < 1e-5, "{name}: {d:e} and {e:e} off `cpu`");

        // Autograd through the forward kernel itself.
        let var = Var::from_slice(&x, (rows, cols), &Device::Cpu).unwrap();
        let out = case.forward(&k, var.as_tensor().clone());
        assert!(out.track_op(), "{name}: an operation dropped the gradient");
        let g = Tensor::from_slice(&g, out.shape(), &Device::Cpu).unwrap();
        let store = (out * g).unwrap().sum_all().unwrap().backward().unwrap();
        let expected = k.download(store.get(&var).unwrap()).unwrap();
        let d = difference(&got_dx, &expected);
        assert!(d < 1e-5, "{name}: {d:e} off autograd");
    }
    // Five points: the error is of fourth order.
    let direction = numbers(x.len(), 5);
    let at = |step: f32| {
        let moved = x.iter().zip(&direction).map(|(x, d)| x + step * d);
        inner(&run(&candle(), case, &moved.collect::<Vec<_>>()).0, &g)
    };
    let h = 2e-2;
    let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * f64::from(h));
    let expected = inner(&dx, &direction);
    let scale = inner(&dx, &dx).sqrt() * inner(&direction, &direction).sqrt();
    let d = (slope - expected).abs() / scale;
    assert!(d < 2e-4, "{name}: slope {slope} where {expected} is due");
}

const SHAPE: AttentionShape = AttentionShape {
    heads: 4,
    kv_heads: 2,
    head_dim: 6,
    scale: 0.4,
    soft_cap: None,
    window: None,
};
/// Columns of a row of queries, keys and values.
const QKV: usize = (4 + 2 * 2) * 6;
/// Rows of `runs`.
const ROWS: usize = 36;

/// Sequences of 9, 2, 14 and 11 rows: two causal, two trees, one without a trunk.
fn runs() -> Vec<PackedRun> {
    let run = |origin, start, len, context| PackedRun {
        origin,
        start,
        len,
        context,
    };
    vec![
        run(0, 0, 9, 0),
        run(9, 9, 2, 0),
        run(11, 11, 4, 0),
        run(11, 15, 3, 4),
        run(11, 18, 7, 4),
        run(25, 25, 5, 0),
        run(25, 30, 6, 0),
    ]
}

struct Linear;

impl Case for Linear {
    const INPUT: (usize, usize) = (7, 10);

    fn name(&self) -> String {
        "linear".into()
    }

    fn forward<K: Kernels>(&self, k: &K, x: K::Matrix) -> K::Matrix {
        let w = k.weight(numbers(60, 2), 6, 10).unwrap();
        let mut onto = k.upload(&numbers(42, 3), 6).unwrap();
        k.add_bias(&mut onto, &k.upload(&numbers(6, 4), 6).unwrap())
            .unwrap();
        k.linear(&x, &w, Some(onto)).unwrap()
    }

    fn backward<K: Kernels>(&self, k: &K, _: K::Matrix, g: &K::Matrix) -> K::Matrix {
        let w = k.weight(numbers(60, 2), 6, 10).unwrap();
        k.linear_backward(g, &w).unwrap()
    }
}

struct RmsNorm;

impl Case for RmsNorm {
    const INPUT: (usize, usize) = (5, 70);

    fn name(&self) -> String {
        "rms_norm".into()
    }

    fn forward<K: Kernels>(&self, k: &K, x: K::Matrix) -> K::Matrix {
        let w = k.upload(&numbers(70, 2), 70).unwrap();
        let (y, r) = k.rms_norm(&x, &w, 1e-3).unwrap();
        let again = k.rms_norm_again(&x, &r, &w).unwrap();
        assert_eq!(k.download(&y).unwrap(), k.download(&again).unwrap());
        y
    }

    fn backward<K: Kernels>(&self, k: &K, x: K::Matrix, g: &K::Matrix) -> K::Matrix {
        let w = k.upload(&numbers(70, 2), 70).unwrap();
        let (_, r) = k.rms_norm(&x, &w, 1e-3).unwrap();
        // Half of it through `onto`.
        let alone = k.rms_norm_backward(&x, &r, &w, g, None).unwrap();
        let twice = k.rms_norm_backward(&x, &r, &w, g, Some(alone)).unwrap();
        let half: Vec<_> = k.download(&twice).unwrap();
        k.upload(&half.iter().map(|x| x / 2.0).collect::<Vec<_>>(), 70)
            .unwrap()
    }
}

struct HeadNorm;

impl HeadNorm {
    fn weights<K: Kernels>(k: &K) -> (K::Matrix, K::Matrix) {
        let w = |seed| k.upload(&numbers(6, seed), 6).unwrap();
        (w(2), w(3))
    }
}

impl Case for HeadNorm {
    const INPUT: (usize, usize) = (5, QKV);

    fn name(&self) -> String {
        "head_norm".into()
    }

    fn forward<K: Kernels>(&self, k: &K, mut x: K::Matrix) -> K::Matrix {
        let (q, w) = Self::weights(k);
        k.head_norm(&mut x, &SHAPE, (&q, &w), 1e-2).unwrap();
        x
    }

    fn backward<K: Kernels>(&self, k: &K, x: K::Matrix, g: &K::Matrix) -> K::Matrix {
        let (q, w) = Self::weights(k);
        let mut y = k.copy(&x).unwrap();
        let r = k.head_norm(&mut y, &SHAPE, (&q, &w), 1e-2).unwrap();
        let mut g = k.copy(g).unwrap();
        k.head_norm_backward(&mut g, &x, &r, &SHAPE, (&q, &w))
            .unwrap();
        g
    }
}

struct Rotation;

impl Rotation {
    fn turn<K: Kernels>(k: &K, mut x: K::Matrix, backward: bool) -> K::Matrix {
        let rope = Rope {
            theta: 100.0,
            scaling: RopeScaling::None,
        };
        let table = angles::table(&rope, 6, [0, 3, 1, 7, 20].into_iter());
        let table = k.upload(&table, 6).unwrap();
        k.rope(&mut x, &SHAPE, &table, backward).unwrap();
        x
    }
}

impl Case for Rotation {
    const INPUT: (usize, usize) = (5, QKV);

    fn name(&self) -> String {
        "rope".into()
    }

    fn forward<K: Kernels>(&self, k: &K, x: K::Matrix) -> K::Matrix {
        Self::turn(k, x, false)
    }

    fn backward<K: Kernels>(&self, k: &K, _: K::Matrix, g: &K::Matrix) -> K::Matrix {
        Self::turn(k, k.copy(g).unwrap(), true)
    }
}

struct Attention(AttentionShape);

impl Case for Attention {
    const INPUT: (usize, usize) = (ROWS, QKV);

    fn name(&self) -> String {
        format!("attention {:?}", self.0)
    }

    fn forward<K: Kernels>(&self, k: &K, x: K::Matrix) -> K::Matrix {
        k.attention(&x, None, &self.0, &runs()).unwrap().0
    }

    fn backward<K: Kernels>(&self, k: &K, x: K::Matrix, g: &K::Matrix) -> K::Matrix {
        let (_, logs) = k.attention(&x, None, &self.0, &runs()).unwrap();
        k.attention_backward(&x, None, &logs, g, &self.0, &runs())
            .unwrap()
    }
}

struct Gate(Activation);

impl Case for Gate {
    const INPUT: (usize, usize) = (5, 34);

    fn name(&self) -> String {
        format!("gate {:?}", self.0)
    }

    fn forward<K: Kernels>(&self, k: &K, x: K::Matrix) -> K::Matrix {
        k.gate(&x, self.0).unwrap()
    }

    fn backward<K: Kernels>(&self, k: &K, x: K::Matrix, g: &K::Matrix) -> K::Matrix {
        k.gate_backward(&x, g, self.0).unwrap()
    }
}

/// An adapted site 8 wide whose first and third projections, of columns 0..5 and 9..12 of 14, are
/// adapted with rank 2, and whose parameters start at 3 of 60.
fn site() -> (Site, LoraScale, usize) {
    let a = 3;
    let b = a + 2 * 2 * 8;
    let block = |b, columns| Block { b, columns };
    let blocks = vec![block(b, 0..5), block(b + 10, 9..12)];
    let site = Site {
        input: 8,
        a,
        blocks,
    };
    let scale = LoraScale {
        rank: 2,
        scale: 1.5,
        frozen: 0,
    };
    (site, scale, 60)
}

struct Lora;

impl Case for Lora {
    const INPUT: (usize, usize) = (7, 8);

    fn name(&self) -> String {
        "lora".into()
    }

    fn forward<K: Kernels>(&self, k: &K, x: K::Matrix) -> K::Matrix {
        let (site, scale, len) = site();
        let params = k.upload(&numbers(len, 2), len).unwrap();
        let mut y = k.upload(&numbers(7 * 14, 3), 14).unwrap();
        k.lora(&x, &params, &site, scale, &mut y).unwrap();
        y
    }

    fn backward<K: Kernels>(&self, k: &K, _: K::Matrix, g: &K::Matrix) -> K::Matrix {
        let (site, scale, len) = site();
        let params = k.upload(&numbers(len, 2), len).unwrap();
        let du = k.lora_backward(g, &params, &site, scale).unwrap();
        let mut dx = k.zeros(7, 8).unwrap();
        k.lora_input(&du, &params, &site, &mut dx).unwrap();
        dx
    }
}

#[test]
fn products_norms_and_rotations() {
    hold(&Linear);
    hold(&RmsNorm);
    hold(&HeadNorm);
    hold(&Rotation);
    hold(&Lora);
}

#[test]
fn gates() {
    hold(&Gate(Activation::Silu));
    hold(&Gate(Activation::GeluTanh));
}

#[test]
fn attention() {
    for (soft_cap, window) in [
        (None, None),
        (Some(0.3), None),
        (None, Some(3)),
        (Some(2.0), Some(1)),
    ] {
        hold(&Attention(AttentionShape {
            soft_cap,
            window,
            ..SHAPE
        }));
    }
    let heads = |heads, kv_heads| AttentionShape {
        heads,
        kv_heads,
        ..SHAPE
    };
    // As wide as the grouped shape.
    hold(&Attention(heads(6, 1)));
}
