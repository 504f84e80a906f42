//! Measures on nearest neighbours: precision and recall (Kynkaanniemi et al. 2019, "Improved precision
//! and recall metric"), density and coverage (Naeem et al. 2020, "Reliable fidelity and diversity
//! metrics"), distance to the closest record.

use nalgebra::DMatrix;

use super::matrix::each_distances;

/// Neighbours that span a text's ball, as in the package prdc's examples.
pub const NEIGHBOURS: usize = 5;

/// What each text says of the four measures; a measure is the mean over texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifolds {
    /// 1 for each synthetic text inside a real text's ball.
    pub precise: Vec<f64>,
    /// 1 for each real text inside a synthetic text's ball.
    pub recalled: Vec<f64>,
    /// For each synthetic text the number of real balls that it is inside of, over the neighbours.
    pub dense: Vec<f64>,
    /// 1 for each real text with a synthetic one inside its ball.
    pub covered: Vec<f64>,
}

/// Compares features of real (d, n) and synthetic (d, m) texts; a ball reaches to the `k`-th nearest
/// neighbour of its own set.
pub fn manifolds(real: &DMatrix<f64>, synthetic: &DMatrix<f64>, k: usize) -> Manifolds {
    let real_radii = radii(real, k);
    let synthetic_radii = radii(synthetic, k);
    let inside = |distances: &[f64], radii: &[f64]| {
        let pairs = distances.iter().zip(radii);
        pairs.filter(|(distance, radius)| distance < radius).count()
    };
    let balls = each_distances(real, synthetic, |_, distances| {
        inside(distances, &real_radii) as f64
    });
    let of_real: Vec<(f64, f64)> = each_distances(synthetic, real, |i, distances| {
        let recalled = inside(distances, &synthetic_radii) > 0;
        let covered = distances.iter().any(|&distance| distance < real_radii[i]);
        (f64::from(recalled), f64::from(covered))
    });
    let (recalled, covered) = of_real.into_iter().unzip();
    Manifolds {
        precise: balls.iter().map(|&n| f64::from(n > 0.0)).collect(),
        recalled,
        dense: balls.iter().map(|n| n / k as f64).collect(),
        covered,
    }
}

/// Squared distance of each column to its `k`-th nearest other column.
fn radii(x: &DMatrix<f64>, k: usize) -> Vec<f64> {
    let last = x.ncols().saturating_sub(1);
    // Each column is its own neighbour 0.
    each_distances(x, x, |_, distances| {
        *distances
            .select_nth_unstable_by(k.min(last), f64::total_cmp)
            .1
    })
}

/// For each column of `texts` the nearest column of `records` and its Euclidean distance.
pub fn closest(records: &DMatrix<f64>, texts: &DMatrix<f64>) -> Vec<(usize, f64)> {
    each_distances(records, texts, |_, distances| {
        let mut best = (0, f64::INFINITY);
        for (i, &distance) in distances.iter().enumerate() {
            if distance < best.1 {
                best = (i, distance);
            }
        }
        (best.0, best.1.sqrt())
    })
}
