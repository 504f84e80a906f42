use super::*;
use crate::kernels::cpu::simd::features;

fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut s = seed;
    let mut next = || {
        s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (s >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn packing_keeps_every_number() {
    let w = numbers(7 * 45, 1);
    let packed = Packed::new(7, 45, |k, n| w[n * 7 + k]);
    let back = packed.transposed();
    for n in 0..45 {
        for k in 0..7 {
            let rounded = bf16::from_f32(w[n * 7 + k]).to_f32();
            assert_eq!(packed.get(k, n), rounded);
            assert_eq!(back.get(n, k), rounded);
        }
    }
}

#[test]
fn kernel_equals_its_checked_twin() {
    if !features().bf16 {
        return;
    }
    for height in [1, 2, 4, 8, 12] {
        for (stride, add) in [(PANEL, false), (PANEL + 5, true)] {
            let operand = |n, seed| -> Vec<u32> {
                numbers(2 * n, seed)
                    .chunks(2)
                    .map(|p| pair(p[0], p[1]))
                    .collect()
            };
            let (a, b) = (operand(height * 19, 6), operand(19 * PANEL, 7));
            let mut expected = vec![0.25; (height - 1) * stride + PANEL];
            let mut got = expected.clone();
            plain_tile(&a, &b, &mut expected, stride, add);
            // SAFETY: AVX512-BF16 is there, and `got` holds `height` rows `stride` apart.
            unsafe { tile(height, &a, &b, got.as_mut_ptr(), stride, add) }
            let near = |(x, y): (&f32, &f32)| (x - y).abs() < 1e-5;
            assert!(got.iter().zip(&expected).all(near), "height {height}");
        }
    }
}

#[test]
fn products_of_every_height_equal_plain_sums() {
    if !features().bf16 {
        return;
    }
    for rows in 1..=40 {
        let (k, n) = (37, 75);
        let (w, x) = (numbers(k * n, 2), numbers(rows * k, 3));
        let packed = Packed::new(k, n, |k_, n_| w[n_ * k + k_]);
        let mut y = vec![1.0; rows * n];
        product(&x, &packed, &mut y, true);
        let round = |x: f32| bf16::from_f32(x).to_f32();
        for (i, got) in y.iter().enumerate() {
            let (x, w) = (&x[i / n * k..][..k], &w[i % n * k..][..k]);
            let sum: f32 = 1.0
                + x.iter()
                    .zip(w)
                    .map(|(x, w)| round(*x) * round(*w))
                    .sum::<f32>();
            assert!(
                (got - sum).abs() < 1e-5,
                "{rows} rows, number {i}: {got} {sum}"
            );
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    if !features().bf16 {
        return;
    }
    let (k, n, rows) = (1000, 96, 29);
    let (w, x) = (numbers(k * n, 4), numbers(rows * k, 5));
    let packed = Packed::new(k, n, |k_, n_| w[n_ * k + k_]);
    let mut all = vec![0.0; rows * n];
    product(&x, &packed, &mut all, false);
    for i in 0..rows {
        let mut one = vec![0.0; n];
        product(&x[i * k..(i + 1) * k], &packed, &mut one, false);
        assert_eq!(one, all[i * n..(i + 1) * n]);
    }
}
