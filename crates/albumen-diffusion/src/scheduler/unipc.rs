//! UniPC with data prediction, orders 1 to 3: Zhao et al., arXiv:2302.04867, algorithms 1 and 2, with
//! both choices of B(h).

use candle_core::Tensor;

use super::config::{Prediction, SchedulerConfig};
use super::dpm::{multistep_levels, predicted};
use super::levels::{lambda, variance_preserving};
use super::{Solver, sum};
use crate::error::Result;

/// UniPC in the middle of a picture.
pub(super) struct UniPc {
    timesteps: Vec<f64>,
    /// One more than timesteps.
    sigmas: Vec<f64>,
    prediction: Prediction,
    order: usize,
    bh1: bool,
    lower_order_final: bool,
    uncorrected: Vec<usize>,
    /// The predicted pictures of the last steps, newest last.
    x0s: Vec<Tensor>,
    /// The sample before the last predictor, and the order it had.
    before: Option<(Tensor, usize)>,
}

impl UniPc {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Self {
        let (timesteps, sigmas) = multistep_levels(config, steps, true);
        Self {
            timesteps,
            sigmas,
            prediction: config.prediction_type,
            order: config.solver_order,
            bh1: config.solver_type.as_deref() == Some("bh1"),
            lower_order_final: config.lower_order_final,
            uncorrected: config.disable_corrector.clone(),
            x0s: Vec::new(),
            before: None,
        }
    }

    /// Moves `sample` from level `from` to `from + 1` at `order`. The predicted pictures known so
    /// far end with the one at `from`; with the one at `from + 1`, `ahead`, this is the corrector.
    fn update(
        &self,
        from: usize,
        order: usize,
        sample: &Tensor,
        ahead: Option<&Tensor>,
    ) -> candle_core::Result<Tensor> {
        let (alpha_t, sigma_t) = variance_preserving(self.sigmas[from + 1]);
        let (_, sigma_s) = variance_preserving(self.sigmas[from]);
        let start = lambda(self.sigmas[from]);
        let h = lambda(self.sigmas[from + 1]) - start;
        let phi = (-h).exp_m1();
        let b_h = if self.bh1 { -h } else { phi };
        let newest = self.x0s.len() - 1;
        let m0 = &self.x0s[newest];

        let mut ratios: Vec<f64> = (1..order)
            .map(|back| (lambda(self.sigmas[from - back]) - start) / h)
            .collect();
        ratios.push(1.0);
        let weights = weights(&ratios, -h, b_h, ahead.is_some());

        let mut terms = vec![(sigma_t / sigma_s, sample)];
        let mut at_m0 = -alpha_t * phi;
        for (back, &weight) in (1..order).zip(&weights) {
            let share = -alpha_t * b_h * weight / ratios[back - 1];
            terms.push((share, &self.x0s[newest - back]));
            at_m0 -= share;
        }
        if let (Some(ahead), Some(&weight)) = (ahead, weights.last()) {
            let share = -alpha_t * b_h * weight;
            terms.push((share, ahead));
            at_m0 -= share;
        }
        terms.push((at_m0, m0));
        sum(&terms)
    }
}

/// The weights rho of the differences: the solution of `R rho = b` (equation 13 of the paper), and
/// one half where there is a single one. `hh` is minus the step in lambda.
fn weights(ratios: &[f64], hh: f64, b_h: f64, corrector: bool) -> Vec<f64> {
    let size = if corrector {
        ratios.len()
    } else {
        ratios.len() - 1
    };
    if size == 0 {
        return Vec::new();
    }
    if size == 1 {
        return vec![0.5];
    }
    let mut right = Vec::with_capacity(size);
    let mut phi_k = hh.exp_m1() / hh - 1.0;
    let mut factorial = 1.0;
    for k in 1..=size {
        right.push(phi_k * factorial / b_h);
        factorial *= (k + 1) as f64;
        phi_k = phi_k / hh - 1.0 / factorial;
    }
    let rows = (0..size)
        .map(|k| ratios[..size].iter().map(|r| r.powi(k as i32)).collect())
        .collect();
    solve(rows, right)
}

/// Gaussian elimination with pivots, of at most three rows.
fn solve(mut rows: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))
            .unwrap_or(column);
        rows.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..n {
            let factor = rows[row][column] / rows[column][column];
            let above = rows[column].clone();
            for (number, above) in rows[row].iter_mut().zip(above) {
                *number -= factor * above;
            }
            right[row] -= factor * right[column];
        }
    }
    for row in (0..n).rev() {
        for k in row + 1..n {
            right[row] -= rows[row][k] * right[k];
        }
        right[row] /= rows[row][row];
    }
    right
}

impl Solver for UniPc {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        i: usize,
        output: &Tensor,
        sample: &Tensor,
        _: &mut dyn FnMut() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let x0 = predicted(self.prediction, self.sigmas[i], output, sample)?;
        let corrected = match self.before.take() {
            Some((before, order)) if !self.uncorrected.contains(&(i - 1)) => {
                self.update(i - 1, order, &before, Some(&x0))?
            }
            _ => sample.clone(),
        };
        self.x0s.push(x0);
        if self.x0s.len() > self.order {
            self.x0s.remove(0);
        }
        let allowed = if self.lower_order_final {
            self.order.min(self.timesteps.len() - i)
        } else {
            self.order
        };
        let order = allowed.min(self.x0s.len());
        let next = self.update(i, order, &corrected, None)?;
        self.before = Some((corrected, order));
        Ok(next)
    }
}
