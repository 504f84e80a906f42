//! What can go wrong in training.

use std::path::PathBuf;

/// Errors of training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Sampling, clipping or noise.
    #[error(transparent)]
    Privacy(#[from] albumen_dp::DpError),
    /// The language model.
    #[error(transparent)]
    LanguageModel(#[from] albumen_lm::LmError),
    /// The public albums cannot be read.
    #[error(
        "{path}{}: {problem}\n  hint: a line is {{\"album_id\": \"...\", \"summary\": \"...\", \"photos\": [{{\"caption\": \"...\"}}]}}",
        if *.line == 0 { String::new() } else { format!(":{}", .line) }
    )]
    PublicAlbums {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 for the whole file.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The trained parameters are not numbers.
    #[error(
        "the trained adapter holds values that are not finite\n  hint: the run is paid for; use another --out with a lower learning_rate in [train.{model}]"
    )]
    NotFinite {
        /// Which model.
        model: &'static str,
    },
    /// Training left the parameters as they were.
    #[error(
        "the trained adapter is what it was before\n  hint: the run is paid for; use another --out with a higher learning_rate in [train.{model}]; with warmup_steps as large as steps nothing is learnt"
    )]
    Unchanged {
        /// Which model.
        model: &'static str,
    },
}
