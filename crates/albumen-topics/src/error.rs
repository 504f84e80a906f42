//! The one error type of this crate.

/// Why there are no topics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicsError {
    /// More clusters were asked for than there are different rows.
    #[error(
        "{clusters} clusters were asked for, and only {distinct} of {rows} rows differ; ask for fewer clusters, or give more texts"
    )]
    TooFewRows {
        /// Clusters asked for.
        clusters: usize,
        /// Rows given.
        rows: usize,
        /// Different ones among them.
        distinct: usize,
    },
    /// A setting of k-means is 0.
    #[error("k-means with {setting} = 0 does nothing; use 1 or more")]
    Zero {
        /// Which one.
        setting: &'static str,
    },
    /// Rows are not all of one length, or hold numbers that are not finite.
    #[error("row {row} is no point among the others: {reason}; embed all texts with one model")]
    Row {
        /// Position of the first such row.
        row: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Texts and rows do not pair up.
    #[error("{texts} texts for {rows} rows; give each text its own embedding")]
    Unpaired {
        /// Texts given.
        texts: usize,
        /// Rows given.
        rows: usize,
    },
    /// A file holds no topic model.
    #[error("this is no topic model: {0}; make it again with `--force topics`")]
    NoModel(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, TopicsError>;
