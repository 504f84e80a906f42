//! Against diffusers: scripts/golden/diffusion_z_image.py.

use std::fs;

use super::*;
use crate::pipeline::TextToImage;
use crate::pipeline::golden::{Golden, options, replace};

fn load(golden: &Golden, dtype: DType) -> ZImage {
    ZImage::load(&golden.checkpoint(), &options(dtype)).unwrap()
}

#[test]
fn texts_become_the_references_tokens_and_states() {
    let golden = Golden::open("z_image");
    let pipeline = load(&golden, DType::F32);
    assert_eq!(
        pipeline.text.tokens(golden.prompt()).unwrap(),
        golden.ids("ids")
    );
    golden.holds("text", &pipeline.encode(golden.prompt()).unwrap());
    let negative = pipeline.encode(golden.negative()).unwrap();
    golden.holds("negative_text", &negative);
}

#[test]
fn one_step_and_the_decoder_give_the_references_numbers() {
    let golden = Golden::open("z_image");
    let pipeline = load(&golden, DType::F32);
    let noise = golden.noise();
    let caption = pipeline.encode(golden.prompt()).unwrap();
    let velocity = pipeline
        .transformer
        .forward(&noise, &caption, 0.3985)
        .unwrap();
    golden.holds("transformer", &velocity);
    // The pipeline scales latents before it decodes them; the reference does not.
    let latents = ((noise - 0.1159).unwrap() * 0.3611).unwrap();
    golden.holds("vae", &pipeline.vae.decode(&latents).unwrap());
}

#[test]
fn pictures_are_the_references() {
    let golden = Golden::open("z_image");
    let pipeline = load(&golden, DType::F32);
    golden.draws("image", &pipeline, &golden.settings(Some(0.0)));
    golden.draws("image_guided", &pipeline, &golden.settings(None));
}

#[test]
fn a_picture_does_not_depend_on_those_beside_it() {
    Golden::open("z_image").draws_alone_as_beside_others();
}

#[test]
fn half_precision_stays_near() {
    let found = Golden::open("z_image").strays(DType::F16, Some(0.0));
    assert!(found < 0.02 && found > 1e-6, "{found}");
}

#[test]
fn a_causal_model_with_the_prefix_of_its_class_is_the_same() {
    let golden = Golden::open("z_image");
    let copy = golden.copy();
    let file = copy.path().join("text_encoder/model.safetensors");
    let tensors = candle_core::safetensors::load(&file, &Device::Cpu).unwrap();
    let named = tensors
        .into_iter()
        .map(|(name, tensor)| (format!("model.{name}"), tensor));
    let named: std::collections::HashMap<_, _> = named.collect();
    candle_core::safetensors::save(&named, &file).unwrap();
    let config = copy.path().join("text_encoder/config.json");
    replace(&config, "Qwen3Model", "Qwen3ForCausalLM");
    let checkpoint = Checkpoint::open(copy.path()).unwrap();
    let pipeline = ZImage::load(&checkpoint, &options(DType::F32)).unwrap();
    golden.holds("text", &pipeline.encode(golden.prompt()).unwrap());
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let golden = Golden::open("z_image");
    let model = TextToImage::load(&golden.dir, &options(DType::F32)).unwrap();
    let large = Settings {
        width: 132,
        ..golden.settings(None)
    };
    let error = model.check(&large).unwrap_err().to_string();
    assert!(
        error.contains("132 x 24") && error.contains("128 x 128"),
        "{error}"
    );
}

#[test]
fn damaged_checkpoints_are_refused_by_name() {
    let golden = Golden::open("z_image");
    let words =
        golden.refuses(|dir| fs::remove_file(dir.join("tokenizer/tokenizer.json")).unwrap());
    assert!(words.contains("tokenizer.json is not there"), "{words}");
    let rope = golden.refuses(|dir| {
        let file = dir.join("text_encoder/config.json");
        replace(
            &file,
            "\"rope_type\": \"default\"",
            "\"rope_type\": \"yarn\"",
        );
    });
    assert!(rope.contains("yarn"), "{rope}");
    let layers = golden.refuses(|dir| {
        let file = dir.join("transformer/config.json");
        replace(&file, "\"n_layers\": 2", "\"n_layers\": 3");
    });
    assert!(layers.contains("layers.2."), "{layers}");
    let shape = golden.refuses(|dir| {
        let file = dir.join("transformer/config.json");
        replace(&file, "\"cap_feat_dim\": 24", "\"cap_feat_dim\": 32");
    });
    assert!(
        shape.contains("cap_feat_dim") && shape.contains("24"),
        "{shape}"
    );
    let encoder = golden.refuses(|dir| {
        let file = dir.join("text_encoder/config.json");
        replace(&file, "Qwen3Model", "Qwen2Model");
    });
    assert!(
        encoder.contains("Qwen2Model") && encoder.contains("Qwen3Model"),
        "{encoder}"
    );
}
