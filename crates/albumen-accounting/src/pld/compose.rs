//! Composition of finite laws by FFT under an exponential tilt.

use std::cell::RefCell;

use rustfft::FftPlanner;
use rustfft::num_complex::Complex64;

use super::cumulant::{Term, log_mgf, log_tail};
use super::discretise::{Discretised, Pmf};

/// Bound on an FFT's relative error in the 2-norm, per binary level, in units of epsilon (Higham
/// 2002, theorem 24.2, doubled for mixed radices).
const FFT_LEVEL_ERROR: f64 = 16.0;

/// Largest FFT.
pub(crate) const MAX_GRID: usize = 1 << 21;

thread_local! {
    static PLANNER: RefCell<FftPlanner<f64>> = RefCell::new(FftPlanner::new());
}

/// A composition's delta as a function of epsilon, bounded on both sides, near one epsilon.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) upper: Side,
    pub(crate) lower: Side,
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
    /// Added to delta everywhere (upper), or taken off (lower, negative), in tilted units and plain.
    tilted_charge: f64,
    plain_charge: f64,
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

    let (masses, errors) = convolve(parts, &upper, &lower, tilt, n);
    let end = origin + (first + n as i64) as f64 * spacing;
    let begin = origin + first as f64 * spacing;
    let infinite: f64 = parts
        .iter()
        .map(|p| -(p.steps as f64 * (-p.law.infinite.min(0.5)).ln_1p()).exp_m1())
        .sum();
    // Rounding in the tilted masses and in their normalisation, per step.
    let scale_error = 1e-10 + parts.iter().map(|p| p.steps as f64 * 1e-14).sum::<f64>();
    let upper_scale = log_mgf(&upper, tilt) + scale_error;
    // Tilted mass that wrapped around: it can only add to the upper bound, and beyond the window's
    // end it is charged at most at its full value.
    let beyond = upper_scale - tilt * end + log_tail(&upper, tilt, end, 1.0, deviation);
    let wrapped = log_tail(&lower, tilt, end, 1.0, deviation).exp()
        + log_tail(&lower, tilt, begin, -1.0, deviation).exp();
    let unroll = |pick: fn(Complex64) -> f64, error: f64| -> Vec<f64> {
        let at = |k: i64| k.rem_euclid(n as i64) as usize;
        (0..n as i64)
            .map(|j| (pick(masses[at(first + j)]) + error).max(0.0))
            .collect()
    };
    Curve {
        upper: Side::new(
            &unroll(|c| c.re, errors.0),
            begin,
            spacing,
            tilt,
            upper_scale,
        )
        .charge(0.0, infinite + beyond.exp()),
        lower: Side::new(
            &unroll(|c| c.im, -errors.1),
            begin,
            spacing,
            tilt,
            log_mgf(&lower, tilt) - scale_error,
        )
        // A unit of tilted mass adds at most max_u e^(-tilt u) (1 - e^-u) <= 1 / (1 + tilt).
        .charge(-wrapped / (1.0 + tilt), 0.0),
    }
}

