//! Composition of finite laws by FFT under an exponential tilt.

use super::convolve::convolve;
use super::cumulant::{Term, log_mgf, log_tail};
use super::discretise::{Discretised, Pmf};

/// Largest FFT.
pub(crate) const MAX_GRID: usize = 1 << 21;

/// A composition's delta as a function of epsilon, bounded on both sides, near one epsilon.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) upper: Side,
    pub(crate) lower: Side,
}

impl Curve {
    /// True where the window could not be cut finer.
    pub(crate) fn is_full(&self) -> bool {
        self.upper.partial.len() > MAX_GRID / 2
    }
}

/// One bound: delta at `e_j = begin + j spacing` is `exp(log_scale - tilt e_j) * partial[j]`, plus
/// charges.
#[derive(Debug)]
pub(crate) struct Side {
    begin: f64,
    spacing: f64,
    tilt: f64,
    log_scale: f64,
    /// `sum_(k>j) f_k e^(-tilt u) (1 - e^-u)` with `u` the distance from j to k.
    partial: Vec<f64>,
    /// Minus its derivative by epsilon: `sum_(k>j) f_k e^(-tilt u) e^-u`.
    slope: Vec<f64>,
    /// Added to delta everywhere (taken off, where negative), in tilted units and plain.
    tilted_charge: f64,
    plain_charge: f64,
    is_upper: bool,
}

/// One law of the composition, cut.
pub(crate) struct Part {
    pub(crate) law: Discretised,
    pub(crate) steps: u64,
}

/// Composes at a tilt, on a window from `left` to about `right` of the loss; the mass outside is
/// charged to the bounds.
pub(crate) fn compose(
    parts: &[Part],
    spacing: f64,
    tilt: f64,
    deviation: f64,
    (left, right): (f64, f64),
) -> Curve {
    let terms = |pick: fn(&Discretised) -> &Pmf| -> Vec<Term> {
        parts
            .iter()
            .map(|part| {
                let pmf = pick(&part.law);
                let atoms = pmf.index.iter().zip(&pmf.mass);
                let loss = |i: i64| part.law.offset + i as f64 * spacing;
                Term::new(atoms.map(|(&i, &m)| (loss(i), m)), part.steps as f64)
            })
            .collect()
    };
    let upper = terms(|law| &law.upper);
    let lower = terms(|law| &law.lower);
    let origin: f64 = parts.iter().map(|p| p.steps as f64 * p.law.offset).sum();
    let first = ((left - origin) / spacing).floor() as i64;
    let wanted = ((right - left) / spacing).ceil().max(16.0) as usize;
    let n = fast_size(wanted.min(MAX_GRID));

    let composed = convolve(parts, &upper, &lower, tilt, n);
    let begin = origin + first as f64 * spacing;
    let end = begin + n as f64 * spacing;
    // Rounding in the tilted masses and in their normalisation, per step.
    let scale_error = 1e-10 + parts.iter().map(|p| p.steps as f64 * 1e-14).sum::<f64>();
    let infinite: f64 = parts
        .iter()
        .map(|p| -(p.steps as f64 * (-p.law.infinite.min(0.5)).ln_1p()).exp_m1())
        .sum();
    // Tilted mass that wrapped around: it can only add to the upper bound, and beyond the window's
    // end it is charged at most at its full value.
    let upper_scale = log_mgf(&upper, tilt) + scale_error;
    let beyond = upper_scale - tilt * end + log_tail(&upper, tilt, end, 1.0, deviation);
    let wrapped = log_tail(&lower, tilt, end, 1.0, deviation).exp()
        + log_tail(&lower, tilt, begin, -1.0, deviation).exp();
    let reach = weight_norm(tilt, spacing, n);
    let slip: f64 = parts.iter().map(|p| p.steps as f64 * p.law.slip).sum();
    let unroll = |masses: &[f64]| -> Vec<f64> {
        let start = first.rem_euclid(n as i64) as usize;
        let (wrapped, straight) = masses.split_at(start);
        straight.iter().chain(wrapped).map(|m| m.max(0.0)).collect()
    };
    let [above, below] = composed;
    Curve {
        upper: Side::new(&unroll(&above.masses), begin, spacing, tilt, upper_scale).with_charges(
            true,
            above.error * reach,
            infinite + beyond.exp(),
        ),
        // A unit of tilted mass adds at most max_u e^(-tilt u) (1 - e^-u) <= 1 / (1 + tilt).
        lower: Side::new(
            &unroll(&below.masses),
            begin - slip,
            spacing,
            tilt,
            log_mgf(&lower, tilt) - scale_error + tilt * -slip,
        )
        .with_charges(false, -wrapped / (1.0 + tilt) - below.error * reach, 0.0),
    }
}

