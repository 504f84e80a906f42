//! A tiny language model, a tiny corpus of text, and what tests of whole runs share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of these helpers, which fail by panicking"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Owners of the tiny corpus; each has [`ALBUMS_EACH`] albums.
pub(crate) const OWNERS: usize = 40;
/// Albums of each owner: one more than the configuration's bound.
pub(crate) const ALBUMS_EACH: usize = 3;

/// Trains two models of a few thousand parameters on 40 owners. The summary model sees every owner
/// in every step, the caption model a sample of half of them.
pub(crate) const TINY: &str = r#"
name = "tiny"

[corpus]
path = "albums.jsonl"

[privacy]
unit = "owner"
epsilon = 12.0
delta = 1e-3
declared_units = 40
max_albums_per_owner = 2

[release]
album_count_epsilon = 0.5
album_sizes_epsilon = 0.5
album_size_bins = [1, 2, 3]

[summarize]
model = "path:model"
max_tokens = 8

[train]
model = "path:model"
lora_rank = 2
lora_layers = 1
checkpoint_seconds = 0

[train.summary]
expected_batch = 40
steps = 12
learning_rate = 0.01

[train.caption]
expected_batch = 20
steps = 12
learning_rate = 0.01

[generate]
albums = 6
tries = 2
max_summary_tokens = 24
max_caption_tokens = 24
max_photos = 3
"#;

/// A working folder with the tiny corpus, model and configuration.
pub(crate) fn tiny_workplace(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_model(&dir.path().join("model"));
    fs::write(dir.path().join("albums.jsonl"), corpus()).unwrap();
    fs::write(dir.path().join("tiny.toml"), config).unwrap();
    dir
}

/// Text albums; an owner's first album has one photo, the second two, the third three.
fn corpus() -> String {
    let mut text = String::new();
    for owner in 0..OWNERS {
        for album in 0..ALBUMS_EACH {
            let photos: Vec<Value> = (0..=album)
                .map(|photo| json!({"caption": format!("A dog {owner} by the sea {photo}.")}))
                .collect();
            let line = json!({
                "album_id": format!("{owner:02}-{album}"),
                "owner_id": format!("owner {owner}"),
                "photos": photos,
            });
            writeln!(text, "{line}").unwrap();
        }
    }
    text
}

/// A Llama of two layers with fixed weights and a tokenizer of bytes.
fn write_model(dir: &Path) {
    fs::create_dir(dir).unwrap();
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
        "max_position_embeddings": 8192, "vocab_size": 257, "eos_token_id": 256,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": true,
    });
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();

    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![257, 16]),
        ("model.norm.weight".to_owned(), vec![16]),
    ];
    for layer in 0..2 {
        for (name, shape) in [
            ("input_layernorm", vec![16]),
            ("post_attention_layernorm", vec![16]),
            ("self_attn.q_proj", vec![16, 16]),
            ("self_attn.k_proj", vec![8, 16]),
            ("self_attn.v_proj", vec![8, 16]),
            ("self_attn.o_proj", vec![16, 16]),
            ("mlp.gate_proj", vec![32, 16]),
            ("mlp.up_proj", vec![32, 16]),
            ("mlp.down_proj", vec![16, 32]),
        ] {
            tensors.push((format!("model.layers.{layer}.{name}.weight"), shape));
        }
    }
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in tensors {
        let start = data.len();
        for i in 0..shape.iter().product::<usize>() {
            // A norm's weights are ones; the others vary without a pattern of the layer's.
            let wave = ((i + start) as f32 * 12.9898).sin() * 0.4;
            let value: f32 = if shape.len() == 1 { 1.0 } else { wave };
            data.extend(value.to_le_bytes());
        }
        header.insert(
            name,
            json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]}),
        );
    }
    let header = Value::Object(header).to_string();
    let length = (header.len() as u64).to_le_bytes();
    let file = [&length[..], header.as_bytes(), &data].concat();
    fs::write(dir.join("model.safetensors"), file).unwrap();
}

/// GPT-2's spelling of the 256 bytes, no merges, and one end token.
fn tokenizer() -> Value {
    let mut vocabulary = serde_json::Map::new();
    let mut beyond = 0;
    for byte in 0..=255_u8 {
        let plain = matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
        let spelt = if plain {
            char::from(byte)
        } else {
            beyond += 1;
            char::from_u32(255 + beyond).unwrap()
        };
        vocabulary.insert(spelt.to_string(), byte.into());
    }
    let level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
    });
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{
            "id": 256, "content": "<|end|>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true,
        }],
        "normalizer": null, "pre_tokenizer": level, "post_processor": null, "decoder": level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": vocabulary, "merges": [],
        },
    })
}

/// The stages of a run's ledger, in order.
pub(crate) fn ledger_stages(run: &Path) -> Vec<String> {
    let history = albumen_accounting::History::read(&run.join("ledger.jsonl")).unwrap();
    history.entries().iter().map(|e| e.stage.clone()).collect()
}
