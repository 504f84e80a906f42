//! A model's own tokenizer.

use std::path::{Path, PathBuf};

use crate::error::{CaptionerError, Result};

/// `tokenizer.json` of a checkpoint.
pub(crate) struct Tokenizer {
    path: PathBuf,
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        let text = crate::error::read_text(
            &path,
            "the tokenizer",
            "download tokenizer.json (a tokenizer.model alone must be converted with transformers)",
        )?;
        let refuse = |reason: String| CaptionerError::Tokenizer {
            path: path.clone(),
            reason,
        };
        let mut inner: tokenizers::Tokenizer = text.parse().map_err(|e| refuse(format!("{e}")))?;
        // Some are saved with the truncation or padding of their training.
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|e| refuse(e.to_string()))?;
        Ok(Self { path, inner })
    }

    pub(crate) fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>> {
        let encoding = self.inner.encode(text, add_special_tokens);
        let encoding = encoding.map_err(|e| self.error(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens, without the special ones.
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.inner
            .decode(tokens, true)
            .map_err(|e| self.error(e.to_string()))
    }

    /// Fails where a text has not exactly so many tokens of the photo in one run; gives where they are.
    pub(crate) fn photo_run(
        &self,
        tokens: &[u32],
        photo: u32,
        expected: usize,
    ) -> Result<std::ops::Range<usize>> {
        let start = tokens.iter().position(|t| *t == photo).unwrap_or_default();
        let run = tokens[start..].iter().take_while(|t| **t == photo).count();
        let all = tokens.iter().filter(|t| **t == photo).count();
        if run == expected && all == expected {
            return Ok(start..start + expected);
        }
        Err(self.error(format!(
            "it makes {all} tokens {photo} of a photo that has {expected}; config.json names that token"
        )))
    }

    fn error(&self, reason: String) -> CaptionerError {
        CaptionerError::Tokenizer {
            path: self.path.clone(),
            reason,
        }
    }
}