/// The smallest size of the form 2^a or 3 * 2^a from `wanted` up.
fn fast_size(wanted: usize) -> usize {
    let power = wanted.next_power_of_two();
    if power >= 4 && power / 4 * 3 >= wanted {
        power / 4 * 3
    } else {
        power
    }
}

/// A bound on the 2-norm over the grid of a mass's weight in delta, `e^(-tilt u) (1 - e^-u)`, taken
/// with `1 - e^-u <= min(1, u)`.
fn weight_norm(tilt: f64, spacing: f64, n: usize) -> f64 {
    let rate = 2.0 * tilt * spacing;
    let ratio = (-rate).exp();
    let unit = 1.0 / rate.exp_m1();
    let linear = spacing * spacing * ratio * (1.0 + ratio) / (-(-rate).exp_m1()).powi(3);
    // At tilt 0 only the window bounds the sum.
    (n as f64)
        .min(unit)
        .min(if linear.is_nan() {
            f64::INFINITY
        } else {
            linear
        })
        .sqrt()
}

impl Side {
    fn new(masses: &[f64], begin: f64, spacing: f64, tilt: f64, log_scale: f64) -> Self {
        let n = masses.len();
        let (mut partial, mut slope) = (vec![0.0; n], vec![0.0; n]);
        let (decay, shrink) = ((-tilt * spacing).exp(), (-spacing).exp());
        let gain = -(-spacing).exp_m1();
        // Every term is positive, so nothing cancels.
        for j in (0..n - 1).rev() {
            let above = slope[j + 1] + masses[j + 1];
            partial[j] = decay * (partial[j + 1] + gain * above);
            slope[j] = decay * shrink * above;
        }
        Self {
            begin,
            spacing,
            tilt,
            log_scale,
            partial,
            slope,
            tilted_charge: 0.0,
            plain_charge: 0.0,
            is_upper: false,
        }
    }

    fn with_charges(self, is_upper: bool, tilted_charge: f64, plain_charge: f64) -> Self {
        Self {
            tilted_charge,
            plain_charge,
            is_upper,
            ..self
        }
    }

    /// The epsilon of grid point j.
    fn epsilon(&self, j: usize) -> f64 {
        self.begin + j as f64 * self.spacing
    }

    fn scale(&self, j: usize) -> f64 {
        (self.log_scale - self.tilt * self.epsilon(j)).exp()
    }

    /// Delta at grid point j.
    fn at(&self, j: usize) -> f64 {
        self.scale(j) * (self.partial[j] + self.tilted_charge) + self.plain_charge
    }

    /// Delta at any epsilon; outside the window the nearest end's value stands in where that is a
    /// bound, else the trivial one.
    pub(crate) fn delta(&self, epsilon: f64) -> f64 {
        let place = (epsilon - self.begin) / self.spacing;
        let last = self.partial.len() - 1;
        if place < 0.0 {
            return if self.is_upper { 1.0 } else { self.at(0) };
        }
        let j = (place as usize).min(last);
        if j == last {
            return if self.is_upper { self.at(last) } else { 0.0 };
        }
        // Exact inside an interval: no mass lies there.
        let t = (epsilon - self.epsilon(j)).max(0.0);
        self.at(j) - self.scale(j) * self.slope[j] * t.exp_m1()
    }

    /// The epsilon at which delta falls to `goal(epsilon)`, a falling function, searched from
    /// `start`; `None` where that is left of the window, infinity where right of it.
    pub(crate) fn solve(&self, start: f64, goal: impl Fn(f64) -> f64) -> Option<f64> {
        let last = self.partial.len() - 1;
        let exceeds = |j: usize| {
            let (delta, goal) = (self.at(j), goal(self.epsilon(j + 1)));
            // What is not a number must not pass for a bound.
            delta > goal || (self.is_upper && (delta.is_nan() || goal.is_nan()))
        };
        let place = (start - self.begin) / self.spacing;
        let mut low = (place.max(0.0) as usize).min(last);
        // The lower bound need not fall along the window's left half, where it gives out.
        while !exceeds(low) {
            low = low.checked_sub(1)?;
        }
        let mut high = last;
        if exceeds(high) {
            return Some(f64::INFINITY);
        }
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if exceeds(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        let excess = self.at(low) - goal(self.epsilon(low + 1));
        let t = (excess / (self.scale(low) * self.slope[low])).ln_1p();
        Some(self.epsilon(low) + t.min(self.spacing))
    }

    /// The left end of the window.
    pub(crate) fn begin(&self) -> f64 {
        self.begin
    }
}
