//! The kernels of x86-64.

use super::{Left, PANEL, Store};

/// The kernel of AVX-512.
///
/// # Safety
/// AVX-512 F is there; the rest as for a [`Kernel`](super::Kernel).
pub(super) unsafe fn tile_avx512(
    height: usize,
    narrow: bool,
    a: Left,
    panel: &[f32],
    c: *mut f32,
    stride: usize,
    store: Store,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match (height, narrow) {
            (12, false) => avx512::<12, 2>(a, panel, c, stride, store),
            (8, false) => avx512::<8, 2>(a, panel, c, stride, store),
            (4, false) => avx512::<4, 2>(a, panel, c, stride, store),
            (2, false) => avx512::<2, 2>(a, panel, c, stride, store),
            (_, false) => avx512::<1, 2>(a, panel, c, stride, store),
            (12, true) => avx512::<12, 1>(a, panel, c, stride, store),
            (8, true) => avx512::<8, 1>(a, panel, c, stride, store),
            (4, true) => avx512::<4, 1>(a, panel, c, stride, store),
            (2, true) => avx512::<2, 1>(a, panel, c, stride, store),
            (_, true) => avx512::<1, 1>(a, panel, c, stride, store),
        }
    }
}

/// The kernel of AVX2: a tile is cut into parts of six rows, then fewer.
///
/// # Safety
/// AVX2 and FMA are there; the rest as for a [`Kernel`](super::Kernel).
pub(super) unsafe fn tile_avx2(
    height: usize,
    narrow: bool,
    a: Left,
    panel: &[f32],
    c: *mut f32,
    stride: usize,
    store: Store,
) {
    let mut first = 0;
    while first < height {
        let rows = [6, 4, 2].into_iter().find(|&h| h <= height - first);
        // SAFETY: rows `first..first + rows` are within the caller's promise.
        unsafe {
            let a = Left {
                start: a.start.add(first * a.rows),
                ..a
            };
            let c = c.add(first * stride);
            match rows {
                Some(6) => avx2::<6>(narrow, a, panel, c, stride, store),
                Some(4) => avx2::<4>(narrow, a, panel, c, stride, store),
                Some(_) => avx2::<2>(narrow, a, panel, c, stride, store),
                None => avx2::<1>(narrow, a, panel, c, stride, store),
            }
        }
        first += rows.unwrap_or(1);
    }
}

/// The kernel of AVX-512: for each k, V registers of the panel (1 or 2) against one broadcast number
/// of each of R rows.
///
/// # Safety
/// AVX-512 F is there; the rest as for a [`Kernel`](super::Kernel) with R rows.
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const R: usize, const V: usize>(
    a: Left,
    panel: &[f32],
    c: *mut f32,
    stride: usize,
    store: Store,
) {
    use std::arch::x86_64::{
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    let mut at = a.start;
    for b in panel.chunks_exact(PANEL) {
        // SAFETY: `b` has 32 numbers; row i's number of this k lies at `at + i rows`.
        unsafe {
            let mut registers = [_mm512_setzero_ps(); V];
            for (j, register) in registers.iter_mut().enumerate() {
                *register = _mm512_loadu_ps(b.as_ptr().add(16 * j));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_set1_ps(*at.add(i * a.rows));
                for (sum, b) in sums.iter_mut().zip(registers) {
                    *sum = _mm512_fmadd_ps(x, b, *sum);
                }
            }
        }
        at = at.wrapping_add(a.cols);
    }
    let scale = _mm512_set1_ps(store.scale);
    for (i, sums) in sums.into_iter().enumerate() {
        for (j, sum) in sums.into_iter().enumerate() {
            // SAFETY: 16 numbers of row i lie there by the caller's promise.
            unsafe {
                let c = c.add(i * stride + j * 16);
                let sum = if store.add {
                    _mm512_fmadd_ps(scale, sum, _mm512_loadu_ps(c))
                } else {
                    _mm512_mul_ps(scale, sum)
                };
                _mm512_storeu_ps(c, sum);
            }
        }
    }
}

/// The kernel of AVX2: half a panel at a time, R x 2 sums, R at most 6.
///
/// # Safety
/// AVX2 and FMA are there; the rest as for a [`Kernel`](super::Kernel) with R rows.
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize>(
    narrow: bool,
    a: Left,
    panel: &[f32],
    c: *mut f32,
    stride: usize,
    store: Store,
) {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps,
    };
    for half in [0, PANEL / 2].into_iter().take(2 - usize::from(narrow)) {
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        let mut at = a.start;
        for b in panel.chunks_exact(PANEL) {
            // SAFETY: `b` has 32 numbers, 16 of them from `half` on; row i's number of this k lies
            // at `at + i rows`.
            unsafe {
                let b0 = _mm256_loadu_ps(b.as_ptr().add(half));
                let b1 = _mm256_loadu_ps(b.as_ptr().add(half + 8));
                for (i, [s0, s1]) in sums.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*at.add(i * a.rows));
                    *s0 = _mm256_fmadd_ps(x, b0, *s0);
                    *s1 = _mm256_fmadd_ps(x, b1, *s1);
                }
            }
            at = at.wrapping_add(a.cols);
        }
        let scale = _mm256_set1_ps(store.scale);
        for (i, sums) in sums.into_iter().enumerate() {
            for (j, sum) in sums.into_iter().enumerate() {
                // SAFETY: 8 numbers of row i lie there by the caller's promise.
                unsafe {
                    let c = c.add(i * stride + half + j * 8);
                    let sum = if store.add {
                        _mm256_fmadd_ps(scale, sum, _mm256_loadu_ps(c))
                    } else {
                        _mm256_mul_ps(scale, sum)
                    };
                    _mm256_storeu_ps(c, sum);
                }
            }
        }
    }
}
