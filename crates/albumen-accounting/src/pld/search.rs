//! Choosing tilt, window and grid for a question to a composition.

use super::compose::{Curve, MAX_GRID, Part, compose};
use super::cumulant::{Cumulants, Term, cumulants, log_delta_guess, solve_tilt, tail_point};
use super::discretise::{Resolution, discretise};
use super::{Direction, Law};
use crate::distance::Distance;

/// ln of the tilted mass left outside the window, relative to what decides delta.
const LOG_OUTSIDE: f64 = -12.0;

/// Finer cuts tried before the bounds are returned as they are.
const REFINEMENTS: i32 = 7;

/// A gap between the bounds that nobody minds, whatever epsilon is.
const NEGLIGIBLE: f64 = 3e-4;

/// Where another direction has an answer, a coarse cut usually shows that this one is below it.
fn first_refinement(known: f64) -> i32 {
    if known > 0.0 { -2 } else { 0 }
}

/// Laws with the number of times each is run.
pub(crate) struct Problem {
    pub(crate) laws: Vec<(Law, u64)>,
    /// Distance from the ideal mechanisms.
    pub(crate) distance: Distance,
}

/// A certified interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

/// One direction of a problem, sketched.
struct View<'a> {
    problem: &'a Problem,
    direction: Direction,
    sketch: Vec<Term>,
    largest_tilt: f64,
    /// Of the untilted loss.
    deviation: f64,
    steps: f64,
}

/// Where and how finely to compose.
#[derive(Clone, Copy)]
struct Setting {
    tilt: f64,
    /// The epsilon in question, as far as known.
    target: f64,
    /// Of the tilted loss.
    deviation: f64,
    /// The larger of the deviation and what a fraction of the target makes of it: a law that is a
    /// narrow bulk and a few large jumps has no use for the bulk's scale.
    scale: f64,
    tolerance: f64,
    log_delta: f64,
    log_outside: f64,
}

impl Problem {
    fn directions(&self) -> &'static [Direction] {
        let symmetric = |law: &Law| match law {
            Law::PoissonGaussian { q, .. } => *q >= 1.0,
            Law::Laplace { .. } | Law::Atoms(_) => true,
        };
        if self.laws.iter().all(|(law, _)| symmetric(law)) {
            &[Direction::Remove]
        } else {
            &[Direction::Remove, Direction::Add]
        }
    }

    fn view(&self, direction: Direction, log_delta: f64) -> View<'_> {
        let steps: f64 = self.laws.iter().map(|(_, steps)| *steps as f64).sum();
        // exp(-reach^2 / 2) is far below delta / steps.
        let reach = (2.0 * (12.0 - log_delta + steps.ln())).sqrt().min(38.0);
        let sketch: Vec<Term> = (self.laws.iter())
            .map(|(law, n)| Term::new(law.sketch(direction, reach).into_iter(), *n as f64))
            .collect();
        let deviation = cumulants(&sketch, 0.0).variance.sqrt().max(1e-280);
        View {
            problem: self,
            direction,
            sketch,
            largest_tilt: 200.0 / deviation,
            deviation,
            steps,
        }
    }

    /// Bounds on the smallest epsilon >= 0 at this delta.
    pub(crate) fn epsilon(&self, delta: f64) -> Interval {
        // delta(0) is the total variation distance, at most the sum over the runs.
        let runs = self
            .laws
            .iter()
            .map(|(law, steps)| *steps as f64 * law.total_variation());
        if runs.sum::<f64>() + self.distance.charge(0.0) <= delta {
            return Interval {
                lower: 0.0,
                upper: 0.0,
            };
        }
        let mut total = Interval {
            lower: 0.0,
            upper: 0.0,
        };
        for &direction in self.directions() {
            let one = self.view(direction, delta.ln()).epsilon(delta, total.lower);
            total.lower = total.lower.max(one.lower);
            total.upper = total.upper.max(one.upper);
        }
        total
    }

    /// Bounds on delta at this epsilon >= 0.
    pub(crate) fn delta(&self, epsilon: f64) -> Interval {
        let mut total = Interval {
            lower: 0.0,
            upper: 0.0,
        };
        for &direction in self.directions() {
            let one = self.view(direction, -650.0).delta(epsilon, total.lower);
            total.lower = total.lower.max(one.lower);
            total.upper = total.upper.max(one.upper);
        }
        total.upper = (total.upper + self.distance.charge(epsilon)).min(1.0);
        total
    }

    /// Upper bounds on delta at several epsilons >= 0, from a few compositions shared by all.
    pub(crate) fn deltas_upper(&self, epsilons: &[f64]) -> Vec<f64> {
        let mut total = vec![0.0_f64; epsilons.len()];
        for &direction in self.directions() {
            let view = self.view(direction, -650.0);
            for (total, one) in total.iter_mut().zip(view.deltas_upper(epsilons)) {
                *total = total.max(one);
            }
        }
        let charged = total.iter().zip(epsilons);
        charged
            .map(|(delta, &epsilon)| (delta + self.distance.charge(epsilon)).min(1.0))
            .collect()
    }
}

