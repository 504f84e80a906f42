//! Frechet distance between the Gaussians that fit two sets of features (Dowson & Landau 1982; Heusel
//! et al. 2017, equation 6): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::matrix::moments;

/// Eigenvalues below this share of the largest are rounding.
const RANK: f64 = 1e-10;

/// The distance, with what each text contributes to its change.
#[derive(Clone, Debug, PartialEq)]
pub struct Frechet {
    /// The squared distance, as it is usually reported.
    pub distance: f64,
    /// The first-order change of the distance with the weight of each text of the first set.
    pub p_influence: Vec<f64>,
    /// The same for the second set.
    pub q_influence: Vec<f64>,
}

/// Compares features (d, n) and (d, m).
pub fn frechet(p: &DMatrix<f64>, q: &DMatrix<f64>) -> Frechet {
    let (p_mean, p_covariance) = moments(p);
    let (q_mean, q_covariance) = moments(q);
    let shift = &p_mean - &q_mean;
    let (trace, p_map) = transport(&p_covariance, &q_covariance);
    let (_, q_map) = transport(&q_covariance, &p_covariance);
    Frechet {
        distance: shift.norm_squared() + p_covariance.trace() + q_covariance.trace() - 2.0 * trace,
        p_influence: influence(p, &p_mean, &shift, &p_map),
        q_influence: influence(q, &q_mean, &-shift, &q_map),
    }
}

impl Frechet {
    /// The distance where each text counts as often as its weight says, to first order
    /// (Efron 1982, section 6.3, "nonparametric delta method").
    pub fn reweighted(&self, p_weights: &[f64], q_weights: &[f64]) -> f64 {
        let change = |influence: &[f64], weights: &[f64]| {
            let all: f64 = weights.iter().sum();
            let sum: f64 = influence.iter().zip(weights).map(|(i, w)| i * w).sum();
            sum / all
        };
        self.distance + change(&self.p_influence, p_weights) + change(&self.q_influence, q_weights)
    }
}

/// tr (S1^(1/2) S2 S1^(1/2))^(1/2), and the matrix T of the optimal map from N(0, S1) to N(0, S2):
/// the derivative of the trace by S1 is T / 2.
fn transport(s1: &DMatrix<f64>, s2: &DMatrix<f64>) -> (f64, DMatrix<f64>) {
    let eigen = s1.clone().symmetric_eigen();
    let least = RANK * eigen.eigenvalues.max();
    let root = spectral(&eigen, |v| v.max(0.0).sqrt());
    // Directions without variance have no part in the map: weights do not leave the texts' span.
    let inverse_root = spectral(&eigen, |v| if v > least { 1.0 / v.sqrt() } else { 0.0 });
    let inner = &root * s2 * &root;
    let inner = (&inner + inner.transpose()) / 2.0;
    let eigen = inner.symmetric_eigen();
    let trace = eigen.eigenvalues.iter().map(|v| v.max(0.0).sqrt()).sum();
    let inner_root = spectral(&eigen, |v| v.max(0.0).sqrt());
    (trace, &inverse_root * inner_root * &inverse_root)
}

/// The symmetric matrix with `f` of the eigenvalues.
fn spectral(eigen: &SymmetricEigen<f64, nalgebra::Dyn>, f: impl Fn(f64) -> f64) -> DMatrix<f64> {
    let mut scaled = eigen.eigenvectors.clone();
    for (mut column, &value) in scaled.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        column *= f(value);
    }
    scaled * eigen.eigenvectors.transpose()
}

/// 2 (m - m')' (x - m) + (x - m)' (I - T) (x - m) for each text, less the mean of that.
fn influence(
    x: &DMatrix<f64>,
    mean: &DVector<f64>,
    shift: &DVector<f64>,
    map: &DMatrix<f64>,
) -> Vec<f64> {
    let mut centred = x.clone();
    for mut column in centred.column_iter_mut() {
        column -= mean;
    }
    let mapped = map * &centred; // (d, n)
    let values: Vec<f64> = centred
        .column_iter()
        .zip(mapped.column_iter())
        .map(|(x, t)| 2.0 * shift.dot(&x) + x.norm_squared() - x.dot(&t))
        .collect();
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.into_iter().map(|v| v - mean).collect()
}
