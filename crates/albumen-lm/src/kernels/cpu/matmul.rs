//! f32 matrix products behind checked views.
//!
//! The sum of an output number runs over chunks of k, each summed from zero in order (see
//! [`super::tile`]) and added to the number in order. Chunks depend on k alone, so an output number
//! has the same bits whatever rows stand beside its own and however many threads there are: under DP
//! one unit's presence must not move another unit's gradient, not even by a rounding.

use std::cell::Cell;

use rayon::prelude::*;

use super::pack::{pack, pack_transposed};
use super::tile::{Left, PANEL, Store, TILE, fastest, store_row, tile_height};

/// The longest chunk of k: a panel's chunk takes 24 KiB, so that it stays in the first-level cache
/// while rows pass by.
const CHUNK: usize = 192;
/// Rows whose chunk of the left operand stays in the second-level cache while panels pass by.
const ROW_BLOCK: usize = 16 * TILE;
/// The panels of a task should stay in the second-level cache as well.
const GROUP_BYTES: usize = 384 << 10;
/// Multiplications below which a product is not worth a second thread.
const SMALL: usize = 1 << 18;

/// Numbers in a cache line.
const LINE: usize = 16;
/// Rows so many numbers apart (4 KiB) fall on one set of the first-level cache.
const ALIAS: usize = 1024;

thread_local! {
    /// Packed panels and rows, kept from call to call.
    static SCRATCH: Cell<[Vec<f32>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// A strided matrix within a slice.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> View<'a> {
    /// (rows, cols) from the start of `data`, rows `stride` apart.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(
            fits(data.len(), rows, cols, stride),
            "matrix view out of bounds"
        );
        Self {
            data,
            rows,
            cols,
            row_stride: stride,
            col_stride: 1,
        }
    }

    /// The transpose.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// A strided matrix to write to.
pub(crate) struct ViewMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a> ViewMut<'a> {
    /// (rows, cols) from the start of `data`, rows `stride` apart.
    pub(crate) fn new(data: &'a mut [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(
            fits(data.len(), rows, cols, stride),
            "matrix view out of bounds"
        );
        Self {
            data,
            rows,
            cols,
            stride,
        }
    }
}

fn fits(len: usize, rows: usize, cols: usize, stride: usize) -> bool {
    rows == 0 || cols == 0 || (stride >= cols && (rows - 1) * stride + cols <= len)
}

/// Whether a product may use the thread pool. Within a parallel loop it should not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    One,
    All,
}

/// Where tasks write their part of the output.
struct Output {
    start: *mut f32,
    stride: usize,
    cols: usize,
}

// SAFETY: tasks write disjoint parts; see `matmul`.
unsafe impl Sync for Output {}

/// A task's part of a product: rows `rows.0..rows.1`, panels `panels.0..panels.1`.
#[derive(Clone, Copy)]
struct Part {
    rows: (usize, usize),
    panels: (usize, usize),
}

/// Chunks' length for an inner dimension of `k`.
fn chunk(k: usize) -> usize {
    k.div_ceil(k.div_ceil(CHUNK))
}

/// `dst = scale a b`, or `dst += scale a b` where `accumulate`.
pub(crate) fn matmul(
    dst: ViewMut<'_>,
    accumulate: bool,
    scale: f32,
    a: View<'_>,
    b: View<'_>,
    threads: Threads,
) {
    let ViewMut {
        data,
        rows,
        cols,
        stride,
    } = dst;
    let k = a.cols;
    assert!(
        rows == a.rows && cols == b.cols && k == b.rows,
        "({rows}, {cols}) is not ({}, {k}) times ({}, {})",
        a.rows,
        b.rows,
        b.cols
    );
    if rows == 0 || cols == 0 {
        return;
    }
    if k == 0 {
        if !accumulate {
            let rows = data.chunks_mut(stride).take(rows);
            rows.for_each(|row| row[..cols].fill(0.0));
        }
        return;
    }
    let output = Output {
        start: data.as_mut_ptr(),
        stride,
        cols,
    };
    let store = Store {
        scale,
        add: accumulate,
    };
    let panels = cols.div_ceil(PANEL);
    let workers = match threads {
        Threads::All if rows * cols * k >= SMALL => rayon::current_num_threads(),
        _ => 1,
    };
    let fit = (GROUP_BYTES / (chunk(k) * PANEL * 4)).max(1);
    if workers == 1 {
        for first in (0..panels).step_by(fit) {
            let part = Part {
                rows: (0, rows),
                panels: (first, panels.min(first + fit)),
            };
            // SAFETY: the output is borrowed alone and these parts follow one another.
            unsafe { part_product(&output, a, b, part, store) }
        }
        return;
    }
    let group = fit.min(panels.div_ceil(2 * workers));
    let groups = panels.div_ceil(group);
    // Few panels: rows are split as well, at the cost of packing the panels again.
    let splits = (2 * workers).div_ceil(groups).min(rows.div_ceil(4 * TILE));
    let height = rows.div_ceil(splits).next_multiple_of(TILE);
    (0..groups * splits).into_par_iter().for_each(|task| {
        let (first, top) = (task / splits * group, task % splits * height);
        let part = Part {
            rows: (top.min(rows), rows.min(top + height)),
            panels: (first, panels.min(first + group)),
        };
        // SAFETY: the output is borrowed alone, and no two tasks have both a row and a panel in
        // common.
        unsafe { part_product(&output, a, b, part, store) }
    });
}

