//! Products with bf16 operands and f32 sums (AVX512-BF16), over frozen weights packed once.
//!
//! The sum of an output number runs over k in pairs, in order, in one register lane: it does not
//! depend on how many rows there are, nor on the number of threads.

use std::cell::Cell;

use half::bf16;
use rayon::prelude::*;

/// Output columns in a panel: two registers of f32.
pub(crate) const PANEL: usize = 32;
/// Rows of the largest tile: 12 x 2 sums, 2 panel registers and a broadcast fill 27 of the 32.
const TILE: usize = 12;
/// Rows whose operands stay in the second-level cache while panels pass by.
const ROW_BLOCK: usize = 16 * TILE;
/// Panels of a task should stay in the second-level cache as well.
const GROUP_BYTES: usize = 384 << 10;

thread_local! {
    /// The left operand's memory, kept from call to call.
    static OPERAND: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

/// A (k, n) right operand: panels of 32 columns, in each the k pairs in order, in each pair the 32
/// columns, each a u32 of two bf16. Padded with zeros.
pub(crate) struct Packed {
    k: usize,
    n: usize,
    data: Vec<u32>,
}

fn pair(low: f32, high: f32) -> u32 {
    let (low, high) = (
        bf16::from_f32(low).to_bits(),
        bf16::from_f32(high).to_bits(),
    );
    u32::from(low) | u32::from(high) << 16
}

impl Packed {
    /// Packs the matrix whose number at (k, n) is `at(k, n)`.
    pub(crate) fn new(k: usize, n: usize, at: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        let pairs = k.div_ceil(2);
        let mut data = vec![0; n.div_ceil(PANEL) * pairs * PANEL];
        data.par_chunks_mut(pairs * PANEL)
            .enumerate()
            .for_each(|(p, panel)| {
                for (kp, row) in panel.chunks_exact_mut(PANEL).enumerate() {
                    for (c, v) in row.iter_mut().enumerate() {
                        let col = p * PANEL + c;
                        let read = |k_| if k_ < k && col < n { at(k_, col) } else { 0.0 };
                        *v = pair(read(2 * kp), read(2 * kp + 1));
                    }
                }
            });
        Self { k, n, data }
    }

    /// The number at (k, n).
    pub(crate) fn get(&self, k: usize, n: usize) -> f32 {
        let pairs = self.k.div_ceil(2);
        let v = self.data[(n / PANEL * pairs + k / 2) * PANEL + n % PANEL];
        bf16::from_bits((v >> (16 * (k % 2))) as u16).to_f32()
    }

    /// The transpose, for the backward product.
    pub(crate) fn transposed(&self) -> Self {
        Self::new(self.n, self.k, |k, n| self.get(n, k))
    }

    fn panel(&self, p: usize) -> &[u32] {
        let size = self.k.div_ceil(2) * PANEL;
        &self.data[p * size..(p + 1) * size]
    }
}

/// Where tasks write their columns of the output.
struct Output {
    start: *mut f32,
    cols: usize,
}

// SAFETY: tasks write disjoint columns; see `product`.
unsafe impl Sync for Output {}

/// `y = x w`, or `y += x w` where `accumulate`; x is (rows, k), y (rows, n).
///
/// Call it only where `simd::features().bf16`.
pub(crate) fn product(x: &[f32], w: &Packed, y: &mut [f32], accumulate: bool) {
    let (k, n) = (w.k, w.n);
    let rows = x.len() / k;
    assert!(
        x.len() == rows * k && y.len() == rows * n,
        "operands of a product disagree"
    );
    let pairs = k.div_ceil(2);
    let mut operand = OPERAND.take();
    if operand.len() < rows * pairs {
        operand.resize(rows * pairs, 0);
    }
    let per_task = (8192 / k).max(1);
    operand[..rows * pairs]
        .par_chunks_mut(pairs * per_task)
        .zip(x.par_chunks(k * per_task))
        .for_each(|(to, from)| round_rows(from, k, to));

    let panels = n.div_ceil(PANEL);
    let even = panels.div_ceil(4 * rayon::current_num_threads());
    let group = (GROUP_BYTES / (pairs * PANEL * 4)).clamp(1, even.max(1));
    let output = Output {
        start: y.as_mut_ptr(),
        cols: n,
    };
    let operand_rows = &operand[..rows * pairs];
    (0..panels.div_ceil(group))
        .into_par_iter()
        .for_each(|task| {
            let output = &output;
            for first in (0..rows).step_by(ROW_BLOCK) {
                let last = rows.min(first + ROW_BLOCK);
                for p in task * group..panels.min((task + 1) * group) {
                    // SAFETY: the caller saw AVX512-BF16; rows `first..last` and panel `p` exist, and
                    // no other task has panel `p`, so that its columns of the output are ours.
                    unsafe {
                        panel_rows(operand_rows, pairs, first, last, w, p, output, accumulate);
                    }
                }
            }
        });
    OPERAND.set(operand);
}

/// Rows of f32 to rows of bf16 pairs, the odd one out padded with zero.
fn round_rows(from: &[f32], k: usize, to: &mut [u32]) {
    for (to, from) in to.chunks_exact_mut(k.div_ceil(2)).zip(from.chunks_exact(k)) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `product` is called only where AVX512-BF16 is there.
        let done = unsafe { round_row(from, to) };
        #[cfg(not(target_arch = "x86_64"))]
        let done = 0;
        for (to, from) in to[done / 2..].iter_mut().zip(from[done..].chunks(2)) {
            *to = pair(from[0], from.get(1).copied().unwrap_or(0.0));
        }
    }
}

