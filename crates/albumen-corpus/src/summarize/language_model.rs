//! Summaries by a language model in this process.

use albumen_lm::sampler::SamplingParams;
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{AnyLm, Branch, DecodeOptions, Request};

use super::prompt::shared_prefix;
use super::{Answered, SummaryWriter};
use crate::CorpusError;

/// Longest album prompt: no album, whatever is in it, may overflow the model and end the run.
pub const MAX_PROMPT_TOKENS: usize = 512;

/// Texts decoded together; changes none of them.
pub const SUMMARIES_AT_ONCE: usize = 64;

/// A frozen public language model that writes summaries.
///
/// Decoding gives the same text whatever else is in the batch (albumen-lm's contract), so that a
/// summary depends on one album only: the privacy argument needs that.
pub struct LmSummarizer<'a> {
    lm: &'a AnyLm,
    tokenizer: &'a Tokenizer,
    max_tokens: usize,
}

impl<'a> LmSummarizer<'a> {
    /// A summariser over a frozen model; its answers are at most `max_tokens` long.
    pub fn new(lm: &'a AnyLm, tokenizer: &'a Tokenizer, max_tokens: usize) -> Self {
        Self {
            lm,
            tokenizer,
            max_tokens,
        }
    }

    fn request(&self, prompt: &str) -> Result<Request, CorpusError> {
        let mut trunk = self.tokenizer.encode(prompt, false)?;
        if trunk.len() > MAX_PROMPT_TOKENS {
            // The cut keeps the end, which asks for the answer.
            trunk.drain(..trunk.len() - MAX_PROMPT_TOKENS);
        }
        Ok(Request {
            trunk,
            branches: vec![Branch {
                prompt: Vec::new(),
                stream: 0,
            }],
        })
    }

    /// Every token that holds a line break, and the end of text: a summary is one line.
    fn stop_tokens(&self) -> Vec<u32> {
        let mut stops = self.tokenizer.newline_ids().to_vec();
        stops.push(self.tokenizer.eos_id());
        stops
    }
}

impl SummaryWriter for LmSummarizer<'_> {
    fn write(&self, prompts: &[&str], answered: &mut Answered<'_>) -> Result<(), CorpusError> {
        let prefix_tokens = self.tokenizer.encode(&shared_prefix(), false)?;
        let prefix = self.lm.prefix(None, &prefix_tokens)?;
        let requests = prompts
            .iter()
            .map(|prompt| self.request(prompt))
            .collect::<Result<Vec<_>, _>>()?;
        let options = DecodeOptions {
            batch: SUMMARIES_AT_ONCE,
            max_new_tokens: self.max_tokens,
            stop_tokens: self.stop_tokens(),
            sampling: SamplingParams::greedy(),
            seed: 0,
        };
        let mut kept = Ok(());
        self.lm
            .generate(None, Some(&prefix), &requests, &options, &mut |i, _, g| {
                let text = self.tokenizer.decode(&g.tokens);
                if kept.is_ok() {
                    kept = text.map_err(Into::into).and_then(|t| answered(i, t));
                }
            })?;
        kept
    }
}
