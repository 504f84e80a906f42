//! Lloyd's k-means (Lloyd 1982) from k-means++ seeds (Arthur & Vassilvitskii 2007), the best of
//! several restarts.
//!
//! Assignments run in parallel, each row on its own; every sum runs in the order of the rows. So the
//! clusters do not depend on threads.

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;

use crate::error::{Result, TopicsError};

/// How to cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KMeans {
    /// Number of clusters, k.
    pub clusters: usize,
    /// Runs from seeds of their own; the one with the least inertia stays.
    pub restarts: usize,
    /// Most iterations of a run; it ends before where no row changes its cluster.
    pub iterations: usize,
    /// Public seed of the seeding.
    pub seed: u64,
}

/// Rows in clusters; none is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Clustering {
    /// The mean of each cluster's rows: k rows of d numbers.
    pub centres: Vec<Vec<f32>>,
    /// The cluster of each row, the one with the nearest centre; of equally near ones the first.
    pub labels: Vec<usize>,
    /// Sum of the rows' squared distances to their centres.
    pub inertia: f64,
}

impl KMeans {
    /// Clusters n rows of d numbers by squared Euclidean distance, in O(n k d) an iteration.
    ///
    /// # Errors
    /// [`TopicsError`] for a setting of 0, rows of unequal length or with numbers that are not
    /// finite, and fewer different rows than clusters.
    pub fn fit(&self, rows: &[Vec<f32>]) -> Result<Clustering> {
        self.validate(rows)?;
        let mut best: Option<Clustering> = None;
        for restart in 0..self.restarts {
            let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
            rng.set_stream(restart as u64);
            let run = self.run(rows, &mut rng);
            if best.as_ref().is_none_or(|b| run.inertia < b.inertia) {
                best = Some(run);
            }
        }
        best.ok_or(TopicsError::Zero {
            setting: "restarts",
        })
    }

    fn validate(&self, rows: &[Vec<f32>]) -> Result<()> {
        for (setting, value) in [
            ("clusters", self.clusters),
            ("restarts", self.restarts),
            ("iterations", self.iterations),
        ] {
            if value == 0 {
                return Err(TopicsError::Zero { setting });
            }
        }
        let d = rows.first().map_or(0, Vec::len);
        for (row, numbers) in rows.iter().enumerate() {
            let reason = if numbers.len() != d {
                "its length is another"
            } else if numbers.iter().any(|x| !x.is_finite()) {
                "it holds a number that is not finite"
            } else {
                continue;
            };
            return Err(TopicsError::Row { row, reason });
        }
        let bits = |row: &Vec<f32>| row.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
        let distinct = rows.iter().map(bits).collect::<BTreeSet<_>>().len();
        if distinct < self.clusters {
            return Err(TopicsError::TooFewRows {
                clusters: self.clusters,
                rows: rows.len(),
                distinct,
            });
        }
        Ok(())
    }

    fn run(&self, rows: &[Vec<f32>], rng: &mut ChaCha20Rng) -> Clustering {
        let mut centres = seeds(rows, self.clusters, rng);
        let mut nearest = assign(rows, &centres);
        for _ in 0..self.iterations {
            fill_empty(rows, self.clusters, &mut nearest);
            centres = means(rows, &nearest, self.clusters);
            let next = assign(rows, &centres);
            let settled = next.iter().zip(&nearest).all(|(a, b)| a.0 == b.0);
            nearest = next;
            if settled {
                break;
            }
        }
        // Only where the iterations ran out can a cluster have lost its last row here.
        if fill_empty(rows, self.clusters, &mut nearest) {
            centres = means(rows, &nearest, self.clusters);
        }
        Clustering {
            inertia: nearest.iter().map(|&(_, distance)| distance).sum(),
            labels: nearest.into_iter().map(|(cluster, _)| cluster).collect(),
            centres,
        }
    }
}

