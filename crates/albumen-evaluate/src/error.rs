//! The one error type of this crate.

use std::path::PathBuf;

/// What can go wrong while albums are compared. No variant holds a text or a number of the private albums.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] albumen_files::FileError),
    /// A text cannot be embedded, or a table of albums cannot be read.
    #[error("{0}")]
    Albums(#[from] albumen_synth::SynthError),
    /// A side of a comparison has hardly any texts. How many is not said: it may be private.
    #[error(
        "one side has too few {kind} to compare; sample more albums, or give the evaluation more real ones"
    )]
    TooFew {
        /// What is compared.
        kind: &'static str,
    },
    /// A line of a file of albums does not read. What stands there is not repeated: it may be private.
    #[error("{}, line {line}, column {column}: this is no album; write {{\"album_id\": \"...\", \"summary\": \"...\", \"photos\": [{{\"caption\": \"...\"}}]}}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The template failed.
    #[error("cannot write the page: {0}")]
    Template(#[from] minijinja::Error),
    /// A value has no JSON form.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, EvaluateError>;
