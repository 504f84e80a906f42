//! Albums, photos, manifests and configuration types; no I/O.
//!
//! Everything here is inert: types that several crates must agree on, their validation, and the
//! public text formats of the two models. Reading and writing files happens elsewhere.

mod album;
pub mod config;
mod departure;
pub mod format;
mod manifest;
pub mod preamble;
pub mod statistic;
mod synthetic;

pub use album::{Album, AlbumText, CaptionSource, Photo, PhotoContent, UnitTexts};
pub use albumen_accounting::Unit;
pub use albumen_names::{EndpointName, ModelName, Source as ModelSource, is_loopback};
pub use config::{Config, ConfigError};
pub use departure::{Departure, Sent};
pub use manifest::{
    Adjacency, LedgeredEvent, ModelStatement, ModelUse, PrivacyStatement, PublicTrainingStatement,
    StageManifest, TOOL, TuningStatement,
};
pub use statistic::{NoisyCounts, Statistic};
pub use synthetic::{Curated, Reason, Scores, SyntheticAlbum, Verdict};
