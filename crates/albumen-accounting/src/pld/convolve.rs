//! The circular composition of tilted laws in the Fourier domain, with its rounding error.

use std::cell::RefCell;

use rustfft::FftPlanner;
use rustfft::num_complex::Complex64;

use super::compose::Part;
use super::cumulant::Term;
use super::discretise::Pmf;

/// Bound on the rounding error that one binary level of an FFT adds to each output, in units of
/// f64::EPSILON and relative to the 1-norm of the input: eta = u + 4 sqrt(2) u in the proof of Higham
/// 2002, theorem 24.2, with room for mixed radices.
const LEVEL_ERROR: f64 = 4.0;

/// A law's central atom is split off where it holds more than this: the rest is then smaller than it.
const MIN_CENTRAL: f64 = 0.5;

thread_local! {
    static PLANNER: RefCell<FftPlanner<f64>> = RefCell::new(FftPlanner::new());
}

/// One bound's composed law.
pub(crate) struct Composed {
    /// Tilted mass at every index modulo the window.
    pub(crate) masses: Vec<f64>,
    /// Bound on the 2-norm of the error of `masses`.
    pub(crate) error: f64,
}

/// Composes the upper and the lower laws, each tilted and normalised, in one transform.
///
/// A law's transform is `c + r`, with `c` the tilted mass at index 0. At small sampling rates `c` is
/// nearly 1, and powers of the whole would drown the tail in the rounding error of that 1; so the
/// power is taken as `c^T (1 + expm1(T log1p(r / c)))`, whose error is relative to `r`. Elsewhere `c`
/// is left in `r`, and the power is the usual one. Where all laws are split their atoms' product stays
/// apart to the end.
pub(crate) fn convolve(
    parts: &[Part],
    upper: &[Term],
    lower: &[Term],
    tilt: f64,
    n: usize,
) -> [Composed; 2] {
    let folded: Vec<[Folded; 2]> = (parts.iter().zip(upper).zip(lower))
        .map(|((part, up), low)| {
            let steps = part.steps as f64;
            [
                Folded::new(&part.law.upper, up, tilt, steps),
                Folded::new(&part.law.lower, low, tilt, steps),
            ]
        })
        .collect();
    let mut spectrum = Spectrum::new(n);
    for laws in &folded {
        spectrum.multiply(laws);
    }
    spectrum.invert()
}

/// The product of the laws' powers so far; index 0 of each pair is the upper law, 1 the lower one.
struct Spectrum {
    n: usize,
    /// True while every law had its central atom split off.
    all_split: bool,
    /// Relative rounding error of an FFT of this size.
    unit: f64,
    /// Sums of T log(coefficient), or of T log1p(r / c) where c is split off.
    exponents: Vec<[Complex64; 2]>,
    /// ln of the product of |coefficient|^(T - 1), which multiplies the absolute error.
    log_weights: Vec<[f64; 2]>,
    /// ln of the product of the split-off masses' powers.
    log_central: [f64; 2],
    /// Sum of T times the absolute error of a coefficient.
    absolute: [f64; 2],
    /// Sum of the relative rounding of logarithm and exponential.
    relative: [f64; 2],
}

impl Spectrum {
    fn new(n: usize) -> Self {
        let half = n / 2 + 1;
        Self {
            n,
            all_split: true,
            unit: LEVEL_ERROR * f64::EPSILON * (n as f64).log2(),
            exponents: vec![[Complex64::default(); 2]; half],
            log_weights: vec![[0.0; 2]; half],
            log_central: [0.0; 2],
            absolute: [0.0; 2],
            relative: [0.0; 2],
        }
    }

    /// Takes in one law.
    fn multiply(&mut self, laws: &[Folded; 2]) {
        let n = self.n;
        let split = laws.iter().all(|law| law.central > MIN_CENTRAL);
        self.all_split &= split;
        let mut buffer = vec![Complex64::default(); n];
        for (side, law) in laws.iter().enumerate() {
            for &(index, mass) in &law.masses {
                if index == 0 && split {
                    continue;
                }
                let value = &mut buffer[index.rem_euclid(n as i64) as usize];
                *(if side == 0 {
                    &mut value.re
                } else {
                    &mut value.im
                }) += mass;
            }
        }
        let norm: f64 = buffer.iter().map(|z| z.re + z.im).sum();
        let coefficient_error = self.unit * norm;
        for (side, law) in laws.iter().enumerate() {
            self.absolute[side] += law.steps * coefficient_error;
            let rounding = if split {
                let log = law.central.ln();
                self.log_central[side] += law.steps * log;
                norm / law.central - log
            } else {
                1.0
            };
            self.relative[side] += 16.0 * f64::EPSILON * law.steps * rounding;
        }
        let fft = PLANNER.with_borrow_mut(|planner| planner.plan_fft_forward(n));
        fft.process(&mut buffer);
        let sums = self.exponents.iter_mut().zip(&mut self.log_weights);
        for (k, (exponents, log_weights)) in sums.enumerate() {
            // Two real transforms in one complex one.
            let (z, w) = (buffer[k], buffer[(n - k) % n].conj());
            let pair = [(z + w) * 0.5, (z - w) * Complex64::new(0.0, -0.5)];
            for (side, law) in laws.iter().enumerate() {
                let (log, modulus) = if split {
                    let modulus = (pair[side] + law.central).norm();
                    (log1p(pair[side] / law.central), modulus)
                } else {
                    (log(pair[side]), pair[side].norm())
                };
                exponents[side] += log * law.steps;
                if law.steps > 1.0 {
                    let bound = (modulus + coefficient_error).min(1.0);
                    log_weights[side] += (law.steps - 1.0) * bound.ln();
                }
            }
        }
    }

