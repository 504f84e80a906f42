//! One mechanism's pair of output distributions, seen through its privacy loss.

use super::cells::{Cell, Cells, atom_cells, gaussian_cells, laplace_cells, loss};
use crate::normal::{shifted_interval, upper_quantile, upper_tail};

/// The direction of adjacency: which data set the outputs are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// P has the unit, Q does not.
    Remove,
    /// P lacks the unit, Q has it.
    Add,
}

/// A dominating pair (P, Q) in the remove direction; the add direction swaps them.
#[derive(Clone, Debug)]
pub(crate) enum Law {
    /// `P = q N(1, sigma^2) + (1 - q) N(0, sigma^2)`, `Q = N(0, sigma^2)` (Zhu, Dong and Wang 2022,
    /// theorem 11).
    PoissonGaussian { sigma: f64, q: f64 },
    /// `P = Lap(0, scale)`, `Q = Lap(1, scale)`.
    Laplace { scale: f64 },
    /// A finite pair.
    Atoms(Vec<Atom>),
}

/// One outcome of a finite pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Atom {
    pub(crate) loss: f64,
    pub(crate) p: f64,
    pub(crate) q: f64,
}

impl Law {
    /// The randomised response that dominates every pure epsilon-DP mechanism (Kairouz, Oh and
    /// Viswanath 2017).
    pub(crate) fn randomised_response(epsilon: f64) -> Self {
        let high = 1.0 / (1.0 + (-epsilon).exp());
        let low = 1.0 / (1.0 + epsilon.exp());
        let atom = |loss, p, q| Atom { loss, p, q };
        Self::Atoms(vec![atom(-epsilon, low, high), atom(epsilon, high, low)])
    }

    /// A discrete Gaussian of parameter `sigma` against its shift by a whole number.
    pub(crate) fn discrete_gaussian(sigma: f64, shift: u32) -> Self {
        let shift = i64::from(shift);
        // Mass beyond 40 sigma is below 1e-340.
        let reach = (40.0 * sigma).ceil() as i64 + 1;
        let weight = |x: i64| (-0.5 * (x as f64 / sigma).powi(2)).exp();
        let total: f64 = (-reach..=reach).map(weight).sum();
        let atoms = (-reach..=reach + shift).rev().filter_map(|x| {
            let (p, q) = (weight(x) / total, weight(x - shift) / total);
            let loss = (shift as f64 * (shift - 2 * x) as f64) / (2.0 * sigma * sigma);
            (p > 0.0).then_some(Atom { loss, p, q })
        });
        Self::Atoms(atoms.collect())
    }

    /// True where the loss has atoms, so that rounding it costs to first order.
    pub(crate) fn has_atoms(&self) -> bool {
        !matches!(self, Self::PoissonGaussian { .. })
    }

    /// Where the loss has its narrowest concentration under P.
    pub(crate) fn peak(&self, direction: Direction) -> f64 {
        match (self, direction) {
            // Outcomes far below 1 - sigma^2 / q all have about the least loss.
            (&Self::PoissonGaussian { q, .. }, _) if q >= 1.0 => 0.0,
            (&Self::PoissonGaussian { q, .. }, Direction::Remove) => (-q).ln_1p(),
            (&Self::PoissonGaussian { q, .. }, Direction::Add) => -(-q).ln_1p(),
            (&Self::Laplace { scale }, _) => 1.0 / scale,
            (Self::Atoms(atoms), _) => {
                let mass = |a: &Atom| {
                    if direction == Direction::Remove {
                        a.p
                    } else {
                        a.q
                    }
                };
                let heaviest = atoms.iter().max_by(|a, b| mass(a).total_cmp(&mass(b)));
                let loss = heaviest.map_or(0.0, |a| a.loss);
                if direction == Direction::Remove {
                    loss
                } else {
                    -loss
                }
            }
        }
    }

    /// An upper bound on the total variation distance of P and Q.
    pub(crate) fn total_variation(&self) -> f64 {
        let exact = match self {
            &Self::PoissonGaussian { sigma, q } => q * (1.0 - 2.0 * upper_tail(0.5 / sigma)),
            &Self::Laplace { scale } => -(-0.5 / scale).exp_m1(),
            Self::Atoms(atoms) => atoms.iter().map(|a| (a.p - a.q).max(0.0)).sum(),
        };
        exact * (1.0 + 1e-9) + 1e-300
    }

    /// The range of loss outside which P has at most about `low` and `high` probability.
    pub(crate) fn range(&self, direction: Direction, low: f64, high: f64) -> (f64, f64) {
        match direction {
            Direction::Remove => self.remove_range(low, high),
            Direction::Add => {
                let (a, b) = self.add_range(high, low);
                (-b, -a)
            }
        }
    }

    fn remove_range(&self, low: f64, high: f64) -> (f64, f64) {
        match self {
            &Self::PoissonGaussian { sigma, q } => {
                let shifted = 1.0 / sigma + upper_quantile((high / (2.0 * q)).min(0.5));
                let top = shifted.max(upper_quantile((high / 2.0).min(0.5)));
                (
                    loss(-upper_quantile(low.min(0.5)), sigma, q),
                    loss(top, sigma, q),
                )
            }
            Self::Laplace { scale } => (-1.0 / scale, 1.0 / scale),
            Self::Atoms(atoms) => atoms_range(atoms, low, high, |a| a.p),
        }
    }

