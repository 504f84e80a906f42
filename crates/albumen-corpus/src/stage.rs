//! The private stages: each reads the one before and writes one table into its directory.

use std::path::Path;

use albumen_dp::Sensitive;
use albumen_schema::Unit;
use albumen_schema::config::{CaptionConfig, CorpusConfig};

use crate::caption::{PhotoCaptioner, caption_albums};
use crate::ingest;
use crate::{AlbumText, CorpusError, Summarizer, store};

/// Reads the input and writes `albums.parquet` and `set-aside.jsonl` into `dir`.
///
/// # Errors
/// [`CorpusError::Ingest`] for bad input, [`CorpusError::Ownerless`], [`CorpusError::Empty`] where nothing is usable.
pub fn ingest_stage(config: &CorpusConfig, unit: Unit, dir: &Path) -> Result<(), CorpusError> {
    ingest::to_directory(config, unit, dir)
}

/// Captions every photo: reads `albums.parquet`, writes `captions.parquet` into `dir`.
///
/// # Errors
/// Where a table, a photo or the model fails.
pub fn caption_stage(
    config: &CaptionConfig,
    max_pixels: u64,
    albums: &Path,
    captioner: &dyn PhotoCaptioner,
    dir: &Path,
    progress: &mut dyn FnMut(f64),
) -> Result<(), CorpusError> {
    let albums = store::read_albums(albums)?;
    let captions = caption_albums(&albums, config.use_given, captioner, max_pixels, progress)?;
    store::write_captions(&dir.join("captions.parquet"), &albums, &captions)
}

/// Summarises every album: reads `captions.parquet`, writes `summaries.parquet` into `dir`.
///
/// # Errors
/// Where a table or the model fails.
pub fn summarize_stage(
    captions: &Path,
    summarizer: &Summarizer<'_>,
    dir: &Path,
    progress: &mut dyn FnMut(f64),
) -> Result<(), CorpusError> {
    let albums = store::read_captions(captions)?;
    let summaries = summarizer.summarize(&albums, progress)?;
    store::write_summaries(&dir.join("summaries.parquet"), &albums, &summaries)
}

/// The albums as text, sealed.
///
/// # Errors
/// [`CorpusError::Table`] where a table cannot be read or the two do not belong together.
pub fn load_texts(
    captions: &Path,
    summaries: &Path,
) -> Result<Sensitive<Vec<AlbumText>>, CorpusError> {
    Ok(Sensitive::new(store::read_texts(captions, summaries)?))
}
