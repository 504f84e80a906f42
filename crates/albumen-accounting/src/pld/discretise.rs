//! A law on a grid: one finite distribution above it, one below.
//!
//! Both are taken from the same cells. Above: each cell's mass is split between its two ends so
//! that its probability under Q is kept ("connect the dots", Doroshenko et al. 2022): the law is
//! a post-processing of the result. Below: neighbouring cells are merged until the merged outcome's
//! loss is a grid point: the result is a post-processing of the law. Errors are of second order in
//! the grid on both sides.

use super::cells::{Cell, Cells};
use super::law::{Direction, Law};

/// Sub-cells of a grid interval; merging needs at least two.
const SUBCELLS: usize = 2;

/// A finite distribution of the privacy loss under P, at `offset + index * spacing`.
#[derive(Debug, Default)]
pub(crate) struct Pmf {
    pub(crate) index: Vec<i64>,
    pub(crate) mass: Vec<f64>,
}

impl Pmf {
    fn push(&mut self, index: i64, mass: f64) {
        if mass > 0.0 {
            self.index.push(index);
            self.mass.push(mass);
        }
    }
}

/// The two finite distributions around a law.
#[derive(Debug)]
pub(crate) struct Discretised {
    /// Dominates the law.
    pub(crate) upper: Pmf,
    /// Mass of `upper` at infinite loss.
    pub(crate) infinite: f64,
    /// Is dominated by the law; what is missing to 1 lies at minus infinity.
    pub(crate) lower: Pmf,
    /// Loss of index 0.
    pub(crate) offset: f64,
    /// How much `lower` may lie above what the law dominates, in units of loss, by rounding.
    pub(crate) slip: f64,
}

/// How fine a law is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolution {
    /// Finest grid spacing; every point is a multiple of it.
    pub(crate) spacing: f64,
    /// Intervals may grow to this fraction of the loss,
    pub(crate) relative: f64,
    /// but above 0, where the tilt makes errors count, not beyond this.
    pub(crate) cap: f64,
    /// P-mass that may lie below the grid.
    pub(crate) low: f64,
    /// P-mass that may lie above the grid.
    pub(crate) high: f64,
}

/// Cuts a law; see the module's documentation.
pub(crate) fn discretise(law: &Law, direction: Direction, resolution: &Resolution) -> Discretised {
    let h = resolution.spacing;
    let offset = offset(law, direction, h);
    let (low, high) = law.range(direction, resolution.low, resolution.high);
    let points = grid(low - offset, high - offset, resolution);
    let losses: Vec<f64> = points.iter().map(|&i| offset + i as f64 * h).collect();
    let edges = sub_edges(&losses);
    let cells = law.cells(direction, &edges);
    let (upper, infinite) = connect_dots(&points, &losses, &cells);
    let (lower, unbalanced) = merge(&points, &losses, &edges, &cells.inside);
    let slips = cells.inside.iter().filter(|c| c.p > 0.0).map(|c| c.slip);
    Discretised {
        lower,
        slip: unbalanced + 4.0 * slips.fold(0.0, f64::max),
        upper,
        infinite,
        offset,
    }
}

/// The loss of everything within half a spacing of the law's peak, merged.
///
/// At small sampling rates nearly all mass lies in a peak much narrower than the spacing. With a grid
/// point exactly there it need not be balanced against the tail, which would cost the lower bound
/// either the tail or a spacing a step.
fn offset(law: &Law, direction: Direction, h: f64) -> f64 {
    let cell = |loss: f64| {
        law.cells(direction, &[loss - h / 2.0, loss + h / 2.0])
            .inside[0]
    };
    let refined = |start: f64| {
        let mut loss = start;
        for _ in 0..2 {
            let middle = cell(loss);
            if middle.p > 0.0 && middle.q > 0.0 {
                loss = (middle.p / middle.q)
                    .ln()
                    .clamp(loss - h / 2.0, loss + h / 2.0);
            }
        }
        (loss, cell(loss).p)
    };
    let (at_zero, at_peak) = (refined(0.0), refined(law.peak(direction)));
    if at_peak.1 > at_zero.1 {
        at_peak.0
    } else {
        at_zero.0
    }
}

/// Grid indices from below `low` to above `high`, growing away from index 0.
fn grid(low: f64, high: f64, resolution: &Resolution) -> Vec<i64> {
    let h = resolution.spacing;
    let side = |end: f64, cap: f64| {
        let end = (end / h).ceil() as i64 + 1;
        let mut points = Vec::new();
        let mut at = 0_i64;
        while at < end {
            let step = (resolution.relative * at as f64).min(cap / h);
            at += (step as i64).max(1);
            points.push(at);
        }
        points
    };
    let mut points: Vec<i64> = side(-low, f64::INFINITY)
        .into_iter()
        .rev()
        .map(|i| -i)
        .collect();
    points.push(0);
    points.extend(side(high, resolution.cap));
    // Where the law lies far from zero, one side of the grid is empty of it.
    let first = points
        .partition_point(|&i| (i as f64) * h < low)
        .saturating_sub(1);
    let last = points
        .partition_point(|&i| (i as f64) * h <= high)
        .min(points.len() - 1);
    let (first, last) = (first.min(points.len() - 2), last.max(1));
    points[first..=last.max(first + 1)].to_vec()
}

