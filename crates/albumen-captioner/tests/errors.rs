//! What is said of a checkpoint that cannot be used.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod common;

use std::fs;
use std::path::Path;

use albumen_captioner::{CaptionSettings, CaptionerError, DType, estimate};
use albumen_weights::WeightsError;
use common::{copy, golden, load, photo};

fn refusal(dir: &Path) -> CaptionerError {
    match load(dir) {
        Ok(_) => panic!("loaded a damaged model"),
        Err(error) => error,
    }
}

/// The message has each part, and names its file.
fn says(error: &CaptionerError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn missing_files_are_named_with_what_brings_them() {
    for (file, what) in [
        ("config.json", "the model's configuration is missing"),
        (
            "preprocessor_config.json",
            "the image processor's configuration is missing",
        ),
        ("model.safetensors", "a file of the weights is missing"),
        ("tokenizer.json", "the tokenizer is missing"),
    ] {
        let dir = copy("blip");
        fs::remove_file(dir.path().join(file)).unwrap();
        let error = refusal(dir.path());
        assert!(
            matches!(error, CaptionerError::MissingFile { .. }),
            "{error}"
        );
        says(&error, &[what, file, "hint:", "download"]);
    }
    let dir = copy("llava");
    fs::remove_file(dir.path().join("model-00002-of-00004.safetensors")).unwrap();
    says(
        &refusal(dir.path()),
        &["model-00002-of-00004.safetensors", "every shard"],
    );
    says(&refusal(&golden("nowhere")), &["nowhere/config.json"]);
}

#[test]
fn weights_that_are_cut_short_are_refused_before_they_are_read() {
    let dir = copy("blip");
    let path = dir.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 100, 7, 0] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = refusal(dir.path());
        let found = format!("is cut short: {length} bytes of ");
        says(&error, &["model.safetensors", &found, "download it again"]);
        assert!(estimate(dir.path(), DType::F32, &CaptionSettings::default()).is_err());
    }
    let damaged = ["model.safetensors is damaged", "download it again"];
    fs::write(&path, "version https://git-lfs.github.com/spec/v1").unwrap();
    says(&refusal(dir.path()), &damaged);
    let mut garbled = whole.clone();
    garbled[8] = b'!';
    fs::write(&path, garbled).unwrap();
    says(&refusal(dir.path()), &damaged);
}

