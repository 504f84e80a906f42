//! Against diffusers: scripts/golden/diffusion_sd3.py.

use std::fs;

use super::*;
use crate::estimate;
use crate::pipeline::TextToImage;
use crate::pipeline::golden::{Golden, every, options, replace};

fn load(golden: &Golden, dtype: DType) -> StableDiffusion3 {
    StableDiffusion3::load(&golden.checkpoint(), &options(dtype)).unwrap()
}

#[test]
fn texts_become_the_references_tokens_and_states() {
    let golden = Golden::open("sd3");
    let pipeline = load(&golden, DType::F32);
    for (i, (tokenizer, _)) in pipeline.clips.iter().enumerate() {
        let ids = tokenizer.encode(golden.prompt()).unwrap();
        assert_eq!(ids, golden.ids(&format!("ids_{}", i + 1)));
    }
    let t5 = pipeline.t5.as_ref().unwrap();
    assert_eq!(t5.tokens(golden.prompt()).unwrap(), golden.ids("ids_3"));
    for (text, name) in [(golden.prompt(), ""), (golden.negative(), "negative_")] {
        let encoded = pipeline.encode(&[text]).unwrap();
        golden.holds(&format!("{name}text"), &every(9, &encoded.text));
        golden.holds(&format!("{name}pooled"), &encoded.pooled);
    }
}

#[test]
fn one_step_and_the_decoder_give_the_references_numbers() {
    let golden = Golden::open("sd3");
    let pipeline = load(&golden, DType::F32);
    let noise = golden.noise();
    let conditions = pipeline.encode(&[golden.prompt()]).unwrap();
    let velocity = pipeline.predict(&noise, &conditions, 601.5).unwrap();
    golden.holds("transformer", &velocity);
    // As in Stable Diffusion 3.0: queries and keys as they are, no second attention.
    let component = golden.checkpoint().component("plain").unwrap();
    let config: MmditConfig = component.config().unwrap();
    let plain = component.build(DType::F32, &Device::Cpu, |vb| {
        Mmdit::load(&config, None, &vb)
    });
    let Conditions { text, pooled } = &conditions;
    let velocity = plain.unwrap().forward(&noise, text, pooled, 601.5).unwrap();
    golden.holds("transformer_plain", &velocity);
    // The pipeline scales latents before it decodes them; the reference does not.
    let latents = ((noise - 0.0609).unwrap() * 1.5305).unwrap();
    golden.holds("vae", &pipeline.vae.decode(&latents).unwrap());
}

#[test]
fn pictures_are_the_references() {
    let golden = Golden::open("sd3");
    let pipeline = load(&golden, DType::F32);
    golden.draws("image", &pipeline, &golden.settings(None));
    golden.draws("image_unguided", &pipeline, &golden.settings(Some(1.0)));
}

#[test]
fn a_checkpoint_without_t5_takes_zeros() {
    let golden = Golden::open("sd3");
    let copy = golden.copy();
    fs::remove_dir_all(copy.path().join("text_encoder_3")).unwrap();
    fs::remove_dir_all(copy.path().join("tokenizer_3")).unwrap();
    let error = TextToImage::load(copy.path(), &options(DType::F32))
        .err()
        .unwrap();
    assert!(error.to_string().contains("text_encoder_3"), "{error}");
    let index = copy.path().join("model_index.json");
    replace(
        &index,
        "\"transformers\",\n    \"T5EncoderModel\"",
        "null,\n    null",
    );
    let checkpoint = Checkpoint::open(copy.path()).unwrap();
    let pipeline = StableDiffusion3::load(&checkpoint, &options(DType::F32)).unwrap();
    golden.draws("image_without_t5", &pipeline, &golden.settings(None));
}

#[test]
fn a_picture_does_not_depend_on_those_beside_it() {
    Golden::open("sd3").draws_alone_as_beside_others();
}

#[test]
fn half_precision_stays_near() {
    let found = Golden::open("sd3").strays(DType::F16, None);
    assert!(found < 0.02 && found > 1e-6, "{found}");
}

