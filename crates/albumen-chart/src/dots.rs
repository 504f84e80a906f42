//! One measure of several sets: a dot and a whisker each, one below the other on one axis.

use crate::element::{Element, round};
use crate::frame::circle;
use crate::number::alike;
use crate::{Axis, Colour, Span, Stroke};

/// The drawing, in SVG units.
const WIDTH: f64 = 360.0;
const LEFT: f64 = 8.0;
const RIGHT: f64 = 352.0;
const TOP: f64 = 6.0;
const ROW: f64 = 34.0;

/// One set.
#[derive(Clone, Debug, PartialEq)]
pub struct DotRow {
    /// Its name.
    pub name: String,
    /// Its value in words.
    pub value: String,
    /// What it says when pointed at.
    pub title: String,
    /// Where it lies.
    pub span: Span,
    /// Its colour.
    pub colour: Colour,
    /// Whether the dot is only an outline: a set to compare with.
    pub hollow: bool,
}

/// A line across all rows: what the sets are compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// Where it lies.
    pub value: f64,
    /// The ends of a band around it.
    pub band: Option<(f64, f64)>,
    /// Its colour.
    pub colour: Colour,
    /// How its line is drawn.
    pub stroke: Stroke,
}

/// The plot.
#[derive(Clone, Debug, PartialEq)]
pub struct DotPlot {
    /// The drawing in words.
    pub label: String,
    /// The sets, downwards.
    pub rows: Vec<DotRow>,
    /// What they are compared with, the last on top.
    pub references: Vec<Reference>,
    /// The axis.
    pub axis: Axis,
}

impl DotPlot {
    /// The drawing.
    pub fn svg(&self) -> String {
        let base = TOP + ROW * self.rows.len() as f64;
        let mut svg = Element::drawing(WIDTH, base + 20.0, &self.label);
        for reference in &self.references {
            let colour = reference.colour.name();
            if let Some((low, high)) = reference.band {
                let (low, high) = (self.x(low), self.x(high));
                let class = format!("band c-{colour}");
                svg.push(&Element::rect(&class, (low, 2.0), (high - low, base - 2.0)));
            }
            let line = format!("M{} 2V{}", self.x(reference.value), round(base));
            let class = reference.stroke.class(reference.colour);
            svg.push(&Element::path(&class, &line));
        }
        for (i, row) in self.rows.iter().enumerate() {
            svg.push(&self.row(row, TOP + ROW * i as f64));
        }
        let axis = format!("M{LEFT} {}H{RIGHT}", round(base));
        svg.push(&Element::path("axis", &axis));
        let ticks = self.axis.ticks();
        for (value, label) in ticks.iter().zip(alike(&ticks)) {
            let x = self.x(*value);
            let class = if x < LEFT + 4.0 {
                "start"
            } else if x > RIGHT - 4.0 {
                "end"
            } else {
                ""
            };
            svg.push(&Element::words(class, x, base + 14.0, &label));
        }
        svg.to_string()
    }

    fn x(&self, value: f64) -> f64 {
        round(LEFT + (RIGHT - LEFT) * self.axis.place(value).clamp(0.0, 1.0))
    }

    fn row(&self, row: &DotRow, top: f64) -> Element {
        let hollow = if row.hollow { " hollow" } else { "" };
        let class = format!("c-{}{hollow}", row.colour.name());
        let y = round(top + 22.0);
        let span = row.span;
        let whisker = format!("M{} {y}H{}", self.x(span.low), self.x(span.high));
        Element::new("g")
            .with("class", &class)
            .title(&row.title)
            .child(&Element::words(
                "name halo start",
                LEFT,
                top + 11.0,
                &row.name,
            ))
            .child(&Element::words(
                "strong halo end",
                RIGHT,
                top + 11.0,
                &row.value,
            ))
            .child(&Element::path("whisker", &whisker))
            .child(&circle("dot", (self.x(span.value), y), 5.0))
    }
}
