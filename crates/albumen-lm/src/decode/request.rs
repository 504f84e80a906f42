//! What is asked of generation, and what comes back.

use crate::sampler::SamplingParams;

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
    /// How a token is drawn. The repetition penalty sees trunk, prompt and new tokens.
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