/// Compositions that [`Problem::deltas_upper`] spreads over the epsilons asked for.
const ANCHORS: usize = 6;

impl View<'_> {
    fn deltas_upper(&self, epsilons: &[f64]) -> Vec<f64> {
        let mut sorted = epsilons.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut best = vec![1.0_f64; epsilons.len()];
        for i in 0..ANCHORS {
            let Some(&anchor) = sorted.get((2 * i + 1) * sorted.len() / (2 * ANCHORS)) else {
                continue;
            };
            let tilt = self.tilt_at(anchor);
            let k = cumulants(&self.sketch, tilt);
            let setting = self.setting(&k, tilt, log_delta_guess(&k, tilt), anchor);
            let curve = self.compose(&setting, 0);
            for (best, &epsilon) in best.iter_mut().zip(epsilons) {
                // `min` drops what is not a number.
                *best = best.min(curve.upper.delta(epsilon));
            }
        }
        best
    }

    /// `known` is a lower bound that another direction gave: precision below it is wasted.
    fn epsilon(&self, delta: f64, known: f64) -> Interval {
        let log_delta = delta.ln();
        let mut tilt = solve_tilt(self.largest_tilt, |tilt| {
            log_delta_guess(&cumulants(&self.sketch, tilt), tilt) - log_delta
        });
        let mut best = Interval {
            lower: 0.0,
            upper: f64::INFINITY,
        };
        let mut target = None;
        let mut last_gap = f64::INFINITY;
        for refinement in first_refinement(known)..REFINEMENTS {
            let k = cumulants(&self.sketch, tilt);
            let setting = self.setting(&k, tilt, log_delta, target.unwrap_or(k.mean));
            let curve = self.compose(&setting, refinement);
            let goal = |epsilon: f64| delta - self.problem.distance.charge(epsilon);
            let start = setting.target;
            let upper = curve
                .upper
                .solve(start, goal)
                .unwrap_or(curve.upper.begin());
            let lower = curve.lower.solve(start, |_| delta).unwrap_or(0.0);
            best.upper = best.upper.min(upper.max(0.0));
            best.lower = best.lower.max(lower).min(best.upper);
            if !best.upper.is_finite() {
                tilt *= 0.2;
                continue;
            }
            let gap = best.upper - best.lower;
            if gap <= (3e-3 * best.upper).max(NEGLIGIBLE) || best.upper <= known {
                break;
            }
            if curve.is_full() && gap > 0.7 * last_gap {
                break;
            }
            last_gap = gap;
            target = Some(best.upper);
            // The guess of the tilt was off: put the answer at the centre.
            if gap > 0.2 * best.upper {
                tilt = self.tilt_at(best.upper);
            }
        }
        best
    }

    fn delta(&self, epsilon: f64, known: f64) -> Interval {
        let tilt = self.tilt_at(epsilon);
        let k = cumulants(&self.sketch, tilt);
        let setting = self.setting(&k, tilt, log_delta_guess(&k, tilt), epsilon);
        let mut best = Interval {
            lower: 0.0,
            upper: 1.0,
        };
        for refinement in first_refinement(known)..REFINEMENTS {
            let curve = self.compose(&setting, refinement);
            // `min` drops what is not a number.
            best.upper = best.upper.min(curve.upper.delta(epsilon));
            best.lower = best.lower.max(curve.lower.delta(epsilon)).min(best.upper);
            let gap = best.upper - best.lower;
            if gap <= 5e-3 * best.upper || best.upper <= known || best.upper < 1e-280 {
                break;
            }
        }
        best
    }

    fn tilt_at(&self, epsilon: f64) -> f64 {
        solve_tilt(self.largest_tilt, |tilt| {
            epsilon - cumulants(&self.sketch, tilt).mean
        })
    }

    fn setting(&self, k: &Cumulants, tilt: f64, log_delta: f64, target: f64) -> Setting {
        // An absolute 1e-4 will do, unless the whole loss is smaller than that.
        let tolerance = (5e-4 * target).max(1e-4_f64.min(self.deviation / 50.0));
        let deviation = k.variance.sqrt().max(tolerance);
        let log_share = log_delta + tilt * target - k.log_mgf;
        Setting {
            tilt,
            target,
            deviation,
            scale: deviation.max(target / 6.0),
            tolerance,
            log_delta: log_delta.max(-640.0),
            log_outside: (LOG_OUTSIDE + log_share).clamp(-100.0, 2.0 * LOG_OUTSIDE),
        }
    }

    fn compose(&self, setting: &Setting, refinement: i32) -> Curve {
        let side = |side: f64| {
            tail_point(
                &self.sketch,
                setting.tilt,
                setting.log_outside,
                side,
                setting.deviation,
            )
        };
        let window = (side(-1.0), side(1.0));
        let finer = 0.5_f64.powi(refinement);
        let spacing = (self.spacing(setting) * finer).max((window.1 - window.0) / MAX_GRID as f64);
        let share = setting.log_delta.exp() / self.steps;
        let resolution = Resolution {
            spacing,
            relative: 0.05 * finer,
            cap: (setting.scale / 40.0 * finer).max(spacing),
            low: 1e-20 / self.steps,
            high: (1e-5 * share).max(1e-290),
        };
        let parts: Vec<Part> = (self.problem.laws.iter())
            .map(|(law, steps)| Part {
                law: discretise(law, self.direction, &resolution),
                steps: *steps,
            })
            .collect();
        compose(&parts, spacing, setting.tilt, setting.deviation, window)
    }

    /// The spacing at which rounding each step's loss moves epsilon by about the tolerance.
    ///
    /// Splitting a loss between grid points at distance h adds variance v <= min(h |L|, h^2 / 6) a
    /// step, which moves ln delta by tilt (1 + tilt) v / 2 and epsilon by (1 + tilt) v / 2; and v must
    /// stay small against the variance.
    fn spacing(&self, setting: &Setting) -> f64 {
        let mut weighted = Vec::new();
        for term in &self.sketch {
            let base = term.log_mgf(setting.tilt);
            let atoms = term.loss.iter().zip(&term.log_mass);
            weighted.extend(
                atoms.map(|(l, m)| (l.abs(), term.steps * (m + setting.tilt * l - base).exp())),
            );
        }
        let added = |h: f64| -> f64 {
            weighted
                .iter()
                .map(|(l, w)| w * (h * l).min(h * h / 6.0))
                .sum()
        };
        let limit =
            (2.0 * setting.tolerance / (1.0 + setting.tilt)).min(0.02 * setting.scale.powi(2));
        // Grid indices stay far within whole numbers.
        let floor = 1e-12 * weighted.iter().fold(0.0_f64, |m, (l, _)| m.max(*l));
        let floor = floor.max(setting.scale / 1e6);
        let mut h = (setting.scale / 10.0).max(floor);
        if self.problem.laws.iter().any(|(law, _)| law.has_atoms()) {
            h = h.min(setting.tolerance).max(floor);
        }
        while h > floor && added(h) > limit {
            h *= 0.8;
        }
        h
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gaussian::gdp_delta;

    const SIGMA: f64 = 1.0;
    const Q: f64 = 0.5;
    const PURE: f64 = 2.0;

    /// Delta of one subsampled Gaussian step, in the remove and the add direction, in closed form
    /// (see `distance::step_delta`); `x` may be negative.
    fn step(direction: Direction, x: f64) -> f64 {
        if x < 0.0 {
            // H_alpha(P || Q) = 1 - alpha + alpha H_(1 / alpha)(Q || P).
            let other = match direction {
                Direction::Remove => Direction::Add,
                Direction::Add => Direction::Remove,
            };
            return 1.0 - x.exp() + x.exp() * step(other, -x);
        }
        match direction {
            Direction::Remove => Q * gdp_delta(1.0 / SIGMA, (x.exp_m1() / Q).ln_1p()),
            Direction::Add => {
                let rest = 1.0 - x.exp() * (1.0 - Q);
                if rest <= 0.0 {
                    return 0.0;
                }
                rest * gdp_delta(1.0 / SIGMA, x + (Q / rest).ln())
            }
        }
    }

    /// The same composed with a randomised response, which has one of two losses.
    fn both(direction: Direction, epsilon: f64) -> f64 {
        let high = 1.0 / (1.0 + f64::exp(-PURE));
        high * step(direction, epsilon - PURE) + (1.0 - high) * step(direction, epsilon + PURE)
    }

    #[test]
    fn adding_decides_where_a_pure_mechanism_shifts_the_loss() {
        let law = Law::PoissonGaussian { sigma: SIGMA, q: Q };
        let problem = Problem {
            laws: vec![(law, 1), (Law::randomised_response(PURE), 1)],
            distance: Distance::default(),
        };
        // Alone, the step loses most by removal; here by addition.
        let epsilon = 1.5;
        assert!(step(Direction::Remove, epsilon) > step(Direction::Add, epsilon));
        let (remove, add) = (
            both(Direction::Remove, epsilon),
            both(Direction::Add, epsilon),
        );
        assert!(add > 1.05 * remove, "{add} {remove}");
        let found = problem.delta(epsilon);
        assert!(found.lower <= add && add <= found.upper, "{found:?} {add}");
        assert!(found.lower > remove, "{found:?} {remove}");
        let shared = problem.deltas_upper(&[epsilon]);
        assert!(shared[0] >= add, "{shared:?} {add}");
        let found = problem.epsilon(add);
        assert!(
            found.lower <= epsilon && epsilon <= found.upper,
            "{found:?}"
        );
        // Near the largest loss the other direction decides, so both are needed.
        let epsilon = 2.5;
        let (remove, add) = (
            both(Direction::Remove, epsilon),
            both(Direction::Add, epsilon),
        );
        assert!(remove > 1.05 * add, "{add} {remove}");
        let found = problem.delta(epsilon);
        assert!(
            found.lower <= remove && remove <= found.upper,
            "{found:?} {remove}"
        );
        assert!(found.lower > add, "{found:?} {add}");
    }
}
