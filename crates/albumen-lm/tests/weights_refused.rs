//! Checkpoints that are cut short, damaged, of another kind or contradictory: each is refused with a
//! message that says what and where, and none panics.

use std::path::Path;

use albumen_lm::weights::inspect;

mod common;
use common::{golden, load, with_config};

#[test]
fn a_file_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.gguf");
    let gguf = std::fs::read(golden("quantised.gguf")).unwrap();
    // Every byte of the header's start, then ever larger steps.
    let cuts = |len: usize| (0..200).chain((200..len).step_by(997)).chain([len - 1]);
    for len in cuts(gguf.len()) {
        std::fs::write(&path, &gguf[..len]).unwrap();
        let error = load(&path)
            .err()
            .unwrap_or_else(|| panic!("{len} of {} bytes load", gguf.len()))
            .to_string();
        assert!(error.contains("cut short"), "{len}: {error}");
    }
    std::fs::copy(
        golden("qwen3/config.json"),
        folder.path().join("config.json"),
    )
    .unwrap();
    let whole = std::fs::read(golden("qwen3/model.safetensors")).unwrap();
    for len in cuts(whole.len()) {
        std::fs::write(folder.path().join("model.safetensors"), &whole[..len]).unwrap();
        let error = load(folder.path())
            .err()
            .unwrap_or_else(|| panic!("{len} bytes load"))
            .to_string();
        assert!(error.contains("cut short"), "{len}: {error}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        golden("qwen3/config.json"),
        folder.path().join("config.json"),
    )
    .unwrap();
    for (source, target) in [
        ("quantised.gguf", "bad.gguf"),
        ("qwen3/model.safetensors", "model.safetensors"),
    ] {
        let whole = std::fs::read(golden(source)).unwrap();
        let target = folder.path().join(target);
        let checkpoint = if source.ends_with("gguf") {
            target.as_path()
        } else {
            folder.path()
        };
        for step in 0..600_usize {
            let mut bytes = whole.clone();
            // Headers are in the first few kilobytes; one to eight bytes are overwritten.
            let at = (step * 13) % 4000;
            let value = [0x00, 0xff, 0x7f, 0x80][step % 4];
            bytes[at..at + 1 + step % 8].fill(value);
            std::fs::write(&target, bytes).unwrap();
            // Some damage cannot be noticed (a flipped bit in a weight); a panic fails the test.
            drop(load(checkpoint));
            drop(inspect(checkpoint));
        }
    }
    let mut bytes = std::fs::read(golden("quantised.gguf")).unwrap();
    let key = b"qwen3.block_count";
    let at = bytes.windows(key.len()).position(|w| w == key).unwrap();
    bytes[at..at + key.len()].copy_from_slice(b"general.alignment");
    bytes[at + key.len() + 4..at + key.len() + 8].fill(0);
    let path = folder.path().join("aligned.gguf");
    std::fs::write(&path, bytes).unwrap();
    assert!(
        load(&path)
            .err()
            .unwrap()
            .to_string()
            .contains("general.alignment is 0")
    );
}

#[test]
fn every_refusal_says_what_and_where() {
    let refusal = |name: &str, key: &str, value: serde_json::Value| {
        let folder = with_config(name, key, value);
        load(folder.path()).err().expect("refused").to_string()
    };
    let wanted = [
        (
            refusal("llama", "architectures", ["BloomForCausalLM"].into()),
            "the architecture is BloomForCausalLM; supported are LlamaForCausalLM, MistralForCausalLM,",
        ),
        (
            refusal("llama", "num_hidden_layers", 4.into()),
            "has no tensor model.layers.3.",
        ),
        (
            refusal("llama", "intermediate_size", 64.into()),
            "mlp.gate_proj.weight has shape [56, 48], but the configuration needs [64, 48]",
        ),
        (
            refusal("llama", "num_key_value_heads", 3.into()),
            "4 query heads cannot share 3 key/value heads",
        ),
        (
            refusal("llama", "num_attention_heads", 0.into()),
            "num_attention_heads is 0",
        ),
        (refusal("llama", "vocab_size", (-3).into()), "invalid value"),
        (
            refusal("llama", "vocab_size", u64::MAX.into()),
            "vocab_size is 18446744073709551615; it must be 1 to",
        ),
        (
            refusal("llama", "hidden_act", "relu".into()),
            "the activation \"relu\"",
        ),
        (
            refusal("llama", "rms_norm_eps", 0.into()),
            "rms_norm_eps is 0; it must be positive",
        ),
        (
            refusal(
                "llama",
                "rope_parameters",
                serde_json::json!({"rope_type": "yarn", "factor": 4.0}),
            ),
            "rope scaling of type \"yarn\"; known are",
        ),
        (
            refusal(
                "qwen2",
                "layer_types",
                ["chunked_attention", "full_attention"].into(),
            ),
            "layer_types has \"chunked_attention\"",
        ),
    ];
    for (found, part) in wanted {
        assert!(found.contains(part), "{found}\nhas not: {part}");
    }
}

#[test]
fn missing_and_foreign_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: &Path| load(path).err().expect("refused").to_string();
    assert!(message(&folder.path().join("nowhere")).contains("cannot read"));
    assert!(message(folder.path()).contains("has no config.json"));
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "hello").unwrap();
    assert!(message(&text).contains("is not a checkpoint: give a .gguf file"));
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(message(folder.path()).contains("it is not JSON"));
    std::fs::copy(
        golden("llama3/config.json"),
        folder.path().join("config.json"),
    )
    .unwrap();
    assert!(
        message(folder.path()).contains("has no model.safetensors or model.safetensors.index.json")
    );
    let index = folder.path().join("model.safetensors.index.json");
    std::fs::copy(golden("llama3/model.safetensors.index.json"), &index).unwrap();
    assert!(message(folder.path()).contains("has no model-00001-of-00005.safetensors"));
    std::fs::write(&index, r#"{"weight_map": {"a": "../../etc/passwd"}}"#).unwrap();
    assert!(message(folder.path()).contains("outside its directory"));
}
