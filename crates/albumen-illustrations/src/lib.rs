//! Illustrations: captions to pictures without a text-to-image model.
//!
//! Fluent emoji (MIT licence), chosen by the words of the caption and, where no table knows them,
//! by the cosine of MiniLM embeddings, stand before a painted background that follows place,
//! weather, season and time of day. The palette, the people's looks and the pets' coats are the
//! album's, so its pictures read as one album. It is a fallback for machines without a
//! text-to-image model, and whatever shows these pictures should call them illustrations.
//!
//! A picture is a function of the album's text, the seed and the photo's index alone: no call
//! leaves anything behind that another could see, only caches of pure functions.

mod colour;
mod compose;
pub mod error;
mod icons;
mod illustrator;
mod layout;
mod matcher;
mod paint;
mod reading;
mod scene;
mod setting;
mod style;
mod tables;
mod words;

pub use colour::Rgb;
pub use error::{IllustrationError, Result};
pub use icons::Recolour;
pub use illustrator::Illustrator;
pub use scene::{Background, Item, Scene, Season, Shot, TimeOfDay, Weather};
pub use style::{AlbumStyle, AlbumText};
pub use tables::Stance;
