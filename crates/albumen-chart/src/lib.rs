//! Charts as SVG text, from numbers alone: what `albumen plan --plot`, `report.html` and the internal pages
//! draw with. Axes, ticks, colours and number formats stand here once.
//!
//! - [`Histogram`], [`DotPlot`] and [`Curves`] are whole drawings for a page, [`ShareBar`] and [`ShareRows`] bars
//!   for its lists, and [`Key`] what a legend shows;
//! - [`Frame`] draws axes, lines and marks for a picture of the caller's own;
//! - [`colour::variables`] and [`STYLE`] must stand in the page, or in the picture, that holds them.
//!
//! Colours are CSS variables and marks are CSS classes, so that a drawing follows its reader's light or dark
//! theme and is restyled in one place. Text is escaped by [`Element`], which every drawing is made of: there is
//! no other way to put text into one. Coordinates have one decimal, so that equal numbers make equal bytes.
#![warn(missing_docs)]

mod axis;
pub mod colour;
mod curves;
mod dots;
mod element;
mod frame;
mod histogram;
mod key;
pub mod number;
mod share;

pub use axis::{Axis, Scale};
pub use colour::Colour;
pub use curves::{Curve, Curves};
pub use dots::{DotPlot, DotRow, Reference};
pub use element::Element;
pub use frame::{Frame, Stroke};
pub use histogram::{Bin, Histogram, Outline};
pub use key::Key;
pub use share::{Part, ShareBar, ShareRow, ShareRows};

/// How marks look, by class; colours are those of [`colour::variables`].
pub const STYLE: &str = include_str!("style.css");

/// A value with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Lower end.
    pub low: f64,
    /// The value.
    pub value: f64,
    /// Upper end.
    pub high: f64,
}
