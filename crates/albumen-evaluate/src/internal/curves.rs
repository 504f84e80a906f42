//! One measure over epsilon as a plot: the kept albums with their intervals, all sampled ones, the
//! ceiling and the floor.

use albumen_chart::{Colour, Curve, Curves, Stroke};
use serde::Serialize;

use super::dots::better_words;
use crate::compare::{Measure, Measured, Role};

/// The sets, the last on top.
const SETS: [(Role, Colour, Stroke); 4] = [
    (Role::HeldOut, Colour::Real, Stroke::Solid),
    (Role::FloorKept, Colour::Floor, Stroke::Faint),
    (Role::Sampled, Colour::OwnSoft, Stroke::Thin),
    (Role::Kept, Colour::Own, Stroke::Thick),
];

/// A plot with the words around it.
#[derive(Debug, Serialize)]
pub(super) struct Plot {
    title: &'static str,
    better: &'static str,
    /// The drawing.
    svg: String,
}

/// The plot of a measure over the epsilons `names`; none where it was not measured of the kept or the
/// sampled albums. `measured` holds the measures at each epsilon.
pub(super) fn plot(names: &[String], measured: &[Vec<Measured>], measure: Measure) -> Option<Plot> {
    let of = |role: Role| {
        let find = move |at: &Vec<Measured>| {
            let mut all = at.iter();
            let found = all.find(|m| m.measure == measure && m.role == role);
            found.map(|m| m.estimate.into())
        };
        measured.iter().map(find)
    };
    of(Role::Kept).chain(of(Role::Sampled)).flatten().next()?;
    let curve = |(role, colour, stroke)| Curve {
        values: of(role).collect(),
        colour,
        stroke,
        dots: (role == Role::Kept).then_some("epsilon"),
    };
    let mut drawing = Curves {
        label: String::new(),
        names: names.to_vec(),
        axis: "epsilon".to_owned(),
        curves: SETS.map(curve).into(),
        limits: measure.range(),
    };
    drawing.label = format!("{}. {}", measure.title(), drawing.words().join("; "));
    Some(Plot {
        title: measure.title(),
        better: better_words(measure),
        svg: drawing.svg(),
    })
}
