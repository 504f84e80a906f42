use super::*;

fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut s = seed;
    let mut next = || {
        s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (s >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

fn packed(w: &[f32], k: usize, n: usize) -> Packed {
    Packed::new(k, n, |i, j| w[j * k + i])
}

#[test]
fn packing_rounds_each_block_to_a_127th_of_its_largest() {
    let (k, n) = (75, 41);
    let w = numbers(k * n, 1);
    let packed = packed(&w, k, n);
    for j in 0..n {
        for (b, block) in w[j * k..(j + 1) * k].chunks(BLOCK).enumerate() {
            let largest = block.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            for (i, x) in block.iter().enumerate() {
                let apart = (packed.get(b * BLOCK + i, j) - x).abs();
                // Half a step, and the scale's own rounding to 11 bits.
                assert!(
                    apart <= largest * (0.5 / 127.0 + 1.0 / 1024.0),
                    "{j} {b} {i}"
                );
            }
        }
    }
}

#[test]
fn products_equal_those_of_the_rounded_operands() {
    let (k, n) = (75, 41);
    let w = numbers(k * n, 2);
    let packed = packed(&w, k, n);
    for rows in 1..=9 {
        let x = numbers(rows * k, 3);
        let operand = Operand::new(&x, k);
        let mut y = vec![1.0; rows * n];
        product(&x, &packed, &mut y, true);
        for (at, got) in y.iter().enumerate() {
            let (row, j) = (at / n, at % n);
            let exact: f64 = (0..k)
                .map(|i| {
                    let block = row * operand.blocks + i / BLOCK;
                    let q = operand.bytes[block * BLOCK + i % BLOCK];
                    let x = f64::from(q) * f64::from(operand.scales[block]);
                    x * f64::from(packed.get(i, j))
                })
                .sum();
            assert!((f64::from(*got) - 1.0 - exact).abs() < 1e-5, "{rows} {at}");
            let plain: f32 = (0..k).map(|i| x[row * k + i] * w[j * k + i]).sum();
            assert!((got - 1.0 - plain).abs() < 0.05, "{rows} {at}");
        }
    }
}

#[test]
fn the_kernel_has_the_bits_of_its_checked_twin() {
    let (k, n) = (96, 64);
    let packed = packed(&numbers(k * n, 4), k, n);
    let a = Operand::new(&numbers(7 * k, 5), k);
    for p in 0..2 {
        let (mut fast, mut plain) = (vec![0.0; 7 * PANEL], vec![0.0; 7 * PANEL]);
        panel_rows(&a, packed.panel(p), &mut fast);
        for (row, out) in plain.chunks_exact_mut(PANEL).enumerate() {
            plain_row(&a, row, packed.panel(p), out);
        }
        assert_eq!(fast, plain);
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let (k, n) = (64, 70);
    let packed = packed(&numbers(k * n, 6), k, n);
    let x = numbers(9 * k, 7);
    let mut all = vec![0.0; 9 * n];
    product(&x, &packed, &mut all, false);
    for row in 0..9 {
        let mut one = vec![0.0; n];
        product(&x[row * k..(row + 1) * k], &packed, &mut one, false);
        assert_eq!(one, all[row * n..(row + 1) * n]);
    }
}

#[test]
fn zeros_stay_zero() {
    let packed = packed(&vec![0.0; 40 * 3], 40, 3);
    let mut y = vec![1.0; 6];
    product(&vec![0.0; 80], &packed, &mut y, false);
    assert_eq!(y, [0.0; 6]);
}
