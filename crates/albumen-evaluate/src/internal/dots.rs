//! One measure as a plot: a dot and a whisker for each set, the ceiling and the floor across.

use serde::Serialize;

use crate::compare::{Better, KindEvaluation, Measure, Measured, Role};
use albumen_report::synthetic::bootstrap::Estimate;

/// The drawing, in SVG units.
const LEFT: f64 = 8.0;
const RIGHT: f64 = 352.0;
const TOP: f64 = 6.0;
const ROW: f64 = 34.0;

/// The sets, in the order drawn.
const ROWS: [(Role, &str, &str); 4] = [
    (Role::Kept, "kept", "run"),
    (Role::Sampled, "all sampled", "run"),
    (Role::FloorKept, "public model, kept", "floor"),
    (Role::Floor, "public model, all", "floor"),
];

/// A plot.
#[derive(Debug, Serialize)]
pub(super) struct DotPlot {
    title: &'static str,
    better: &'static str,
    rows: Vec<Row>,
    /// The ceiling's interval and value.
    ceiling: Option<Span>,
    ceiling_words: String,
    /// The floor's value.
    floor: Option<f64>,
    ticks: Vec<(f64, String)>,
    /// Where the axis lies, and how high the drawing is.
    base: f64,
    height: f64,
    /// Everything in words.
    label: String,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    class: &'static str,
    words: String,
    text_y: f64,
    y: f64,
    span: Span,
    title: String,
}

#[derive(Debug, Serialize)]
struct Span {
    low: f64,
    value: f64,
    high: f64,
}

/// The plot of a measure, or none where it was not measured.
pub(super) fn plot(measured: &[Measured], measure: Measure) -> Option<DotPlot> {
    let of = |role| {
        let mut all = measured.iter();
        all.find(|m| m.measure == measure && m.role == role)
    };
    let shown: Vec<&Measured> = [Role::HeldOut]
        .into_iter()
        .chain(ROWS.map(|(role, ..)| role))
        .filter_map(of)
        .collect();
    let most = shown.iter().map(|m| m.texts).max()?;
    let axis = Axis::new(measure, shown.iter().map(|m| m.estimate));
    let rows: Vec<Row> = ROWS
        .iter()
        .filter_map(|&(role, name, class)| Some((of(role)?, name, class)))
        .enumerate()
        .map(|(i, (m, name, class))| {
            let top = TOP + ROW * i as f64;
            let fewer = if m.texts * 10 < most * 9 {
                format!(", {} texts only", m.texts)
            } else {
                String::new()
            };
            Row {
                name,
                class,
                words: words(&m.estimate),
                text_y: round(top + 11.0),
                y: round(top + 22.0),
                span: axis.span(&m.estimate),
                title: format!("{name}: {}{fewer}", interval(&m.estimate)),
            }
        })
        .collect();
    let base = TOP + ROW * rows.len() as f64;
    let ceiling = of(Role::HeldOut).map(|m| m.estimate);
    let floor = of(Role::FloorKept).or_else(|| of(Role::Floor));
    let ceiling_words = ceiling.map_or_else(String::new, |e| interval(&e));
    let parts = rows.iter().map(|row| row.title.as_str());
    let label = parts.collect::<Vec<_>>().join("; ");
    Some(DotPlot {
        title: measure.title(),
        better: better_words(measure),
        label: format!(
            "{}: {label}; real against real: {ceiling_words}",
            measure.title()
        ),
        ceiling: ceiling.map(|e| axis.span(&e)),
        ceiling_words,
        floor: floor.map(|m| axis.x(m.estimate.value)),
        ticks: axis.ticks(),
        base: round(base),
        height: round(base + 20.0),
        rows,
    })
}

/// Which way is better, for people.
pub(super) fn better_words(measure: Measure) -> &'static str {
    match measure.better() {
        Better::Higher => "higher is closer to the real albums",
        Better::Lower => "lower is closer to the real albums",
        Better::LikeHeldOut => "best like other real albums; beyond them is copying",
    }
}

