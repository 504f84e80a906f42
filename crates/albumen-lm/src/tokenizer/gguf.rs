//! The tokenizer inside a GGUF file: byte-level BPE from its tokens and merges.

use candle_core::quantized::gguf_file::Value;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

use super::{ChatFormat, Parts};
use crate::config::Metadata;

/// llama.cpp's token types (`LLAMA_TOKEN_TYPE_*`).
const CONTROL: usize = 3;
const USER_DEFINED: usize = 4;

/// Builds the tokenizer, or says why it cannot be.
pub(super) fn build(metadata: &Metadata<'_>) -> Result<Parts, String> {
    let model = metadata
        .text("tokenizer.ggml.model")
        .ok_or("it holds no tokenizer")?;
    if model != "gpt2" {
        return Err(format!(
            "its tokenizer is of kind {model:?}, and only gpt2 (byte-level BPE) can be built from a GGUF file; \
             use the safetensors checkpoint with its tokenizer.json"
        ));
    }
    let tokens = texts(metadata, "tokenizer.ggml.tokens")?;
    let merges = texts(metadata, "tokenizer.ggml.merges")?
        .into_iter()
        .map(|merge| {
            let parts = merge
                .split_once(' ')
                .ok_or_else(|| format!("its merge {merge:?} is not a pair"))?;
            Ok((parts.0.to_owned(), parts.1.to_owned()))
        })
        .collect::<Result<Vec<_>, String>>()?;
    let vocabulary: Vocab = tokens
        .iter()
        .zip(0..)
        .map(|(token, id)| ((*token).to_owned(), id))
        .collect();
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .build()
        .map_err(|e| format!("its merges: {e}"))?;

    let mut inner = Tokenizer::new(bpe);
    inner.with_pre_tokenizer(Some(pre_tokenizer(
        metadata.text("tokenizer.ggml.pre").unwrap_or("gpt-2"),
    )?));
    inner.with_decoder(Some(ByteLevel::default()));
    let types = metadata
        .list("tokenizer.ggml.token_type")
        .unwrap_or_default();
    let of_type = |wanted: usize| {
        let kinds = types.iter().map(kind);
        let chosen = tokens
            .iter()
            .zip(kinds)
            .filter(move |(_, found)| *found == Some(wanted));
        chosen.map(|(token, _)| (*token).to_owned())
    };
    let special = of_type(CONTROL).map(|t| AddedToken::from(t, true));
    let words = of_type(USER_DEFINED).map(|t| AddedToken::from(t, false).normalized(false));
    (inner.add_special_tokens(special))
        .and_then(|_| inner.add_tokens(words))
        .map_err(|e| format!("its added tokens: {e}"))?;

    let id = |key: &str| {
        let id = metadata.count(key).and_then(|id| u32::try_from(id).ok());
        id.filter(|id| (*id as usize) < tokens.len())
    };
    if metadata.flag("tokenizer.ggml.add_bos_token") == Some(true) {
        let bos =
            id("tokenizer.ggml.bos_token_id").ok_or("it adds a start token but names none")?;
        inner.with_post_processor(Some(start_with(tokens[bos as usize], bos)?));
    }
    let mut eos_ids: Vec<u32> = id("tokenizer.ggml.eos_token_id").into_iter().collect();
    eos_ids.extend(id("tokenizer.ggml.eot_token_id").filter(|eot| !eos_ids.contains(eot)));
    let chat = metadata
        .text("tokenizer.chat_template")
        .and_then(ChatFormat::detect);
    Ok(Parts {
        inner,
        eos_ids,
        chat,
    })
}

fn texts<'a>(metadata: &'a Metadata<'_>, key: &str) -> Result<Vec<&'a str>, String> {
    let list = metadata
        .list(key)
        .ok_or_else(|| format!("it has no list {key:?}"))?;
    let text = |value: &'a Value| value.to_string().map(String::as_str);
    list.iter()
        .map(text)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{key:?} is not a list of texts"))
}

fn kind(value: &Value) -> Option<usize> {
    match value {
        Value::I32(v) => usize::try_from(*v).ok(),
        other => other.to_u64().ok().map(|v| v as usize),
    }
}

/// Where words are cut before merging, by llama.cpp's name for it (`llama_vocab_pre_type`). The
/// patterns are the published tokenizers' own.
fn pre_tokenizer(name: &str) -> Result<PreTokenizerWrapper, String> {
    const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    // `ByteLevel` cuts by GPT-2's pattern itself, where asked to.
    let gpt2 = ByteLevel::new(false, true, true);
    let bytes_only = ByteLevel::new(false, true, false);
    let by_pattern = |pattern: &str| {
        let pattern = SplitPattern::Regex(pattern.to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
            .map_err(|e| e.to_string())?;
        Ok::<_, String>(Sequence::new(vec![split.into(), bytes_only.into()]).into())
    };
    match name {
        "gpt-2" | "default" => Ok(gpt2.into()),
        "smollm" => Ok(Sequence::new(vec![Digits::new(true).into(), gpt2.into()]).into()),
        "qwen2" => by_pattern(QWEN2),
        "llama-bpe" | "llama3" => by_pattern(LLAMA3),
        other => Err(format!(
            "its pre-tokenizer is {other:?}; known are smollm, gpt-2, qwen2 and llama-bpe; \
             use the safetensors checkpoint with its tokenizer.json"
        )),
    }
}

/// Puts the start token before a text, where special tokens are asked for.
fn start_with(token: &str, id: u32) -> Result<TemplateProcessing, String> {
    TemplateProcessing::builder()
        .try_single(format!("{token} $A"))
        .and_then(|b| b.try_pair(format!("{token} $A $B")))
        .map_err(|e| format!("its start token: {e}"))?
        .special_tokens(vec![(token, id)])
        .build()
        .map_err(|e| format!("its start token: {e}"))
}

#[cfg(test)]
mod tests {
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    use super::*;

    fn cuts(name: &str, text: &str) -> Vec<String> {
        let mut pieces = PreTokenizedString::from(text);
        pre_tokenizer(name)
            .unwrap()
            .pre_tokenize(&mut pieces)
            .unwrap();
        let splits = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        splits
            .into_iter()
            .map(|(_, (start, end), _)| text[start..end].to_owned())
            .collect()
    }

    #[test]
    fn each_pre_tokenizer_cuts_digits_and_spaces_its_own_way() {
        let text = "It'S  12345\n\n ok";
        assert_eq!(
            cuts("gpt-2", text),
            ["It", "'", "S", " ", " 12345", "\n\n", " ok"]
        );
        assert_eq!(
            cuts("smollm", text),
            ["It", "'", "S", "  ", "1", "2", "3", "4", "5", "\n\n", " ok"]
        );
        assert_eq!(
            cuts("qwen2", text),
            ["It", "'S", " ", " ", "1", "2", "3", "4", "5", "\n\n", " ok"]
        );
        assert_eq!(
            cuts("llama-bpe", text),
            ["It", "'S", " ", " ", "123", "45", "\n\n", " ok"]
        );
        assert!(
            pre_tokenizer("tekken")
                .unwrap_err()
                .contains("known are smollm")
        );
    }
}
