//! Batched generation with a key/value cache.

use crate::error::LmError;
use crate::lora::Adapter;
use crate::model::Lm;
use crate::sampler::SamplingParams;

/// Keys and values of tokens that stand before every request, computed once.
pub struct Prefix {}

/// A text to continue in one or several ways. The trunk's keys and values are computed once and
/// shared by its branches, which do not see each other; positions continue from the trunk's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Tokens common to all branches; may be empty.
    pub trunk: Vec<u32>,
    /// The continuations.
    pub branches: Vec<Branch>,
}

/// One continuation of a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Tokens after the trunk; may be empty where the trunk is not.
    pub prompt: Vec<u32>,
    /// Number of its random stream; with `DecodeOptions::seed` it fixes every draw.
    pub stream: u64,
}

/// How to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodeOptions {
    /// Branches in work at once; the text does not depend on it.
    pub batch: usize,
    /// Tokens at most for each branch.
    pub max_new_tokens: usize,
    /// Tokens that end a branch; they are not part of its text.
    pub stop_tokens: Vec<u32>,
    /// How a token is drawn.
    pub sampling: SamplingParams,
    /// Public seed of all random streams.
    pub seed: u64,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// One of `DecodeOptions::stop_tokens`.
    Token(u32),
    /// `DecodeOptions::max_new_tokens` or the model's last position.
    Length,
}

/// What was generated for a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The new tokens, without prompt and stop token.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub stop: Stop,
}

impl Lm {
    /// The keys and values of `tokens`, to stand before requests of the same adapter.
    ///
    /// # Errors
    /// Where a token, a position or the parameters do not fit the model.
    pub fn prefix(
        &self,
        _adapter: Option<Adapter<'_>>,
        _tokens: &[u32],
    ) -> Result<Prefix, LmError> {
        todo!()
    }

    /// Continues every branch of every request: `sink(request, branch, generation)` as each ends,
    /// in no fixed order. The text of a branch depends on the model, its tokens, the seed and its
    /// stream, and on neither the batch nor the number of threads.
    ///
    /// # Errors
    /// Where a token, a position, the parameters or an option do not fit.
    pub fn generate(
        &self,
        _adapter: Option<Adapter<'_>>,
        _prefix: Option<&Prefix>,
        _requests: &[Request],
        _options: &DecodeOptions,
        _sink: &mut dyn FnMut(usize, usize, Generation),
    ) -> Result<(), LmError> {
        todo!()
    }
}
