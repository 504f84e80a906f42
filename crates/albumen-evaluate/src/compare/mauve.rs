//! MAUVE (Pillutla et al. 2021, "MAUVE: Measuring the gap between neural text and human text using
//! divergence frontiers"): how much of either text distribution the other holds, in (0, 1].
//!
//! With the defaults of the authors' package mauve-text: features of unit length, their principal
//! components that hold 90% of the variance, k-means of both sets together, and the area under the
//! divergence curve of the two histograms.

use nalgebra::DMatrix;

use super::kmeans::KMeans;
use super::matrix::{beside, principal_components, single, unit_columns};

/// Share of the variance that the features keep before clustering.
const EXPLAINED_VARIANCE: f64 = 0.9;
/// Texts of the smaller set for each cluster.
const TEXTS_PER_CLUSTER: f64 = 10.0;
const RESTARTS: usize = 5;
const ITERATIONS: usize = 500;
/// The constant c of the paper's equation 2.
const SCALING: f64 = 5.0;
/// Points of the divergence curve between its ends.
const POINTS: usize = 25;
/// The curve's mixtures lie between this and one less this.
const LEAST_WEIGHT: f64 = 1e-6;

/// Two sets of texts as clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantized {
    /// The cluster of each text of the first set.
    pub p: Vec<usize>,
    /// The cluster of each text of the second set.
    pub q: Vec<usize>,
    /// Number of clusters.
    pub clusters: usize,
}

/// Puts the texts of both sets, features (d, n) and (d, m), into common clusters.
pub fn quantize(p: &DMatrix<f64>, q: &DMatrix<f64>, seed: u64) -> Quantized {
    let both = unit_columns(&beside(p, q));
    let reduced = single(&principal_components(&both, EXPLAINED_VARIANCE));
    let smaller = p.ncols().min(q.ncols()) as f64;
    let clusters = (smaller / TEXTS_PER_CLUSTER).round_ties_even().max(2.0) as usize;
    let fit = KMeans {
        clusters,
        restarts: RESTARTS,
        iterations: ITERATIONS,
        seed,
    }
    .fit(&reduced);
    let mut p_labels = fit.labels;
    let q_labels = p_labels.split_off(p.ncols());
    Quantized {
        p: p_labels,
        q: q_labels,
        clusters,
    }
}

impl Quantized {
    /// MAUVE where each text counts as often as its weight says.
    pub fn mauve(&self, p_weights: &[f64], q_weights: &[f64]) -> f64 {
        let histogram = |labels: &[usize], weights: &[f64]| {
            let mut counts = vec![0.0; self.clusters];
            for (&label, weight) in labels.iter().zip(weights) {
                counts[label] += weight;
            }
            counts
        };
        of_histograms(
            &histogram(&self.p, p_weights),
            &histogram(&self.q, q_weights),
        )
    }
}

/// MAUVE of two histograms over the same clusters; they need not be normalised.
pub fn of_histograms(p: &[f64], q: &[f64]) -> f64 {
    let normal = |h: &[f64]| -> Vec<f64> {
        let sum: f64 = h.iter().sum();
        h.iter().map(|v| v / sum).collect()
    };
    let (p, q) = (normal(p), normal(q));
    let scaled = |divergence: f64| (-SCALING * divergence).exp();
    let mut curve = vec![(1.0, 0.0)];
    for i in 0..POINTS {
        let share = i as f64 / (POINTS - 1) as f64;
        let weight = LEAST_WEIGHT + share * (1.0 - 2.0 * LEAST_WEIGHT);
        let mixture: Vec<f64> = p
            .iter()
            .zip(&q)
            .map(|(p, q)| weight * p + (1.0 - weight) * q)
            .collect();
        curve.push((
            scaled(divergence(&q, &mixture)),
            scaled(divergence(&p, &mixture)),
        ));
    }
    curve.push((0.0, 1.0));
    let turned = curve.iter().map(|&(x, y)| (y, x)).collect();
    f64::midpoint(area(curve), area(turned))
}

/// Kullback-Leibler divergence of `p` from a mixture that holds it, in nats.
fn divergence(p: &[f64], mixture: &[f64]) -> f64 {
    let terms = p.iter().zip(mixture).filter(|(p, _)| **p > 0.0);
    terms.map(|(p, r)| p * (p / r).ln()).sum()
}

/// Area under the points by the trapezoid rule.
fn area(mut points: Vec<(f64, f64)>) -> f64 {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
        .windows(2)
        .map(|w| (w[1].0 - w[0].0) * f64::midpoint(w[0].1, w[1].1))
        .sum()
}
