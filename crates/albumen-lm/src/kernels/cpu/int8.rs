//! Products with 8-bit operands, for decoding: weights and activations in blocks of 32 along k, each
//! block with one scale, as in llama.cpp's Q8_0. Sums within a block are exact integers; blocks are
//! added in order, in f32, so that a row's result depends on neither its neighbours, nor the number
//! of threads, nor the instruction set.

use std::cell::Cell;

use half::f16;
use rayon::prelude::*;

use super::simd::{features, max, simd};

/// Numbers that share a scale.
pub(crate) const BLOCK: usize = 32;
/// Output columns in a panel: two registers of i32.
pub(crate) const PANEL: usize = 32;
/// Rows of the largest tile: 4 x 2 integer and 4 x 2 float sums, weights and scales fit the 32
/// registers.
const TILE: usize = 4;
/// Bytes of a block of a panel, in cache lines: groups of 4 k, in each the 32 columns.
const LINES: usize = BLOCK * PANEL / 64;
/// Panels of a task: small enough to share the work out, large enough to be worth a task.
const TASK_BYTES: usize = 64 << 10;

thread_local! {
    /// Products by panel, kept from call to call.
    static BY_PANEL: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u8; 64]);

/// A (k, n) right operand. Numbers are stored as `q + 128` with q in -127..=127, since the
/// instruction multiplies unsigned by signed bytes; padded with q = 0.
pub(crate) struct Packed {
    k: usize,
    n: usize,
    lines: Vec<Line>,
    /// (panels, blocks, 32) scales as f16 bits.
    scales: Vec<u16>,
}

impl Packed {
    /// Rounds the matrix whose number at (k, n) is `at(k, n)` to 8 bits.
    pub(crate) fn new(k: usize, n: usize, at: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        let (panels, blocks) = (n.div_ceil(PANEL), k.div_ceil(BLOCK));
        let mut lines = vec![Line([128; 64]); panels * blocks * LINES];
        let mut scales = vec![0; panels * blocks * PANEL];
        lines
            .par_chunks_mut(blocks * LINES)
            .zip(scales.par_chunks_mut(blocks * PANEL))
            .enumerate()
            .for_each(|(p, (lines, scales))| {
                let blocks = lines
                    .chunks_exact_mut(LINES)
                    .zip(scales.chunks_exact_mut(PANEL));
                for (b, (lines, scales)) in blocks.enumerate() {
                    for (c, scale) in scales.iter_mut().enumerate().take(n - p * PANEL) {
                        let ks = b * BLOCK..k.min((b + 1) * BLOCK);
                        let column: Vec<f32> = ks.map(|k| at(k, p * PANEL + c)).collect();
                        *scale = pack_column(&column, c, lines);
                    }
                }
            });
        Self {
            k,
            n,
            lines,
            scales,
        }
    }

    fn blocks(&self) -> usize {
        self.k.div_ceil(BLOCK)
    }

    /// The number at (k, n).
    pub(crate) fn get(&self, k: usize, n: usize) -> f32 {
        let block = n / PANEL * self.blocks() + k / BLOCK;
        let (line, byte) = place(k % BLOCK, n % PANEL);
        let q = i32::from(self.lines[block * LINES + line].0[byte]) - 128;
        q as f32 * f16::from_bits(self.scales[block * PANEL + n % PANEL]).to_f32()
    }

    fn panel(&self, p: usize) -> Panel<'_> {
        let blocks = self.blocks();
        Panel {
            lines: &self.lines[p * blocks * LINES..(p + 1) * blocks * LINES],
            scales: &self.scales[p * blocks * PANEL..(p + 1) * blocks * PANEL],
        }
    }
}

#[derive(Clone, Copy)]
struct Panel<'a> {
    lines: &'a [Line],
    scales: &'a [u16],
}

/// Line and byte, within a panel's block, of the number at (k, column).
fn place(k: usize, column: usize) -> (usize, usize) {
    (k / 4 * 2 + column / 16, column % 16 * 4 + k % 4)
}

/// Rounds one column of a block; gives its scale.
fn pack_column(column: &[f32], c: usize, lines: &mut [Line]) -> u16 {
    let largest = column.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let scale = f16::from_f32(largest / 127.0);
    let inverse = if scale.to_f32() > 0.0 {
        scale.to_f32().recip()
    } else {
        0.0
    };
    for (k, x) in column.iter().enumerate() {
        let q = round(x * inverse).clamp(-127, 127);
        let (line, byte) = place(k, c);
        lines[line].0[byte] = (q + 128) as u8;
    }
    scale.to_bits()
}

