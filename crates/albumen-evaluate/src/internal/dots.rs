//! One measure as a plot: a dot and a whisker for each set, the ceiling and the floor across.

use albumen_chart::{Axis, Colour, DotPlot, DotRow, Reference, Stroke, number};
use albumen_report::synthetic::bootstrap::Estimate;
use serde::Serialize;

use crate::compare::{Better, KindEvaluation, Measure, Measured, Role};

/// The sets, in the order drawn; those of the public model are there to compare with.
const ROWS: [(Role, &str, Colour); 4] = [
    (Role::Kept, "kept", Colour::Own),
    (Role::Sampled, "all sampled", Colour::Own),
    (Role::FloorKept, "public model, kept", Colour::Floor),
    (Role::Floor, "public model, all", Colour::Floor),
];

/// A plot with the words around it.
#[derive(Debug, Serialize)]
pub(super) struct Plot {
    title: &'static str,
    better: &'static str,
    /// The drawing.
    svg: String,
    /// The ceiling's value and interval.
    ceiling: String,
}

/// The plot of a measure, or none where it was not measured.
pub(super) fn plot(measured: &[Measured], measure: Measure) -> Option<Plot> {
    let ceiling = find(measured, measure, Role::HeldOut).map(|m| m.estimate);
    Some(Plot {
        title: measure.title(),
        better: better_words(measure),
        svg: drawing(measured, measure)?.svg(),
        ceiling: ceiling.map_or_else(String::new, interval),
    })
}

fn find(measured: &[Measured], measure: Measure, role: Role) -> Option<&Measured> {
    let mut all = measured.iter();
    all.find(|m| m.measure == measure && m.role == role)
}

fn drawing(measured: &[Measured], measure: Measure) -> Option<DotPlot> {
    let of = |role| find(measured, measure, role);
    let shown: Vec<&Measured> = [Role::HeldOut]
        .into_iter()
        .chain(ROWS.map(|(role, ..)| role))
        .filter_map(of)
        .collect();
    let most = shown.iter().map(|m| m.texts).max()?;
    let row = |&(role, name, colour): &(Role, &str, Colour)| {
        let m = of(role)?;
        let fewer = if m.texts * 10 < most * 9 {
            format!(", {} texts only", m.texts)
        } else {
            String::new()
        };
        let value = m.estimate.value;
        Some(DotRow {
            name: name.to_owned(),
            value: format!("{value:.*}", number::decimals(value)),
            title: format!("{name}: {}{fewer}", interval(m.estimate)),
            span: m.estimate.into(),
            colour,
            hollow: colour == Colour::Floor,
        })
    };
    let rows: Vec<DotRow> = ROWS.iter().filter_map(row).collect();
    let ceiling = of(Role::HeldOut).map(|m| m.estimate);
    let floor = of(Role::FloorKept).or_else(|| of(Role::Floor));
    let titles: Vec<&str> = rows.iter().map(|row| row.title.as_str()).collect();
    let real = ceiling.map_or_else(String::new, interval);
    let references = [
        ceiling.map(|e| Reference {
            value: e.value,
            band: Some((e.low, e.high)),
            colour: Colour::Real,
            stroke: Stroke::Solid,
        }),
        floor.map(|m| Reference {
            value: m.estimate.value,
            band: None,
            colour: Colour::Floor,
            stroke: Stroke::Faint,
        }),
    ];
    // Shares of one are seen best on the whole axis.
    let axis = if measure.better() == Better::Higher && measure.range().1 == 1.0 {
        Axis::linear(0.0, 1.0)
    } else {
        Axis::from_zero(shown.iter().map(|m| m.estimate.high))
    };
    Some(DotPlot {
        label: format!(
            "{}: {}; real against real: {real}",
            measure.title(),
            titles.join("; ")
        ),
        rows,
        references: references.into_iter().flatten().collect(),
        axis,
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
pub(super) fn plots(kind: &KindEvaluation) -> Vec<Plot> {
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
pub(super) fn copying(kind: &KindEvaluation) -> Vec<Plot> {
    [
        Measure::ClosestDistance,
        Measure::CloserShare,
        Measure::CopiedWords,
    ]
    .into_iter()
    .filter_map(|measure| plot(&kind.measured, measure))
    .collect()
}

fn interval(e: Estimate) -> String {
    number::interval(e, number::decimals(e.value))
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
        let plot = drawing(&all, Measure::Frechet).unwrap();
        // The axis ends at 0.5, above 0.44.
        assert_eq!((plot.axis.low, plot.axis.high), (0.0, 0.5));
        assert_eq!(
            plot.rows[0].span,
            measured(Role::Kept, 0.24).estimate.into()
        );
        assert!(plot.rows[0].title.contains("40 texts only"));
        assert!(plot.label.contains("real against real: 0.060"));
        assert_eq!(plot.rows.len(), 2);
        let at: Vec<f64> = plot.references.iter().map(|r| r.value).collect();
        assert_eq!(at, [0.06, 0.4]);
        assert!(plot.references[0].band.is_some() && plot.references[1].band.is_none());
        assert!(super::plot(&all, Measure::Mauve).is_none());
    }
}
