//! A random Llama of two layers that reads characters: what the tests train, in milliseconds.

use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{
    Adapter, AnyLm, Budget, Lm, LoraConfig, LoraLayout, Precision, Sequence, Target, Weights,
};
use albumen_schema::AlbumText;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::{Engine, Lengths};

/// The only character whose embedding is not a number.
pub(crate) const BROKEN: char = '#';
/// How the end of a text is shown by [`Tiny::text`].
pub(crate) const END: char = '$';

const HIDDEN: usize = 16;
const VOCABULARY: usize = 97;

pub(crate) struct Tiny {
    pub(crate) lm: AnyLm,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) layout: LoraLayout,
}

impl Tiny {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
            "hidden_size": HIDDEN, "intermediate_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
            "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "tie_word_embeddings": false, "vocab_size": VOCABULARY, "eos_token_id": VOCABULARY - 1,
        });
        std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        std::fs::write(dir.path().join("model.safetensors"), weights()).unwrap();
        std::fs::write(dir.path().join("tokenizer.json"), characters()).unwrap();
        let lm = Lm::new(Weights::load(dir.path()).unwrap(), Precision::F32).unwrap();
        let lora = LoraConfig {
            rank: 2,
            alpha: 4.0,
            targets: vec![Target::Q, Target::V],
            layers: Some(1),
            frozen_a: None,
        };
        Self {
            layout: LoraLayout::new(lm.config(), &lora).unwrap(),
            lm: AnyLm::from(lm),
            tokenizer: Tokenizer::load(dir.path()).unwrap(),
        }
    }

    pub(crate) fn engine(&self) -> Engine<'_> {
        Engine {
            lm: &self.lm,
            tokenizer: &self.tokenizer,
            preamble: None,
            layout: &self.layout,
            budget: Budget::default(),
            lengths: Lengths {
                summary_tokens: 60,
                caption_tokens: 60,
            },
            cache_activations: true,
        }
    }

    /// Parameters whose B is not zero, so that every coordinate has a gradient.
    pub(crate) fn initial(&self) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        (0..self.layout.len())
            .map(|_| rng.random_range(-0.3..0.3))
            .collect()
    }

    /// The gradient of one unit's sequences.
    pub(crate) fn gradient(&self, params: &[f32], sequences: &[Sequence]) -> Vec<f32> {
        let adapter = Adapter {
            layout: &self.layout,
            params,
        };
        let unit = [sequences.iter().map(Into::into).collect()];
        let mut got = Vec::new();
        let mut add = |_: usize, gradient: &[f32], _: f32| got = gradient.to_vec();
        let budget = Budget::default();
        (self.lm)
            .gradients(adapter, None, &unit, budget, &mut add)
            .unwrap();
        got
    }

    /// Tokens as text, the end of text as [`END`].
    pub(crate) fn text(&self, tokens: &[u32]) -> String {
        let one = |&token: &u32| {
            if token == self.tokenizer.eos_id() {
                return END.to_string();
            }
            self.tokenizer.decode(&[token]).unwrap()
        };
        tokens.iter().map(one).collect()
    }
}

pub(crate) fn album(owner: &str, summary: &str, captions: &[&str]) -> AlbumText {
    AlbumText {
        album_id: summary.to_owned(),
        owner_id: owner.to_owned(),
        captions: captions.iter().map(|&c| c.to_owned()).collect(),
        summary: summary.to_owned(),
    }
}

/// A byte-level tokenizer in which every printable character and the line feed is a token.
fn characters() -> String {
    let spelt = |c: u8| match c {
        b' ' => '\u{120}',
        c => char::from(c),
    };
    let mut vocabulary: serde_json::Map<String, serde_json::Value> = (b' '..=b'~')
        .map(|c| (spelt(c).to_string(), json!(c - b' ')))
        .collect();
    vocabulary.insert("\u{10a}".into(), json!(95));
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [{"id": 96, "content": "<end>", "single_word": false, "lstrip": false,
                          "rstrip": false, "normalized": false, "special": true}],
        "pre_tokenizer": level, "post_processor": null, "decoder": level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
                  "byte_fallback": false, "vocab": vocabulary, "merges": []},
    })
    .to_string()
}

/// Random weights as a safetensors file.
fn weights() -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), [VOCABULARY, HIDDEN]),
        ("lm_head.weight".to_owned(), [VOCABULARY, HIDDEN]),
        ("model.norm.weight".to_owned(), [HIDDEN, 0]),
    ];
    for layer in 0..2 {
        for (name, shape) in [
            ("input_layernorm", [HIDDEN, 0]),
            ("post_attention_layernorm", [HIDDEN, 0]),
            ("self_attn.q_proj", [16, HIDDEN]),
            ("self_attn.k_proj", [8, HIDDEN]),
            ("self_attn.v_proj", [8, HIDDEN]),
            ("self_attn.o_proj", [HIDDEN, 16]),
            ("mlp.gate_proj", [24, HIDDEN]),
            ("mlp.up_proj", [24, HIDDEN]),
            ("mlp.down_proj", [HIDDEN, 24]),
        ] {
            tensors.push((format!("model.layers.{layer}.{name}.weight"), shape));
        }
    }
    let (mut head, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, [rows, columns]) in tensors {
        let start = data.len();
        let broken = (BROKEN as usize) - (' ' as usize);
        for i in 0..rows * columns.max(1) {
            let value: f32 = match columns {
                0 => 1.0,
                _ if name.contains("embed_tokens") && i / HIDDEN == broken => f32::NAN,
                _ => rng.random_range(-0.5..0.5),
            };
            data.extend(value.to_le_bytes());
        }
        let shape: Vec<usize> = [rows, columns].into_iter().filter(|&n| n > 0).collect();
        let offsets = [start, data.len()];
        head.insert(
            name,
            json!({"dtype": "F32", "shape": shape, "data_offsets": offsets}),
        );
    }
    let head = serde_json::Value::from(head).to_string();
    let mut file = (head.len() as u64).to_le_bytes().to_vec();
    file.extend(head.as_bytes());
    file.extend(data);
    file
}
