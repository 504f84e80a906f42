//! Export: the release directory, whole or not at all.
//!
//! ```text
//! release/
//!   README.md         data card: the guarantee in words, how the data was made, limits
//!   metadata.jsonl    Hugging Face imagefolder: one row an album
//!   images/<album>/<photo>.jpg
//!   albums.parquet    the same rows without pictures
//!   statistics.json   noisy statistics of the private albums, where some were released
//!   ledger.jsonl      every mechanism that ran on private data
//!   privacy.json      the guarantee, and the SHA-256 of every file
//! ```
//!
//! Equal inputs give equal bytes: nothing of the machine, the user or the time goes in.

mod card;
mod rows;
mod statement;
pub mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use albumen_accounting::History;
use albumen_schema::{Config, Curated, PrivacyStatement};

pub use statement::of_ledger;
pub(crate) use statement::without_own_hash;

use crate::error::{Result, SynthError, io_error};
use crate::{files, statistics};

/// The guarantee's file.
pub const PRIVACY_FILE: &str = "privacy.json";
/// The ledger's file.
pub const LEDGER_FILE: &str = "ledger.jsonl";
/// The data card's file.
pub const CARD_FILE: &str = "README.md";
/// The imagefolder's rows.
pub const METADATA_FILE: &str = "metadata.jsonl";
/// The rows as a table.
pub const ALBUMS_FILE: &str = "albums.parquet";
/// The released statistics of the private albums.
pub const STATISTICS_FILE: &str = "statistics.json";
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
    /// The public language model that was adapted, for the card: its name, licence and revision as
    /// far as they are known. `None`: what the configuration says of it.
    pub base_model: Option<&'a str>,
    /// Where the run keeps the statistics that its ledger paid for; not read where there are none.
    pub statistics: &'a Path,
    /// The run's ledger.
    pub ledger: &'a Path,
}

/// Writes the release to `out`, replacing what lies there only when the new one is whole.
///
/// # Guarantee
/// The statement is recomputed from the ledger, never taken from the configuration, and
/// nothing is exported where it exceeds the configured epsilon or speaks of another unit, delta or
/// number of units. Everything else here is post-processing of released values.
///
/// # Errors
/// [`SynthError::Overspent`], [`SynthError::OtherGuarantee`], [`SynthError::EmptyLedger`],
/// [`SynthError::Ledger`], [`SynthError::Statistic`] or [`SynthError::Accounting`] for the guarantee;
/// [`SynthError::NothingKept`] and [`SynthError::MissingPicture`] for the content.
pub fn export(release: &Release<'_>, out: &Path) -> Result<PrivacyStatement> {
    let bytes = fs::read(release.ledger).map_err(io_error("read", release.ledger))?;
    let (history, complete) = History::parse(&bytes)?;
    let mut statement = of_ledger(&history)?;
    statement::check(&statement, &release.config.privacy)?;
    statement.statistics = statistics::read(release.statistics, &history)?;

    let rows = rows::of(release.curated);
    if rows.is_empty() {
        return Err(SynthError::NothingKept {
            sampled: release.curated.len(),
        });
    }
    let part = files::part_of(out);
    remove(&part)?;
    let copied = rows::copy_pictures(&rows, release.images, &part)?;
    files::write_bytes(&part.join(METADATA_FILE), &rows::jsonl(&rows)?)?;
    rows::write_table(&part.join(ALBUMS_FILE), &rows)?;
    files::write_bytes(&part.join(LEDGER_FILE), &bytes[..complete])?;
    let mut names = vec![CARD_FILE, METADATA_FILE, ALBUMS_FILE, LEDGER_FILE];
    if !statement.statistics.is_empty() {
        let bytes = statistics::document(statement.unit, &statement.statistics)?;
        files::write_bytes(&part.join(STATISTICS_FILE), &bytes)?;
        names.push(STATISTICS_FILE);
    }
    let card = card::write(release, &statement, &rows)?;
    files::write_bytes(&part.join(CARD_FILE), card.as_bytes())?;

    statement.files = hashes(&part, &names, copied)?;
    let json = statement::seal(&mut statement)?;
    files::write_bytes(&part.join(PRIVACY_FILE), &json)?;
    swap(&part, out)?;
    Ok(statement)
}

fn hashes(
    part: &Path,
    names: &[&str],
    copied: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let mut hashes = copied;
    for name in names {
        hashes.insert((*name).to_owned(), files::sha256_of(&part.join(name))?);
    }
    Ok(hashes)
}

/// Puts `part` in the place of `out`. A kill between the two renames leaves the old release under
/// `.old` and the new one under `.part`, both whole.
fn swap(part: &Path, out: &Path) -> Result<()> {
    let mut name = out.as_os_str().to_owned();
    name.push(".old");
    let old = Path::new(&name);
    remove(old)?;
    if out.exists() {
        fs::rename(out, old).map_err(io_error("rename", out))?;
    }
    fs::rename(part, out).map_err(io_error("rename", part))?;
    remove(old)
}

fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(io_error("remove", directory))?;
    }
    Ok(())
}
