//! Text to tokens and back.
//!
//! Encoding is the `tokenizers` crate's. A directory brings its `tokenizer.json`; a GGUF file
//! brings tokens and merges, from which the same byte-level BPE is built.

mod chat;
mod gguf;

use std::path::Path;

use albumen_models::Error as Files;
use serde_json::Value;
use tokenizers::Tokenizer as Inner;

use crate::error::LmError;
use crate::weights::LoadError;
use crate::weights::gguf::Gguf;

pub use chat::ChatFormat;

/// A model's tokenizer, with the special tokens that generation needs.
pub struct Tokenizer {
    inner: Inner,
    eos_ids: Vec<u32>,
    newline_ids: Vec<u32>,
    chat: Option<ChatFormat>,
}

/// What a checkpoint says besides vocabulary and merges.
struct Parts {
    inner: Inner,
    /// End of text first, then others that end a turn.
    eos_ids: Vec<u32>,
    chat: Option<ChatFormat>,
}

impl Tokenizer {
    /// Loads the tokenizer of a checkpoint: `tokenizer.json` of a directory, or the one inside a
    /// `.gguf` file.
    ///
    /// # Errors
    /// [`LmError::Load`] where it is absent, damaged or of a kind that cannot be built.
    pub fn load(path: &Path) -> Result<Self, LmError> {
        let refuse = |reason: String| LoadError::Tokenizer {
            path: path.into(),
            reason,
        };
        let parts = if path.is_file() {
            gguf::build(&Gguf::open(path).map_err(LoadError::from)?.metadata()).map_err(refuse)?
        } else {
            directory(path)?
        };
        let Parts {
            inner,
            eos_ids,
            chat,
        } = parts;
        if eos_ids.is_empty() {
            return Err(refuse(
                "it names no end-of-text token; set eos_token in tokenizer_config.json".into(),
            )
            .into());
        }
        let newline_ids = newlines(&inner);
        Ok(Self {
            inner,
            eos_ids,
            newline_ids,
            chat,
        })
    }

    /// The tokens of several texts, each followed by the end of text and a line feed: examples of
    /// finished texts, to stand before another.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_examples(&self, texts: &[String]) -> Result<Vec<u32>, LmError> {
        let mut tokens = Vec::new();
        for text in texts {
            tokens.extend(self.encode(text, false)?);
            tokens.push(self.eos_id());
            tokens.extend(self.encode("\n", false)?);
        }
        Ok(tokens)
    }

    /// The tokens of a text. Special tokens written out in it (`<|im_end|>`) become themselves.
    /// `add_special` adds what the model expects around a text (a start token, for some).
    ///
    /// # Errors
    /// [`LmError::Tokenizer`] with the crate's message.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>, LmError> {
        let encoding = self.inner.encode_fast(text, add_special);
        encoding
            .map(|e| e.get_ids().to_vec())
            .map_err(|e| LmError::Tokenizer(e.to_string()))
    }

    /// The text of tokens, special ones left out; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`LmError::Tokenizer`] with the crate's message.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, LmError> {
        self.inner
            .decode(tokens, true)
            .map_err(|e| LmError::Tokenizer(e.to_string()))
    }

    /// The token that ends a text.
    pub fn eos_id(&self) -> u32 {
        // `load` refuses a tokenizer without one.
        self.eos_ids.first().copied().unwrap_or_default()
    }

    /// All tokens that end a generation, [`Self::eos_id`] first.
    pub fn eos_ids(&self) -> &[u32] {
        &self.eos_ids
    }

    /// The tokens whose text contains a line feed, in order.
    pub fn newline_ids(&self) -> &[u32] {
        &self.newline_ids
    }

    /// The token spelt exactly so in the vocabulary.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Tokens in the vocabulary, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// How the checkpoint writes a conversation, where it is an instruction model of a known format.
    pub fn chat_format(&self) -> Option<&ChatFormat> {
        self.chat.as_ref()
    }
}

fn newlines(inner: &Inner) -> Vec<u32> {
    // Byte-level vocabularies spell a line feed U+010A; SentencePiece ones as itself or `<0x0A>`.
    let spelt = |token: &str| token.contains(['\n', '\u{10A}']) || token == "<0x0A>";
    let vocabulary = inner.get_vocab(true);
    let mut ids: Vec<u32> = vocabulary
        .into_iter()
        .filter(|(t, _)| spelt(t))
        .map(|(_, id)| id)
        .collect();
    ids.sort_unstable();
    ids
}

fn directory(path: &Path) -> Result<Parts, LoadError> {
    let refuse = |reason: String| LoadError::Tokenizer {
        path: path.into(),
        reason,
    };
    let file = path.join("tokenizer.json");
    if !file.is_file() {
        let file = "tokenizer.json".into();
        return Err(Files::MissingFile {
            path: path.into(),
            file,
        }
        .into());
    }
    let bytes = std::fs::read(&file).map_err(|source| Files::Io {
        path: file.clone(),
        source,
    })?;
    // The crate panics on text that is not JSON, so that is found out first.
    let damaged =
        |e: &dyn std::fmt::Display| refuse(format!("tokenizer.json: {e}; download it again"));
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).map_err(|e| damaged(&e))?;
    let inner = Inner::from_bytes(&bytes).map_err(|e| damaged(&e))?;
    let settings = optional_json(&path.join("tokenizer_config.json"))?;
    // An instruction model's turn end may differ from the base model's end of text: the tokenizer's
    // own setting comes first, then what generation and model name.
    let named = match &settings["eos_token"] {
        Value::String(token) => inner.token_to_id(token),
        added => added["content"]
            .as_str()
            .and_then(|token| inner.token_to_id(token)),
    };
    let mut eos_ids: Vec<u32> = named.into_iter().collect();
    for name in ["generation_config.json", "config.json"] {
        let ids = &optional_json(&path.join(name))?["eos_token_id"];
        let listed = ids
            .as_array()
            .map_or(std::slice::from_ref(ids), Vec::as_slice);
        for id in listed
            .iter()
            .filter_map(Value::as_u64)
            .filter_map(|id| u32::try_from(id).ok())
        {
            if !eos_ids.contains(&id) {
                eos_ids.push(id);
            }
        }
    }
    let template = match std::fs::read_to_string(path.join("chat_template.jinja")) {
        Ok(text) => Some(text),
        Err(_) => settings["chat_template"].as_str().map(str::to_owned),
    };
    Ok(Parts {
        inner,
        eos_ids,
        chat: template.as_deref().and_then(ChatFormat::detect),
    })
}

/// A JSON file, or null where there is none.
fn optional_json(path: &Path) -> Result<Value, Files> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| Files::Malformed {
            path: path.into(),
            reason: e.to_string(),
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Value::Null),
        Err(source) => Err(Files::Io {
            path: path.into(),
            source,
        }),
    }
}