    /// The composed masses, with their error.
    fn invert(self) -> [Composed; 2] {
        let n = self.n;
        let central = self
            .log_central
            .map(|log| if self.all_split { log.exp() } else { 0.0 });
        let mut spectrum = vec![Complex64::default(); n];
        for (k, exponents) in self.exponents.iter().enumerate() {
            let [a, b] = [0, 1].map(|side| {
                let z = exponents[side];
                if self.all_split && z.re < 1.0 {
                    expm1(z) * central[side]
                } else {
                    exp(z + self.log_central[side]) - central[side]
                }
            });
            let i = Complex64::i();
            spectrum[k] = a + i * b;
            if k > 0 && 2 * k < n {
                spectrum[n - k] = a.conj() + i * b.conj();
            }
        }
        let inverse = PLANNER.with_borrow_mut(|planner| planner.plan_fft_inverse(n));
        inverse.process(&mut spectrum);
        let scale = 1.0 / n as f64;
        // 2-norm of the masses of both sides, without what is split off.
        let norm = spectrum.iter().map(Complex64::norm_sqr).sum::<f64>().sqrt() * scale;
        [0, 1].map(|side| {
            let mut masses: Vec<f64> = (spectrum.iter())
                .map(|c| scale * if side == 0 { c.re } else { c.im })
                .collect();
            masses[0] += central[side];
            // Parseval: the mean square over the whole spectrum, whose other half is the conjugate.
            let weights = self.log_weights.iter().map(|w| (2.0 * w[side]).exp());
            let weight = (2.0 * weights.sum::<f64>() * scale).sqrt();
            let error = self.absolute[side] * weight
                + 2.0 * self.relative[side] * (norm + central[side])
                + 2.0 * self.unit * norm;
            let broken = masses.iter().any(|m| m.is_nan());
            Composed {
                error: if broken { f64::NAN } else { error },
                masses,
            }
        })
    }
}

/// A law's tilted, normalised masses.
struct Folded {
    masses: Vec<(i64, f64)>,
    /// The mass at index 0.
    central: f64,
    steps: f64,
}

impl Folded {
    fn new(pmf: &Pmf, term: &Term, tilt: f64, steps: f64) -> Self {
        let log_mgf = term.log_mgf(tilt);
        let tilted = (term.loss.iter().zip(&term.log_mass))
            .map(|(loss, log_mass)| (log_mass + tilt * loss - log_mgf).exp());
        let masses: Vec<(i64, f64)> = pmf.index.iter().copied().zip(tilted).collect();
        let at_zero = masses.iter().filter(|(i, _)| *i == 0);
        // From 0.0: an empty sum would be -0.0, and its inverse minus infinity.
        let central = at_zero.fold(0.0, |sum, (_, m)| sum + m);
        Self {
            masses,
            central,
            steps,
        }
    }
}

/// ln z, with a modulus above 1 taken as 1 and 0 as a number whose powers vanish.
fn log(z: Complex64) -> Complex64 {
    let squared = z.norm_sqr().clamp(1e-300, 1.0);
    Complex64::new(0.5 * squared.ln(), z.arg())
}

/// ln(1 + z), accurate near 0.
fn log1p(z: Complex64) -> Complex64 {
    let squared_less_one = 2.0 * z.re + z.norm_sqr();
    Complex64::new(
        0.5 * squared_less_one.max(-1.0 + 1e-300).ln_1p(),
        z.im.atan2(1.0 + z.re),
    )
}

/// e^z, zero where it is below e^-80.
fn exp(z: Complex64) -> Complex64 {
    if z.re < -80.0 {
        Complex64::default()
    } else {
        Complex64::from_polar(z.re.exp(), z.im)
    }
}

/// e^z - 1, accurate near 0.
fn expm1(z: Complex64) -> Complex64 {
    if z.re < -80.0 {
        return Complex64::new(-1.0, 0.0);
    }
    let (sin, cos) = z.im.sin_cos();
    let half = (0.5 * z.im).sin();
    Complex64::new(z.re.exp_m1() * cos - 2.0 * half * half, z.re.exp() * sin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_exponential_keep_small_values() {
        for z in [
            Complex64::new(1e-12, 3e-13),
            Complex64::new(-2e-9, 1e-9),
            Complex64::new(0.3, -2.0),
        ] {
            let back = expm1(log1p(z));
            assert!(
                (back - z).norm() < 4e-16 * z.norm().max(1e-3) + 1e-15 * z.norm(),
                "{z} {back}"
            );
        }
    }
}