/// Rounds whole registers; gives how many numbers it did.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
fn round_row(from: &[f32], to: &mut [u32]) -> usize {
    use std::arch::x86_64::{__m256i, _mm256_storeu_si256, _mm512_cvtneps_pbh, _mm512_loadu_ps};
    let whole = from.len() / 16 * 16;
    for (from, to) in from[..whole].chunks_exact(16).zip(to.chunks_exact_mut(8)) {
        // SAFETY: `from` has 16 f32 and `to` 8 u32, 256 bits; unaligned access is allowed.
        unsafe {
            let v = _mm512_cvtneps_pbh(_mm512_loadu_ps(from.as_ptr()));
            let v = std::mem::transmute::<std::arch::x86_64::__m256bh, __m256i>(v);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), v);
        }
    }
    whole
}

/// Rows `first..last` of the product with panel `p`.
///
/// # Safety
/// AVX512-BF16 is there; `operand` has `last` rows of `pairs`; `output` has `last` rows, and no one
/// else touches the panel's columns of them.
unsafe fn panel_rows(
    operand: &[u32],
    pairs: usize,
    first: usize,
    last: usize,
    w: &Packed,
    p: usize,
    output: &Output,
    accumulate: bool,
) {
    let panel = w.panel(p);
    let cols = PANEL.min(w.n - p * PANEL);
    let mut row = first;
    while row < last {
        let height = tile_height(last - row);
        let a = &operand[row * pairs..(row + height) * pairs];
        // SAFETY: within the output by the caller's promise.
        let c = unsafe { output.start.add(row * output.cols + p * PANEL) };
        if cols == PANEL {
            // SAFETY: `height` rows of 32 columns lie at `c`, `output.cols` apart.
            unsafe { tile(height, a, panel, c, output.cols, accumulate) }
        } else {
            let mut edge = [0.0; TILE * PANEL];
            // SAFETY: `edge` has room for the largest tile.
            unsafe { tile(height, a, panel, edge.as_mut_ptr(), PANEL, false) }
            for (i, edge) in edge.chunks_exact(PANEL).take(height).enumerate() {
                for (j, &v) in edge[..cols].iter().enumerate() {
                    // SAFETY: row `row + i` and column `j < cols` of the panel exist.
                    unsafe {
                        let c = c.add(i * output.cols + j);
                        *c = if accumulate { *c + v } else { v };
                    }
                }
            }
        }
        row += height;
    }
}

fn tile_height(left: usize) -> usize {
    [TILE, 8, 4, 2]
        .into_iter()
        .find(|&h| h <= left)
        .unwrap_or(1)
}

