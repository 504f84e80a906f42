//! Multinomial logistic regression, for accuracy of training on synthetic and testing on real texts.

use std::collections::{BTreeSet, VecDeque};

use nalgebra::{DMatrix, DVector};

/// Weight of the loss beside the penalty, as scikit-learn's `C`.
const C: f64 = 1.0;
/// Steps of the optimizer, at most.
const STEPS: usize = 500;
/// Steps that its curvature is taken from.
const MEMORY: usize = 10;
/// It ends where no part of the gradient, over the number of texts, is above this.
const TOLERANCE: f64 = 1e-7;

/// A fitted classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// The classes that were seen.
    classes: Vec<usize>,
    /// One row of weights a class and the bias as the last column, (c, d + 1).
    weights: DMatrix<f64>,
}

impl Classifier {
    /// Minimises |W|^2 / 2 + C sum of cross-entropies over the columns of `x` (d, n) and their
    /// `labels`; the bias goes without penalty. `None` without texts.
    pub fn fit(x: &DMatrix<f64>, labels: &[usize]) -> Option<Self> {
        let classes: BTreeSet<usize> = labels.iter().copied().collect();
        let classes: Vec<usize> = classes.into_iter().collect();
        let (d, n) = x.shape();
        if n == 0 || n != labels.len() {
            return None;
        }
        let targets: Vec<usize> = labels
            .iter()
            .map(|label| classes.partition_point(|c| c < label))
            .collect();
        let x = with_ones(x);
        let rows = x.transpose(); // (n, d + 1)
        let shape = (classes.len(), d + 1);
        let objective = |weights: &DVector<f64>| {
            let w = DMatrix::from_column_slice(shape.0, shape.1, weights.as_slice());
            let mut p = softmax(&w * &x); // (c, n)
            let mut loss = 0.0;
            for (mut column, &target) in p.column_iter_mut().zip(&targets) {
                loss -= column[target].max(f64::MIN_POSITIVE).ln();
                column[target] -= 1.0;
            }
            let mut gradient = p * &rows * C;
            let penalised = w.columns(0, d);
            let mut part = gradient.columns_mut(0, d);
            part += penalised;
            let value = C * loss + penalised.norm_squared() / 2.0;
            let gradient = DVector::from_column_slice(gradient.as_slice());
            (value / n as f64, gradient / n as f64)
        };
        let weights = minimise(DVector::zeros(shape.0 * shape.1), objective);
        Some(Self {
            classes,
            weights: DMatrix::from_column_slice(shape.0, shape.1, weights.as_slice()),
        })
    }

    /// The probability of each class (c, n) for the columns of `x` (d, n).
    pub fn probabilities(&self, x: &DMatrix<f64>) -> DMatrix<f64> {
        softmax(&self.weights * with_ones(x))
    }

    /// The most probable class of each column of `x` (d, n).
    pub fn predict(&self, x: &DMatrix<f64>) -> Vec<usize> {
        let probabilities = self.probabilities(x);
        let columns = probabilities.column_iter();
        columns.map(|column| self.classes[column.imax()]).collect()
    }
}

fn with_ones(x: &DMatrix<f64>) -> DMatrix<f64> {
    let d = x.nrows();
    x.clone().insert_row(d, 1.0)
}

fn softmax(mut logits: DMatrix<f64>) -> DMatrix<f64> {
    for mut column in logits.column_iter_mut() {
        let highest = column.max();
        column.apply(|v| *v = (*v - highest).exp());
        column /= column.sum();
    }
    logits
}

/// L-BFGS (Nocedal & Wright 2006, algorithm 7.5) with a backtracking line search.
fn minimise(
    mut x: DVector<f64>,
    objective: impl Fn(&DVector<f64>) -> (f64, DVector<f64>),
) -> DVector<f64> {
    let (mut value, mut gradient) = objective(&x);
    let mut pairs: VecDeque<(DVector<f64>, DVector<f64>, f64)> = VecDeque::new();
    for _ in 0..STEPS {
        if gradient.amax() < TOLERANCE {
            break;
        }
        let mut direction = -two_loops(&pairs, &gradient);
        let mut slope = direction.dot(&gradient);
        if slope >= 0.0 {
            direction = -&gradient;
            slope = -gradient.norm_squared();
            pairs.clear();
        }
        let mut step = if pairs.is_empty() {
            1.0 / gradient.norm().max(1.0)
        } else {
            1.0
        };
        let (next, next_value, next_gradient) = loop {
            let next = &x + &direction * step;
            let (next_value, next_gradient) = objective(&next);
            if next_value <= value + 1e-4 * step * slope {
                break (next, next_value, next_gradient);
            }
            step /= 2.0;
            // Rounding hides any further descent.
            if step < 1e-12 {
                return x;
            }
        };
        let (s, y) = (&next - &x, &next_gradient - &gradient);
        let curvature = s.dot(&y);
        if curvature > 1e-16 {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back((s, y, 1.0 / curvature));
        }
        (x, value, gradient) = (next, next_value, next_gradient);
    }
    x
}

/// The inverse Hessian's estimate times the gradient (algorithm 7.4).
fn two_loops(
    pairs: &VecDeque<(DVector<f64>, DVector<f64>, f64)>,
    gradient: &DVector<f64>,
) -> DVector<f64> {
    let mut q = gradient.clone();
    let mut alphas = Vec::with_capacity(pairs.len());
    for (s, y, rho) in pairs.iter().rev() {
        let alpha = rho * s.dot(&q);
        q.axpy(-alpha, y, 1.0);
        alphas.push(alpha);
    }
    if let Some((_, y, rho)) = pairs.back() {
        q /= rho * y.norm_squared();
    }
    for ((s, y, rho), alpha) in pairs.iter().zip(alphas.into_iter().rev()) {
        let beta = rho * y.dot(&q);
        q.axpy(alpha - beta, s, 1.0);
    }
    q
}
