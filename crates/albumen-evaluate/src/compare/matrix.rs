//! Matrices of features: a text a column.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rayon::prelude::*;

/// Columns of one block of distances.
const CHUNK: usize = 256;
/// Squared distances below this are rounding: the points are one.
const SAME: f64 = 1e-12;

/// Rows of one length as the columns of a matrix, (d, n).
pub fn columns(rows: &[Vec<f32>]) -> DMatrix<f64> {
    let d = rows.first().map_or(0, Vec::len);
    DMatrix::from_fn(d, rows.len(), |i, j| f64::from(rows[j][i]))
}

/// The same matrix in single precision.
pub fn single(x: &DMatrix<f64>) -> DMatrix<f32> {
    x.map(|v| v as f32)
}

/// `x` (d, n) with every column of unit length; columns of zeros stay.
pub fn unit_columns(x: &DMatrix<f64>) -> DMatrix<f64> {
    let mut unit = x.clone();
    for mut column in unit.column_iter_mut() {
        let norm = column.norm();
        if norm > 0.0 {
            column /= norm;
        }
    }
    unit
}

/// `x` and `y` side by side, (d, n + m).
pub fn beside(x: &DMatrix<f64>, y: &DMatrix<f64>) -> DMatrix<f64> {
    let mut both = x.clone().resize_horizontally(x.ncols() + y.ncols(), 0.0);
    both.columns_mut(x.ncols(), y.ncols()).copy_from(y);
    both
}

/// Mean (d) and covariance (d, d), divided by n - 1, of the columns of `x` (d, n).
pub fn moments(x: &DMatrix<f64>) -> (DVector<f64>, DMatrix<f64>) {
    let mean = x.column_mean();
    let centred = centred(x, &mean);
    let covariance = &centred * centred.transpose() / (x.ncols().max(2) - 1) as f64;
    (mean, covariance)
}

fn centred(x: &DMatrix<f64>, mean: &DVector<f64>) -> DMatrix<f64> {
    let mut centred = x.clone();
    for mut column in centred.column_iter_mut() {
        column -= mean;
    }
    centred
}

/// Principal components: the columns of `x` (d, n) in the fewest directions of largest variance that
/// hold at least the share `explained` of it, (d', n).
pub fn principal_components(x: &DMatrix<f64>, explained: f64) -> DMatrix<f64> {
    let (mean, covariance) = moments(x);
    let total = covariance.trace();
    let SymmetricEigen {
        eigenvalues,
        eigenvectors,
    } = covariance.symmetric_eigen();
    let mut order: Vec<usize> = (0..eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]));
    let mut held = 0.0;
    let mut kept = 0;
    while kept < order.len() && (kept == 0 || held < explained * total) {
        held += eigenvalues[order[kept]];
        kept += 1;
    }
    let directions = eigenvectors.select_columns(&order[..kept]); // (d, d')
    directions.transpose() * centred(x, &mean)
}

/// `read(j, distances)` for each column j of `y` (d, m), where `distances` are the squared Euclidean
/// ones to all columns of `x` (d, n). Results in the order of `y`.
pub fn each_distances<T: Send>(
    x: &DMatrix<f64>,
    y: &DMatrix<f64>,
    read: impl Fn(usize, &mut [f64]) -> T + Sync,
) -> Vec<T> {
    let m = y.ncols();
    let rows = x.transpose(); // (n, d)
    let norms: Vec<f64> = x.column_iter().map(|c| c.norm_squared()).collect();
    let chunks: Vec<Vec<T>> = (0..m.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let start = chunk * CHUNK;
            let part = y.columns(start, CHUNK.min(m - start));
            let mut dots = &rows * part; // (n, c)
            (0..part.ncols())
                .map(|c| {
                    let norm = part.column(c).norm_squared();
                    let mut column = dots.column_mut(c);
                    for (dot, x_norm) in column.iter_mut().zip(&norms) {
                        let squared = x_norm + norm - 2.0 * *dot;
                        *dot = if squared < SAME { 0.0 } else { squared };
                    }
                    read(start + c, column.as_mut_slice())
                })
                .collect()
        })
        .collect();
    chunks.into_iter().flatten().collect()
}
