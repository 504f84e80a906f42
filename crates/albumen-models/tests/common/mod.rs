//! Tiny models of every kind, as files.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

/// Files by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A safetensors file of these tensors, each filled with its own byte.
pub(crate) fn safetensors(tensors: &[(&str, &str, &[usize])]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (i, (name, dtype, shape)) in tensors.iter().enumerate() {
        let width = if *dtype == "F32" { 4 } else { 2 };
        let start = data.len();
        data.resize(start + width * shape.iter().product::<usize>(), i as u8);
        header.insert(
            (*name).into(),
            json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]}),
        );
    }
    let mut header = Value::Object(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &data].concat()
}

/// An index over shards, each with the tensor of its name.
pub(crate) fn index(shards: &[&str]) -> Vec<u8> {
    let map: BTreeMap<_, _> = shards.iter().map(|s| (format!("{s}.weight"), *s)).collect();
    json!({"metadata": {}, "weight_map": map})
        .to_string()
        .into()
}

fn add(files: &mut Files, name: &str, bytes: impl Into<Vec<u8>>) {
    files.insert(name.into(), bytes.into());
}

/// A sharded language model, with files that nothing needs.
pub(crate) fn language() -> Files {
    let mut files = Files::new();
    let config = json!({"architectures": ["LlamaForCausalLM"], "model_type": "llama"});
    add(&mut files, "config.json", config.to_string());
    add(&mut files, "tokenizer.json", "{}");
    let shards = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    add(&mut files, "model.safetensors.index.json", index(&shards));
    add(
        &mut files,
        shards[0],
        safetensors(&[("model.embed_tokens.weight", "F32", &[8, 4])]),
    );
    add(
        &mut files,
        shards[1],
        safetensors(&[
            ("model.layers.0.mlp.up_proj.weight", "BF16", &[4, 4]),
            ("lm_head.weight", "BF16", &[8, 4]),
        ]),
    );
    add(&mut files, "README.md", "---\nlicense: mit\n---\n");
    add(&mut files, "pytorch_model.bin", "pickle");
    add(&mut files, "model.gguf", "GGUF");
    files
}

/// A captioner.
pub(crate) fn captioner() -> Files {
    let mut files = Files::new();
    let config = json!({"architectures": ["BlipForConditionalGeneration"], "model_type": "blip"});
    add(&mut files, "config.json", config.to_string());
    add(&mut files, "tokenizer.json", "{}");
    add(&mut files, "preprocessor_config.json", "{}");
    add(&mut files, "processor_config.json", "{}");
    add(&mut files, "README.md", "---\nlicense: bsd-3-clause\n---\n");
    add(
        &mut files,
        "model.safetensors",
        safetensors(&[("vision_model.embeddings.class_embedding", "F32", &[1, 4])]),
    );
    add(&mut files, "pytorch_model.bin", "pickle");
    files
}

/// A text-to-image model whose UNet is sharded and which has an fp16 variant; with single-file weights
/// beside it, and parts that no picture needs.
pub(crate) fn diffusion() -> Files {
    let mut files = Files::new();
    let index_of_parts = json!({
        "_class_name": "StableDiffusionXLPipeline", "_diffusers_version": "0.30.0",
        "force_zeros_for_empty_prompt": true,
        "image_encoder": [null, null],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", "EulerAncestralDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    });
    add(&mut files, "model_index.json", index_of_parts.to_string());
    add(
        &mut files,
        "README.md",
        "---\nlicense: other\nlicense_name: sai-nc-community\n---\n",
    );
    add(&mut files, "scheduler/scheduler_config.json", "{}");
    for file in ["vocab.json", "merges.txt", "tokenizer_config.json"] {
        add(&mut files, &format!("tokenizer/{file}"), "{}");
    }
    for part in ["unet", "vae", "text_encoder"] {
        add(&mut files, &format!("{part}/config.json"), "{}");
    }
    let tensor = |name: &str, dtype: &str| safetensors(&[(name, dtype, &[2, 3])]);
    add(
        &mut files,
        "text_encoder/model.safetensors",
        tensor("text", "F32"),
    );
    add(
        &mut files,
        "text_encoder/model.fp16.safetensors",
        tensor("text", "F16"),
    );
    add(
        &mut files,
        "vae/diffusion_pytorch_model.safetensors",
        tensor("vae", "F32"),
    );
    let shards = [
        "diffusion_pytorch_model-00001-of-00002.safetensors",
        "diffusion_pytorch_model-00002-of-00002.safetensors",
    ];
    for shard in shards {
        add(&mut files, &format!("unet/{shard}"), tensor(shard, "F32"));
    }
    add(
        &mut files,
        "unet/diffusion_pytorch_model.safetensors.index.json",
        index(&shards),
    );
    add(
        &mut files,
        "unet/diffusion_pytorch_model.fp16.safetensors",
        tensor("unet", "F16"),
    );
    add(&mut files, "safety_checker/model.safetensors", "large");
    add(
        &mut files,
        "feature_extractor/preprocessor_config.json",
        "{}",
    );
    add(&mut files, "sd_xl_turbo_1.0.safetensors", "large");
    add(&mut files, "unet/model.onnx", "large");
    files
}

/// Writes files into a directory.
pub(crate) fn write(dir: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