/// One task's part of a product.
///
/// # Safety
/// `output` has the rows of `a` and the columns of `b`; no one else touches the part's numbers in it.
unsafe fn part_product(output: &Output, a: View<'_>, b: View<'_>, part: Part, store: Store) {
    let (k, chunk) = (a.cols, chunk(a.cols));
    let mut scratch = SCRATCH.take();
    let [panels, copy] = &mut scratch;
    // Rows that would evict one another are copied together first.
    let crowded = a.col_stride == 1 && a.row_stride.is_multiple_of(ALIAS);
    for first in (0..k).step_by(chunk) {
        let len = chunk.min(k - first);
        let size = len * PANEL;
        let count = part.panels.1 - part.panels.0;
        panels.resize(size * count + LINE, 0.0);
        // Loads that straddle cache lines cost two.
        let skip = panels.as_ptr().align_offset(4 * LINE).min(LINE);
        let panels = &mut panels[skip..][..size * count];
        let from = part.panels.0 * PANEL;
        let to = b.cols.min(part.panels.1 * PANEL);
        if b.col_stride == 1 {
            pack(
                &b.data[first * b.row_stride..],
                b.row_stride,
                from,
                to,
                panels,
            );
        } else {
            assert_eq!(b.row_stride, 1, "one of the right operand's strides is 1");
            for (col, panel) in (from..to).step_by(PANEL).zip(panels.chunks_exact_mut(size)) {
                let data = &b.data[first + col * b.col_stride..];
                pack_transposed(data, b.col_stride, PANEL.min(to - col), len, panel);
            }
        }
        let store = Store {
            add: store.add || first > 0,
            ..store
        };
        for top in (part.rows.0..part.rows.1).step_by(ROW_BLOCK) {
            let rows = (top, part.rows.1.min(top + ROW_BLOCK));
            let from = &a.data[top * a.row_stride + first * a.col_stride..];
            let left = if crowded && rows.1 - rows.0 > 1 {
                copy.resize((rows.1 - rows.0) * len, 0.0);
                for (to, from) in copy.chunks_exact_mut(len).zip(from.chunks(a.row_stride)) {
                    to.copy_from_slice(&from[..len]);
                }
                View::new(copy, rows.1 - rows.0, len, len)
            } else {
                View {
                    data: from,
                    rows: rows.1 - rows.0,
                    cols: len,
                    ..a
                }
            };
            for (p, panel) in panels.chunks_exact(size).enumerate() {
                // SAFETY: these rows and the panel are within this task's part.
                unsafe { panel_product(output, left, top, part.panels.0 + p, panel, store) }
            }
        }
    }
    SCRATCH.set(scratch);
}

/// `left` times one packed panel, to the rows from `top` on.
///
/// # Safety
/// `output` has these rows and panel `p`, and no one else touches these numbers.
unsafe fn panel_product(
    output: &Output,
    left: View<'_>,
    top: usize,
    p: usize,
    panel: &[f32],
    store: Store,
) {
    let width = PANEL.min(output.cols - p * PANEL);
    let narrow = width <= PANEL / 2;
    let kernel = fastest();
    assert_eq!(panel.len(), left.cols * PANEL, "a panel of another length");
    let mut row = 0;
    while row < left.rows {
        let height = tile_height(left.rows - row);
        let from = &left.data[row * left.row_stride..];
        let last = (height - 1) * left.row_stride + (left.cols - 1) * left.col_stride;
        assert!(last < from.len(), "left operand out of bounds");
        let a = Left {
            start: from.as_ptr(),
            rows: left.row_stride,
            cols: left.col_stride,
        };
        // SAFETY: within the output by the caller's promise.
        let c = unsafe { output.start.add((top + row) * output.stride + p * PANEL) };
        if width == PANEL {
            // SAFETY: `a` was checked above; `height` rows of 32 columns lie at `c`.
            unsafe { kernel(height, false, a, panel, c, output.stride, store) }
        } else {
            let mut edge = [0.0; TILE * PANEL];
            // SAFETY: as above; `edge` has room for the largest tile.
            unsafe {
                kernel(
                    height,
                    narrow,
                    a,
                    panel,
                    edge.as_mut_ptr(),
                    PANEL,
                    Store::PLAIN,
                );
            }
            for (i, sums) in edge.chunks_exact(PANEL).take(height).enumerate() {
                // SAFETY: row i has `width` numbers from the panel's start on, all ours.
                let c = unsafe { std::slice::from_raw_parts_mut(c.add(i * output.stride), width) };
                store_row(store, &sums[..width], c);
            }
        }
        row += height;
    }
}

#[cfg(test)]
mod tests;
