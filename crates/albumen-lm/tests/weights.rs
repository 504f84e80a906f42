//! Loading checkpoints: both formats give the same numbers, and nothing bad gets in.

use std::collections::BTreeMap;

use albumen_lm::Family;
use albumen_lm::config::{Rope, RopeScaling};
use albumen_lm::weights::{LayerWeights, inspect};
use serde::Deserialize;

mod common;
use common::{golden, load, with_config};

/// Everything a layer holds, in one order.
fn vectors(layer: &LayerWeights) -> Vec<&Vec<f32>> {
    let l = layer;
    let optional = [
        &l.q_bias,
        &l.k_bias,
        &l.v_bias,
        &l.o_bias,
        &l.gate_bias,
        &l.up_bias,
        &l.down_bias,
        &l.q_norm,
        &l.k_norm,
        &l.attention_output_norm,
        &l.mlp_output_norm,
    ];
    let always = [
        &l.input_norm,
        &l.mlp_norm,
        &l.q,
        &l.k,
        &l.v,
        &l.o,
        &l.gate,
        &l.up,
        &l.down,
    ];
    always
        .into_iter()
        .chain(optional.into_iter().flatten())
        .collect()
}

#[test]
fn every_family_loads_with_its_features() {
    for (name, family) in [
        ("llama", Family::Llama),
        ("llama3", Family::Llama),
        ("mistral", Family::Mistral),
        ("qwen2", Family::Qwen2),
        ("qwen3", Family::Qwen3),
        ("gemma2", Family::Gemma2),
        ("gemma3", Family::Gemma3),
    ] {
        let weights = load(&golden(name)).unwrap();
        let c = &weights.config;
        assert_eq!(c.family, family, "{name}");
        assert_eq!(c.qkv_bias, matches!(name, "llama3" | "qwen2"), "{name}");
        assert_eq!(c.o_bias, name == "llama3", "{name}");
        assert_eq!(c.mlp_bias, name == "llama3", "{name}");
        assert_eq!(c.qk_norm, matches!(name, "qwen3" | "gemma3"), "{name}");
        assert_eq!(
            c.tie_word_embeddings,
            !matches!(name, "llama3" | "mistral"),
            "{name}"
        );
        assert_eq!(weights.head.is_some(), !c.tie_word_embeddings, "{name}");
        let windows: Vec<_> = c.attention.iter().map(|a| a.window).collect();
        let wanted = match name {
            "mistral" => vec![Some(5), Some(5)],
            "qwen2" => vec![None, Some(4)],
            "gemma2" | "gemma3" => vec![Some(4), None],
            _ => vec![None; c.num_layers],
        };
        assert_eq!(windows, wanted, "{name}");
        let held: usize = weights.layers.iter().flat_map(vectors).map(Vec::len).sum();
        let outer = weights.embedding.len()
            + weights.final_norm.len()
            + weights.head.as_ref().map_or(0, Vec::len);
        assert_eq!(held + outer, c.parameter_count(), "{name}");
        // Gemma stores a norm's factor less one, around 0; every family's factors are around 1.
        let mean = weights.final_norm.iter().sum::<f32>() / weights.final_norm.len() as f32;
        assert!((mean - 1.0).abs() < 0.2, "{name}: {mean}");
    }
    let scaling =
        |name: &str, layer: usize| load(&golden(name)).unwrap().config.attention[layer].rope;
    assert_eq!(
        scaling("mistral", 0).scaling,
        RopeScaling::Linear { factor: 2.0 }
    );
    assert!(matches!(
        scaling("llama3", 1).scaling,
        RopeScaling::Llama3 {
            original_max_position: 32.0,
            ..
        }
    ));
    assert_eq!(
        scaling("gemma3", 0),
        Rope {
            theta: 1e4,
            scaling: RopeScaling::None
        }
    );
    assert_eq!(
        scaling("gemma3", 1),
        Rope {
            theta: 1e6,
            scaling: RopeScaling::Linear { factor: 8.0 }
        }
    );
}

/// Gemma 3 from 4B on is one part of a model that sees pictures, under another prefix in each version of
/// transformers.
#[test]
fn the_text_part_of_a_multimodal_gemma_is_that_model() {
    let plain = load(&golden("gemma3")).unwrap();
    let bytes = std::fs::read(golden("gemma3").join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let config = std::fs::read_to_string(golden("gemma3").join("config.json")).unwrap();
    let mut text: serde_json::Value = serde_json::from_str(&config).unwrap();
    text.as_object_mut().unwrap().remove("architectures");
    for prefix in ["language_model.model.", "model.language_model."] {
        let folder = tempfile::tempdir().unwrap();
        let whole = serde_json::json!({
            "architectures": ["Gemma3ForConditionalGeneration"],
            "model_type": "gemma3",
            "text_config": text,
            "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model"},
        });
        std::fs::write(folder.path().join("config.json"), whole.to_string()).unwrap();
        let renamed = tensors.iter().map(|(name, view)| {
            let rest = name.strip_prefix("model.").unwrap();
            (format!("{prefix}{rest}"), view)
        });
        let vision = tensors.tensor("model.norm.weight").unwrap();
        let vision = [("vision_tower.norm.weight".to_owned(), vision)];
        let all = safetensors::serialize(renamed.chain(vision), None).unwrap();
        std::fs::write(folder.path().join("model.safetensors"), all).unwrap();
        let part = load(folder.path()).unwrap();
        assert_eq!(part.config, plain.config);
        assert_eq!(part.embedding, plain.embedding);
        for (a, b) in part.layers.iter().zip(&plain.layers) {
            assert_eq!(vectors(a), vectors(b), "{prefix}");
        }
    }
}

