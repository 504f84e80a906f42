//! The Renyi accountant, as a cross-check on the privacy loss distributions.

use std::f64::consts::PI;

use crate::Event;

/// Renyi orders: dense where one large epsilon wants them, sparse beyond.
pub fn orders() -> Vec<f64> {
    let fractional = (1..100).map(|i| 1.0 + f64::from(i) / 10.0);
    let whole = (11..64).map(f64::from);
    let sparse = [
        64.0, 72.0, 80.0, 96.0, 112.0, 128.0, 160.0, 192.0, 256.0, 384.0, 512.0, 1024.0,
    ];
    fractional.chain(whole).chain(sparse).collect()
}

/// The Renyi divergence of order `alpha > 1` that these events spend together.
pub fn renyi_divergence(events: &[Event], alpha: f64) -> f64 {
    renyi_curve(events, &[alpha])[0]
}

/// Epsilon by the conversion of Canonne, Kamath and Steinke (2020, proposition 12), the least over
/// [`orders`].
pub fn renyi_epsilon(events: &[Event], delta: f64) -> f64 {
    least_epsilon(events, |rdp, alpha| {
        rdp + (-1.0 / alpha).ln_1p() - (delta * alpha).ln() / (alpha - 1.0)
    })
}

/// Epsilon by the first conversion (Mironov 2017, proposition 3); never below [`renyi_epsilon`].
pub fn renyi_epsilon_classic(events: &[Event], delta: f64) -> f64 {
    least_epsilon(events, |rdp, alpha| rdp - delta.ln() / (alpha - 1.0))
}

fn least_epsilon(events: &[Event], convert: impl Fn(f64, f64) -> f64) -> f64 {
    if events.iter().all(|e| e.steps() == 0) {
        return 0.0;
    }
    let orders = orders();
    let converted = renyi_curve(events, &orders).into_iter().zip(&orders);
    converted
        .map(|(rdp, &order)| convert(rdp, order))
        .filter(|epsilon| !epsilon.is_nan())
        .fold(f64::INFINITY, f64::min)
        .max(0.0)
}

/// The divergences that these events spend together, at each order.
pub(crate) fn renyi_curve(events: &[Event], orders: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; orders.len()];
    for event in events {
        for (sum, value) in sums.iter_mut().zip(event_curve(event, orders)) {
            *sum += value;
        }
    }
    sums
}

fn event_curve(event: &Event, orders: &[f64]) -> Vec<f64> {
    let each = |f: &dyn Fn(f64) -> f64| orders.iter().map(|&a| f(a)).collect();
    match *event {
        Event::PoissonGaussian {
            noise_multiplier,
            sampling_rate,
            steps,
            ..
        } if sampling_rate < 1.0 => subsampled_gaussian(noise_multiplier, sampling_rate, orders)
            .into_iter()
            .zip(orders)
            // The logarithm of a sum near 1 is off by a few units in the last place of 1.
            .map(|(rdp, order)| (rdp + 1e-14 / (order - 1.0)) * steps as f64)
            .collect(),
        Event::PoissonGaussian {
            noise_multiplier: s,
            steps,
            ..
        } => each(&|a| steps as f64 * a / (2.0 * s * s)),
        // The discrete Gaussian is no worse at any order (Canonne, Kamath and Steinke 2020,
        // proposition 5).
        Event::Gaussian { noise_multiplier }
        | Event::DiscreteGaussian {
            noise_multiplier, ..
        } => each(&|a| a / (2.0 * noise_multiplier * noise_multiplier)),
        Event::Laplace { scale } => each(&|a| {
            // Mironov 2017, table II.
            let up = (a / (2.0 * a - 1.0)).ln() + (a - 1.0) / scale;
            let down = ((a - 1.0) / (2.0 * a - 1.0)).ln() - a / scale;
            log_add(up, down) / (a - 1.0)
        }),
        Event::PureDp { epsilon } => each(&|a| {
            // Randomised response; Mironov 2017, table II.
            let (high, low) = (-(-epsilon).exp().ln_1p(), -epsilon.exp().ln_1p());
            let up = a * high + (1.0 - a) * low;
            let down = a * low + (1.0 - a) * high;
            log_add(up, down) / (a - 1.0)
        }),
    }
}

/// Renyi divergences of one Poisson-subsampled Gaussian step (Mironov, Talwar and Zhang 2019):
/// `ln E_(x ~ N(0, sigma^2)) [(1 - q + q e^((2x - 1) / (2 sigma^2)))^alpha] / (alpha - 1)`, by the
/// trapezoid rule, which converges geometrically for this integrand.
fn subsampled_gaussian(sigma: f64, q: f64, orders: &[f64]) -> Vec<f64> {
    let top = orders.iter().fold(1.0_f64, |a, &b| a.max(b)) / sigma + 12.0;
    // Branch points lie at distance pi * sigma from the real line.
    let step = 0.15_f64.min(sigma / 3.0);
    let (log_keep, log_q) = ((-q).ln_1p(), q.ln());
    let nodes: Vec<(f64, f64)> = (0..=((top + 12.0) / step) as u32)
        .map(|i| -12.0 + f64::from(i) * step)
        .map(|z| {
            let loss = log_add(log_keep, log_q + (z - 0.5 / sigma) / sigma);
            (loss, -0.5 * z * z)
        })
        .collect();
    let log_weight = (step / (2.0 * PI).sqrt()).ln();
    orders
        .iter()
        .map(|&alpha| {
            // The integrand's two bumps lie near 0 and near alpha / sigma.
            let end = nodes
                .len()
                .min(((alpha / sigma + 24.0) / step) as usize + 2);
            let heights: Vec<f64> = nodes[..end].iter().map(|(l, g)| alpha * l + g).collect();
            let peak = heights.iter().fold(f64::NEG_INFINITY, |p, &h| p.max(h));
            let relevant = heights.iter().filter(|&&h| h > peak - 45.0);
            let sum: f64 = relevant.map(|h| (h - peak).exp()).sum();
            ((peak + sum.ln() + log_weight) / (alpha - 1.0)).max(0.0)
        })
        .collect()
}

fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}
