//! CLIP's tokenizer: from `tokenizer.json`, or built from `vocab.json` and `merges.txt`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

use crate::error::{DiffusionError, Result};

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// How CLIP cuts text into words: letters, single digits, everything else.
const WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A tokenizer that gives each text the same length.
#[derive(Debug)]
pub(crate) struct ClipTokenizer {
    tokenizer: Tokenizer,
    path: PathBuf,
    start: u32,
    end: u32,
    pad: u32,
    length: usize,
}

impl ClipTokenizer {
    /// Loads the tokenizer of a directory; texts become `length` tokens, or fewer where the
    /// tokenizer's own limit is lower.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`] and [`DiffusionError::Tokenizer`].
    pub(crate) fn load(dir: &Path, length: usize) -> Result<Self> {
        let failed = |reason: String| DiffusionError::Tokenizer {
            path: dir.into(),
            reason,
        };
        let file = dir.join("tokenizer.json");
        let (vocab, merges) = (dir.join("vocab.json"), dir.join("merges.txt"));
        let mut tokenizer = if vocab.is_file() && merges.is_file() {
            build(&vocab, &merges).map_err(|e| failed(e.to_string()))?
        } else if file.is_file() {
            Tokenizer::from_file(&file).map_err(|e| failed(e.to_string()))?
        } else {
            return Err(DiffusionError::Missing {
                what: "the tokenizer".into(),
                path: file,
                hint: "fetch tokenizer.json, or vocab.json and merges.txt, of the checkpoint"
                    .into(),
            });
        };
        // Start, end and padding are added here.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|e| failed(e.to_string()))?;
        let special = settings(&dir.join("special_tokens_map.json"));
        let config = settings(&dir.join("tokenizer_config.json"));
        let token = |name: &str, default: &str| {
            let named = word(config.get(name)).or_else(|| word(special.get(name)));
            let named = named.unwrap_or_else(|| default.to_owned());
            tokenizer
                .token_to_id(&named)
                .ok_or_else(|| failed(format!("its {name} {named:?} is not in its vocabulary")))
        };
        let (start, end) = (token("bos_token", START)?, token("eos_token", END)?);
        let pad = token("pad_token", END)?;
        // Absurd limits stand for none.
        let limit = config.get("model_max_length").and_then(Value::as_u64);
        let limit = limit.map_or(length, |n| length.min(n as usize));
        if limit < 3 {
            return Err(failed(format!("its model_max_length is {limit}")));
        }
        Ok(Self {
            tokenizer,
            path: dir.into(),
            start,
            end,
            pad,
            length: limit,
        })
    }

    /// A text as tokens: start, at most `length - 2` of its own, end, padding.
    ///
    /// # Errors
    /// [`DiffusionError::Tokenizer`].
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding =
            self.tokenizer
                .encode_fast(text, false)
                .map_err(|e| DiffusionError::Tokenizer {
                    path: self.path.clone(),
                    reason: e.to_string(),
                })?;
        let own = encoding.get_ids();
        let mut tokens = vec![self.start];
        tokens.extend(&own[..own.len().min(self.length - 2)]);
        tokens.push(self.end);
        tokens.resize(self.length, self.pad);
        Ok(tokens)
    }
}

fn build(vocab: &Path, merges: &Path) -> tokenizers::Result<Tokenizer> {
    let bpe = BPE::from_file(&vocab.to_string_lossy(), &merges.to_string_lossy())
        .end_of_word_suffix("</w>".into())
        .unk_token(END.into())
        .build()?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_normalizer(Some(Normalizers::new(vec![
        NFC.into(),
        Replace::new(ReplacePattern::Regex(r"\s+".into()), " ")?.into(),
        Lowercase.into(),
    ])))?;
    let split = Split::new(
        SplitPattern::Regex(WORDS.into()),
        SplitDelimiterBehavior::Removed,
        true,
    )?;
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![
        split.into(),
        ByteLevel::new(false, true, true).into(),
    ])));
    tokenizer.add_special_tokens(
        [START, END].map(|token| tokenizers::AddedToken::from(token, true).normalized(false)),
    )?;
    Ok(tokenizer)
}

/// A JSON object, or an empty one: these files are optional.
fn settings(path: &Path) -> Map<String, Value> {
    let text = std::fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// A token, as a word or as an object with its content.
fn word(value: Option<&Value>) -> Option<String> {
    let value = value?;
    let word = value.as_str().or_else(|| value.get("content")?.as_str());
    word.map(ToOwned::to_owned)
}
