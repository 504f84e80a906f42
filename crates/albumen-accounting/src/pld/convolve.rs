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

/// The central atom is split off where all others together are expected to occur fewer times than
/// this; beyond, nothing is gained.
const MAX_SPLIT_EVENTS: f64 = 50.0;

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
/// is left in `r`, and the power is the usual one.
pub(crate) fn convolve(
    parts: &[Part],
    upper: &[Term],
    lower: &[Term],
    tilt: f64,
    n: usize,
) -> [Composed; 2] {
    let unit = LEVEL_ERROR * f64::EPSILON * (n as f64).log2();
    let half = n / 2 + 1;
    let folded: Vec<[Folded; 2]> = (parts.iter().zip(upper).zip(lower))
        .map(|((part, up), low)| {
            let steps = part.steps as f64;
            [
                Folded::new(&part.law.upper, up, tilt, steps),
                Folded::new(&part.law.lower, low, tilt, steps),
            ]
        })
        .collect();
    let split = [0, 1].iter().all(|&side| {
        let others = |f: &[Folded; 2]| f[side].steps * (1.0 / f[side].central - 1.0);
        folded.iter().map(others).sum::<f64>() < MAX_SPLIT_EVENTS
    });
    // ln of the split-off masses' product, and the sum of T log1p(r / c), or of T log(r).
    let mut log_central = [0.0_f64; 2];
    // Sums over the laws of T times the absolute error of a coefficient, and of the relative rounding
    // of logarithm and exponential.
    let mut absolute = [0.0_f64; 2];
    let mut relative = [0.0_f64; 2];
    // ln of the product of |coefficient|^(T - 1), which multiplies the absolute error.
    let mut log_weights = vec![[0.0_f64; 2]; half];
    let mut exponents = vec![[Complex64::default(); 2]; half];
    let mut buffer = vec![Complex64::default(); n];
    let fft = PLANNER.with_borrow_mut(|planner| planner.plan_fft_forward(n));
    let mut scratch = vec![Complex64::default(); fft.get_inplace_scratch_len()];
    for laws in &folded {
        buffer.fill(Complex64::default());
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
        let coefficient_error = unit * norm;
        for side in [0, 1] {
            let law = &laws[side];
            absolute[side] += law.steps * coefficient_error;
            let rounding = if split { norm / law.central } else { 1.0 };
            relative[side] += 16.0 * f64::EPSILON * law.steps * rounding;
            if split {
                log_central[side] += law.steps * law.central.ln();
            }
        }
        fft.process_with_scratch(&mut buffer, &mut scratch);
        for (k, (sums, weights)) in exponents.iter_mut().zip(&mut log_weights).enumerate() {
            let (z, w) = (buffer[k], buffer[(n - k) % n].conj());
            let pair = [(z + w) * 0.5, (z - w) * Complex64::new(0.0, -0.5)];
            for side in [0, 1] {
                let law = &laws[side];
                let (log, modulus) = if split {
                    let ratio = pair[side] / law.central;
                    (log1p(ratio), (pair[side] + law.central).norm())
                } else {
                    (log(pair[side]), pair[side].norm())
                };
                sums[side] += log * law.steps;
                if law.steps > 1.0 {
                    let bound = (modulus + coefficient_error).min(1.0);
                    weights[side] += (law.steps - 1.0) * bound.ln();
                }
            }
        }
    }
    let mut spectrum = vec![Complex64::default(); n];
    for (k, sums) in exponents.into_iter().enumerate() {
        let [a, b] = [0, 1].map(|side| {
            let (z, central) = (sums[side], log_central[side]);
            if split && z.re < 1.0 {
                expm1(z) * central.exp()
            } else {
                // log_central is 0 where nothing is split off.
                let whole = exp(z + central);
                if split { whole - central.exp() } else { whole }
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
    let pick = |side: usize| {
        let mut masses: Vec<f64> = (spectrum.iter())
            .map(|c| scale * if side == 0 { c.re } else { c.im })
            .collect();
        let central = if split { log_central[side].exp() } else { 0.0 };
        masses[0] += central;
        // Parseval: the mean square over the whole spectrum, whose other half is the conjugate.
        let weight = log_weights
            .iter()
            .map(|w| (2.0 * w[side]).exp())
            .sum::<f64>();
        let weight = (2.0 * weight * scale).sqrt();
        let error =
            absolute[side] * weight + 2.0 * relative[side] * (norm + central) + 2.0 * unit * norm;
        Composed {
            error: if masses.iter().any(|m| m.is_nan()) {
                f64::NAN
            } else {
                error
            },
            masses,
        }
    };
    [pick(0), pick(1)]
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
