//! One measure over named points, such as several epsilons.

use crate::number::alike;
use crate::{Axis, Colour, Element, Frame, Span, Stroke};

/// The drawing, and the plot's area in it, in SVG units.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 204.0;
const CORNER: (f64, f64) = (44.0, 10.0);
const SIZE: (f64, f64) = (302.0, 154.0);

/// One set's values.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// A value at each point, where there is one.
    pub values: Vec<Option<Span>>,
    /// Its colour.
    pub colour: Colour,
    /// How its line is drawn.
    pub stroke: Stroke,
    /// Whether it has dots with intervals, each with these words before its numbers.
    pub dots: Option<&'static str>,
}

/// The plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// The drawing in words.
    pub label: String,
    /// Names of the points, at equal distances.
    pub names: Vec<String>,
    /// What the names are.
    pub axis: String,
    /// The sets, the last on top.
    pub curves: Vec<Curve>,
    /// Least and greatest value that can be.
    pub limits: (f64, f64),
}

impl Curves {
    /// What the dots say, in order.
    pub fn words(&self) -> Vec<String> {
        self.dots().map(|(.., words)| words).collect()
    }

    /// The drawing.
    pub fn svg(&self) -> String {
        let values = self.curves.iter().flat_map(|c| c.values.iter().flatten());
        let ends = values.flat_map(|s| [s.low, s.value, s.high]);
        // A little room at both ends, for dots.
        let last = self.names.len().max(2) as f64 - 1.0;
        let room = last * 12.0 / (SIZE.0 - 24.0);
        let frame = Frame {
            corner: CORNER,
            size: SIZE,
            x: Axis::linear(-room, last + room),
            y: Axis::around(ends, self.limits),
        };
        let mut svg = Element::drawing(WIDTH, HEIGHT, &self.label);
        let ticks = frame.y.ticks();
        let named: Vec<_> = ticks.iter().copied().zip(alike(&ticks)).collect();
        frame.y_ticks(&mut svg, &named);
        for (i, name) in self.names.iter().enumerate() {
            frame.x_tick(&mut svg, i as f64, &[(Colour::Soft, name.clone())], false);
        }
        for curve in &self.curves {
            let points = curve.values.iter().enumerate();
            let points: Vec<_> = points
                .filter_map(|(i, span)| Some((i as f64, (*span)?.value)))
                .collect();
            frame.line(&mut svg, curve.colour, curve.stroke, &points);
        }
        for (colour, i, span, words) in self.dots() {
            frame.dot(&mut svg, colour, i as f64, span, &words);
        }
        let (right, base) = frame.end();
        svg.child(&Element::words("end", right, base + 36.0, &self.axis))
            .to_string()
    }

    /// Colour, place, value and words of each dot.
    fn dots(&self) -> impl Iterator<Item = (Colour, usize, Span, String)> {
        self.curves.iter().flat_map(move |curve| {
            let values = curve.values.iter().enumerate();
            values.filter_map(move |(i, span)| {
                let (before, span) = (curve.dots?, (*span)?);
                let numbers = crate::number::interval(span, 3);
                let words = format!("{before} {}: {numbers}", self.names.get(i)?);
                Some((curve.colour, i, span, words))
            })
        })
    }
}