/// The plots of a kind, in the order of the page.
pub(super) fn plots(kind: &KindEvaluation) -> Vec<DotPlot> {
    [
        Measure::Mauve,
        Measure::Frechet,
        Measure::TransferAccuracy,
        Measure::Precision,
        Measure::Recall,
        Measure::Density,
        Measure::Coverage,
        Measure::TopicDivergence,
        Measure::WordDivergence,
        Measure::BigramDivergence,
        Measure::LengthDivergence,
    ]
    .into_iter()
    .filter_map(|measure| plot(&kind.measured, measure))
    .collect()
}

/// The plots that tell copying, in the order of the page.
pub(super) fn copying(kind: &KindEvaluation) -> Vec<DotPlot> {
    [
        Measure::ClosestDistance,
        Measure::CloserShare,
        Measure::CopiedWords,
    ]
    .into_iter()
    .filter_map(|measure| plot(&kind.measured, measure))
    .collect()
}

fn words(e: &Estimate) -> String {
    format!("{:.*}", decimals(e), e.value)
}

fn interval(e: &Estimate) -> String {
    let d = decimals(e);
    format!("{:.d$} ({:.d$} to {:.d$})", e.value, e.low, e.high)
}

/// Three digits of small numbers, fewer of large ones.
fn decimals(e: &Estimate) -> usize {
    if e.value.abs() < 10.0 { 3 } else { 1 }
}

/// The horizontal axis.
struct Axis {
    end: f64,
}

impl Axis {
    /// From zero to the measure's greatest value, or to a round number above what was found.
    fn new(measure: Measure, found: impl Iterator<Item = Estimate>) -> Self {
        let most = found.map(|e| e.high).fold(0.0, f64::max);
        let whole = measure.better() == Better::Higher && measure.range().1 == 1.0;
        let end = if whole || most <= 0.0 {
            1.0
        } else {
            let unit = 10_f64.powf(most.log10().floor());
            let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
            let fits = steps.into_iter().find(|s| s * unit >= most);
            fits.unwrap_or(10.0) * unit
        };
        Self { end }
    }

    fn x(&self, value: f64) -> f64 {
        round(LEFT + (RIGHT - LEFT) * (value / self.end).clamp(0.0, 1.0))
    }

    fn span(&self, e: &Estimate) -> Span {
        Span {
            low: self.x(e.low),
            value: self.x(e.value),
            high: self.x(e.high),
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let values = [0.0, self.end / 2.0, self.end];
        // The fewest decimals that write all three.
        let exact = |decimals: i32| {
            let scale = 10_f64.powi(decimals);
            values
                .iter()
                .all(|v| (v * scale - (v * scale).round()).abs() < 1e-6)
        };
        let decimals = (0..6).find(|d| exact(*d)).unwrap_or(6) as usize;
        values
            .map(|value| (self.x(value), format!("{value:.decimals$}")))
            .into()
    }
}

/// To one decimal, so that equal reports have equal bytes.
fn round(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(role: Role, value: f64) -> Measured {
        Measured {
            measure: Measure::Frechet,
            role,
            texts: if role == Role::Kept { 40 } else { 100 },
            estimate: Estimate {
                value,
                low: value * 0.9,
                high: value * 1.1,
            },
        }
    }

    #[test]
    fn values_lie_on_one_axis_with_ceiling_and_floor() {
        let all = [
            measured(Role::Kept, 0.24),
            measured(Role::HeldOut, 0.06),
            measured(Role::Floor, 0.4),
        ];
        let plot = plot(&all, Measure::Frechet).unwrap();
        // The axis ends at 0.5, above 0.44.
        assert_eq!(plot.ticks.last().unwrap(), &(RIGHT, "0.50".to_owned()));
        let x = |value: f64| LEFT + (RIGHT - LEFT) * value / 0.5;
        assert!((plot.rows[0].span.value - x(0.24)).abs() < 0.1);
        assert!((plot.rows[0].span.low - x(0.216)).abs() < 0.1);
        assert!((plot.ceiling.as_ref().unwrap().value - x(0.06)).abs() < 0.1);
        assert!((plot.floor.unwrap() - x(0.4)).abs() < 0.1);
        assert!(plot.rows[0].title.contains("40 texts only"));
        assert!(plot.label.contains("real against real: 0.060"));
        assert_eq!(plot.rows.len(), 2);
        assert!(super::plot(&all, Measure::Mauve).is_none());
    }
}
