//! One measure over epsilon as a plot: the kept albums with their intervals, all sampled ones, the
//! ceiling and the floor.

use std::fmt::Write as _;

use serde::Serialize;

use super::dots::better_words;
use crate::compare::{Measure, Measured, Role};
use albumen_report::synthetic::bootstrap::Estimate;

/// The drawing, in SVG units.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 346.0;
const TOP: f64 = 10.0;
const BASE: f64 = 164.0;
/// Lines across the plot.
const STEPS: usize = 4;

/// A plot.
#[derive(Debug, Serialize)]
pub(super) struct Curve {
    title: &'static str,
    better: &'static str,
    /// Height and value of each line across.
    lines: Vec<(f64, String)>,
    /// Place and name of each epsilon.
    ticks: Vec<(f64, String)>,
    dots: Vec<Dot>,
    kept: String,
    sampled: String,
    ceiling: String,
    floor: String,
    /// Everything in words.
    label: String,
}

#[derive(Debug, Serialize)]
struct Dot {
    x: f64,
    y: f64,
    low: f64,
    high: f64,
    title: String,
}

/// The plot of a measure over the epsilons `names`; none where it was not measured of the kept or the
/// sampled albums. `measured` holds the measures at each epsilon.
pub(super) fn plot(
    names: &[String],
    measured: &[Vec<Measured>],
    measure: Measure,
) -> Option<Curve> {
    let of = |role: Role| -> Vec<Option<Estimate>> {
        let find = |at: &Vec<Measured>| {
            let mut all = at.iter();
            let found = all.find(|m| m.measure == measure && m.role == role);
            found.map(|m| m.estimate)
        };
        measured.iter().map(find).collect()
    };
    let [kept, sampled, ceiling, floor] =
        [Role::Kept, Role::Sampled, Role::HeldOut, Role::FloorKept].map(of);
    let all = [&kept, &sampled, &ceiling, &floor];
    let values = || all.iter().flat_map(|s| s.iter().flatten());
    kept.iter().chain(&sampled).flatten().next()?;
    let least = values()
        .map(|e| e.low.min(e.value))
        .fold(f64::MAX, f64::min);
    let most = values()
        .map(|e| e.high.max(e.value))
        .fold(f64::MIN, f64::max);
    let (low, high) = measure.range();
    let room = 0.06 * (most - least).max(1e-3);
    let (from, to) = ((least - room).max(low), (most + room).min(high));
    let x = |i: usize| {
        let step = (RIGHT - LEFT - 24.0) / (names.len().max(2) - 1) as f64;
        round(LEFT + 12.0 + step * i as f64)
    };
    let y = |value: f64| round(BASE - (BASE - TOP) * (value - from) / (to - from).max(1e-9));
    let path = |series: &[Option<Estimate>]| {
        let mut path = String::new();
        for (i, estimate) in series.iter().enumerate() {
            if let Some(e) = estimate {
                let pen = if path.is_empty() { 'M' } else { 'L' };
                // Writing into a String cannot fail.
                let _ = write!(path, "{pen}{} {}", x(i), y(e.value));
            }
        }
        path
    };
    let dots: Vec<Dot> = kept
        .iter()
        .enumerate()
        .filter_map(|(i, e)| Some((i, (*e)?)))
        .map(|(i, e)| Dot {
            x: x(i),
            y: y(e.value),
            low: y(e.low),
            high: y(e.high),
            title: format!(
                "epsilon {}: {:.3} ({:.3} to {:.3})",
                names[i], e.value, e.low, e.high
            ),
        })
        .collect();
    let label: Vec<&str> = dots.iter().map(|d| d.title.as_str()).collect();
    let label = label.join("; ");
    let decimals = if to - from < 2.0 { 2 } else { 1 };
    Some(Curve {
        title: measure.title(),
        better: better_words(measure),
        lines: (0..=STEPS)
            .map(|i| from + (to - from) * i as f64 / STEPS as f64)
            .map(|value| (y(value), format!("{value:.decimals$}")))
            .collect(),
        ticks: names
            .iter()
            .cloned()
            .enumerate()
            .map(|(i, n)| (x(i), n))
            .collect(),
        kept: path(&kept),
        sampled: path(&sampled),
        ceiling: path(&ceiling),
        floor: path(&floor),
        dots,
        label,
    })
}

/// To one decimal, so that equal pages have equal bytes.
fn round(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}
