//! SmolLM2's tokenizer, built from the GGUF, against the reference's ids; and tokenizer.json.
#![allow(clippy::unwrap_used, reason = "helpers of tests may")]

use albumen_lm::tokenizer::{ChatFormat, Tokenizer};
use serde::Deserialize;

mod common;

const SMOLLM2: &str = "smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

#[derive(Deserialize)]
struct Golden {
    tokens: Vec<Case>,
    greedy: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Prompt {
    system: Option<String>,
    user: Option<String>,
    text: String,
    ids: Vec<u32>,
    new_ids: Vec<u32>,
    new_text: String,
}

fn golden() -> Golden {
    serde_json::from_str(&std::fs::read_to_string(common::golden("smollm2.json")).unwrap()).unwrap()
}

#[test]
fn smollm2_ids_equal_the_reference() {
    let tokenizer = Tokenizer::load(&common::asset(SMOLLM2)).unwrap();
    let golden = golden();
    for Case { text, ids } in &golden.tokens {
        assert_eq!(&tokenizer.encode(text, false).unwrap(), ids, "{text:?}");
        assert_eq!(
            &tokenizer.encode(text, true).unwrap(),
            ids,
            "SmolLM2 adds nothing: {text:?}"
        );
        let special = text.contains("<|im_") || text.contains("<|endoftext|>");
        if !special {
            assert_eq!(&tokenizer.decode(ids).unwrap(), text);
        }
    }
    for prompt in &golden.greedy {
        assert_eq!(tokenizer.encode(&prompt.text, true).unwrap(), prompt.ids);
        assert_eq!(tokenizer.decode(&prompt.new_ids).unwrap(), prompt.new_text);
    }
}

#[test]
fn smollm2_special_tokens_and_conversation() {
    let tokenizer = Tokenizer::load(&common::asset(SMOLLM2)).unwrap();
    assert_eq!(tokenizer.vocab_size(), 49152);
    assert_eq!(tokenizer.token_id("<|im_start|>"), Some(1));
    assert_eq!(
        (tokenizer.eos_id(), tokenizer.token_id("<|im_end|>")),
        (2, Some(2))
    );
    assert_eq!(tokenizer.decode(&[1, 2]).unwrap(), "");
    assert!(tokenizer.newline_ids().contains(&198));
    for id in tokenizer.newline_ids() {
        assert!(tokenizer.decode(&[*id]).unwrap().contains('\n'), "{id}");
    }
    let spelt = (0..49152)
        .filter(|id| tokenizer.decode(&[*id]).unwrap().contains('\n'))
        .count();
    assert_eq!(tokenizer.newline_ids().len(), spelt);

    let format = tokenizer.chat_format().unwrap();
    assert!(matches!(
        format,
        ChatFormat::ChatMl {
            default_system: Some(_)
        }
    ));
    for prompt in golden().greedy {
        if let Some(user) = prompt.user {
            assert_eq!(format.prompt(prompt.system.as_deref(), &user), prompt.text);
        }
    }
}

/// A byte-level BPE of six tokens, as the `tokenizers` library writes it.
const TINY: &str = r#"{
  "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
  "added_tokens": [{"id": 5, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "post_processor": null,
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "vocab": {"a": 0, "b": 1, "ab": 2, "\u010a": 3, "\u0120": 4}, "merges": ["a b"]}
}"#;

#[test]
fn a_directory_brings_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let message = || Tokenizer::load(folder.path()).err().unwrap().to_string();
    assert!(message().contains("has no tokenizer.json"));
    std::fs::write(folder.path().join("tokenizer.json"), TINY).unwrap();
    assert!(message().contains("names no end-of-text token"));
    std::fs::write(
        folder.path().join("config.json"),
        r#"{"eos_token_id": [5, 4]}"#,
    )
    .unwrap();
    std::fs::write(
        folder.path().join("tokenizer_config.json"),
        r#"{"eos_token": "<end>", "chat_template": "<start_of_turn>"}"#,
    )
    .unwrap();
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(
        tokenizer.encode("ab a\n<end>", false).unwrap(),
        [2, 4, 0, 3, 5]
    );
    assert_eq!(tokenizer.decode(&[2, 4, 0, 3, 5]).unwrap(), "ab a\n");
    assert_eq!(
        (tokenizer.eos_ids(), tokenizer.newline_ids()),
        ([5, 4].as_slice(), [3].as_slice())
    );
    assert_eq!(tokenizer.chat_format(), Some(&ChatFormat::Gemma));
    for len in (0..TINY.len()).step_by(37) {
        std::fs::write(folder.path().join("tokenizer.json"), &TINY[..len]).unwrap();
        assert!(message().contains("tokenizer.json: "), "{len}");
    }
}
