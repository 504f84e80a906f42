//! Panels of a right operand: 32 columns side by side for each k, padded with zeros.

#[cfg(target_arch = "x86_64")]
use super::simd::features;
use super::tile::PANEL;

/// Numbers in a row of a block that is transposed in registers.
#[cfg(target_arch = "x86_64")]
const BLOCK: usize = 16;
/// The same without AVX-512.
const SMALL_BLOCK: usize = 4;

/// Panels (k, 32), back to back, of columns `from..to` of rows of k, `stride` apart.
pub(crate) fn pack(data: &[f32], stride: usize, from: usize, to: usize, panels: &mut [f32]) {
    let size = panels.len() / (to - from).div_ceil(PANEL);
    for (k, row) in data.chunks(stride).take(size / PANEL).enumerate() {
        let panels = panels.chunks_exact_mut(size);
        for (panel, row) in panels.zip(row[from..to].chunks(PANEL)) {
            let panel = &mut panel[k * PANEL..][..PANEL];
            if let Ok(row) = <&[f32; PANEL]>::try_from(row) {
                panel.copy_from_slice(row);
            } else {
                panel[..row.len()].copy_from_slice(row);
                panel[row.len()..].fill(0.0);
            }
        }
    }
}

/// A panel (k, 32) of `width` columns, each of them a row of `from`, `stride` apart.
pub(crate) fn pack_transposed(
    from: &[f32],
    stride: usize,
    width: usize,
    k: usize,
    panel: &mut [f32],
) {
    if width < PANEL {
        panel.fill(0.0);
    }
    let mut column = 0;
    while column < width {
        let from = &from[column * stride..];
        let to = &mut panel[column..];
        let (columns, done) = transpose(from, stride, width - column, k, to);
        for (c, from) in from.chunks(stride).take(columns).enumerate() {
            for (k, v) in from[..k].iter().enumerate().skip(done) {
                to[k * PANEL + c] = *v;
            }
        }
        column += columns;
    }
}

/// Transposes the first columns of at most `width` by whole blocks; gives how many columns these are
/// and how many k of them are done.
fn transpose(
    from: &[f32],
    stride: usize,
    width: usize,
    k: usize,
    to: &mut [f32],
) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if width >= BLOCK && features().avx512 {
        let done = k / BLOCK * BLOCK;
        for k in (0..done).step_by(BLOCK) {
            // SAFETY: AVX-512 was seen.
            unsafe { transpose_block(&from[k..], stride, &mut to[k * PANEL..]) }
        }
        return (BLOCK, done);
    }
    if width < SMALL_BLOCK {
        return (width, 0);
    }
    let done = k / SMALL_BLOCK * SMALL_BLOCK;
    for k in (0..done).step_by(SMALL_BLOCK) {
        let mut block = [[0.0; SMALL_BLOCK]; SMALL_BLOCK];
        for (row, from) in block.iter_mut().zip(from[k..].chunks(stride)) {
            row.copy_from_slice(&from[..SMALL_BLOCK]);
        }
        for (i, to) in to[k * PANEL..]
            .chunks_mut(PANEL)
            .take(SMALL_BLOCK)
            .enumerate()
        {
            to[..SMALL_BLOCK].copy_from_slice(&block.map(|row| row[i]));
        }
    }
    (SMALL_BLOCK, done)
}

/// 16 x 16 numbers from rows `stride` apart to rows 32 apart.
///
/// # Safety
/// AVX-512 F is there.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn transpose_block(from: &[f32], stride: usize, to: &mut [f32]) {
    use std::arch::x86_64::{
        __m512, _mm512_castpd_ps, _mm512_castps_pd, _mm512_loadu_ps, _mm512_setzero_ps,
        _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps,
        _mm512_unpacklo_pd, _mm512_unpacklo_ps,
    };
    assert!(from.len() >= 15 * stride + BLOCK && to.len() >= 15 * PANEL + BLOCK);
    let mut rows = [_mm512_setzero_ps(); BLOCK];
    for (i, row) in rows.iter_mut().enumerate() {
        // SAFETY: row i has 16 numbers by the assertion.
        *row = unsafe { _mm512_loadu_ps(from.as_ptr().add(i * stride)) };
    }
    // Four rows to quads: register 4 q + j holds column j of each 128-bit lane, rows 4 q to 4 q + 3.
    let mut quads = [_mm512_setzero_ps(); BLOCK];
    for (four, quads) in rows
        .as_chunks::<4>()
        .0
        .iter()
        .zip(quads.as_chunks_mut::<4>().0)
    {
        let low = |a, b| _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        let high = |a, b| _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        let [a, b, c, d] = *four;
        *quads = [
            _mm512_castpd_ps(_mm512_unpacklo_pd(low(a, b), low(c, d))),
            _mm512_castpd_ps(_mm512_unpackhi_pd(low(a, b), low(c, d))),
            _mm512_castpd_ps(_mm512_unpacklo_pd(high(a, b), high(c, d))),
            _mm512_castpd_ps(_mm512_unpackhi_pd(high(a, b), high(c, d))),
        ];
    }
    // The lanes of the four quads of column j: a 4 x 4 transpose of 128-bit lanes.
    for j in 0..4 {
        let [a, b, c, d] = [0, 4, 8, 12].map(|q| quads[q + j]);
        let even = |x: __m512, y| _mm512_shuffle_f32x4::<0x88>(x, y);
        let odd = |x: __m512, y| _mm512_shuffle_f32x4::<0xdd>(x, y);
        let (ab0, ab1, cd0, cd1) = (even(a, b), odd(a, b), even(c, d), odd(c, d));
        let columns = [even(ab0, cd0), even(ab1, cd1), odd(ab0, cd0), odd(ab1, cd1)];
        for (lane, column) in columns.into_iter().enumerate() {
            // SAFETY: row 4 lane + j has 16 numbers by the assertion.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr().add((4 * lane + j) * PANEL), column) }
        }
    }
}
