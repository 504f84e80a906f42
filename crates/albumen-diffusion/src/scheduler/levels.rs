//! Noise levels: the schedule of training, the timesteps of sampling, and the change between
//! timesteps and the sigma of Karras et al. (arXiv:2206.00364).

use super::config::{BetaSchedule, FinalSigma, SchedulerConfig, Spacing};

/// Where a cumulative product of alphas must not be zero: the smallest half-precision number.
const ZERO_SNR_ALPHA: f64 = 1.0 / (1u64 << 24) as f64;

/// The cumulative products of alpha, one a timestep of training.
///
/// With `keep_finite`, a schedule rescaled to zero signal (algorithm 1 of Lin et al.,
/// arXiv:2305.08891) ends a little above zero, so that sigma stays finite.
pub(super) fn alphas_cumprod(config: &SchedulerConfig, keep_finite: bool) -> Vec<f64> {
    let n = config.num_train_timesteps;
    let (from, to) = (config.beta_start, config.beta_end);
    let linear = |a: f64, b: f64, i: usize| (a + (b - a) * i as f64 / (n - 1) as f64) as f32;
    // The networks were trained on tables in f32, whose rounding a thousand products magnify.
    let betas: Vec<f32> = match (&config.trained_betas, config.beta_schedule) {
        (Some(betas), _) => betas.iter().map(|&beta| beta as f32).collect(),
        (None, BetaSchedule::Linear) => (0..n).map(|i| linear(from, to, i)).collect(),
        (None, BetaSchedule::ScaledLinear) => (0..n)
            .map(|i| linear(from.sqrt(), to.sqrt(), i).powi(2))
            .collect(),
        // Nichol and Dhariwal, arXiv:2102.09672, equation 17.
        (None, BetaSchedule::SquaredcosCapV2) => {
            let angle = |t: f64| (t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2;
            let bar = |i: usize| angle(i as f64 / n as f64).cos().powi(2);
            (0..n)
                .map(|i| (1.0 - bar(i + 1) / bar(i)).min(0.999) as f32)
                .collect()
        }
    };
    let mut product = 1.0;
    let mut alphas: Vec<f64> = betas
        .iter()
        .map(|beta| {
            product *= f64::from(1.0 - beta);
            f64::from(product as f32)
        })
        .collect();
    if config.rescale_betas_zero_snr {
        let (first, last) = (alphas[0].sqrt(), alphas[alphas.len() - 1].sqrt());
        for alpha in &mut alphas {
            *alpha = ((alpha.sqrt() - last) * first / (first - last)).powi(2);
        }
        if keep_finite && let Some(last) = alphas.last_mut() {
            *last = ZERO_SNR_ALPHA;
        }
    }
    alphas
}

/// The timesteps of `steps` calls, from noise to picture, as DDIM, PNDM and Euler spread them;
/// `round` where the network was only asked about whole ones.
pub(super) fn timesteps(
    config: &SchedulerConfig,
    spacing: Spacing,
    steps: usize,
    round: bool,
) -> Vec<f64> {
    let n = config.num_train_timesteps;
    match spacing {
        Spacing::Linspace => {
            let gap = (n - 1) as f64 / (steps.max(2) - 1) as f64;
            let at = |i: usize| if steps == 1 { 0.0 } else { i as f64 * gap };
            let whole = |t: f64| if round { t.round_ties_even() } else { t };
            (0..steps).rev().map(|i| whole(at(i))).collect()
        }
        Spacing::Leading => leading(n / steps, steps, config.steps_offset),
        Spacing::Trailing => trailing(n, steps),
    }
}

/// The timesteps of the multistep solvers, which leave the last one of `steps + 1` out.
pub(super) fn multistep_timesteps(
    config: &SchedulerConfig,
    spacing: Spacing,
    steps: usize,
) -> Vec<f64> {
    let n = config.num_train_timesteps;
    match spacing {
        Spacing::Linspace => {
            let gap = (n - 1) as f64 / steps as f64;
            let at = |i: usize| (i as f64 * gap).round_ties_even();
            (1..=steps).rev().map(at).collect()
        }
        Spacing::Leading => {
            let ratio = n / (steps + 1);
            let at = |i: usize| (i * ratio + config.steps_offset) as f64;
            (1..=steps).rev().map(at).collect()
        }
        Spacing::Trailing => trailing(n, steps),
    }
}

fn leading(ratio: usize, steps: usize, offset: usize) -> Vec<f64> {
    (0..steps)
        .rev()
        .map(|i| (i * ratio + offset) as f64)
        .collect()
}

fn trailing(n: usize, steps: usize) -> Vec<f64> {
    let ratio = n as f64 / steps as f64;
    (0..steps)
        .map(|i| (n as f64 - i as f64 * ratio).round_ties_even() - 1.0)
        .collect()
}

/// The noise levels of training, by timestep: `sqrt((1 - a) / a)`.
pub(super) fn training_sigmas(config: &SchedulerConfig) -> Vec<f64> {
    let sigma = |alpha: f64| ((1.0 - alpha) / alpha).sqrt();
    alphas_cumprod(config, true)
        .into_iter()
        .map(sigma)
        .collect()
}

/// The level at a timestep, linear between whole ones.
pub(super) fn sigma_at(sigmas: &[f64], timestep: f64) -> f64 {
    let last = sigmas.len() - 1;
    let t = timestep.clamp(0.0, last as f64);
    let low = (t.floor() as usize).min(last.saturating_sub(1));
    let share = t - low as f64;
    sigmas[low] * (1.0 - share) + sigmas[low + 1] * share
}

/// The timestep of a level: linear in its logarithm.
pub(super) fn timestep_of(sigmas: &[f64], sigma: f64) -> f64 {
    let wanted = sigma.max(1e-10).ln();
    let above = sigmas.partition_point(|s| s.ln() <= wanted);
    let low = above.saturating_sub(1).min(sigmas.len() - 2);
    let (from, to) = (sigmas[low].ln(), sigmas[low + 1].ln());
    let share = ((from - wanted) / (from - to)).clamp(0.0, 1.0);
    low as f64 + share
}

/// `steps` levels from `max` to `min`, evenly spread in their seventh root (equation 5 of Karras
/// et al.).
pub(super) fn karras(max: f64, min: f64, steps: usize) -> Vec<f64> {
    const RHO: f64 = 7.0;
    let (high, low) = (max.powf(1.0 / RHO), min.powf(1.0 / RHO));
    ramp(steps)
        .map(|r| (high + r * (low - high)).powf(RHO))
        .collect()
}

/// `steps` levels from `max` to `min`, evenly spread in their logarithm.
pub(super) fn exponential(max: f64, min: f64, steps: usize) -> Vec<f64> {
    ramp(steps)
        .map(|r| (max.ln() + r * (min.ln() - max.ln())).exp())
        .collect()
}

fn ramp(steps: usize) -> impl Iterator<Item = f64> {
    (0..steps).map(move |i| i as f64 / (steps.max(2) - 1) as f64)
}

/// The level after the last step; `min` is the smallest.
pub(super) fn last(config: &SchedulerConfig, min: f64) -> f64 {
    match config.final_sigmas_type {
        FinalSigma::Zero => 0.0,
        FinalSigma::SigmaMin => min,
    }
}

/// Alpha and sigma of the variance-preserving form of a level: `alpha^2 + sigma^2 = 1`.
pub(super) fn variance_preserving(sigma: f64) -> (f64, f64) {
    let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
    (alpha, sigma * alpha)
}

/// Half the log signal-to-noise ratio of a level.
pub(super) fn lambda(sigma: f64) -> f64 {
    -sigma.ln()
}
