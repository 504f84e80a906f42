//! Bars in the lists of a page: as wide as the page allows, so lengths are in per cent.

use crate::{Colour, Element, number};

/// A part of a bar, from one place to another in per cent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Its colour.
    pub colour: Colour,
}

/// One bar on its track; its words stand beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareBar {
    /// Its parts, the last on top.
    pub parts: Vec<Part>,
    /// The ends of an interval, in per cent.
    pub whisker: Option<(f64, f64)>,
}

impl ShareBar {
    /// A bar of one part from the beginning.
    pub fn of(percent: f64, colour: Colour) -> Self {
        Self {
            parts: vec![Part {
                from: 0.0,
                to: percent,
                colour,
            }],
            whisker: None,
        }
    }

    /// The drawing.
    pub fn svg(&self) -> String {
        let track = Part {
            from: 0.0,
            to: 100.0,
            colour: Colour::Track,
        };
        let mut svg = Element::ornament("share");
        for part in [track].iter().chain(&self.parts) {
            let class = format!("bar c-{}", part.colour.name());
            // Only a bar from the beginning has round ends.
            let round = if part.from > 0.0 { 0.0 } else { 5.0 };
            let bar = Element::new("rect")
                .with("class", &class)
                .at_percent("x", part.from)
                .at_percent("width", part.to - part.from)
                .at("height", 10.0)
                .at("rx", round);
            svg.push(&bar);
        }
        if let Some((low, high)) = self.whisker {
            let line = Element::new("line")
                .with("class", "stroke c-soft")
                .at_percent("x1", low)
                .at_percent("x2", high)
                .at("y1", 14.0)
                .at("y2", 14.0);
            svg.push(&line);
        }
        svg.to_string()
    }
}

/// A share among those of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareRow {
    /// Whose it is.
    pub name: &'static str,
    /// The share, 0 to 1.
    pub share: f64,
    /// Its colour.
    pub colour: Colour,
}

/// Shares of one thing, a thin bar each.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareRows {
    /// The shares, downwards.
    pub rows: Vec<ShareRow>,
    /// The share that the longest bar stands for.
    pub longest: f64,
}

/// Length of the longest bar in per cent; its share stands beside it.
const LONGEST: f64 = 86.0;
/// Height of a row, in SVG units.
const ROW: f64 = 13.0;

impl ShareRows {
    /// The drawing.
    pub fn svg(&self) -> String {
        let words = |row: &ShareRow| format!("{} {}", row.name, number::percent(row.share));
        let label: Vec<String> = self.rows.iter().map(words).collect();
        let mut svg = Element::new("svg")
            .with("class", "chart rows")
            .with("role", "img")
            .with("aria-label", &label.join("; "));
        for (i, row) in self.rows.iter().enumerate() {
            let y = ROW * i as f64;
            let class = format!("bar c-{}", row.colour.name());
            let length = LONGEST * row.share / self.longest.max(f64::MIN_POSITIVE);
            let bar = Element::new("rect")
                .with("class", &class)
                .at("y", y + 1.5)
                .at_percent("width", length)
                .at("height", 10.0)
                .at("rx", 2.0);
            svg.push(&bar);
            let share = Element::new("text")
                .with("class", "end")
                .at_percent("x", 100.0)
                .at("y", y + 7.0)
                .text(&number::percent(row.share));
            svg.push(&share);
        }
        svg.to_string()
    }
}
