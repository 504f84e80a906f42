//! k-means: Lloyd's algorithm from random points, several times, the lowest objective kept.

use nalgebra::DMatrix;
use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Points that are assigned together: one product of matrices.
const CHUNK: usize = 512;
/// How far the halves of a split cluster are moved apart, as a share of each coordinate.
const SPLIT: f32 = 1.0 / 1024.0;

/// Settings of k-means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KMeans {
    /// Clusters; fewer where there are fewer points.
    pub clusters: usize,
    /// Tries from other random points.
    pub restarts: usize,
    /// Iterations of a try, at most: it ends where no point changes its cluster.
    pub iterations: usize,
    /// Seed of the random points.
    pub seed: u64,
}

/// Points put into clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// The centres, (d, k).
    pub centroids: DMatrix<f32>,
    /// The cluster of each point.
    pub labels: Vec<usize>,
}

impl KMeans {
    /// Clusters the columns of `points` (d, n). The result depends on the seed, not on threads.
    ///
    /// An empty cluster takes over one half of another, drawn by size, as in faiss (Johnson et al.
    /// 2021), which the reference package of MAUVE clusters with.
    pub fn fit(&self, points: &DMatrix<f32>) -> Clusters {
        let tries: Vec<(f64, Clusters)> = (0..self.restarts.max(1))
            .map(|restart| self.once(points, restart as u64))
            .collect();
        let best = tries.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or_else(
            || Clusters {
                centroids: DMatrix::zeros(points.nrows(), 0),
                labels: Vec::new(),
            },
            |(_, clusters)| clusters,
        )
    }

    /// One try, with the sum of squared distances (less a constant).
    fn once(&self, points: &DMatrix<f32>, restart: u64) -> (f64, Clusters) {
        let (d, n) = points.shape();
        let k = self.clusters.min(n);
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(restart);
        let chosen = index::sample(&mut random, n, k).into_vec();
        let mut centroids = points.select_columns(&chosen); // (d, k)
        let (mut labels, mut objective) = nearest(&centroids, points);
        for _ in 0..self.iterations {
            let mut sizes = vec![0_usize; k];
            let mut sums = DMatrix::<f32>::zeros(d, k);
            for (point, &label) in points.column_iter().zip(&labels) {
                sizes[label] += 1;
                let mut sum = sums.column_mut(label);
                sum += point;
            }
            for (mut sum, &size) in sums.column_iter_mut().zip(&sizes) {
                sum /= size.max(1) as f32;
            }
            centroids = sums;
            let split = split_empty(&mut centroids, &mut sizes, &mut random);
            let before = labels;
            (labels, objective) = nearest(&centroids, points);
            if !split && labels == before {
                break;
            }
        }
        (objective, Clusters { centroids, labels })
    }
}

impl Clusters {
    /// The nearest centre of each column of `points` (d, n).
    pub fn assign(&self, points: &DMatrix<f32>) -> Vec<usize> {
        nearest(&self.centroids, points).0
    }
}

/// The nearest of `centroids` (d, k) for each of `points` (d, n), and the sum of their squared
/// distances less the points' squared lengths.
fn nearest(centroids: &DMatrix<f32>, points: &DMatrix<f32>) -> (Vec<usize>, f64) {
    let n = points.ncols();
    let half_norms: Vec<f32> = centroids
        .column_iter()
        .map(|c| c.norm_squared() / 2.0)
        .collect();
    let rows = centroids.transpose(); // (k, d)
    let chunks: Vec<(Vec<usize>, f64)> = (0..n.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let start = chunk * CHUNK;
            let dots = &rows * points.columns(start, CHUNK.min(n - start)); // (k, m)
            let mut sum = 0.0;
            let labels = dots
                .column_iter()
                .map(|dots| {
                    let mut best = (f32::INFINITY, 0);
                    for (k, (dot, half)) in dots.iter().zip(&half_norms).enumerate() {
                        let distance = half - dot;
                        if distance < best.0 {
                            best = (distance, k);
                        }
                    }
                    sum += 2.0 * f64::from(best.0);
                    best.1
                })
                .collect();
            (labels, sum)
        })
        .collect();
    let objective = chunks.iter().map(|(_, sum)| sum).sum();
    (
        chunks.into_iter().flat_map(|(labels, _)| labels).collect(),
        objective,
    )
}

/// Gives each empty cluster one half of another; whether there was one.
fn split_empty(centroids: &mut DMatrix<f32>, sizes: &mut [usize], random: &mut ChaCha8Rng) -> bool {
    let mut found = false;
    while let Some(empty) = sizes.iter().position(|&size| size == 0) {
        // Clusters of one point have none to give.
        let spare: usize = sizes.iter().map(|size| size.saturating_sub(1)).sum();
        if spare == 0 {
            break;
        }
        found = true;
        let mut at = random.random_range(0..spare);
        let mut donor = 0;
        for (i, size) in sizes.iter().enumerate() {
            let share = size.saturating_sub(1);
            if at < share {
                donor = i;
                break;
            }
            at -= share;
        }
        for row in 0..centroids.nrows() {
            let sign = if row % 2 == 0 { SPLIT } else { -SPLIT };
            let value = centroids[(row, donor)];
            centroids[(row, empty)] = value * (1.0 + sign);
            centroids[(row, donor)] = value * (1.0 - sign);
        }
        sizes[empty] = sizes[donor] / 2;
        sizes[donor] -= sizes[empty];
    }
    found
}
