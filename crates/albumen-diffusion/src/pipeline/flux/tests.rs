//! Against diffusers: scripts/golden/diffusion_flux.py.

use std::fs;

use super::*;
use crate::pipeline::TextToImage;
use crate::pipeline::golden::{Golden, every, options, replace};

fn load(golden: &Golden, dtype: DType) -> Flux {
    Flux::load(&golden.checkpoint(), &options(dtype)).unwrap()
}

/// The checkpoint with the transformer and scheduler of schnell.
fn schnell(golden: &Golden) -> Flux {
    let copy = golden.copy();
    for component in ["transformer", "scheduler"] {
        let to = copy.path().join(component);
        fs::remove_dir_all(&to).unwrap();
        fs::rename(copy.path().join("schnell").join(component), to).unwrap();
    }
    let checkpoint = Checkpoint::open(copy.path()).unwrap();
    Flux::load(&checkpoint, &options(DType::F32)).unwrap()
}

fn step(pipeline: &Flux, golden: &Golden) -> Tensor {
    let noise = golden.noise();
    let (text, pooled) = pipeline.encode(&[golden.prompt()]).unwrap();
    let guidance = golden.settings(None).guidance;
    pipeline
        .transformer
        .forward(&noise, &text, &pooled, 601.5, guidance)
        .unwrap()
}

#[test]
fn texts_become_the_references_tokens_and_states() {
    let golden = Golden::open("flux");
    let pipeline = load(&golden, DType::F32);
    let ids = pipeline.clip.0.encode(golden.prompt()).unwrap();
    assert_eq!(ids, golden.ids("ids_1"));
    assert_eq!(
        pipeline.t5.tokens(golden.prompt()).unwrap(),
        golden.ids("ids_2")
    );
    let (text, pooled) = pipeline.encode(&[golden.prompt()]).unwrap();
    golden.holds("text", &every(16, &text));
    golden.holds("pooled", &pooled);
}

#[test]
fn one_step_and_the_decoder_give_the_references_numbers() {
    let golden = Golden::open("flux");
    let pipeline = load(&golden, DType::F32);
    golden.holds("transformer", &step(&pipeline, &golden));
    golden.holds("transformer_schnell", &step(&schnell(&golden), &golden));
    // The pipeline scales latents before it decodes them; the reference does not.
    let noise = golden.noise();
    let latents = ((noise - 0.1159).unwrap() * 0.3611).unwrap();
    golden.holds("vae", &pipeline.vae.decode(&latents).unwrap());
}

#[test]
fn pictures_are_the_references() {
    let golden = Golden::open("flux");
    golden.draws("image", &load(&golden, DType::F32), &golden.settings(None));
    // schnell reads no guidance, whatever it is
    golden.draws(
        "image_schnell",
        &schnell(&golden),
        &golden.settings(Some(9.0)),
    );
}

#[test]
fn a_picture_does_not_depend_on_those_beside_it() {
    Golden::open("flux").draws_alone_as_beside_others();
}

#[test]
fn half_precision_stays_near() {
    let found = Golden::open("flux").strays(DType::F16, None);
    assert!(found < 0.02 && found > 1e-6, "{found}");
}

#[test]
fn what_flux_does_not_have_is_refused() {
    let golden = Golden::open("flux");
    let model = TextToImage::load(&golden.dir, &options(DType::F32)).unwrap();
    let request = Request {
        negative_prompt: "rain".into(),
        ..golden.request(0)
    };
    let error = model.draw(&[request], &golden.settings(None)).unwrap_err();
    assert!(error.to_string().contains("negative prompt"), "{error}");
    let other = Some(crate::SchedulerKind::Euler);
    let settings = Settings {
        scheduler: other,
        ..golden.settings(None)
    };
    let error = model.check(&settings).unwrap_err();
    assert!(error.to_string().contains("flow"), "{error}");
}

#[test]
fn damaged_checkpoints_are_refused_by_name() {
    let golden = Golden::open("flux");
    let missing = golden.refuses(|dir| fs::remove_dir_all(dir.join("text_encoder_2")).unwrap());
    assert!(missing.contains("text_encoder_2"), "{missing}");
    let guidance = golden.refuses(|dir| {
        let file = dir.join("transformer/config.json");
        replace(
            &file,
            "\"num_single_layers\": 2",
            "\"num_single_layers\": 3",
        );
    });
    assert!(
        guidance.contains("single_transformer_blocks.2"),
        "{guidance}"
    );
    let axes = golden.refuses(|dir| {
        let file = dir.join("transformer/config.json");
        replace(&file, "    4\n", "    6\n");
    });
    assert!(axes.contains("axes_dims_rope"), "{axes}");
    let other = golden.refuses(|dir| {
        let file = dir.join("scheduler/scheduler_config.json");
        replace(
            &file,
            "FlowMatchEulerDiscreteScheduler",
            "FlowMatchHeunDiscreteScheduler",
        );
    });
    assert!(
        other.contains("FlowMatchHeun") && other.contains("FlowMatchEuler"),
        "{other}"
    );
}
