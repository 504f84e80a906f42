use super::*;
use crate::kernels::cpu::tile;

fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut s = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (s >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn at(v: &View<'_>, i: usize, j: usize) -> f32 {
    v.data[i * v.row_stride + j * v.col_stride]
}

/// The product in checked, plain arithmetic and the documented order.
fn twin(c: &mut [f32], stride: usize, accumulate: bool, scale: f32, a: View<'_>, b: View<'_>) {
    for i in 0..a.rows {
        for j in 0..b.cols {
            let c = &mut c[i * stride + j];
            let step = chunk(a.cols);
            for first in (0..a.cols).step_by(step) {
                let mut sum = 0.0_f32;
                for k in first..a.cols.min(first + step) {
                    sum = at(&a, i, k).mul_add(at(&b, k, j), sum);
                }
                *c = if accumulate || first > 0 {
                    scale.mul_add(sum, *c)
                } else {
                    scale * sum
                };
            }
        }
    }
}

#[cfg(not(miri))]
const SHAPES: [(usize, usize, usize); 8] = [
    (1, 1, 1),
    (3, 7, 5),
    (12, 32, 64),
    (13, 33, 17),
    (31, 200, 100),
    (64, 64, 64),
    (50, 400, 24),
    (205, 576, 8),
];
#[cfg(miri)]
const SHAPES: [(usize, usize, usize); 4] = [(1, 1, 1), (3, 7, 5), (13, 33, 17), (2, 200, 35)];

#[test]
fn products_have_the_bits_of_their_checked_twin() {
    for (case, (n, k, m)) in SHAPES.into_iter().enumerate() {
        for (a_t, b_t, accumulate, scale) in [
            (false, false, false, 1.0),
            (false, true, true, 1.0),
            (true, false, true, 0.3),
            (true, true, false, 0.3),
        ] {
            let seed = case as u32;
            let view = |data, rows, cols, transposed| {
                if transposed {
                    View::new(data, cols, rows, rows + 3).t()
                } else {
                    View::new(data, rows, cols, cols + 3)
                }
            };
            let (a, b) = (
                numbers((n + 3) * (k + 3), seed),
                numbers((k + 3) * (m + 3), seed + 50),
            );
            let (a, b) = (view(&a, n, k, a_t), view(&b, k, m, b_t));
            let mut expected = numbers(n * (m + 2), 3);
            let mut got = expected.clone();
            twin(&mut expected, m + 2, accumulate, scale, a, b);
            let to = ViewMut::new(&mut got, n, m, m + 2);
            matmul(to, accumulate, scale, a, b, Threads::All);
            assert_eq!(bits(&got), bits(&expected), "({n}, {k}) ({k}, {m})");
        }
    }
}

#[test]
fn a_row_depends_on_neither_its_neighbours_nor_the_threads() {
    let (n, k, m) = if cfg!(miri) {
        (5, 7, 35)
    } else {
        (150, 1024, 70)
    };
    let (a, b) = (numbers(n * k, 1), numbers(k * m, 2));
    let product = |a: &[f32]| {
        let rows = a.len() / k;
        let mut c = vec![0.0; rows * m];
        let (a, b) = (View::new(a, rows, k, k), View::new(&b, m, k, k).t());
        matmul(
            ViewMut::new(&mut c, rows, m, m),
            false,
            1.0,
            a,
            b,
            Threads::All,
        );
        bits(&c)
    };
    let all = product(&a);
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.unwrap();
        assert_eq!(pool.install(|| product(&a)), all, "{threads} threads");
        for (first, len) in [(0, 1), (7, 2), (3, 13), (n - 30 % n, 30 % n)] {
            let part = pool.install(|| product(&a[first * k..][..len.min(n - first) * k]));
            assert_eq!(
                part,
                all[first * m..][..part.len()],
                "{len} rows from {first}"
            );
        }
    }
}

#[test]
fn an_inner_dimension_of_zero_gives_zeros() {
    let mut c = [1.0; 6];
    let (a, b) = (View::new(&[], 2, 0, 0), View::new(&[], 0, 2, 2));
    matmul(ViewMut::new(&mut c, 2, 2, 3), true, 1.0, a, b, Threads::One);
    assert_eq!(c, [1.0; 6]);
    matmul(
        ViewMut::new(&mut c, 2, 2, 3),
        false,
        1.0,
        a,
        b,
        Threads::One,
    );
    assert_eq!(c, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn every_kernel_has_the_same_bits() {
    let k = 19;
    let panel = numbers(k * PANEL, 4);
    for (height, narrow) in [12, 8, 4, 2, 1]
        .into_iter()
        .flat_map(|h| [(h, false), (h, true)])
    {
        let a = numbers(height * k, 5);
        let (stride, width) = (PANEL + 3, if narrow { PANEL / 2 } else { PANEL });
        for store in [
            Store::PLAIN,
            Store {
                scale: 0.7,
                add: true,
            },
        ] {
            let run = |kernel: tile::Kernel| {
                let mut c = vec![0.25; (height - 1) * stride + width];
                let a = Left {
                    start: a.as_ptr(),
                    rows: k,
                    cols: 1,
                };
                let to = c.as_mut_ptr();
                // SAFETY: `a` has `height` rows of k numbers, `c` as many of `width` numbers; the
                // processor has the kernels that are run.
                unsafe { kernel(height, narrow, a, &panel, to, stride, store) }
                bits(&c)
            };
            let kernels: Vec<_> = tile::kernels().filter(|k| k.0).map(|k| k.1).collect();
            let expected = run(kernels[0]);
            for (i, kernel) in kernels.into_iter().enumerate() {
                assert_eq!(run(kernel), expected, "kernel {i}, {height} rows");
            }
            let first: f32 = (0..k).fold(0.0, |s, k| a[k].mul_add(panel[k * PANEL], s));
            let first = if store.add {
                store.scale.mul_add(first, 0.25)
            } else {
                first
            };
            assert_eq!(expected[0], first.to_bits());
        }
    }
}
