//! f32 matrix products through the `gemm` crate, behind checked views.

use gemm::Parallelism;

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
    assert!(
        rows == a.rows && cols == b.cols && a.cols == b.rows,
        "({rows}, {cols}) is not ({}, {}) times ({}, {})",
        a.rows,
        a.cols,
        b.rows,
        b.cols
    );
    let parallelism = match threads {
        Threads::All if rayon::current_num_threads() > 1 => Parallelism::Rayon(0),
        _ => Parallelism::None,
    };
    // SAFETY: the views were checked against their slices when they were made, the sizes agree,
    // `dst` is borrowed alone, and rows of `dst` do not overlap since its stride is at least its
    // width.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            a.cols,
            data.as_mut_ptr(),
            1,
            stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}