/// Rows of activations, rounded to 8 bits.
struct Operand {
    /// (rows, blocks, 32).
    bytes: Vec<i8>,
    /// (rows, blocks): scale, and -128 times the block's sum, which takes the weights' offset out.
    scales: Vec<f32>,
    offsets: Vec<i32>,
    blocks: usize,
}

impl Operand {
    fn new(x: &[f32], k: usize) -> Self {
        let (rows, blocks) = (x.len() / k, k.div_ceil(BLOCK));
        let mut operand = Self {
            bytes: vec![0; rows * blocks * BLOCK],
            scales: vec![0.0; rows * blocks],
            offsets: vec![0; rows * blocks],
            blocks,
        };
        operand
            .bytes
            .par_chunks_mut(blocks * BLOCK)
            .zip(operand.scales.par_chunks_mut(blocks))
            .zip(operand.offsets.par_chunks_mut(blocks))
            .zip(x.par_chunks(k))
            .with_min_len(16)
            .for_each(|(((bytes, scales), offsets), x)| round_row(x, bytes, scales, offsets));
        operand
    }
}

simd! {
    /// Rounds a row, block by block.
    fn round_row(x: &[f32], bytes: &mut [i8], scales: &mut [f32], offsets: &mut [i32]) {
        let blocks = bytes.chunks_exact_mut(BLOCK).zip(scales).zip(offsets);
        for (((bytes, scale), offset), x) in blocks.zip(x.chunks(BLOCK)) {
            let mut block = [0.0; BLOCK];
            block[..x.len()].copy_from_slice(x);
            let mut magnitudes = block;
            for m in &mut magnitudes {
                *m = m.abs();
            }
            let largest = max(&magnitudes);
            *scale = largest / 127.0;
            let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            let mut sum = 0;
            for (byte, x) in bytes.iter_mut().zip(block) {
                let q = round(x * inverse);
                sum += q;
                *byte = q as i8;
            }
            *offset = -128 * sum;
        }
    }
}

/// The nearest integer, ties to even, of a number below 2^22 in size; without a call, so that loops
/// over it vectorise.
#[inline(always)]
fn round(x: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    (x + SHIFT).to_bits() as i32 - SHIFT.to_bits() as i32
}

/// `y = x w`, or `y += x w` where `accumulate`; x is (rows, k), y (rows, n).
pub(crate) fn product(x: &[f32], w: &Packed, y: &mut [f32], accumulate: bool) {
    let rows = x.len() / w.k;
    assert!(
        x.len() == rows * w.k && y.len() == rows * w.n,
        "operands of a product disagree"
    );
    let operand = Operand::new(x, w.k);
    let panels = w.n.div_ceil(PANEL);
    let even = panels.div_ceil(4 * rayon::current_num_threads()).max(1);
    let group = (TASK_BYTES / (w.blocks() * BLOCK * PANEL)).clamp(1, even);
    if rows == 1 {
        y.par_chunks_mut(group * PANEL)
            .enumerate()
            .for_each(|(task, y)| {
                for (i, y) in y.chunks_mut(PANEL).enumerate() {
                    let mut out = [0.0; PANEL];
                    panel_rows(&operand, w.panel(task * group + i), &mut out);
                    store(&out[..y.len()], y, accumulate);
                }
            });
        return;
    }
    // By panel, so that each task writes to memory of its own.
    let mut by_panel = BY_PANEL.take();
    if by_panel.len() < panels * rows * PANEL {
        by_panel.resize(panels * rows * PANEL, 0.0);
    }
    by_panel[..panels * rows * PANEL]
        .par_chunks_mut(group * rows * PANEL)
        .enumerate()
        .for_each(|(task, out)| {
            for (i, out) in out.chunks_exact_mut(rows * PANEL).enumerate() {
                panel_rows(&operand, w.panel(task * group + i), out);
            }
        });
    let rows_per_task = (16384 / w.n).max(1);
    y.par_chunks_mut(w.n * rows_per_task)
        .enumerate()
        .for_each(|(task, y)| {
            for (i, y) in y.chunks_exact_mut(w.n).enumerate() {
                let row = task * rows_per_task + i;
                for (p, y) in y.chunks_mut(PANEL).enumerate() {
                    let from = &by_panel[(p * rows + row) * PANEL..][..y.len()];
                    store(from, y, accumulate);
                }
            }
        });
    BY_PANEL.set(by_panel);
}

fn store(from: &[f32], y: &mut [f32], accumulate: bool) {
    if accumulate {
        y.iter_mut().zip(from).for_each(|(y, v)| *y += v);
    } else {
        y.copy_from_slice(from);
    }
}

