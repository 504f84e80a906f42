//! Names of the files that every release has, and of the one that it may have.

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
/// The released statistics of the private albums, where there are any.
pub const STATISTICS_FILE: &str = "statistics.json";
