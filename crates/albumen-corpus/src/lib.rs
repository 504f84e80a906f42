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

pub use caption::{Captioned, FrozenCaptioner, PHOTOS_AT_ONCE, PhotoCaptioner, Photos};
pub use contribution::group_units;
pub use endpoint::{EndpointCaptioner, EndpointSummarizer};
pub use error::CorpusError;
pub use journal::JournalPlace;
pub use stage::{caption_stage, ingest_stage, load_texts, summarize_stage};
pub use summarize::{
    Answered, LmSummarizer, MAX_PROMPT_TOKENS, SUMMARIES_AT_ONCE, SummarySource, SummaryWriter,
};
