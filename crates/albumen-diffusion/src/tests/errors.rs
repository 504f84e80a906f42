//! What a damaged or foreign checkpoint and impossible settings say.

use std::fs;
use std::path::Path;

use super::{copy, golden, request, settings};
use crate::noise::{Noise, NoiseKey};
use crate::settings::{LoadOptions, Settings};
use crate::{DType, TextToImage};

fn load(dir: &Path) -> String {
    match TextToImage::load(dir, &LoadOptions::default()) {
        Ok(_) => String::from("it loads"),
        Err(error) => error.to_string(),
    }
}

fn assert_says(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

/// Replaces a key of a JSON file.
fn set(path: &Path, key: &str, value: serde_json::Value) {
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    json[key] = value;
    fs::write(path, json.to_string()).unwrap();
}

#[test]
fn a_directory_that_is_no_pipeline() {
    let dir = tempfile::tempdir().unwrap();
    let error = load(dir.path());
    assert_says(
        &error,
        &[
            "model_index.json",
            "is missing",
            "hint:",
            "layout of diffusers",
        ],
    );
}

#[test]
fn a_pipeline_of_another_class_lists_the_supported() {
    let dir = copy("sd15");
    let index = dir.path().join("model_index.json");
    set(&index, "_class_name", "KandinskyPipeline".into());
    let error = load(dir.path());
    assert_says(
        &error,
        &[
            "KandinskyPipeline",
            "not supported",
            "StableDiffusionPipeline (Stable Diffusion 1.x and 2.x)",
            "StableDiffusionXLPipeline",
        ],
    );
}

#[test]
fn a_truncated_file_of_weights() {
    let dir = copy("sd15");
    let path = dir.path().join("unet/diffusion_pytorch_model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for keep in [4, 100, bytes.len() - 7] {
        fs::write(&path, &bytes[..keep]).unwrap();
        let found = format!("{keep} bytes");
        let words = ["unet", "is cut short", found.as_str(), "download it again"];
        assert_says(&load(dir.path()), &words);
    }
    fs::write(&path, b"version https://git-lfs.github.com/spec/v1").unwrap();
    assert_says(&load(dir.path()), &["is damaged", "download it again"]);
}

#[test]
fn missing_parts_are_named() {
    let cases = [
        (
            "tokenizer/merges.txt",
            "the tokenizer is missing",
            "merges.txt",
        ),
        (
            "scheduler/scheduler_config.json",
            "scheduler is missing",
            ".json files",
        ),
        ("vae/config.json", "vae is missing", ".json files"),
        (
            "text_encoder/model.safetensors",
            "a file of the weights is missing",
            "safetensors files",
        ),
    ];
    for (file, what, hint) in cases {
        let dir = copy("sd15");
        fs::remove_file(dir.path().join(file)).unwrap();
        assert_says(&load(dir.path()), &[what, hint]);
    }
    for folder in ["unet", "tokenizer_2"] {
        let dir = copy("sdxl");
        fs::remove_dir_all(dir.path().join(folder)).unwrap();
        assert_says(&load(dir.path()), &[folder, "is missing", "fetch"]);
    }
}

#[test]
fn pickled_weights_say_what_to_do() {
    let dir = copy("sd15");
    let unet = dir.path().join("unet");
    let from = unet.join("diffusion_pytorch_model.safetensors");
    fs::rename(from, unet.join("diffusion_pytorch_model.bin")).unwrap();
    assert_says(&load(dir.path()), &["pickled", "safe_serialization=True"]);
}

#[test]
fn shards_are_read_and_a_missing_one_is_named() {
    let dir = copy("sd15");
    let unet = dir.path().join("unet");
    let whole = unet.join("diffusion_pytorch_model.safetensors");
    let tensors = candle_core::safetensors::load(&whole, &crate::Device::Cpu).unwrap();
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort();
    let mut map = serde_json::Map::new();
    for (part, names) in names.chunks(names.len() / 2 + 1).enumerate() {
        let file = format!("diffusion_pytorch_model-0000{part}-of-00002.safetensors");
        let shard = names
            .iter()
            .map(|n| ((*n).clone(), tensors[*n].clone()))
            .collect();
        candle_core::safetensors::save(&shard, unet.join(&file)).unwrap();
        map.extend(names.iter().map(|n| ((*n).clone(), file.clone().into())));
    }
    fs::remove_file(&whole).unwrap();
    let index = unet.join("diffusion_pytorch_model.safetensors.index.json");
    fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    assert_eq!(load(dir.path()), "it loads");

    let shard = unet.join("diffusion_pytorch_model-00001-of-00002.safetensors");
    fs::remove_file(shard).unwrap();
    assert_says(
        &load(dir.path()),
        &["a file of the weights", "00001-of-00002", "fetch"],
    );
    let out = serde_json::json!({ "weight_map": {"a": "../../x.safetensors"} });
    fs::write(&index, out.to_string()).unwrap();
    assert_says(&load(dir.path()), &["outside its directory"]);
}

#[test]
fn weights_of_another_shape_name_the_tensor() {
    let dir = copy("sd15");
    let config = dir.path().join("unet/config.json");
    set(&config, "cross_attention_dim", 24.into());
    let error = load(dir.path());
    assert_says(
        &error,
        &[
            "attn2.to_k.weight",
            "[8, 24]",
            "[8, 16]",
            "do not belong together",
        ],
    );
    let dir = copy("sd15");
    set(
        &dir.path().join("vae/config.json"),
        "layers_per_block",
        2.into(),
    );
    assert_says(&load(dir.path()), &["has no tensor", "resnets.2"]);
}

#[test]
fn networks_of_another_kind_are_refused() {
    let cases = [
        (
            "unet/config.json",
            "addition_embed_type",
            "image",
            "text_time",
        ),
        (
            "unet/config.json",
            "_class_name",
            "UNet3DConditionModel",
            "UNet2DConditionModel",
        ),
        (
            "vae/config.json",
            "_class_name",
            "AutoencoderTiny",
            "AutoencoderKL",
        ),
        (
            "text_encoder/config.json",
            "hidden_act",
            "relu",
            "quick_gelu",
        ),
    ];
    for (file, key, value, supported) in cases {
        let dir = copy("sd15");
        set(&dir.path().join(file), key, value.into());
        assert_says(&load(dir.path()), &[value, "not supported", supported]);
    }
    let dir = copy("sd15");
    let config = dir.path().join("text_encoder/config.json");
    set(
        &config,
        "architectures",
        serde_json::json!(["T5EncoderModel"]),
    );
    assert_says(&load(dir.path()), &["T5EncoderModel", "CLIPTextModel"]);
}

#[test]
fn settings_that_draw_nothing() {
    let model = TextToImage::load(&golden("sd15"), &LoadOptions::default()).unwrap();
    let noise = Noise::Stream(NoiseKey {
        seed: 0,
        album: 0,
        photo: 0,
        album_weight: 0.0,
    });
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(5.0);
        change(&mut settings);
        let error = model
            .draw(&[request(noise.clone())], &settings)
            .unwrap_err();
        error.to_string()
    };
    let words = ["width of 70 pixels", "multiple of 8", "64 or 72"];
    assert_says(&refused(&|s| s.width = 70), &words);
    assert_says(&refused(&|s| s.height = 4), &["height of 4", "8 or 16"]);
    assert_says(&refused(&|s| s.steps = 0), &["0 steps", "hint:"]);
    assert_says(
        &refused(&|s| s.guidance = -1.0),
        &["guidance of -1", "hint:"],
    );
    assert_says(&refused(&|s| s.guidance = f64::NAN), &["guidance of NaN"]);

    let dtype = DType::U8;
    let options = LoadOptions {
        dtype,
        ..LoadOptions::default()
    };
    let error = TextToImage::load(&golden("sd15"), &options).err().unwrap();
    assert_says(&error.to_string(), &["U8", "bf16"]);
    let options = LoadOptions {
        dtype: DType::BF16,
        ..LoadOptions::default()
    };
    let error = TextToImage::load(&golden("sd15"), &options).err().unwrap();
    assert_says(&error.to_string(), &["processor", "bf16", "take f32"]);
    let options = LoadOptions {
        attention_slice: Some(0),
        ..LoadOptions::default()
    };
    let error = TextToImage::load(&golden("sd15"), &options).err().unwrap();
    assert_says(&error.to_string(), &["slice", "hint:"]);
}

#[test]
fn a_tokenizer_of_another_checkpoint() {
    let dir = copy("sd15");
    let vocab = dir.path().join("tokenizer/vocab.json");
    fs::write(&vocab, "{\"a\": 0}").unwrap();
    assert_says(
        &load(dir.path()),
        &["tokenizer", "came with the checkpoint"],
    );
}