/// k-means++: each next seed is a row drawn with probability in proportion to its squared distance
/// to the nearest seed so far.
fn seeds(rows: &[Vec<f32>], k: usize, rng: &mut ChaCha20Rng) -> Vec<Vec<f32>> {
    let first = rng.random_range(0..rows.len());
    let mut centres = vec![rows[first].clone()];
    let mut distances: Vec<f64> = vec![f64::INFINITY; rows.len()];
    while centres.len() < k {
        let newest = &centres[centres.len() - 1];
        distances
            .par_iter_mut()
            .zip(rows)
            .for_each(|(d, row)| *d = d.min(squared_distance(row, newest)));
        let total: f64 = distances.iter().sum();
        let mut left = rng.random::<f64>() * total;
        let drawn = distances.iter().position(|&d| {
            left -= d;
            left < 0.0
        });
        // Rounding may leave the last step open: the last row that is no seed itself then.
        let drawn = drawn.or_else(|| distances.iter().rposition(|&d| d > 0.0));
        centres.push(rows[drawn.unwrap_or(0)].clone());
    }
    centres
}

/// Each row's nearest centre with its squared distance; of equally near ones the first.
fn assign(rows: &[Vec<f32>], centres: &[Vec<f32>]) -> Vec<(usize, f64)> {
    rows.par_iter().map(|row| nearest(row, centres)).collect()
}

pub(crate) fn nearest(row: &[f32], centres: &[Vec<f32>]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (i, centre) in centres.iter().enumerate() {
        let distance = squared_distance(row, centre);
        if distance < best.1 {
            best = (i, distance);
        }
    }
    best
}

/// Gives each empty cluster the row that lies farthest from its centre and is not alone in its
/// cluster. Whether there was one.
fn fill_empty(rows: &[Vec<f32>], k: usize, nearest: &mut [(usize, f64)]) -> bool {
    let mut sizes = vec![0_usize; k];
    for &(cluster, _) in &*nearest {
        sizes[cluster] += 1;
    }
    let mut filled = false;
    for empty in 0..k {
        if sizes[empty] > 0 {
            continue;
        }
        let farthest = (0..rows.len())
            .filter(|&i| sizes[nearest[i].0] > 1)
            .max_by(|&a, &b| nearest[a].1.total_cmp(&nearest[b].1).then(b.cmp(&a)));
        if let Some(i) = farthest {
            sizes[nearest[i].0] -= 1;
            sizes[empty] = 1;
            nearest[i] = (empty, 0.0);
            filled = true;
        }
    }
    filled
}

