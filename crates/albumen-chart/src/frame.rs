//! A plot's area with its two axes, and what is drawn in it.

use std::fmt::Write as _;

use crate::element::{Element, round};
use crate::{Axis, Colour, Span};

/// How a line is drawn, so that lines differ without their colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Without a break.
    Solid,
    /// Without a break, and wide.
    Thick,
    /// Without a break, and narrow.
    Thin,
    /// Long dashes.
    Dashed,
    /// Dots.
    Dotted,
    /// Long and short dashes in turn.
    Broken,
    /// Narrow, with short dashes: what is there to compare with.
    Faint,
}

impl Stroke {
    fn name(self) -> &'static str {
        match self {
            Self::Solid => "",
            Self::Thick => " thick",
            Self::Thin => " thin",
            Self::Dashed => " dashed",
            Self::Dotted => " dotted",
            Self::Broken => " broken",
            Self::Faint => " faint",
        }
    }

    /// The class of a line of a colour.
    pub fn class(self, colour: Colour) -> String {
        format!("stroke{} c-{}", self.name(), colour.name())
    }
}

/// A plot's area inside a drawing.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Its left upper corner.
    pub corner: (f64, f64),
    /// Its width and height.
    pub size: (f64, f64),
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis, upwards.
    pub y: Axis,
}

impl Frame {
    /// A point of the drawing, kept inside the area.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x_at(x), self.y_at(y))
    }

    /// The area's right and lower ends.
    pub fn end(&self) -> (f64, f64) {
        (self.corner.0 + self.size.0, self.corner.1 + self.size.1)
    }

    fn x_at(&self, x: f64) -> f64 {
        round(self.corner.0 + self.size.0 * self.x.place(x).clamp(0.0, 1.0))
    }

    fn y_at(&self, y: f64) -> f64 {
        round(self.corner.1 + self.size.1 * (1.0 - self.y.place(y).clamp(0.0, 1.0)))
    }

    /// Grid lines and labels of the vertical axis.
    pub fn y_ticks(&self, into: &mut Element, ticks: &[(f64, String)]) {
        let (left, right) = (self.corner.0, self.end().0);
        for (value, label) in ticks {
            let y = self.y_at(*value);
            let line = format!("M{} {y}H{}", round(left), round(right));
            into.push(&Element::path("grid", &line));
            into.push(&Element::words("end", left - 6.0, y + 4.0, label));
        }
    }

    /// A tick of the horizontal axis, with one label below another, each in a colour; with a grid line
    /// where asked for.
    pub fn x_tick(&self, into: &mut Element, value: f64, labels: &[(Colour, String)], grid: bool) {
        let (x, base) = (self.x_at(value), self.end().1);
        if grid {
            let line = format!("M{x} {}V{}", round(self.corner.1), round(base));
            into.push(&Element::path("grid", &line));
        }
        for (row, (colour, label)) in labels.iter().enumerate() {
            let class = format!("coloured c-{}", colour.name());
            let y = base + 17.0 + 15.0 * row as f64;
            into.push(&Element::words(&class, x, y, label));
        }
    }

    /// The border.
    pub fn border(&self, into: &mut Element) {
        into.push(&Element::rect("frame", self.corner, self.size));
    }

    /// What the axes count: below row `row` of the horizontal axis' labels, and at the left.
    pub fn titles(&self, into: &mut Element, below: &str, row: usize, left: &str) {
        let ((x, y), (w, h)) = (self.corner, self.size);
        let base = y + h + 20.0 + 15.0 * row as f64;
        into.push(&Element::words("", x + w / 2.0, base, below));
        let turned = format!("translate({} {}) rotate(-90)", x - 44.0, y + h / 2.0);
        into.push(&Element::new("text").with("transform", &turned).text(left));
    }

    /// A line through points; values that are not finite break it.
    pub fn line(&self, into: &mut Element, colour: Colour, stroke: Stroke, points: &[(f64, f64)]) {
        let mut path = String::new();
        let mut drawing = false;
        for &(x, y) in points {
            if !y.is_finite() {
                drawing = false;
                continue;
            }
            let (x, y) = self.at(x, y);
            // Writing into a String cannot fail.
            let _ = write!(path, "{}{x} {y}", if drawing { 'L' } else { 'M' });
            drawing = true;
        }
        into.push(&Element::path(&stroke.class(colour), &path));
    }

    /// A marked point with a label above it, on the side that a rising or falling line leaves free.
    pub fn mark(
        &self,
        into: &mut Element,
        colour: Colour,
        (x, y): (f64, f64),
        rising: bool,
        label: &str,
    ) {
        let (x, y) = self.at(x, y);
        let (anchor, aside) = if rising {
            ("end", -8.0)
        } else {
            ("start", 8.0)
        };
        let class = format!("mark c-{}", colour.name());
        into.push(&circle(&class, (x, y), 4.5));
        let class = format!("strong halo {anchor}");
        into.push(&Element::words(&class, x + aside, y - 8.0, label));
    }

    /// A dot with its interval up and down, and what it says when pointed at.
    pub fn dot(&self, into: &mut Element, colour: Colour, x: f64, span: Span, title: &str) {
        let (x, y) = self.at(x, span.value);
        let whisker = format!("M{x} {}V{}", self.y_at(span.low), self.y_at(span.high));
        let class = format!("c-{}", colour.name());
        let group = Element::new("g").with("class", &class).title(title);
        let group = group.child(&Element::path("whisker", &whisker));
        into.push(&group.child(&circle("dot", (x, y), 5.0)));
    }
}

/// A circle of a class.
pub(crate) fn circle(class: &str, (x, y): (f64, f64), radius: f64) -> Element {
    Element::new("circle")
        .with("class", class)
        .at("cx", x)
        .at("cy", y)
        .at("r", radius)
}
