//! Cross-entropy: the same three checks, as its losses leave the device.

use candle_core::{Device, Tensor, Var};

use super::{candle, cpu, cramped, difference, inner, numbers};
use crate::kernels::Kernels;

/// Loss of each row and the gradient of their sum.
fn loss<K: Kernels>(k: &K, x: &[f32], cap: Option<f32>) -> (Vec<f32>, Vec<f32>) {
    let head = k.weight(numbers(11 * 8, 2), 11, 8).unwrap();
    let x = k.upload(x, 8).unwrap();
    let (targets, weights) = ([0, 10, 3, 3, 7], [1.0, 0.2, 0.0, 3.0, -1.0]);
    let (losses, dx) = k
        .cross_entropy(&x, &head, &targets, &weights, cap, true)
        .unwrap();
    let (again, none) = k
        .cross_entropy(&x, &head, &targets, &weights, cap, false)
        .unwrap();
    assert!(again == losses && none.is_none());
    (losses, k.download(&dx.unwrap()).unwrap())
}

#[test]
fn cross_entropy() {
    let x: Vec<f32> = numbers(5 * 8, 1).iter().map(|x| 4.0 * x).collect();
    for cap in [None, Some(1.5)] {
        let (losses, dx) = loss(&cpu(), &x, cap);
        for k in [candle(), cramped()] {
            let (got, got_dx) = loss(&k, &x, cap);
            assert!(difference(&got, &losses) < 1e-5);
            assert!(difference(&got_dx, &dx) < 1e-5);
        }
        let direction = numbers(x.len(), 5);
        let at = |step: f32| {
            let moved: Vec<_> = x
                .iter()
                .zip(&direction)
                .map(|(x, d)| x + step * d)
                .collect();
            inner(&loss(&candle(), &moved, cap).0, &[1.0; 5])
        };
        let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!((slope - inner(&dx, &direction)).abs() < 2e-3, "{slope}");

        let var = Var::from_slice(&x, (5, 8), &Device::Cpu).unwrap();
        let expected = autograd_loss(&var, cap).unwrap();
        assert!(difference(&dx, &expected) < 1e-5);
    }
}

/// The gradient of the weighted losses by autograd, over operations that keep it.
fn autograd_loss(x: &Var, cap: Option<f32>) -> candle_core::Result<Vec<f32>> {
    let head = Tensor::from_vec(numbers(11 * 8, 2), (11, 8), &Device::Cpu)?;
    let mut logits = x.matmul(&head.t()?)?;
    if let Some(c) = cap {
        logits = ((logits / f64::from(c))?.tanh()? * f64::from(c))?;
    }
    let logs = logits.broadcast_sub(&logits.exp()?.sum_keepdim(1)?.log()?)?;
    let targets = Tensor::new(&[[0_u32], [10], [3], [3], [7]], &Device::Cpu)?;
    let weights = Tensor::new(&[[1.0_f32], [0.2], [0.0], [3.0], [-1.0]], &Device::Cpu)?;
    let sum = (logs.gather(&targets, 1)? * weights.neg()?)?.sum_all()?;
    sum.backward()?.get(x).unwrap().flatten_all()?.to_vec1()
}
