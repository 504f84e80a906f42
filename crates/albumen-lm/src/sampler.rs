//! Drawing a token from logits.

/// How a token is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f32,
    /// Only the so many likeliest tokens.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together reach this probability.
    pub top_p: Option<f32>,
    /// Only tokens at least this fraction as likely as the likeliest.
    pub min_p: Option<f32>,
    /// Divides (positive) or multiplies (negative) the logits of tokens already there.
    pub repetition_penalty: f32,
}