fn sub_edges(losses: &[f64]) -> Vec<f64> {
    let mut edges = Vec::with_capacity(SUBCELLS * losses.len());
    for pair in losses.windows(2) {
        for i in 0..SUBCELLS {
            edges.push(pair[0] + (pair[1] - pair[0]) * (i as f64 / SUBCELLS as f64));
        }
    }
    edges.push(losses[losses.len() - 1]);
    edges
}

fn connect_dots(points: &[i64], losses: &[f64], cells: &Cells) -> (Pmf, f64) {
    let mut mass = vec![0.0; points.len()];
    mass[0] += cells.below.p * (1.0 + cells.below.error);
    for (j, parts) in cells.inside.chunks(SUBCELLS).enumerate() {
        let p: f64 = parts.iter().map(|c| c.p * (1.0 + c.error)).sum();
        if p <= 0.0 {
            continue;
        }
        let q: f64 = parts.iter().map(|c| c.q).sum();
        let slip = parts.iter().fold(0.0_f64, |s, c| s.max(c.slip));
        let (a, b) = (losses[j], losses[j + 1]);
        let width = -(a - b).exp_m1();
        // e^a q <= p up to rounding; where q underflows the whole mass goes up.
        let raise = p - (a + q.ln()).exp() + 4.0 * slip * p;
        let high = (raise / width).clamp(0.0, p);
        mass[j] += p - high;
        mass[j + 1] += high;
    }
    let mut pmf = Pmf::default();
    for (&index, &mass) in points.iter().zip(&mass) {
        pmf.push(index, mass);
    }
    (pmf, cells.above.p * (1.0 + cells.above.error))
}

/// Merges cells from left to right into outcomes whose loss is a grid point; returns also by how much
/// an outcome's loss may be below its point.
fn merge(points: &[i64], losses: &[f64], edges: &[f64], cells: &[Cell]) -> (Pmf, f64) {
    let mut pmf = Pmf::default();
    let mut queue = cells
        .iter()
        .zip(edges)
        .map(|(c, &edge)| (c.p * (1.0 - c.error).max(0.0), cell_loss(c, edge)))
        .peekable();
    let mut left = (0.0, f64::NEG_INFINITY);
    let mut unbalanced = 0.0_f64;
    let mut below = Vec::new();
    for (j, (&point, &target)) in points.iter().zip(losses).enumerate() {
        let reach = losses[(j + 2).min(losses.len() - 1)];
        let (mut pool, mut deficit) = (0.0, 0.0);
        below.clear();
        loop {
            if left.0 <= 0.0 {
                match queue.next_if(|&(_, loss)| loss <= target || (deficit > 0.0 && loss <= reach))
                {
                    Some(cell) => left = cell,
                    None => break,
                }
            }
            let (mass, loss) = left;
            // Mass times (1 - e^(target - loss)): positive above the target.
            let surplus = mass * -(target - loss).exp_m1();
            if loss <= target || surplus <= deficit {
                if loss <= target {
                    below.push((mass, -surplus));
                }
                deficit -= surplus;
                pool += mass;
                left.0 = 0.0;
            } else {
                let part = mass * deficit / surplus;
                pool += part;
                left.0 = mass - part;
                deficit = 0.0;
                break;
            }
        }
        if deficit > 1e-14 * pool {
            // Too little above to balance all: the lowest cells go down to the point before, where
            // reaching further up would cost the tail.
            for &(mass, lacking) in &below {
                if deficit <= 0.0 {
                    break;
                }
                let part = if lacking > deficit {
                    mass * deficit / lacking
                } else {
                    mass
                };
                deficit -= lacking;
                pool -= part;
                if j > 0 {
                    pmf.push(points[j - 1], part);
                }
            }
        } else if pool > 0.0 {
            unbalanced = unbalanced.max(deficit.max(0.0) / pool);
        }
        pmf.push(point, pool);
    }
    // Beyond the last point: down to it.
    let rest: f64 = left.0.max(0.0) + queue.map(|(mass, _)| mass).sum::<f64>();
    if let Some(&last) = points.last() {
        pmf.push(last, rest);
    }
    (pmf, unbalanced)
}

/// The loss of a cell merged to one outcome.
fn cell_loss(cell: &Cell, edge: f64) -> f64 {
    if cell.q <= 0.0 || cell.p <= 0.0 {
        return edge;
    }
    edge + (cell.p.ln() - edge - cell.q.ln()).max(0.0)
}