#[test]
fn what_a_published_gemma_leaves_out_is_filled_in() {
    // The text part as the 4B checkpoint states it, with transformers' defaults for the rest.
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
        "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
        "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024}}"#;
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    std::fs::copy(
        golden("gemma3").join("model.safetensors"),
        folder.path().join("model.safetensors"),
    )
    .unwrap();
    let config = albumen_lm::weights::read_config(folder.path()).unwrap();
    // transformers 5.24.0 counts as many parameters of Gemma3ForCausalLM at this shape.
    assert_eq!(config.parameter_count(), 3_880_263_168);
    assert_eq!(config.attention[5].window, None);
    assert_eq!(config.attention[4].window, Some(1024));
    assert_eq!((config.head_dim, config.max_position), (256, 131_072));
}

#[test]
fn gguf_and_safetensors_hold_the_same_model() {
    for name in ["llama", "gemma2", "gemma3"] {
        let (ours, theirs) = (
            load(&golden(name)).unwrap(),
            load(&golden(name).join("model.gguf")).unwrap(),
        );
        let mut config = theirs.config.clone();
        // The two things that GGUF does not say as exactly: eps in f32, and Gemma's query scale.
        assert!((config.rms_norm_eps / ours.config.rms_norm_eps - 1.0).abs() < 1e-6);
        config.rms_norm_eps = ours.config.rms_norm_eps;
        if name != "llama" {
            config.attention_scale = ours.config.attention_scale;
        }
        assert_eq!(config, ours.config);
        assert_eq!(theirs.embedding, ours.embedding);
        assert_eq!(theirs.final_norm, ours.final_norm);
        for (a, b) in theirs.layers.iter().zip(&ours.layers) {
            assert_eq!(vectors(a), vectors(b), "{name}");
        }
    }
}

#[derive(Deserialize)]
struct Facts {
    r#type: String,
    head: Vec<f64>,
    tail: Vec<f64>,
    squares: f64,
    weighted: f64,
}

#[test]
fn every_quantised_type_reads_as_the_reference_reads_it() {
    let weights = load(&golden("quantised.gguf")).unwrap();
    let text = std::fs::read_to_string(golden("quantised.json")).unwrap();
    let facts: BTreeMap<String, Facts> = serde_json::from_str(&text).unwrap();
    for (name, wanted) in &facts {
        let values = match name.strip_prefix("blk.").and_then(|n| n.split_once('.')) {
            None if name == "output" => weights.head.as_ref().unwrap(),
            None => &weights.embedding,
            Some((layer, part)) => {
                let layer = &weights.layers[layer.parse::<usize>().unwrap()];
                match part {
                    "attn_q" => &layer.q,
                    "attn_k" => &layer.k,
                    "attn_v" => &layer.v,
                    "attn_output" => &layer.o,
                    "ffn_gate" => &layer.gate,
                    "ffn_up" => &layer.up,
                    _ => &layer.down,
                }
            }
        };
        let same = |found: f64, wanted: f64, scale: f64| {
            assert!(
                (found - wanted).abs() <= 1e-5 * scale,
                "{name}: {found} for {wanted}"
            );
        };
        let sum = |f: &dyn Fn(usize, f64) -> f64| {
            values
                .iter()
                .enumerate()
                .map(|(i, v)| f(i, f64::from(*v)))
                .sum::<f64>()
        };
        same(sum(&|_, v| v * v), wanted.squares, wanted.squares);
        same(
            sum(&|i, v| v * (i as f64).cos()),
            wanted.weighted,
            wanted.squares.sqrt(),
        );
        for (found, wanted) in values
            .iter()
            .zip(&wanted.head)
            .chain(values[values.len() - 4..].iter().zip(&wanted.tail))
        {
            same(f64::from(*found), *wanted, wanted.abs().max(1e-3));
        }
    }
    let types: std::collections::BTreeSet<_> = facts.values().map(|f| f.r#type.as_str()).collect();
    assert_eq!(types.len(), 13);
}

#[test]
fn inspection_describes_and_names_obstacles() {
    let found = inspect(&golden("quantised.gguf")).unwrap();
    assert_eq!((found.format, found.config.family), ("gguf", Family::Qwen3));
    assert_eq!(found.dtypes["Q4K"], 1);
    assert!(!found.trainable);
    assert!(
        found
            .obstacles
            .iter()
            .any(|o| o.contains("holds no tokenizer")),
        "{:?}",
        found.obstacles
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["config"]["family"], "qwen3");
    assert_eq!(
        json["f32_bytes"].as_u64(),
        Some(4 * found.parameter_count as u64)
    );

    let folder = with_config("llama", "intermediate_size", 64.into());
    let found = inspect(folder.path()).unwrap();
    assert!(
        found
            .obstacles
            .iter()
            .any(|o| o.contains("mlp.up_proj.weight has shape [56, 48]")),
        "{:?}",
        found.obstacles
    );
}

#[test]
fn frequencies_follow_the_published_scalings() {
    let plain = Rope {
        theta: 5e5,
        scaling: RopeScaling::None,
    };
    let scaled = Rope {
        scaling: RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position: 8192.0,
        },
        ..plain
    };
    let divisors: Vec<f64> = plain
        .frequencies(128)
        .iter()
        .zip(scaled.frequencies(128))
        .map(|(p, s)| p / s)
        .collect();
    // Llama 3.1's own: short wavelengths kept, long ones divided by 8, a ramp between.
    assert_eq!(divisors[0], 1.0);
    assert!((divisors[63] - 8.0).abs() < 1e-12);
    assert!(divisors.is_sorted());
    assert!(divisors.iter().any(|d| *d > 1.5 && *d < 7.5));
    assert_eq!(
        Rope {
            scaling: RopeScaling::Linear { factor: 4.0 },
            ..plain
        }
        .frequencies(8)[0],
        0.25
    );
}
