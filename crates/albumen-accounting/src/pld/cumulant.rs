//! Cumulant generating functions of composed privacy losses.

/// A finite law, as (loss, ln mass), run `steps` times.
#[derive(Debug)]
pub(crate) struct Term {
    pub(crate) loss: Vec<f64>,
    pub(crate) log_mass: Vec<f64>,
    pub(crate) steps: f64,
}

/// ln E exp(theta L), its derivative and its second derivative.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cumulants {
    pub(crate) log_mgf: f64,
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

impl Term {
    pub(crate) fn new(atoms: impl Iterator<Item = (f64, f64)>, steps: f64) -> Self {
        let (loss, log_mass) = atoms.map(|(loss, mass)| (loss, mass.ln())).unzip();
        Self {
            loss,
            log_mass,
            steps,
        }
    }

    /// ln E exp(theta L) of one step.
    pub(crate) fn log_mgf(&self, theta: f64) -> f64 {
        let peak = self.peak(theta);
        let terms = self.loss.iter().zip(&self.log_mass);
        let sum: f64 = terms.map(|(l, m)| (m + theta * l - peak).exp()).sum();
        peak + sum.ln()
    }

    fn peak(&self, theta: f64) -> f64 {
        let terms = self.loss.iter().zip(&self.log_mass);
        terms.fold(f64::NEG_INFINITY, |peak, (l, m)| peak.max(m + theta * l))
    }

    fn cumulants(&self, theta: f64) -> Cumulants {
        let peak = self.peak(theta);
        let weights: Vec<f64> = (self.loss.iter().zip(&self.log_mass))
            .map(|(l, m)| (m + theta * l - peak).exp())
            .collect();
        let w: f64 = weights.iter().sum();
        let mean = self
            .loss
            .iter()
            .zip(&weights)
            .map(|(l, x)| l * x)
            .sum::<f64>()
            / w;
        let deviations = self.loss.iter().zip(&weights);
        let spread: f64 = deviations.map(|(l, x)| x * (l - mean).powi(2)).sum();
        Cumulants {
            log_mgf: peak + w.ln(),
            mean,
            variance: spread / w,
        }
    }
}

/// Sums over the composition.
pub(crate) fn cumulants(terms: &[Term], theta: f64) -> Cumulants {
    terms.iter().fold(Cumulants::default(), |sum, term| {
        let one = term.cumulants(theta);
        Cumulants {
            log_mgf: sum.log_mgf + term.steps * one.log_mgf,
            mean: sum.mean + term.steps * one.mean,
            variance: sum.variance + term.steps * one.variance,
        }
    })
}

/// ln E exp(theta L) of the composition.
pub(crate) fn log_mgf(terms: &[Term], theta: f64) -> f64 {
    terms.iter().map(|t| t.steps * t.log_mgf(theta)).sum()
}

/// The saddle-point approximation of ln delta(epsilon), at epsilon = K'(theta).
pub(crate) fn log_delta_guess(k: &Cumulants, theta: f64) -> f64 {
    let width = theta * k.variance.sqrt() * crate::normal::SQRT_2_PI;
    k.log_mgf - theta * k.mean - theta.ln_1p() - width.ln_1p()
}

/// The tilt in `[0, largest]` at which a decreasing function of it crosses zero, to one part in a
/// thousand: any tilt gives valid bounds.
pub(crate) fn solve_tilt(largest: f64, decreasing: impl Fn(f64) -> f64) -> f64 {
    if decreasing(0.0) <= 0.0 {
        return 0.0;
    }
    let at_largest = decreasing(largest);
    if at_largest >= 0.0 {
        return largest;
    }
    // The Illinois method, on a logarithmic scale: tilts matter by their ratio.
    let (mut low, mut high) = ((largest * 1e-9).ln(), largest.ln());
    let (mut low_value, mut high_value) = (decreasing(low.exp()), at_largest);
    if low_value <= 0.0 {
        return low.exp();
    }
    let mut kept = 0;
    while high - low > 1e-3 {
        let line = (low * high_value - high * low_value) / (high_value - low_value);
        let middle = line.clamp(low + 0.02 * (high - low), high - 0.02 * (high - low));
        let value = decreasing(middle.exp());
        if value > 0.0 {
            (low, low_value) = (middle, value);
            high_value *= if kept > 0 { 0.5 } else { 1.0 };
            kept = 1;
        } else {
            (high, high_value) = (middle, value);
            low_value *= if kept < 0 { 0.5 } else { 1.0 };
            kept = -1;
        }
    }
    low.exp()
}

/// Chernoff bound on ln P(S > at) (or S < at, for negative `side`) under the tilted composition.
pub(crate) fn log_tail(terms: &[Term], theta: f64, at: f64, side: f64, deviation: f64) -> f64 {
    let base = log_mgf(terms, theta);
    tilts(theta, deviation).fold(0.0, |best: f64, s| {
        best.min(log_mgf(terms, theta + side * s) - base - side * s * at)
    })
}

/// A point beyond which (on `side`) the tilted composition has at most `exp(log_tail)` mass.
pub(crate) fn tail_point(
    terms: &[Term],
    theta: f64,
    log_tail: f64,
    side: f64,
    deviation: f64,
) -> f64 {
    let base = log_mgf(terms, theta);
    let best = tilts(theta, deviation).fold(f64::INFINITY, |best: f64, s| {
        best.min((log_mgf(terms, theta + side * s) - base - log_tail) / s)
    });
    side * best
}

/// Extra tilts worth trying: around the best one for a normal law, and around the tilt itself, where
/// a far atom holds nearly all tilted mass.
fn tilts(theta: f64, deviation: f64) -> impl Iterator<Item = f64> {
    let normal = (-3..=1).map(move |i| 8.0 / deviation * 2_f64.powi(i));
    let own = (-2..=0).map(move |i| theta * 2_f64.powi(i));
    normal.chain(own).filter(|&s| s > 0.0)
}
