//! Masses of each law's privacy loss between given edges, in the remove direction.

use super::law::Atom;
use crate::normal::{shifted_interval, upper_tail};

/// The outcomes with loss in one interval.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cell {
    /// Probability under P.
    pub(crate) p: f64,
    /// Probability under Q.
    pub(crate) q: f64,
    /// Bound on the relative error of `p`.
    pub(crate) error: f64,
    /// Bound, in units of loss, on how far floating-point errors in `p`, `q` and the edges can have
    /// moved the cell's mean loss.
    pub(crate) slip: f64,
}

/// Cells between given edges, with what lies outside.
pub(crate) struct Cells {
    pub(crate) below: Cell,
    pub(crate) inside: Vec<Cell>,
    pub(crate) above: Cell,
}

/// The loss at `z` (outputs in units of sigma): `ln(1 - q + q e^x)` with
/// `x = (z - 1 / (2 sigma)) / sigma`.
pub(super) fn loss(z: f64, sigma: f64, q: f64) -> f64 {
    let x = (z - 0.5 / sigma) / sigma;
    if q >= 1.0 {
        x
    } else if x < 0.0 && q > 0.5 {
        (1.0 - q + q * x.exp()).ln()
    } else if x + q.ln() < 1.0 {
        (q * x.exp_m1()).ln_1p()
    } else {
        x + q.ln() + ((1.0 - q) / q * (-x).exp()).ln_1p()
    }
}

/// The inverse of [`loss`]; minus infinity at and below its infimum `ln(1 - q)`.
fn outcome(loss: f64, sigma: f64, q: f64) -> f64 {
    // Each form keeps the digits of its range: 1 - q is exact where q is large.
    let x = if q >= 1.0 {
        loss
    } else if loss < -0.5 {
        let rest = loss.exp() - (1.0 - q);
        if rest <= 0.0 {
            return f64::NEG_INFINITY;
        }
        rest.ln() - q.ln()
    } else if loss < 1.0 {
        let ratio = loss.exp_m1() / q;
        if ratio <= -1.0 {
            return f64::NEG_INFINITY;
        }
        ratio.ln_1p()
    } else {
        loss - q.ln() + (-(1.0 - q) * (-loss).exp()).ln_1p()
    };
    0.5 / sigma + sigma * x
}

pub(super) fn gaussian_cells(sigma: f64, q: f64, edges: &[f64]) -> Cells {
    let shift = 1.0 / sigma;
    let z: Vec<f64> = edges.iter().map(|&e| outcome(e, sigma, q)).collect();
    let cell = |a: f64, b: f64, edge: f64| {
        let (plain, plain_error) = shifted_interval(a, b, 0.0);
        let (moved, moved_error) = shifted_interval(a, b, shift);
        let error = plain_error.max(moved_error);
        // Towards minus infinity the loss no longer depends on z.
        let reach = [a, b]
            .into_iter()
            .find(|z| z.is_finite())
            .map_or(0.0, f64::abs);
        Cell {
            p: (1.0 - q) * plain + q * moved,
            q: plain,
            error,
            slip: 2.0 * error + 16.0 * f64::EPSILON * (1.0 + edge.abs() + reach * shift),
        }
    };
    let inside = z
        .windows(2)
        .zip(edges)
        .map(|(pair, &edge)| cell(pair[0], pair[1], edge))
        .collect();
    let outside = |tail: f64, moved_tail: f64| Cell {
        p: (1.0 - q) * tail + q * moved_tail,
        q: tail,
        error: 1e-12,
        slip: 1e-9,
    };
    let (first, last) = (z[0], z[z.len() - 1]);
    Cells {
        below: outside(upper_tail(-first), upper_tail(shift - first)),
        inside,
        above: outside(upper_tail(last), upper_tail(last - shift)),
    }
}

fn add_laplace_middle(cell: &mut Cell, scale: f64, low: f64, high: f64) {
    let (low, high) = (low.max(-1.0 / scale), high.min(1.0 / scale));
    if high <= low {
        return;
    }
    // p-density of the loss l: exp((l - 1/scale) / 2) / 4; q-density: exp(-(l + 1/scale) / 2) / 4.
    let edge = (-0.5 / scale).exp() / 2.0;
    cell.p += edge * (0.5 * low).exp() * (0.5 * (high - low)).exp_m1();
    cell.q += edge * (-0.5 * high).exp() * (0.5 * (high - low)).exp_m1();
    cell.error = 64.0 * f64::EPSILON;
    cell.slip = 64.0 * f64::EPSILON * (1.0 + 1.0 / scale);
}

pub(super) fn atom_cells(atoms: &[Atom], edges: &[f64]) -> Cells {
    let mut cells = Cells {
        below: Cell::default(),
        inside: vec![Cell::default(); edges.len() - 1],
        above: Cell::default(),
    };
    for atom in atoms {
        let place = edges.partition_point(|&e| e < atom.loss);
        let cell = match place {
            0 => &mut cells.below,
            i if i == edges.len() => &mut cells.above,
            i => &mut cells.inside[i - 1],
        };
        cell.p += atom.p;
        cell.q += atom.q;
        cell.error = 1e-12;
        cell.slip = 1e-12 * (1.0 + atom.loss.abs());
    }
    cells
}

/// The cells of the Laplace pair: atoms at both ends, a density between.
pub(super) fn laplace_cells(scale: f64, edges: &[f64]) -> Cells {
    // x falls from 1 to 0 as the loss rises from -1/scale to 1/scale.
    let atom = 0.5 * (-1.0 / scale).exp();
    let ends = [
        Atom {
            loss: -1.0 / scale,
            p: atom,
            q: 0.5,
        },
        Atom {
            loss: 1.0 / scale,
            p: 0.5,
            q: atom,
        },
    ];
    let mut cells = atom_cells(&ends, edges);
    for (cell, pair) in cells.inside.iter_mut().zip(edges.windows(2)) {
        add_laplace_middle(cell, scale, pair[0], pair[1]);
    }
    if let (Some(&first), Some(&last)) = (edges.first(), edges.last()) {
        add_laplace_middle(&mut cells.below, scale, -1.0 / scale, first);
        add_laplace_middle(&mut cells.above, scale, last, 1.0 / scale);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_outcome_are_inverse() {
        for sigma in [0.2, 1.0, 50.0] {
            for q in [1e-7, 0.01, 0.6, 1.0 - 1e-12, 1.0] {
                for z in [-8.0, -1.0, 0.0, 0.3, 2.0, 9.0] {
                    let l = loss(z, sigma, q);
                    let back = loss(outcome(l, sigma, q), sigma, q);
                    // Near the infimum many outcomes share a loss.
                    assert!(
                        (back - l).abs() <= 1e-14 * (1.0 + l.abs()),
                        "{sigma} {q} {z} {l} {back}"
                    );
                }
            }
        }
    }
}