#[test]
fn a_slice_of_attention_changes_rounding_only() {
    let golden = Golden::open("sd3");
    let sliced = LoadOptions {
        attention_slice: Some(2),
        ..options(DType::F32)
    };
    let pipeline = StableDiffusion3::load(&golden.checkpoint(), &sliced).unwrap();
    golden.draws("image", &pipeline, &golden.settings(None));
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let golden = Golden::open("sd3");
    let model = TextToImage::load(&golden.dir, &options(DType::F32)).unwrap();
    let settings = golden.settings(None);
    model.check(&settings).unwrap();
    let refused = |settings: Settings| model.check(&settings).unwrap_err().to_string();
    let large = refused(Settings {
        width: 52,
        ..settings.clone()
    });
    assert!(
        large.contains("52 x 24") && large.contains("48 x 48"),
        "{large}"
    );
    let odd = refused(Settings {
        width: 34,
        ..settings.clone()
    });
    assert!(odd.contains("34") && odd.contains("36"), "{odd}");
    let other = Some(crate::SchedulerKind::Ddim);
    let scheduler = refused(Settings {
        scheduler: other,
        ..settings
    });
    assert!(scheduler.contains("flow"), "{scheduler}");
}

#[test]
fn damaged_checkpoints_are_refused_by_name() {
    let golden = Golden::open("sd3");
    let cut = golden.refuses(|dir| {
        let file = dir.join("transformer/diffusion_pytorch_model.safetensors");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    });
    assert!(
        cut.contains("cut short") && cut.contains("transformer"),
        "{cut}"
    );
    let words = golden.refuses(|dir| {
        fs::remove_file(dir.join("tokenizer_3/tokenizer.json")).unwrap();
        fs::write(dir.join("tokenizer_3/spiece.model"), "x").unwrap();
    });
    assert!(
        words.contains("spiece.model") && words.contains("tokenizer.json"),
        "{words}"
    );
    let scheduler = golden.refuses(|dir| {
        let file = dir.join("scheduler/scheduler_config.json");
        replace(
            &file,
            "\"use_karras_sigmas\": false",
            "\"use_karras_sigmas\": true",
        );
    });
    assert!(scheduler.contains("use_karras_sigmas"), "{scheduler}");
    let shape = golden.refuses(|dir| {
        let file = dir.join("transformer/config.json");
        replace(
            &file,
            "\"pos_embed_max_size\": 12",
            "\"pos_embed_max_size\": 16",
        );
    });
    assert!(
        shape.contains("pos_embed.pos_embed") && shape.contains("256"),
        "{shape}"
    );
    let width = golden.refuses(|dir| {
        let file = dir.join("transformer/config.json");
        replace(
            &file,
            "\"pooled_projection_dim\": 28",
            "\"pooled_projection_dim\": 30",
        );
    });
    assert!(
        width.contains("pooled_projection_dim") && width.contains("28"),
        "{width}"
    );
    let swapped = golden.refuses(|dir| {
        let from = dir.join("text_encoder/config.json");
        fs::copy(from, dir.join("text_encoder_3/config.json")).unwrap();
    });
    assert!(swapped.contains("T5EncoderModel"), "{swapped}");
}

#[test]
fn the_estimate_counts_text_encoders_as_they_are_loaded() {
    let golden = Golden::open("sd3");
    let half = options(DType::F16);
    let found = estimate(&golden.dir, &half, &golden.settings(None), 1).unwrap();
    let size = |name: &str| found.components.iter().find(|c| c.name == name).unwrap();
    assert_eq!(found.components.len(), 5);
    // T5 is f32 on the processor.
    let t5 = size("text_encoder_3");
    assert_eq!(t5.weight_bytes, 4 * t5.parameters);
    let transformer = size("transformer");
    assert_eq!(transformer.weight_bytes, 2 * transformer.parameters);

    // One head of the autoencoder over 512 x 512 latents, at ten bytes a score.
    let large = Settings {
        width: 1024,
        height: 1024,
        ..golden.settings(None)
    };
    let found = estimate(&golden.dir, &half, &large, 1).unwrap();
    assert_eq!(found.activation_bytes, 10 << 36);
    // 24 heads of two rows over 16 x 16 tokens and 333 of the text, and the stream.
    let vae = VaeConfig::read(&golden.checkpoint().component("vae").unwrap()).unwrap();
    let bytes = |attention_slice| {
        let of = Activations {
            width: 64,
            height: 64,
            batch: 1,
            guided: true,
            dtype: DType::F16,
            attention_slice,
            vae_slicing: false,
        };
        let tokens = Tokens {
            side: 4,
            text: 333,
            heads: 24,
            width: 8,
            rows: 2,
        };
        of.transformer(&tokens, &vae)
    };
    let (score, stream) = (589 * 589 * 10, 2 * 589 * 8 * 20);
    assert_eq!(bytes(None), 48 * score + stream);
    assert_eq!(bytes(Some(8)), 8 * score + stream);
}
