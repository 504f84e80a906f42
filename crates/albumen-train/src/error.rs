//! What can go wrong in training.

/// Errors of training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Sampling, clipping or noise.
    #[error(transparent)]
    Privacy(#[from] albumen_dp::DpError),
    /// The language model.
    #[error(transparent)]
    LanguageModel(#[from] albumen_lm::LmError),
    /// The trained parameters are not numbers.
    #[error(
        "after {steps} steps the adapter holds values that are not finite\n  hint: lower learning_rate in [train.{model}]"
    )]
    NotFinite {
        /// Which model.
        model: &'static str,
        /// Steps taken.
        steps: u64,
    },
    /// Training left the parameters as they were.
    #[error(
        "after {steps} steps the adapter is what it was before\n  hint: raise learning_rate in [train.{model}]; with warmup_steps as large as steps nothing is learnt"
    )]
    Unchanged {
        /// Which model.
        model: &'static str,
        /// Steps taken.
        steps: u64,
    },
}