/// The tilted, normalised, circular composition: upper law in the real part, lower in the imaginary
/// one; and bounds on the floating-point error of each value.
fn convolve(
    parts: &[Part],
    upper: &[Term],
    lower: &[Term],
    tilt: f64,
    n: usize,
) -> (Vec<Complex64>, (f64, f64)) {
    let fft = PLANNER.with_borrow_mut(|planner| planner.plan_fft_forward(n));
    let unit = FFT_LEVEL_ERROR * f64::EPSILON * (n as f64).log2();
    let half = n / 2 + 1;
    let one = Complex64::new(1.0, 0.0);
    // Products over the laws: the coefficient, and a bound on the true coefficient's modulus that
    // takes in every error, so that their difference bounds the error.
    let mut product = vec![([one, one], [1.0_f64, 1.0]); half];
    let mut scratch = vec![Complex64::default(); fft.get_inplace_scratch_len()];
    for (part, terms) in parts.iter().zip(upper.iter().zip(lower)) {
        let mut buffer = vec![Complex64::default(); n];
        fold(&part.law.upper, terms.0, tilt, &mut buffer, |c| &mut c.re);
        fold(&part.law.lower, terms.1, tilt, &mut buffer, |c| &mut c.im);
        let norm = buffer.iter().map(Complex64::norm_sqr).sum::<f64>().sqrt();
        let error = unit * norm;
        fft.process_with_scratch(&mut buffer, &mut scratch);
        let steps = part.steps as f64;
        // Below this squared modulus even the power's bound is under e^-80.
        let vanishing = ((-80.0 / steps).exp() - 8.0 * error).max(0.0).powi(2);
        for (k, (coefficients, bounds)) in product.iter_mut().enumerate() {
            let (z, w) = (buffer[k], buffer[(n - k) % n].conj());
            let pair = [(z + w) * 0.5, (z - w) * Complex64::new(0.0, -0.5)];
            for (i, value) in pair.into_iter().enumerate() {
                let (power, bound) = power(value, error, steps, vanishing);
                coefficients[i] *= power;
                bounds[i] *= bound;
            }
        }
    }
    let mut spectrum = vec![Complex64::default(); n];
    let mut absolute = [0.0_f64, 0.0];
    for (k, ([a, b], bounds)) in product.into_iter().enumerate() {
        let i = Complex64::i();
        let copies = if k == 0 || 2 * k == n { 1.0 } else { 2.0 };
        for ((sum, value), bound) in absolute.iter_mut().zip([a, b]).zip(bounds) {
            *sum += copies * (bound - value.norm()).max(0.0);
        }
        spectrum[k] = a + i * b;
        if copies > 1.0 {
            spectrum[n - k] = a.conj() + i * b.conj();
        }
    }
    let norm = spectrum.iter().map(Complex64::norm_sqr).sum::<f64>().sqrt();
    let inverse = PLANNER.with_borrow_mut(|planner| planner.plan_fft_inverse(n));
    inverse.process(&mut spectrum);
    let scale = 1.0 / n as f64;
    for value in &mut spectrum {
        *value *= scale;
    }
    let rounding = unit * norm * scale;
    let bounds = absolute.map(|sum| sum * scale + rounding);
    (spectrum, (bounds[0], bounds[1]))
}

/// `value^steps`, and a bound on the modulus of the true power that leaves room for every error,
/// given the absolute error of `value`.
fn power(value: Complex64, error: f64, steps: f64, vanishing: f64) -> (Complex64, f64) {
    let squared = value.norm_sqr();
    if squared < vanishing {
        return (Complex64::default(), VANISHED);
    }
    // A coefficient is at most 1 in modulus; below its error it is known only to be small.
    let modulus = squared.sqrt().clamp(error, 1.0);
    let log = steps * modulus.ln();
    let log_bound = steps * ((4.0 * error / modulus).ln_1p() + 8.0 * f64::EPSILON) + log;
    if log_bound < -80.0 {
        return (Complex64::default(), VANISHED);
    }
    let angle = value.arg() * steps;
    (Complex64::from_polar(log.exp(), angle), log_bound.exp())
}

/// e^-80: powers below it count as zero.
const VANISHED: f64 = 1.804_851_387_845_415_2e-35;

fn fold(
    pmf: &Pmf,
    term: &Term,
    tilt: f64,
    buffer: &mut [Complex64],
    part: fn(&mut Complex64) -> &mut f64,
) {
    let n = buffer.len() as i64;
    let log_mgf = term.log_mgf(tilt);
    for ((&index, loss), log_mass) in pmf.index.iter().zip(&term.loss).zip(&term.log_mass) {
        let at = index.rem_euclid(n) as usize;
        *part(&mut buffer[at]) += (log_mass + tilt * loss - log_mgf).exp();
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
        }
    }

    fn charge(mut self, tilted: f64, plain: f64) -> Self {
        self.tilted_charge = tilted;
        self.plain_charge = plain;
        self
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
        let rising = self.plain_charge > 0.0 || self.tilted_charge >= 0.0;
        if place < 0.0 {
            return if rising { 1.0 } else { self.at(0) };
        }
        let j = (place as usize).min(last);
        if j == last {
            return if rising { self.at(last) } else { 0.0 };
        }
        // Exact inside an interval: no mass lies there.
        let t = (epsilon - self.epsilon(j)).max(0.0);
        self.at(j) - self.scale(j) * self.slope[j] * t.exp_m1()
    }

    /// The epsilon at which delta falls to `goal(epsilon)`, a falling function, searched from
    /// `start`; `None` where that is left of the window, infinity where right of it.
    pub(crate) fn solve(&self, start: f64, goal: impl Fn(f64) -> f64) -> Option<f64> {
        let last = self.partial.len() - 1;
        let exceeds = |j: usize| self.at(j) > goal(self.epsilon(j + 1));
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