fn means(rows: &[Vec<f32>], nearest: &[(usize, f64)], k: usize) -> Vec<Vec<f32>> {
    let d = rows[0].len();
    let mut sums = vec![vec![0.0_f64; d]; k];
    let mut sizes = vec![0_usize; k];
    for (row, &(cluster, _)) in rows.iter().zip(nearest) {
        sizes[cluster] += 1;
        for (sum, &x) in sums[cluster].iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    let mean = |(sum, size): (Vec<f64>, usize)| {
        let size = size.max(1) as f64;
        sum.into_iter().map(|s| (s / size) as f32).collect()
    };
    sums.into_iter().zip(sizes).map(mean).collect()
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |(&a, &b): (&f32, &f32)| f64::from(a - b) * f64::from(a - b);
    a.iter().zip(b).map(square).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: KMeans = KMeans {
        clusters: 3,
        restarts: 10,
        iterations: 100,
        seed: 7,
    };

    fn random_rows(n: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        (0..n)
            .map(|_| vec![rng.random::<f32>(), rng.random::<f32>()])
            .collect()
    }

    fn inertia(rows: &[Vec<f32>], labels: &[usize], k: usize) -> f64 {
        let pairs: Vec<(usize, f64)> = labels.iter().map(|&l| (l, 0.0)).collect();
        let centres = means(rows, &pairs, k);
        let distance = |(row, &l): (&Vec<f32>, &usize)| squared_distance(row, &centres[l]);
        rows.iter().zip(labels).map(distance).sum()
    }

    #[test]
    fn restarts_find_the_optimum_of_small_sets() {
        for seed in 0..20 {
            let rows = random_rows(8, seed);
            // Every one of the 3^8 labellings.
            let optimum = (0..3_usize.pow(8))
                .map(|code| {
                    let labels: Vec<usize> = (0..8).map(|i| code / 3_usize.pow(i) % 3).collect();
                    inertia(&rows, &labels, 3)
                })
                .fold(f64::INFINITY, f64::min);
            // Lloyd's local optima are many in so small a set.
            let many = KMeans {
                restarts: 100,
                ..SETTINGS
            };
            let found = many.fit(&rows).unwrap();
            assert!(found.inertia <= optimum * (1.0 + 1e-5), "{seed}");
            assert!((inertia(&rows, &found.labels, 3) - found.inertia).abs() < 1e-5);
        }
    }

    #[test]
    fn labels_name_the_nearest_centre_and_centres_are_means() {
        let rows = random_rows(500, 1);
        let found = SETTINGS.fit(&rows).unwrap();
        let mut sizes = [0; 3];
        for (row, &label) in rows.iter().zip(&found.labels) {
            assert_eq!(nearest(row, &found.centres).0, label);
            sizes[label] += 1;
        }
        assert!(sizes.iter().all(|&n| n > 0));
        let pairs: Vec<(usize, f64)> = found.labels.iter().map(|&l| (l, 0.0)).collect();
        assert_eq!(means(&rows, &pairs, 3), found.centres);
    }

    #[test]
    fn more_restarts_are_never_worse_and_threads_change_nothing() {
        let rows = random_rows(300, 3);
        let with = |restarts| KMeans {
            clusters: 12,
            restarts,
            ..SETTINGS
        };
        let one = with(1).fit(&rows).unwrap();
        let ten = with(10).fit(&rows).unwrap();
        assert!(ten.inertia < one.inertia);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        assert_eq!(pool.unwrap().install(|| with(10).fit(&rows)).unwrap(), ten);
        let other = KMeans { seed: 8, ..with(1) };
        assert_ne!(other.fit(&rows).unwrap(), one);
    }

    #[test]
    fn no_cluster_is_empty_even_among_doubles() {
        // Two of three points are many times there: seeding may hit one place twice by no means.
        let mut rows = vec![vec![0.0, 0.0]; 50];
        rows.extend(vec![vec![1.0, 0.0]; 50]);
        rows.push(vec![0.5, 3.0]);
        let found = SETTINGS.fit(&rows).unwrap();
        assert!(found.inertia < 1e-12);
        let mut used = found.labels.clone();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used, [0, 1, 2]);
        // An empty cluster takes the farthest row.
        let mut nearest = vec![(0, 0.0); 100];
        nearest.push((0, 9.0));
        assert!(fill_empty(&rows, 2, &mut nearest));
        assert_eq!(nearest[100], (1, 0.0));
    }

    #[test]
    fn what_cannot_be_clustered_is_refused() {
        let rows = vec![vec![0.0], vec![0.0], vec![1.0]];
        let message = SETTINGS.fit(&rows).unwrap_err().to_string();
        assert!(message.contains("only 2 of 3"), "{message}");
        assert!(SETTINGS.fit(&[]).is_err());
        let ragged = vec![vec![0.0], vec![0.0, 1.0], vec![2.0]];
        assert!(matches!(
            SETTINGS.fit(&ragged),
            Err(TopicsError::Row { row: 1, .. })
        ));
        let nan = vec![vec![0.0], vec![1.0], vec![f32::NAN]];
        assert!(matches!(
            SETTINGS.fit(&nan),
            Err(TopicsError::Row { row: 2, .. })
        ));
        let none = KMeans {
            restarts: 0,
            ..SETTINGS
        };
        assert!(matches!(none.fit(&nan), Err(TopicsError::Zero { .. })));
    }
}
