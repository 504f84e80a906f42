//! Export: the release directory, whole or not at all.
//!
//! ```text
//! release/
//!   README.md         data card: the guarantee in words, how the data was made, limits
//!   metadata.jsonl    Hugging Face imagefolder: one row an album
//!   images/<album>/<photo>.jpg
//!   albums.parquet    the same rows without pictures
//!   parquet/          the rows with the pictures' bytes, in shards     (format `parquet`)
//!   webdataset/       tar shards, one sample a photo                   (format `webdataset`)
//!   coco/             COCO captions over images/                       (format `coco`)
//!   croissant.json    Croissant metadata                               (format `croissant`)
//!   statistics.json   noisy statistics of the private albums, where some were released
//!   ledger.jsonl      every mechanism that ran on private data
//!   privacy.json      the guarantee, and the SHA-256 of every file
//! ```
//!
//! Equal inputs give equal bytes: nothing of the machine, the user or the time goes in.

mod card;
mod coco;
mod croissant;
mod languages;
mod parquet;
mod rows;
mod served;
mod shards;
mod statement;
mod webdataset;
pub mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use albumen_accounting::History;
use albumen_files::{Part, sha256_hex, sha256_of_file};
use albumen_schema::config::ExportFormat;
use albumen_schema::{
    Config, Curated, Departure, ModelStatement, PrivacyStatement, PublicTrainingStatement,
};

use albumen_verify::names::{
    ALBUMS_FILE, CARD_FILE, LEDGER_FILE, METADATA_FILE, PRIVACY_FILE, STATISTICS_FILE,
};
use albumen_verify::statement::of_ledger;

use self::rows::{Pictures, Row};
use crate::error::{Result, SynthError, io_error};
use crate::{files, statistics};

/// The Croissant metadata's file.
pub const CROISSANT_FILE: &str = "croissant.json";
/// The COCO captions' file.
pub const COCO_FILE: &str = "coco/captions.json";
/// The directory of the tables with the pictures' bytes.
pub const PARQUET_DIR: &str = "parquet";
/// The tar shards' directory.
pub const WEBDATASET_DIR: &str = "webdataset";
/// The pictures' directory.
pub const IMAGES_DIR: &str = "images";

/// What a release is made from.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The run's configuration; what it names is public, its paths are left out.
    pub config: &'a Config,
    /// Every sampled album with its verdict; the kept ones are released.
    pub curated: &'a [Curated],
    /// Where [`crate::render::render`] put the pictures.
    pub images: &'a Path,
    /// The public models that the release was made with.
    pub models: &'a [ModelStatement],
    /// The public albums that the models learnt from without privacy, where there were any.
    pub public_training: Option<&'a PublicTrainingStatement>,
    /// Where the run keeps the statistics that its ledger paid for; not read where there are none.
    pub statistics: &'a Path,
    /// The run's ledger.
    pub ledger: &'a Path,
    /// What the run has recorded as sent to servers on other machines.
    pub departed: &'a [Departure],
}

/// Writes the release to `out`, replacing what lies there only when the new one is whole and on the
/// disk.
///
/// # Guarantee
/// The statement is recomputed from the ledger, never taken from the configuration, and
/// nothing is exported where it exceeds the configured epsilon or speaks of another unit, delta or
/// number of units. Everything else here is post-processing of released values.
///
/// # Errors
/// [`SynthError::Overspent`], [`SynthError::OtherGuarantee`], [`SynthError::Guarantee`],
/// [`SynthError::Ledger`] or [`SynthError::Statistic`] for the guarantee;
/// [`SynthError::NothingKept`] and [`SynthError::MissingPicture`] for the content.
pub fn export(release: &Release<'_>, out: &Path) -> Result<PrivacyStatement> {
    let bytes = fs::read(release.ledger).map_err(io_error("read", release.ledger))?;
    let (history, complete) = History::parse(&bytes)?;
    let mut statement = of_ledger(&history)?;
    statement::check(&statement, &release.config.privacy)?;
    statement.statistics = statistics::read(release.statistics, &history)?;
    statement.public_training = release.public_training.cloned();
    statement.models = release.models.to_vec();
    statement.left_machine = release.config.departures_beside(release.departed);

    let rows = rows::of(release.curated);
    if rows.is_empty() {
        return Err(SynthError::NothingKept {
            sampled: release.curated.len(),
        });
    }
    let whole = Part::start(out)?;
    let part = whole.path();
    let pictures = rows::copy_pictures(&rows, release.images, part)?;
    files::write_bytes(&part.join(METADATA_FILE), &rows::jsonl(&rows)?)?;
    rows::write_table(&part.join(ALBUMS_FILE), &rows)?;
    files::write_bytes(&part.join(LEDGER_FILE), &bytes[..complete])?;
    let mut names = [METADATA_FILE, ALBUMS_FILE, LEDGER_FILE]
        .map(str::to_owned)
        .to_vec();
    if !statement.statistics.is_empty() {
        let bytes = albumen_verify::statistics::document(statement.unit, &statement.statistics)?;
        files::write_bytes(&part.join(STATISTICS_FILE), &bytes)?;
        names.push(STATISTICS_FILE.to_owned());
    }
    let card = card::write(release, &statement, &rows)?;
    files::write_bytes(&part.join(CARD_FILE), card.as_bytes())?;
    names.push(CARD_FILE.to_owned());
    names.extend(write_forms(release.config, &rows, &pictures, part)?);

    statement.files = hashes(part, &names)?;
    if release
        .config
        .export
        .formats
        .contains(&ExportFormat::Croissant)
    {
        let bytes = card::croissant(release.config, &statement, &rows)?;
        files::write_bytes(&part.join(CROISSANT_FILE), &bytes)?;
        let hash = sha256_hex(&bytes);
        statement.files.insert(CROISSANT_FILE.to_owned(), hash);
    }
    let hashed = pictures.into_iter().map(|(name, p)| (name, p.sha256));
    statement.files.extend(hashed);
    let json = albumen_verify::statement::seal(&mut statement)?;
    files::write_bytes(&part.join(PRIVACY_FILE), &json)?;
    whole.finish()?;
    Ok(statement)
}

/// Writes the albums once more in every configured form but Croissant, which describes the others,
/// and returns the files' names.
fn write_forms(
    config: &Config,
    rows: &[Row<'_>],
    pictures: &Pictures,
    part: &Path,
) -> Result<Vec<String>> {
    let wanted = |format| config.export.formats.contains(&format);
    let shard_bytes = config.export.shard_bytes;
    let mut names = Vec::new();
    if wanted(ExportFormat::Parquet) {
        names.extend(parquet::write(rows, pictures, part, shard_bytes)?);
    }
    if wanted(ExportFormat::WebDataset) {
        names.extend(webdataset::write(rows, pictures, part, shard_bytes)?);
    }
    if wanted(ExportFormat::Coco) {
        let (title, license) = (card::title(config), card::license_name(config));
        coco::write(rows, pictures, title, license, &part.join(COCO_FILE))?;
        names.push(COCO_FILE.to_owned());
    }
    Ok(names)
}

fn hashes(part: &Path, names: &[String]) -> Result<BTreeMap<String, String>> {
    names
        .iter()
        .map(|name| Ok((name.clone(), sha256_of_file(&part.join(name))?)))
        .collect()
}
