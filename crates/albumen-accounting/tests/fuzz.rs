//! A fuzz target over the whole argument space: lists of events of every mechanism, most in the range
//! that must be answered well, some at its edges and beyond.
//!
//! It runs a few dozen cases by default; `ALBUMEN_FUZZ_SECONDS=600 cargo nextest run --release -p
//! albumen-accounting --test fuzz` runs for that long, and `ALBUMEN_FUZZ_SEED` starts elsewhere. A
//! failure names its seed, with which `ALBUMEN_FUZZ_SEED=... ALBUMEN_FUZZ_CASES=1` repeats it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

use std::time::{Duration, Instant};

use albumen_accounting::{
    Composition, Event, History, TradeOff, TuningRuns, account, account_tuned,
};

/// SplitMix64: small, and the same everywhere.
struct Source(u64);

impl Source {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// Even in the logarithm, with the ends themselves now and then.
    fn spread(&mut self, low: f64, high: f64) -> f64 {
        match self.below(12) {
            0 => low,
            1 => high,
            _ => (low.ln() + self.uniform() * (high / low).ln()).exp(),
        }
        .clamp(low, high)
    }

    /// Any bits at all, and the values that break careless code.
    fn wild(&mut self) -> f64 {
        const ODD: [f64; 10] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            f64::MAX,
            5e-324,
        ];
        match self.below(3) {
            0 => ODD[self.below(10) as usize],
            1 => f64::from_bits(self.next()),
            _ => self.spread(1e-300, 1e300),
        }
    }

    /// An event inside the range promised: sigma 0.2 to 1000, q 1e-7 to 1, 1 to 10^6 steps.
    fn event(&mut self) -> Event {
        match self.below(10) {
            0 => Event::Gaussian {
                noise_multiplier: self.spread(0.2, 1000.0),
            },
            1 => Event::Laplace {
                scale: self.spread(0.05, 1000.0),
            },
            2 => Event::PureDp {
                epsilon: self.spread(1e-3, 10.0),
            },
            3 => Event::DiscreteGaussian {
                noise_multiplier: self.spread(0.3, 100.0),
                sensitivity: 1 + self.below(20) as u32,
            },
            kind => {
                let steps = self.spread(1.0, 1e6) as u64;
                Event::PoissonGaussian {
                    noise_multiplier: self.spread(0.2, 1000.0),
                    sampling_rate: self.spread(1e-7, 1.0),
                    steps,
                    statistical_distance: if kind < 7 {
                        steps as f64 * 2_f64.powi(-110)
                    } else {
                        0.0
                    },
                }
            }
        }
    }

    /// An event of wild numbers: it must be refused or answered, without a panic.
    fn wild_event(&mut self) -> Event {
        match self.below(5) {
            0 => Event::Gaussian {
                noise_multiplier: self.wild(),
            },
            1 => Event::Laplace { scale: self.wild() },
            2 => Event::PureDp {
                epsilon: self.wild(),
            },
            3 => Event::DiscreteGaussian {
                noise_multiplier: self.wild(),
                sensitivity: self.next() as u32,
            },
            _ => Event::PoissonGaussian {
                noise_multiplier: self.wild(),
                sampling_rate: self.wild(),
                steps: self.next() >> self.below(64),
                statistical_distance: self.wild(),
            },
        }
    }

    fn tuning(&mut self) -> TuningRuns {
        match self.below(3) {
            0 => TuningRuns::Fixed {
                count: 1 + self.below(20) as u32,
            },
            1 => TuningRuns::SecretPoisson {
                mean: self.spread(0.1, 1e4),
            },
            _ => TuningRuns::SecretNegativeBinomial {
                eta: self.uniform() * 5.0 - 0.9,
                gamma: self.spread(1e-4, 0.9999),
            },
        }
    }
}

/// Inside the range every answer is finite, tight and consistent.
fn inside(source: &mut Source) -> Result<(), String> {
    let count = 1 + source.below(3) * source.below(2);
    let events: Vec<Event> = (0..count).map(|_| source.event()).collect();
    let delta = source.spread(1e-12, 0.1);
    let fail = |what: &str| Err(format!("{what}: {events:?} at {delta:e}"));
    let found = account(&events, delta).map_err(|e| e.to_string())?;
    let (upper, lower) = (found.epsilon, found.epsilon_lower);
    if upper.is_nan() || lower.is_nan() || lower < 0.0 || upper < lower {
        return fail(&format!("no bounds: {found:?}"));
    }
    // Renyi accounting is an independent upper bound of the ideal mechanisms.
    if lower > found.epsilon_rdp * (1.0 + 1e-9) + 1e-9 {
        return fail(&format!("above Renyi: {found:?}"));
    }
    // Where the noise's distance is charged, the upper bound may leave the lower one behind: the
    // charge must then be what did it.
    let ideal: Vec<Event> = events.iter().map(without_distance).collect();
    let exact = account(&ideal, delta).map_err(|e| e.to_string())?;
    let gap = exact.epsilon - exact.epsilon_lower;
    if !exact.epsilon.is_finite() || gap > (0.01 * exact.epsilon).max(0.002) {
        return fail(&format!("not tight: {exact:?}"));
    }
    if exact.epsilon > 1.01 * exact.epsilon_rdp + 0.002 {
        return fail(&format!("far above Renyi: {exact:?}"));
    }
    if upper < exact.epsilon_lower {
        return fail(&format!("the charge makes it less: {found:?} {exact:?}"));
    }
    questions(&events, delta, upper, lower, source).or_else(|what| fail(&what))
}

