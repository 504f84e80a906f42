//! Per-unit gradients: of every division of rows into units, and that no unit reaches another.

use std::ops::Range;

use super::{candle, cpu, difference, inner, numbers, site};
use crate::kernels::{Kernels, LoraScale};
use crate::lora::Site;

const ROWS: usize = 30;

/// Gradients of units over `ROWS` rows, into a matrix that held `fill`.
fn gradients<K: Kernels>(k: &K, units: &[Range<usize>], rows: &Rows, fill: f32) -> Vec<f32> {
    let (site, scale, len) = site();
    let mut to = k.upload(&vec![fill; units.len() * len], len).unwrap();
    let up = |x: &[f32], cols| k.upload(x, cols).unwrap();
    let (x, u, g, du) = (
        up(&rows.x, 8),
        up(&rows.u, 4),
        up(&rows.g, 14),
        up(&rows.du, 4),
    );
    k.lora_gradients(Some((&x, &du)), &u, &g, &site, scale, units, &mut to)
        .unwrap();
    k.download(&to).unwrap()
}

struct Rows {
    x: Vec<f32>,
    u: Vec<f32>,
    g: Vec<f32>,
    du: Vec<f32>,
}

fn some() -> Rows {
    Rows {
        x: numbers(ROWS * 8, 1),
        u: numbers(ROWS * 4, 2),
        g: numbers(ROWS * 14, 3),
        du: numbers(ROWS * 4, 4),
    }
}

#[test]
#[expect(clippy::single_range_in_vec_init, reason = "one unit of all rows")]
fn every_division_into_units() {
    for units in [
        vec![0..30],
        vec![0..10, 10..20, 20..30],
        vec![0..1, 1..4, 4..8, 8..20, 20..30],
        vec![0..9, 9..9, 9..10, 10..22, 22..30],
        vec![0..0, 0..30],
        vec![0..0, 0..0],
        vec![],
    ] {
        let expected = gradients(&cpu(), &units, &some(), 0.0);
        let got = gradients(&candle(), &units, &some(), 0.0);
        let d = difference(&got, &expected);
        assert!(d < 1e-5, "{units:?}: {d:e}");
    }
}

#[test]
fn other_sites_gradients_stay() {
    let units = [0..13, 13..30];
    let (site, _, len) = site();
    let got = gradients(&candle(), &units, &some(), 7.0);
    let end = site.blocks[1].b + 3 * 2;
    for row in got.chunks(len) {
        assert!(row[..site.a].iter().chain(&row[end..]).all(|&g| g == 7.0));
        assert!(row[site.a..end].iter().all(|&g| g != 7.0));
    }
}

/// As `gradients`, where A is frozen.
fn of_b<K: Kernels>(
    k: &K,
    rows: &Rows,
    site: &Site,
    scale: LoraScale,
    units: &[Range<usize>],
    len: usize,
) -> Vec<f32> {
    let (u, g) = (
        k.upload(&rows.u, 4).unwrap(),
        k.upload(&rows.g, 14).unwrap(),
    );
    let mut to = k.zeros(units.len(), len).unwrap();
    k.lora_gradients(None, &u, &g, site, scale, units, &mut to)
        .unwrap();
    k.download(&to).unwrap()
}

#[test]
fn with_a_frozen_both_write_b_alone() {
    let units = [0..13, 13..30];
    let (site, mut scale, len) = site();
    scale.frozen = site.blocks[0].b;
    let rest = len - scale.frozen;
    let rows = some();
    let expected = gradients(&cpu(), &units, &rows, 0.0);
    let got = [
        of_b(&cpu(), &rows, &site, scale, &units, rest),
        of_b(&candle(), &rows, &site, scale, &units, rest),
    ];
    for (unit, expected) in expected.chunks(len).enumerate() {
        for got in &got {
            let got = &got[unit * rest..(unit + 1) * rest];
            assert!(difference(got, &expected[scale.frozen..]) < 1e-5);
        }
    }
}

#[test]
fn a_unit_that_is_not_finite_leaves_the_others_alone() {
    let units = [0..9, 9..16, 16..21, 21..30];
    let mut rows = some();
    for row in 9..16 {
        rows.x[row * 8..(row + 1) * 8].fill(f32::NAN);
        rows.g[row * 14..(row + 1) * 14].fill(f32::INFINITY);
        rows.u[row * 4..(row + 1) * 4].fill(f32::NEG_INFINITY);
        rows.du[row * 4..(row + 1) * 4].fill(f32::NAN);
    }
    let (site, _, len) = site();
    let expected = gradients(&candle(), &units, &some(), 0.0);
    let got = gradients(&candle(), &units, &rows, 0.0);
    for unit in [0, 2, 3] {
        let row = unit * len..(unit + 1) * len;
        assert_eq!(got[row.clone()], expected[row], "unit {unit}");
    }
    assert!(got[len + site.a].is_nan());
}

#[test]
fn gradients_are_slopes_of_the_site() {
    // With y = lora(x), sum(g y) has the slope of the gradients' sum along a direction.
    let (site, scale, len) = site();
    let (k, rows) = (candle(), some());
    let x = k.upload(&rows.x, 8).unwrap();
    let g = k.upload(&rows.g, 14).unwrap();
    let params = numbers(len, 6);
    let at = |params: &[f32]| {
        let params = k.upload(params, len).unwrap();
        let mut y = k.zeros(ROWS, 14).unwrap();
        let u = k.lora(&x, &params, &site, scale, &mut y).unwrap();
        (inner(&k.download(&y).unwrap(), &rows.g), u)
    };
    let on_device = k.upload(&params, len).unwrap();
    let (_, u) = at(&params);
    let du = k.lora_backward(&g, &on_device, &site, scale).unwrap();
    let units = [0..12, 12..30];
    let mut to = k.zeros(2, len).unwrap();
    k.lora_gradients(Some((&x, &du)), &u, &g, &site, scale, &units, &mut to)
        .unwrap();
    let to = k.download(&to).unwrap();
    let direction = numbers(len, 7);
    let moved = |step: f32| {
        let moved = params.iter().zip(&direction).map(|(p, d)| p + step * d);
        at(&moved.collect::<Vec<_>>()).0
    };
    // The function is a quadratic along any line, so that two points give its slope.
    let slope = (moved(0.1) - moved(-0.1)) / 0.2;
    let expected = inner(&to[..len], &direction) + inner(&to[len..], &direction);
    assert!(
        (slope - expected).abs() < 1e-4 * slope.abs().max(1.0),
        "{slope} {expected}"
    );
}
