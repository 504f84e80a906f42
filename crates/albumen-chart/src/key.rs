//! What a legend shows before its words.

use crate::frame::circle;
use crate::{Colour, Element, Stroke};

/// One entry's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A bar.
    Bar(Colour),
    /// A line.
    Line(Colour, Stroke),
    /// The outline of a histogram.
    Outline(Colour),
    /// A line across, in its band.
    Band(Colour),
    /// A line across.
    Across(Colour, Stroke),
    /// A dot with its whisker.
    Dot(Colour),
    /// The same as an outline.
    HollowDot(Colour),
    /// A dot with its whisker up and down.
    UprightDot(Colour),
}

impl Key {
    /// The picture; its words stand beside it.
    pub fn svg(self) -> String {
        let width = match self {
            Self::Bar(_) => 18,
            _ => 32,
        };
        let svg = Element::ornament("key").with("viewBox", &format!("0 0 {width} 16"));
        let of = |colour: Colour| format!("c-{}", colour.name());
        let dot = |class: &str, whisker: &str| {
            Element::new("g")
                .with("class", class)
                .child(&Element::path("whisker", whisker))
                .child(&circle("dot", (16.0, 8.0), 5.0))
        };
        let drawn = match self {
            Self::Bar(colour) => {
                let class = format!("bar {}", of(colour));
                svg.child(&Element::rect(&class, (0.0, 3.0), (18.0, 11.0)))
            }
            Self::Line(colour, stroke) => {
                svg.child(&Element::path(&stroke.class(colour), "M1 8H31"))
            }
            Self::Outline(colour) => {
                let class = format!("outline dashed {}", of(colour));
                svg.child(&Element::path(&class, "M3 8H29"))
            }
            Self::Band(colour) => svg
                .child(&Element::rect(
                    &format!("band {}", of(colour)),
                    (6.0, 0.0),
                    (20.0, 16.0),
                ))
                .child(&Element::path(&Stroke::Solid.class(colour), "M16 0V16")),
            Self::Across(colour, stroke) => {
                svg.child(&Element::path(&stroke.class(colour), "M16 0V16"))
            }
            Self::Dot(colour) => svg.child(&dot(&of(colour), "M5 8H27")),
            Self::HollowDot(colour) => {
                let class = format!("{} hollow", of(colour));
                svg.child(&dot(&class, "M5 8H27"))
            }
            Self::UprightDot(colour) => svg.child(&dot(&of(colour), "M16 2V14")),
        };
        drawn.to_string()
    }
}
