//! The model: frozen weights laid out for the kernels.

use crate::config::ModelConfig;
use crate::error::LmError;
use crate::kernels::Precision;
use crate::lora::Adapter;
use crate::sequence::Sequence;
use crate::weights::Weights;

/// A frozen language model.
pub struct Lm {
    config: ModelConfig,
}

impl Lm {
    /// Lays `weights` out for this machine's processor.
    ///
    /// # Errors
    /// Where a tensor's length contradicts the configuration.
    pub fn new(weights: Weights, _precision: Precision) -> Result<Self, LmError> {
        Ok(Self {
            config: weights.config,
        })
    }

    /// Shape and features.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The logits that follow each token of a sequence, (tokens, vocab_size). For tests and small
    /// inputs: it holds them all.
    ///
    /// # Errors
    /// Where a token, a position or the parameters do not fit the model.
    pub fn logits(
        &self,
        _adapter: Option<Adapter<'_>>,
        _sequence: &Sequence,
    ) -> Result<Vec<f32>, LmError> {
        todo!()
    }
}
