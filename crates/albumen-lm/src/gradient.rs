//! Losses and per-unit gradients.

use crate::error::LmError;
use crate::lora::{Adapter, LoraLayout};
use crate::model::Lm;
use crate::sequence::Sequence;

/// How much of a batch is in work at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Tokens whose activations are kept at once. A longer unit is processed alone.
    pub tokens: usize,
    /// Bytes of per-unit gradients kept at once, one unit's at least.
    pub gradient_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            tokens: 1024,
            gradient_bytes: 256 << 20,
        }
    }
}

/// A sequence to train on, with the states below its first adapted layer where they are cached.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// The tokens, their weights and mask.
    pub sequence: &'a Sequence,
    /// From [`Lm::prefix_states`] of the same sequence and layout.
    pub states: Option<&'a PrefixStates>,
}

impl<'a> From<&'a Sequence> for Example<'a> {
    fn from(sequence: &'a Sequence) -> Self {
        Self {
            sequence,
            states: None,
        }
    }
}

/// How cached states are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFormat {
    /// 2 bytes a number; 8 bits of precision, the range of f32.
    Bf16,
    /// 4 bytes a number, exact.
    F32,
}

/// The hidden states of one sequence as they enter the first adapted layer.
#[derive(Debug, Clone, PartialEq)]
pub struct PrefixStates {
    layer: u32,
    rows: u32,
    width: u32,
    format: StateFormat,
    data: Vec<u8>,
}

impl PrefixStates {
    /// The states as bytes, for [`PrefixStates::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }

    /// States from what [`PrefixStates::to_bytes`] gave.
    ///
    /// # Errors
    /// Where the bytes are cut short or not states.
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self, LmError> {
        todo!()
    }
}

impl Lm {
    /// The loss of each example, `sum_i weights[i] * -log p(tokens[i])`, without gradients.
    ///
    /// # Errors
    /// Where a token, a position, the parameters or the states do not fit the model.
    pub fn losses(
        &self,
        _adapter: Option<Adapter<'_>>,
        _examples: &[Example<'_>],
        _budget: Budget,
    ) -> Result<Vec<f32>, LmError> {
        todo!()
    }

    /// The gradient of each unit's loss (the sum over its examples) with respect to the adapter's
    /// flat parameters: `sink(unit, gradient, loss)`, once a unit, in order. The gradients of one
    /// micro-batch are in memory at a time. No unit, no call.
    ///
    /// # Errors
    /// As [`Lm::losses`]; nothing has been computed then.
    pub fn gradients(
        &self,
        _adapter: Adapter<'_>,
        _units: &[Vec<Example<'_>>],
        _budget: Budget,
        _sink: &mut dyn FnMut(usize, &[f32], f32),
    ) -> Result<(), LmError> {
        todo!()
    }

    /// The hidden states that enter `layout.first_layer()`, for each sequence. They are as private
    /// as the text.
    ///
    /// # Errors
    /// Where a token or position does not fit the model.
    pub fn prefix_states(
        &self,
        _layout: &LoraLayout,
        _sequences: &[&Sequence],
        _format: StateFormat,
        _budget: Budget,
    ) -> Result<Vec<PrefixStates>, LmError> {
        todo!()
    }
}