#[test]
fn another_architecture_is_refused_with_what_is_supported() {
    let dir = copy("blip");
    let path = dir.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    let other = text.replace(
        "BlipForConditionalGeneration",
        "Idefics3ForConditionalGeneration",
    );
    fs::write(&path, other).unwrap();
    let error = refusal(dir.path());
    assert!(
        matches!(error, CaptionerError::Architecture { .. }),
        "{error}"
    );
    says(
        &error,
        &[
            "config.json",
            "Idefics3ForConditionalGeneration",
            "BlipForConditionalGeneration, Qwen3VLForConditionalGeneration, PaliGemmaForConditionalGeneration, \
         LlavaForConditionalGeneration",
        ],
    );
    // A text encoder that names no architecture.
    fs::write(&path, r#"{"model_type": "moondream1"}"#).unwrap();
    says(&refusal(dir.path()), &["moondream1"]);
}

#[test]
fn parts_that_are_not_supported_are_named() {
    for (model, from, to, part) in [
        (
            "llava",
            "\"llama\"",
            "\"mistral\"",
            "`text_config.model_type` is \"mistral\"",
        ),
        (
            "llava",
            "clip_vision_model",
            "siglip_vision_model",
            "`vision_config.model_type`",
        ),
        (
            "llava",
            "\"rope_type\": \"default\"",
            "\"rope_type\": \"llama3\"",
            "rope_type` is \"llama3\"",
        ),
        (
            "llava",
            "\"vision_feature_layer\": -2",
            "\"vision_feature_layer\": -9",
            "vision_feature_layer",
        ),
        (
            "blip",
            "\"hidden_act\": \"gelu\"",
            "\"hidden_act\": \"relu\"",
            "hidden_act` is \"relu\"",
        ),
        (
            "qwen3_vl",
            "\"num_heads\": 2",
            "\"num_heads\": 3",
            "num_heads",
        ),
        (
            "paligemma",
            "\"hidden_size\": 32",
            "\"hidden_size\": 0",
            "must lie between 1",
        ),
        (
            "paligemma",
            "\"num_hidden_layers\": 3",
            "\"num_hidden_layers\": \"3\"",
            "must be a whole number",
        ),
    ] {
        let dir = copy(model);
        let path = dir.path().join("config.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{model} has no {from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = refusal(dir.path());
        assert!(matches!(error, CaptionerError::Config { .. }), "{error}");
        says(&error, &["config.json", part]);
    }
}

#[test]
fn a_tensor_of_another_shape_or_name_is_named() {
    let dir = copy("blip");
    let path = dir.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("\"vocab_size\": 93", "\"vocab_size\": 94"),
    )
    .unwrap();
    let error = refusal(dir.path());
    assert!(
        matches!(&error, CaptionerError::Weights(WeightsError::Shape { expected, .. }) if expected == &[94, 32]),
        "{error}"
    );
    says(
        &error,
        &["word_embeddings.weight", "[93, 32]", "model.safetensors"],
    );

    fs::write(
        &path,
        text.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
    )
    .unwrap();
    let error = refusal(dir.path());
    says(
        &error,
        &["has no tensor", "layers.2.", "do not belong together"],
    );
}

#[test]
fn a_processor_of_another_checkpoint_is_refused() {
    for (model, from, to, part) in [
        (
            "blip",
            "\"height\": 32",
            "\"height\": 48",
            "makes 32 x 48 pixels",
        ),
        (
            "llava",
            "\"do_center_crop\": true",
            "\"do_center_crop\": false",
            "photos of many shapes",
        ),
        (
            "qwen3_vl",
            "\"patch_size\": 4",
            "\"patch_size\": 8",
            "patch_size",
        ),
    ] {
        let dir = copy(model);
        let path = dir.path().join("preprocessor_config.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{model} has no {from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        says(&refusal(dir.path()), &["config.json", part]);
    }
}

#[test]
fn a_damaged_or_foreign_tokenizer_is_refused() {
    let dir = copy("llava");
    let path = dir.path().join("tokenizer.json");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, CaptionerError::Tokenizer { .. }), "{error}");
    // One without the photo's token is found at the first photo.
    fs::write(&path, whole.replace("<image>", "<picture>")).unwrap();
    let captioner = load(dir.path()).unwrap();
    let error = captioner.rehearse(&CaptionSettings::default()).unwrap_err();
    says(
        &error,
        &[
            "tokenizer.json",
            "it makes 0 tokens 3 of a photo that has 16",
        ],
    );
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let captioner = load(&golden("blip")).unwrap();
    let refuse = |settings: CaptionSettings, part: &str| {
        let error = captioner.caption(&[photo("dog")], &settings).unwrap_err();
        assert!(matches!(error, CaptionerError::Settings { .. }), "{error}");
        says(&error, &[part]);
        says(&captioner.rehearse(&settings).unwrap_err(), &[part]);
    };
    let base = CaptionSettings::default;
    refuse(
        CaptionSettings {
            max_tokens: 0,
            ..base()
        },
        "max_tokens is 0",
    );
    refuse(
        CaptionSettings {
            max_tokens: 41,
            ..base()
        },
        "more than the 40 that the model sees",
    );
    refuse(
        CaptionSettings {
            min_tokens: 41,
            ..base()
        },
        "min_tokens is larger",
    );
    refuse(
        CaptionSettings {
            temperature: -1.0,
            ..base()
        },
        "temperature",
    );
    refuse(
        CaptionSettings {
            top_p: 0.0,
            ..base()
        },
        "top_p",
    );
    refuse(
        CaptionSettings {
            repetition_penalty: f32::NAN,
            ..base()
        },
        "repetition_penalty",
    );
    refuse(
        CaptionSettings {
            max_image_tokens: Some(0),
            ..base()
        },
        "max_image_tokens",
    );
}

#[test]
fn a_photo_that_cannot_be_used_takes_no_other_with_it() {
    let captioner = load(&golden("llava")).unwrap();
    let photos = [photo("dog"), image::RgbImage::new(1, 900), photo("mexico")];
    let settings = CaptionSettings::default();
    captioner.rehearse(&settings).unwrap();
    let each = captioner.caption_each(&photos, &settings);
    assert!(each[0].is_ok() && each[2].is_ok());
    let error = each[1].as_ref().unwrap_err();
    assert!(matches!(error, CaptionerError::Photo { .. }), "{error}");
    assert!(captioner.caption(&photos, &settings).is_err());
}

#[test]
fn an_end_is_not_chosen_before_the_least_length() {
    let dir = copy("llava");
    let captioner = load(dir.path()).unwrap();
    let settings = CaptionSettings {
        max_tokens: 6,
        ..CaptionSettings::default()
    };
    let tokens = captioner.stages(&photo("dog"), &settings).unwrap().tokens;
    // The fourth token becomes one that ends a caption.
    let stop = tokens[3];
    assert!(!tokens[..3].contains(&stop));
    let path = dir.path().join("generation_config.json");
    fs::write(path, format!(r#"{{"eos_token_id": [{stop}, 2]}}"#)).unwrap();
    let captioner = load(dir.path()).unwrap();
    assert_eq!(
        captioner.stages(&photo("dog"), &settings).unwrap().tokens,
        tokens[..3]
    );
    let longer = CaptionSettings {
        min_tokens: 6,
        ..settings
    };
    let tokens = captioner.stages(&photo("dog"), &longer).unwrap().tokens;
    assert!(tokens.len() == 6 && !tokens.contains(&stop));
}

#[test]
fn numbers_that_are_not_finite_are_an_error() {
    let dir = copy("blip");
    let path = dir.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    // The last numbers of the file, whichever tensor they are of.
    let end = bytes.len();
    for at in (end - 40_000..end).step_by(4) {
        bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    let captioner = load(dir.path()).unwrap();
    let settings = CaptionSettings {
        max_tokens: 4,
        ..CaptionSettings::default()
    };
    let error = captioner.caption(&[photo("dog")], &settings).unwrap_err();
    assert!(matches!(error, CaptionerError::NotFinite), "{error}");
}
