//! Measures of synthetic albums against real ones.
//!
//! **Every number here is computed from private albums and is not differentially private.** They are
//! written to `private/` and `report.internal.html` only, and shown where `--show-private-metrics` asks
//! for them.
//!
//! The real albums are split by unit into a reference half and a held-out half. Every set (sampled,
//! kept, the held-out half as the ceiling, the public model's as the floor) is compared with the
//! reference half by the same estimator at the same number of texts, so that the numbers stand beside
//! each other. docs/measures.md has definitions and sources.

pub mod classifier;
pub mod copying;
pub mod divergence;
pub mod evaluation;
pub mod files;
pub mod frechet;
pub mod intervals;
pub mod kmeans;
mod listing;
pub mod matrix;
pub mod mauve;
pub mod measure;
pub mod neighbours;
pub mod sets;
mod side;

pub use evaluation::{
    AlbumSizes, Evaluation, EvaluationSettings, KindEvaluation, Measured, Pair, Topic, evaluate,
};
pub use files::read_albums;
pub use measure::{Better, Measure};
pub use sets::{Kind, Role, TextAlbum, halves};

/// Stands on every page, line and record of numbers from private albums.
pub const STAMP: &str = "NOT DIFFERENTIALLY PRIVATE";