fn without_distance(event: &Event) -> Event {
    match *event {
        Event::PoissonGaussian {
            noise_multiplier,
            sampling_rate,
            steps,
            ..
        } => Event::poisson_gaussian(noise_multiplier, sampling_rate, steps),
        ref other => other.clone(),
    }
}

/// Delta at the answers, tuning and the trade-off agree with them.
fn questions(
    events: &[Event],
    delta: f64,
    upper: f64,
    lower: f64,
    source: &mut Source,
) -> Result<(), String> {
    let composition = Composition::new(events).map_err(|e| e.to_string())?;
    if upper.is_finite() {
        let at = composition.delta(upper).map_err(|e| e.to_string())?;
        if at.lower.is_nan() || at.upper.is_nan() || at.lower > delta * (1.0 + 1e-6) {
            return Err(format!("delta at the upper bound: {at:?}"));
        }
    }
    if lower > 0.0 && lower.is_finite() {
        let at = composition.delta(lower).map_err(|e| e.to_string())?;
        if at.upper.is_nan() || at.upper < delta * (1.0 - 1e-6) {
            return Err(format!("delta at the lower bound: {at:?}"));
        }
    }
    if source.below(8) > 0 {
        return Ok(());
    }
    let runs = source.tuning();
    let tuned = account_tuned(events, delta, Some(&runs)).map_err(|e| e.to_string())?;
    if tuned.epsilon.is_nan() || tuned.epsilon < tuned.epsilon_lower {
        return Err(format!("{runs:?} {tuned:?}"));
    }
    let trade_off = TradeOff::tuned(events, Some(&runs)).map_err(|e| e.to_string())?;
    let rate = trade_off
        .true_positive_rate(0.01)
        .map_err(|e| e.to_string())?;
    if !(0.01..=1.0).contains(&rate) || !(0.0..=1.0).contains(&trade_off.advantage()) {
        return Err(format!("{runs:?} {rate} {}", trade_off.advantage()));
    }
    Ok(())
}

/// Anything is refused or answered by numbers.
fn outside(source: &mut Source) -> Result<(), String> {
    let event = source.wild_event();
    let delta = if source.below(2) == 0 {
        source.wild()
    } else {
        source.spread(1e-12, 0.1)
    };
    let shown = format!("{event:?} at {delta:e}");
    if let Ok(found) = account(std::slice::from_ref(&event), delta) {
        let (upper, lower) = (found.epsilon, found.epsilon_lower);
        if upper.is_nan() || lower.is_nan() || upper < lower || lower < 0.0 {
            return Err(format!("{found:?}: {shown}"));
        }
    }
    if let Ok(composition) = Composition::new(&[event]) {
        let epsilon = source.wild();
        if let Ok(found) = composition.delta(epsilon)
            && !(0.0..=1.0).contains(&found.upper)
        {
            return Err(format!("{found:?} at epsilon {epsilon:e}: {shown}"));
        }
    }
    let bytes: Vec<u8> = (0..source.below(200))
        .map(|_| source.next() as u8)
        .collect();
    let _ = History::parse(&bytes);
    Ok(())
}

#[test]
fn every_argument_is_answered_or_refused() {
    let given = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let first = given("ALBUMEN_FUZZ_SEED").unwrap_or(1);
    let seconds = given("ALBUMEN_FUZZ_SECONDS").map(Duration::from_secs);
    let cases = given("ALBUMEN_FUZZ_CASES").unwrap_or(24);
    let start = Instant::now();
    let mut failures = Vec::new();
    let mut slowest = (Duration::ZERO, 0);
    let mut seed = first;
    loop {
        let done = match seconds {
            Some(limit) => start.elapsed() >= limit,
            None => seed - first >= cases,
        };
        if done || failures.len() >= 20 {
            break;
        }
        let case = Instant::now();
        let mut source = Source(seed);
        let result = match seed % 4 {
            0 => outside(&mut source),
            _ => inside(&mut source),
        };
        slowest = slowest.max((case.elapsed(), seed));
        if let Err(what) = result {
            failures.push(format!("seed {seed}: {what}"));
        }
        seed += 1;
    }
    println!(
        "{} cases, the slowest (seed {}) in {:?}",
        seed - first,
        slowest.1,
        slowest.0
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
