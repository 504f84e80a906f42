//! Matrices without rows, views, bf16, and sequences that are not finite.

use candle_core::{DType, Device, Tensor};

use super::{Candle, QKV, ROWS, SHAPE, candle, difference, numbers, runs, site};
use crate::config::Activation;
use crate::kernels::{Kernels, Precision};

#[test]
fn no_rows_make_no_rows() {
    let k = candle();
    let none = |cols| k.zeros(0, cols).unwrap();
    let shape = |x: &Tensor| x.dims2().unwrap();
    let w = k.weight(numbers(60, 2), 6, 10).unwrap();
    assert_eq!(shape(&k.upload(&[], 4).unwrap()), (0, 4));
    assert_eq!(shape(&k.embed(&w, &[], 2.0).unwrap()), (0, 10));
    assert_eq!(shape(&k.gather(&none(5), &[]).unwrap()), (0, 5));
    let zeros = k.scatter(&none(5), &[], 3).unwrap();
    assert_eq!(k.download(&zeros).unwrap(), vec![0.0; 15]);
    assert_eq!(shape(&k.linear(&none(10), &w, None).unwrap()), (0, 6));
    assert_eq!(shape(&k.linear_backward(&none(6), &w).unwrap()), (0, 10));
    let (y, logs) = k.attention(&none(QKV), None, &SHAPE, &[]).unwrap();
    assert_eq!(shape(&y), (0, 24));
    let d = k.attention_backward(&none(QKV), None, &logs, &none(24), &SHAPE, &[]);
    assert_eq!(shape(&d.unwrap()), (0, QKV));
    for act in [Activation::Silu, Activation::GeluTanh] {
        assert_eq!(shape(&k.gate(&none(8), act).unwrap()), (0, 4));
    }
    let (losses, dx) = k
        .cross_entropy(&none(10), &w, &[], &[], None, true)
        .unwrap();
    assert!(losses.is_empty());
    assert_eq!(shape(&dx.unwrap()), (0, 10));
    let (site, scale, len) = site();
    let params = k.upload(&numbers(len, 1), len).unwrap();
    let u = k
        .lora(&none(8), &params, &site, scale, &mut none(14))
        .unwrap();
    assert_eq!(shape(&u), (0, 4));
    let du = k.lora_backward(&none(14), &params, &site, scale).unwrap();
    k.lora_input(&du, &params, &site, &mut none(8)).unwrap();
    assert_eq!(shape(&du), (0, 4));
}

#[test]
fn views_serve_as_well_as_copies() {
    // Rows and columns cut out of larger matrices: not contiguous.
    let k = candle();
    let wide = Tensor::from_vec(
        numbers((ROWS + 2) * (QKV + 3), 1),
        (ROWS + 2, QKV + 3),
        &Device::Cpu,
    )
    .unwrap();
    let view = wide.narrow(0, 1, ROWS).unwrap().narrow(1, 2, QKV).unwrap();
    let whole = view.contiguous().unwrap();
    let got = k.attention(&view, None, &SHAPE, &runs()).unwrap().0;
    let expected = k.attention(&whole, None, &SHAPE, &runs()).unwrap().0;
    assert_eq!(k.download(&got).unwrap(), k.download(&expected).unwrap());
    let w = k.weight(numbers(5 * QKV, 2), 5, QKV).unwrap();
    let got = k.linear(&view, &w, None).unwrap();
    let expected = k.linear(&whole, &w, None).unwrap();
    assert_eq!(k.download(&got).unwrap(), k.download(&expected).unwrap());
}

#[test]
fn a_sequence_that_is_not_finite_leaves_the_others_alone() {
    let k = candle();
    let mut x = numbers(ROWS * QKV, 1);
    let g = k.upload(&numbers(ROWS * 24, 2), 24).unwrap();
    let pass = |x: &[f32]| {
        let x = k.upload(x, QKV).unwrap();
        let (y, logs) = k.attention(&x, None, &SHAPE, &runs()).unwrap();
        let d = k
            .attention_backward(&x, None, &logs, &g, &SHAPE, &runs())
            .unwrap();
        (k.download(&y).unwrap(), k.download(&d).unwrap())
    };
    let expected = pass(&x);
    x[9 * QKV..11 * QKV].fill(f32::NAN);
    let got = pass(&x);
    for rows in [0..9, 11..ROWS] {
        let y = rows.start * 24..rows.end * 24;
        assert_eq!(got.0[y.clone()], expected.0[y]);
        let d = rows.start * QKV..rows.end * QKV;
        assert_eq!(got.1[d.clone()], expected.1[d]);
    }
    assert!(got.0[9 * 24].is_nan());
}

#[test]
fn bf16_rounds_products_only() {
    let (f32, bf16) = (candle(), Candle::new(Device::Cpu, Precision::Bf16));
    let x = numbers(9 * 32, 1);
    let run = |k: &Candle| {
        let w = k.weight(numbers(16 * 32, 2), 16, 32).unwrap();
        let y = k.linear(&k.upload(&x, 32).unwrap(), &w, None).unwrap();
        let dx = k.linear_backward(&y, &w).unwrap();
        assert_eq!((y.dtype(), dx.dtype()), (DType::F32, DType::F32));
        (k.download(&y).unwrap(), k.download(&dx).unwrap())
    };
    let (expected, got) = (run(&f32), run(&bf16));
    for (got, expected) in [(got.0, expected.0), (got.1, expected.1)] {
        let d = difference(&got, &expected);
        assert!(d > 0.0 && d < 1e-2, "{d}");
    }
}
