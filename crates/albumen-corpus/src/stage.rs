//! The private stages: each reads the one before and writes one table into its directory.

use std::path::Path;

use albumen_dp::Sensitive;
use albumen_schema::config::{CaptionConfig, CorpusConfig};
use albumen_schema::{AlbumText, Unit};

use crate::caption::{PhotoCaptioner, caption_albums};
use crate::ingest;
use crate::journal::{Journal, JournalPlace};
use crate::summarize::{SummaryWriter, summarize_albums};
use crate::{CorpusError, store};

/// Reads the input and writes `albums.parquet` and `set-aside.jsonl` into `dir`.
///
/// # Errors
/// [`CorpusError::Ingest`] for bad input, [`CorpusError::Ownerless`], [`CorpusError::Empty`] where nothing is usable.
pub fn ingest_stage(config: &CorpusConfig, unit: Unit, dir: &Path) -> Result<(), CorpusError> {
    ingest::to_directory(config, unit, dir)
}

/// Captions every photo: reads `albums.parquet`, writes `captions.parquet` into `dir`. Captions made so
/// far are kept in the journal, for a run that is killed.
///
/// # Errors
/// Where a table, a photo or the model fails.
pub fn caption_stage(
    config: &CaptionConfig,
    max_pixels: u64,
    albums: &Path,
    captioner: &dyn PhotoCaptioner,
    journal: JournalPlace<'_>,
    dir: &Path,
    progress: &mut dyn FnMut(f64),
) -> Result<(), CorpusError> {
    let albums = store::read_albums(albums)?;
    let mut journal = Journal::open(journal)?;
    let given = config.use_given;
    let captions = caption_albums(
        &albums,
        given,
        captioner,
        max_pixels,
        &mut journal,
        progress,
    )?;
    store::write_captions(&dir.join("captions.parquet"), &albums, &captions)
}

/// Summarises every album: reads `captions.parquet`, writes `summaries.parquet` into `dir`. Answers so
/// far are kept in the journal, for a run that is killed.
///
/// # Errors
/// Where a table or the model fails.
pub fn summarize_stage(
    captions: &Path,
    writer: &dyn SummaryWriter,
    journal: JournalPlace<'_>,
    dir: &Path,
    progress: &mut dyn FnMut(f64),
) -> Result<(), CorpusError> {
    let albums = store::read_captions(captions)?;
    let mut journal = Journal::open(journal)?;
    let summaries = summarize_albums(&albums, writer, &mut journal, progress)?;
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
