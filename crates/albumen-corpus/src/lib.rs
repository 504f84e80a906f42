//! The only reader of private photos: formats, EXIF, grouping, contribution bounds, captions, summaries.
//!
//! Every public function takes or gives private data sealed in [`albumen_dp::Sensitive`], or works
//! on files under a run's `private/` directory. Inside this crate albums are plain values; what
//! leaves it does so sealed.

mod caption;
mod contribution;
mod endpoint;
mod error;
pub mod ingest;
mod journal;
mod stage;
mod store;
mod summarize;

pub use caption::{Captioned, FrozenCaptioner, PhotoCaptioner, Photos};
pub use contribution::{UnitTexts, group_units};
pub use endpoint::{EndpointCaptioner, EndpointSummarizer};
pub use error::CorpusError;
pub use journal::JournalPlace;
pub use stage::{caption_stage, ingest_stage, load_texts, summarize_stage};
pub use summarize::{Answered, LmSummarizer, SummarySource, SummaryWriter};

/// One album as text: what the two models are trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlbumText {
    /// Identifier of the album.
    pub album_id: String,
    /// Whose album it is.
    pub owner_id: String,
    /// One caption a photo, in order.
    pub captions: Vec<String>,
    /// The album's summary; empty before the summarise stage.
    pub summary: String,
}