/// A tile of `height` rows of `a` (height, pairs) times a panel (pairs, 32), to `c`.
///
/// # Safety
/// As [`tile_kernel`]; `height` is one of [`tile_height`]'s.
unsafe fn tile(height: usize, a: &[u32], b: &[u32], c: *mut f32, stride: usize, add: bool) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise.
    unsafe {
        match height {
            12 => tile_kernel::<12>(a, b, c, stride, add),
            8 => tile_kernel::<8>(a, b, c, stride, add),
            4 => tile_kernel::<4>(a, b, c, stride, add),
            2 => tile_kernel::<2>(a, b, c, stride, add),
            _ => tile_kernel::<1>(a, b, c, stride, add),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let len = (height - 1) * stride + PANEL;
        // SAFETY: so many numbers from `c` on are the output's. Those between the rows' panels
        // belong to others; `plain_tile` leaves them alone, and nothing else runs on a processor
        // without AVX512-BF16, where `product` is never called.
        plain_tile(
            a,
            b,
            unsafe { std::slice::from_raw_parts_mut(c, len) },
            stride,
            add,
        );
    }
}

/// The innermost loop: for each pair of k, two registers of the panel against one broadcast pair of
/// each row. In assembly because LLVM spills the sums when given intrinsics.
///
/// # Safety
/// AVX512-BF16 is there; `a` is (R, pairs), `b` (pairs, 32); at `c` there are R rows of 32 numbers,
/// `stride` apart, that no one else touches.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn tile_kernel<const R: usize>(a: &[u32], b: &[u32], c: *mut f32, stride: usize, add: bool) {
    use std::arch::asm;
    use std::arch::x86_64::{
        _mm512_add_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_setzero_ps, _mm512_storeu_ps,
    };
    let pairs = b.len() / PANEL;
    debug_assert_eq!(a.len(), R * pairs);
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    let (mut a_at, mut b_at) = (a.as_ptr(), b.as_ptr());
    for _ in 0..pairs {
        // SAFETY: pair `kp` of the panel has 32 u32 at `b_at`; row i's pair is at `a_at + i pairs`,
        // within `a`. The assembly reads that one u32 and writes registers only.
        unsafe {
            let b0 = _mm512_loadu_si512(b_at.cast());
            let b1 = _mm512_loadu_si512(b_at.add(16).cast());
            for (i, [s0, s1]) in sums.iter_mut().enumerate() {
                asm!(
                    "vbroadcastss {t}, dword ptr [{p}]",
                    "vdpbf16ps {s0}, {t}, {b0}",
                    "vdpbf16ps {s1}, {t}, {b1}",
                    t = out(zmm_reg) _,
                    p = in(reg) a_at.add(i * pairs),
                    s0 = inout(zmm_reg) *s0,
                    s1 = inout(zmm_reg) *s1,
                    b0 = in(zmm_reg) b0,
                    b1 = in(zmm_reg) b1,
                    options(nostack, preserves_flags, readonly, pure),
                );
            }
            a_at = a_at.add(1);
            b_at = b_at.add(PANEL);
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        for (j, sum) in sums.into_iter().enumerate() {
            // SAFETY: 16 numbers of row i lie there by the caller's promise.
            unsafe {
                let c = c.add(i * stride + j * 16);
                let sum = if add {
                    _mm512_add_ps(sum, _mm512_loadu_ps(c))
                } else {
                    sum
                };
                _mm512_storeu_ps(c, sum);
            }
        }
    }
}

/// The same tile in checked, plain arithmetic: the kernel's twin in tests.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain_tile(a: &[u32], b: &[u32], c: &mut [f32], stride: usize, add: bool) {
    let pairs = b.len() / PANEL;
    let part = |v: u32, half: u32| bf16::from_bits((v >> (16 * half)) as u16).to_f32();
    for (a, c) in a.chunks_exact(pairs).zip(c.chunks_mut(stride)) {
        for (j, c) in c[..PANEL].iter_mut().enumerate() {
            let terms = a.iter().zip(b[j..].iter().step_by(PANEL));
            let sum: f32 = terms
                .map(|(&x, &y)| part(x, 0) * part(y, 0) + part(x, 1) * part(y, 1))
                .sum();
            *c = if add { *c + sum } else { sum };
        }
    }
}

#[cfg(test)]
mod tests;
