//! What can go wrong between private photos and private text.

use std::path::PathBuf;

/// Errors of captioning, summarising and of the private tables. Reading input has its own
/// [`crate::ingest::IngestError`].
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The input could not be read.
    #[error(transparent)]
    Ingest(#[from] crate::ingest::IngestError),
    /// A private table could not be written or read.
    #[error("{}: {problem}", path.display())]
    Table {
        /// The table's file.
        path: PathBuf,
        /// What the reader or writer said.
        problem: String,
    },
    /// A photo passed ingest but can no longer be read.
    #[error(
        "a photo that was ingested can no longer be read: {problem}\n  hint: leave the input folder as it is during a run, or run the ingest stage again"
    )]
    PhotoGone {
        /// What the decoder said, without the photo's name.
        problem: String,
    },
    /// The tagger failed.
    #[error(transparent)]
    Vision(#[from] albumen_vision::VisionError),
    /// The captioner failed.
    #[error(transparent)]
    Captioner(#[from] albumen_captioner::CaptionerError),
    /// The language model failed.
    #[error(transparent)]
    LanguageModel(#[from] albumen_lm::LmError),
    /// A server gave no usable answer.
    #[error(transparent)]
    Endpoint(#[from] albumen_endpoint::EndpointError),
    /// The unit is the owner, but an album names none.
    #[error(
        "the privacy unit is `owner`, but there is an album without an owner: it would count as an owner of its own, and people with several albums would be protected less than stated\n  hint: name owners (album.toml `owner`, or `owner_id`), or use unit = \"album\", or, where each album really has an owner of its own, [corpus] ownerless_albums = \"own_owner\""
    )]
    Ownerless,
    /// The corpus has no albums.
    #[error("the corpus has no album with a usable photo\n  hint: check [corpus] path and format")]
    Empty,
}