/// All rows of the product with one panel, (rows, 32).
fn panel_rows(a: &Operand, panel: Panel<'_>, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if features().vnni {
        let rows = out.len() / PANEL;
        let mut row = 0;
        while row < rows {
            let height = [TILE, 2].into_iter().find(|&h| h <= rows - row);
            let height = height.unwrap_or(1);
            let out = &mut out[row * PANEL..(row + height) * PANEL];
            // SAFETY: `features` saw AVX512-VNNI and AVX-512 F, BW, DQ and VL.
            unsafe {
                match height {
                    TILE => tile::<TILE>(a, row, panel, out),
                    2 => tile::<2>(a, row, panel, out),
                    _ => tile::<1>(a, row, panel, out),
                }
            }
            row += height;
        }
        return;
    }
    for (row, out) in out.chunks_exact_mut(PANEL).enumerate() {
        plain_row(a, row, panel, out);
    }
}

/// Rows `row..row + R` of the product with a panel.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
#[expect(
    clippy::needless_range_loop,
    reason = "iterators over registers bring closures back"
)]
fn tile<const R: usize>(a: &Operand, row: usize, panel: Panel<'_>, out: &mut [f32]) {
    use std::arch::x86_64::{
        _mm256_loadu_si256, _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpbusd_epi32,
        _mm512_fmadd_ps, _mm512_load_si512, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
    };
    let blocks = a.blocks;
    // Plain loops over checked slices: closures would be compiled without these instructions.
    let bytes = &a.bytes[row * blocks * BLOCK..(row + R) * blocks * BLOCK];
    let offsets = &a.offsets[row * blocks..(row + R) * blocks];
    let x_scales = &a.scales[row * blocks..(row + R) * blocks];
    assert!(
        panel.lines.len() == blocks * LINES
            && panel.scales.len() == blocks * PANEL
            && out.len() == R * PANEL
    );
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for b in 0..blocks {
        let mut dots = [[_mm512_setzero_si512(); 2]; R];
        for r in 0..R {
            dots[r] = [_mm512_set1_epi32(offsets[r * blocks + b]); 2];
        }
        for g in 0..BLOCK / 4 {
            // SAFETY: block `b` of the panel has `LINES` lines of 64 aligned bytes, two for each g;
            // block `b` of row r has 32 bytes, four for each g.
            unsafe {
                let line = panel.lines.as_ptr().add(b * LINES + 2 * g);
                let w0 = _mm512_load_si512(line.cast());
                let w1 = _mm512_load_si512(line.add(1).cast());
                for r in 0..R {
                    let x = bytes.as_ptr().add((r * blocks + b) * BLOCK + 4 * g);
                    let x = _mm512_set1_epi32(x.cast::<i32>().read_unaligned());
                    dots[r][0] = _mm512_dpbusd_epi32(dots[r][0], w0, x);
                    dots[r][1] = _mm512_dpbusd_epi32(dots[r][1], w1, x);
                }
            }
        }
        for j in 0..2 {
            // SAFETY: 16 scales of 16 bits lie there; unaligned access is allowed.
            let scale = unsafe {
                let at = panel.scales.as_ptr().add(b * PANEL + 16 * j);
                _mm512_cvtph_ps(_mm256_loadu_si256(at.cast()))
            };
            for r in 0..R {
                let both = _mm512_mul_ps(scale, _mm512_set1_ps(x_scales[r * blocks + b]));
                sums[r][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r][j]), both, sums[r][j]);
            }
        }
    }
    for r in 0..R {
        for j in 0..2 {
            // SAFETY: `out` has R rows of 32 numbers; unaligned access is allowed.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(r * PANEL + 16 * j), sums[r][j]) }
        }
    }
}

simd! {
    /// One row of the product with a panel: the same numbers by plain arithmetic.
    fn plain_row(a: &Operand, row: usize, panel: Panel<'_>, out: &mut [f32]) {
        let mut sums = [0.0_f32; PANEL];
        for b in 0..a.blocks {
            let at = row * a.blocks + b;
            let x = &a.bytes[at * BLOCK..(at + 1) * BLOCK];
            let lines = &panel.lines[b * LINES..(b + 1) * LINES];
            let mut dots = [a.offsets[at]; PANEL];
            for (g, x) in x.as_chunks::<4>().0.iter().enumerate() {
                for half in 0..2 {
                    let line = lines[2 * g + half].0.as_chunks::<4>().0;
                    for (dot, w) in dots[16 * half..].iter_mut().zip(line) {
                        for (w, x) in w.iter().zip(x) {
                            *dot += i32::from(*w) * i32::from(*x);
                        }
                    }
                }
            }
            for c in 0..PANEL {
                let scale = f16::from_bits(panel.scales[b * PANEL + c]).to_f32() * a.scales[at];
                sums[c] = (dots[c] as f32).mul_add(scale, sums[c]);
            }
        }
        out.copy_from_slice(&sums);
    }
}

#[cfg(test)]
mod tests;