    /// As `remove_range` with probabilities under Q.
    fn add_range(&self, low: f64, high: f64) -> (f64, f64) {
        match self {
            &Self::PoissonGaussian { sigma, q } => (
                loss(-upper_quantile(low.min(0.5)), sigma, q),
                loss(upper_quantile(high.min(0.5)), sigma, q),
            ),
            Self::Laplace { scale } => (-1.0 / scale, 1.0 / scale),
            Self::Atoms(atoms) => atoms_range(atoms, low, high, |a| a.q),
        }
    }

    /// The cells between ascending `edges`; a cell holds its upper edge and not its lower one (the
    /// other way round in the add direction).
    pub(crate) fn cells(&self, direction: Direction, edges: &[f64]) -> Cells {
        match direction {
            Direction::Remove => self.remove_cells(edges),
            Direction::Add => {
                let mirrored: Vec<f64> = edges.iter().rev().map(|e| -e).collect();
                let cells = self.remove_cells(&mirrored);
                let swap = |c: Cell| Cell {
                    p: c.q,
                    q: c.p,
                    ..c
                };
                Cells {
                    below: swap(cells.above),
                    inside: cells.inside.into_iter().rev().map(swap).collect(),
                    above: swap(cells.below),
                }
            }
        }
    }

    fn remove_cells(&self, edges: &[f64]) -> Cells {
        match self {
            &Self::PoissonGaussian { sigma, q } => gaussian_cells(sigma, q, edges),
            &Self::Laplace { scale } => laplace_cells(scale, edges),
            Self::Atoms(atoms) => atom_cells(atoms, edges),
        }
    }

    /// A rough finite version of the law, for choosing tilt, window and grid: (loss, P-mass).
    /// `reach` says how far a normal tail matters, in standard deviations.
    pub(crate) fn sketch(&self, direction: Direction, reach: f64) -> Vec<(f64, f64)> {
        let mirror = direction == Direction::Add;
        match self {
            &Self::PoissonGaussian { sigma, q } => {
                let length = 1.0 / sigma + 2.0 * reach;
                let n = (length / 0.15).ceil();
                let step = length / n;
                (0..n as usize)
                    .filter_map(|i| {
                        let a = -reach + i as f64 * step;
                        let middle = loss(a + 0.5 * step, sigma, q);
                        let (plain, _) = shifted_interval(a, a + step, 0.0);
                        let (moved, _) = shifted_interval(a, a + step, 1.0 / sigma);
                        let (loss, p) = if mirror {
                            (-middle, plain)
                        } else {
                            (middle, (1.0 - q) * plain + q * moved)
                        };
                        (p > 0.0).then_some((loss, p))
                    })
                    .collect()
            }
            Self::Laplace { scale } => {
                let edges: Vec<f64> = (-50..=50).map(|i| f64::from(i) / 49.5 / scale).collect();
                let cells = self.cells(Direction::Remove, &edges);
                let middles = edges.windows(2).map(|e| f64::midpoint(e[0], e[1]));
                middles
                    .zip(cells.inside)
                    .filter(|(_, c)| c.p > 0.0)
                    .map(|(l, c)| (l, c.p))
                    .collect()
            }
            Self::Atoms(atoms) => atoms
                .iter()
                .map(|a| {
                    if mirror {
                        (-a.loss, a.q)
                    } else {
                        (a.loss, a.p)
                    }
                })
                .filter(|&(_, p)| p > 0.0)
                .collect(),
        }
    }
}

fn atoms_range(atoms: &[Atom], low: f64, high: f64, mass: impl Fn(&Atom) -> f64) -> (f64, f64) {
    let end = |tail: f64, order: &mut dyn Iterator<Item = &Atom>| {
        let mut sum = 0.0;
        let mut last = 0.0;
        for atom in order {
            last = atom.loss;
            sum += mass(atom);
            if sum > tail {
                break;
            }
        }
        last
    };
    (
        end(low, &mut atoms.iter()),
        end(high, &mut atoms.iter().rev()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_all_mass_in_both_directions() {
        let laws = [
            Law::PoissonGaussian {
                sigma: 0.7,
                q: 0.02,
            },
            Law::PoissonGaussian { sigma: 2.0, q: 1.0 },
            Law::Laplace { scale: 0.8 },
            Law::discrete_gaussian(3.0, 2),
            Law::randomised_response(0.9),
        ];
        let edges: Vec<f64> = (-40..=40).map(|i| f64::from(i) * 0.05).collect();
        for law in &laws {
            for direction in [Direction::Remove, Direction::Add] {
                let cells = law.cells(direction, &edges);
                let all = || cells.inside.iter().chain([&cells.below, &cells.above]);
                let (p, q) = all().fold((0.0, 0.0), |(p, q), c| (p + c.p, q + c.q));
                assert!(
                    (p - 1.0).abs() < 1e-12 && (q - 1.0).abs() < 1e-12,
                    "{law:?} {p} {q}"
                );
                for (cell, pair) in cells.inside.iter().zip(edges.windows(2)) {
                    let mean = (cell.p / cell.q).ln();
                    let inside = mean >= pair[0] - 1e-9 && mean <= pair[1] + 1e-9;
                    assert!(cell.p == 0.0 || inside, "{law:?} {mean} {pair:?}");
                }
            }
        }
    }
}
