//! Every stage of the pipelines against diffusers.

use candle_core::{D, DType, IndexOp, Tensor};

use super::{NEGATIVE, PROMPT, difference, golden, reference, request, settings};
use crate::checkpoint::Checkpoint;
use crate::clip::ClipText;
use crate::noise::Noise;
use crate::pipeline::TextToImage;
use crate::settings::LoadOptions;
use crate::tokens::ClipTokenizer;
use crate::unet::{Addition, Unet};
use crate::vae::Vae;

const PIPELINES: [&str; 4] = ["sd15", "sd21", "sdxl", "sdxl_turbo"];

/// In f32, as a share of the largest number.
const TOLERANCE: f64 = 2e-5;

fn numbers(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn given(reference: &std::collections::HashMap<String, Tensor>) -> Noise {
    Noise::Given {
        initial: numbers(&reference["noise"]),
        steps: (0..4)
            .map(|i| numbers(&reference["step_noise"].get(i).unwrap()))
            .collect(),
    }
}

/// Writes one line of the parity table (docs/parity.md).
fn report(pipeline: &str, stage: &str, difference: f64) {
    eprintln!("parity {pipeline} {stage}: {difference:.1e}");
    assert!(difference < TOLERANCE, "{pipeline} {stage}: {difference}");
}

#[test]
fn token_ids_and_text_states_are_those_of_transformers() {
    for name in PIPELINES {
        let reference = reference(name);
        let checkpoint = Checkpoint::open(&golden(name)).unwrap();
        for (i, suffix) in ["", "_2"].iter().enumerate() {
            let Some(ids) = reference.get(&format!("ids_{i}")) else {
                continue;
            };
            let component = checkpoint
                .component(&format!("text_encoder{suffix}"))
                .unwrap();
            let encoder = ClipText::load(&component, &LoadOptions::default()).unwrap();
            let dir = checkpoint.directory(&format!("tokenizer{suffix}")).unwrap();
            let tokenizer = ClipTokenizer::load(&dir, 20).unwrap();
            let texts = [PROMPT, NEGATIVE].map(|text| tokenizer.encode(text).unwrap());
            let expected = ids.to_dtype(DType::U32).unwrap().to_vec2::<u32>().unwrap();
            assert_eq!(texts.to_vec(), expected, "{name}");
            let encoded = encoder.encode(&texts).unwrap();
            for (stage, found) in [
                ("last", &encoded.last),
                ("penultimate", &encoded.penultimate),
                ("pooled", &encoded.pooled),
            ] {
                let stage = format!("{stage}_{i}");
                report(name, &stage, difference(found, &reference[&stage]));
            }
        }
    }
}

#[test]
fn one_step_of_the_network_is_that_of_diffusers() {
    for name in PIPELINES {
        let r = reference(name);
        let checkpoint = Checkpoint::open(&golden(name)).unwrap();
        let component = checkpoint.component("unet").unwrap();
        let (text, addition) = if name.starts_with("sdxl") {
            let sizes = [48f32, 64.0, 0.0, 0.0, 48.0, 64.0];
            let addition = Addition {
                pooled: r["pooled_1"].clone(),
                sizes: Tensor::new(&[sizes, sizes], r["pooled_1"].device()).unwrap(),
            };
            let states = [&r["penultimate_0"], &r["penultimate_1"]];
            (Tensor::cat(&states, D::Minus1).unwrap(), Some(addition))
        } else {
            (r["last_0"].clone(), None)
        };
        for attention_slice in [None, Some(1), Some(3)] {
            let options = LoadOptions {
                attention_slice,
                ..LoadOptions::default()
            };
            let unet = Unet::load(&component, &options).unwrap();
            let output = unet.forward(&r["unet_sample"], 621.0, &text, addition.as_ref());
            report(
                name,
                "unet",
                difference(&output.unwrap(), &r["unet_output"]),
            );
        }
    }
}

#[test]
fn a_decoded_latent_is_that_of_diffusers() {
    for name in PIPELINES {
        let r = reference(name);
        let component = Checkpoint::open(&golden(name))
            .unwrap()
            .component("vae")
            .unwrap();
        let vae = Vae::load(&component, &LoadOptions::default()).unwrap();
        let pixels = vae.decode(&r["vae_latents"]).unwrap();
        report(name, "vae", difference(&pixels, &r["vae_pixels"]));
    }
}

#[test]
fn tiles_are_blended_as_by_diffusers() {
    let r = reference("sd15");
    let component = Checkpoint::open(&golden("sd15"))
        .unwrap()
        .component("vae")
        .unwrap();
    let options = LoadOptions {
        vae_tiling: true,
        ..LoadOptions::default()
    };
    let vae = Vae::load(&component, &options).unwrap();
    let pixels = vae.decode(&r["vae_latents"]).unwrap();
    report("sd15", "tiled vae", difference(&pixels, &r["vae_tiled"]));
    assert!(difference(&pixels, &r["vae_pixels"]) > TOLERANCE);
}

/// The picture as the pipeline rounds it, against the reference's pixels: at most one level off,
/// and hardly ever.
fn assert_picture(name: &str, reference: &Tensor, guidance: f64, noise: Noise) {
    let model = TextToImage::load(&golden(name), &LoadOptions::default()).unwrap();
    let drawn = model.draw(&[request(noise)], &settings(guidance)).unwrap();
    let expected = ((reference * 0.5).unwrap() + 0.5)
        .unwrap()
        .clamp(0.0, 1.0)
        .unwrap();
    let expected = numbers(&(expected * 255.0).unwrap().permute((1, 2, 0)).unwrap());
    let mut far = 0;
    for (found, expected) in drawn[0].as_raw().iter().zip(&expected) {
        let d = (f32::from(*found) - expected).abs();
        assert!(d < 1.0, "{name}: {found} {expected}");
        far += usize::from(d > 0.51);
    }
    assert!(far <= 3, "{name}: {far}");
}

#[test]
fn the_picture_after_four_steps_is_that_of_diffusers() {
    for name in PIPELINES {
        let r = reference(name);
        let guidance = if name == "sdxl_turbo" { 0.0 } else { 5.0 };
        assert_picture(name, &r["final_pixels"], guidance, given(&r));
        let sample = crate::tests::sample(name, guidance, given(&r), NEGATIVE);
        let sample = sample.i(0).unwrap();
        report(name, "latents", difference(&sample, &r["final_latents"]));
        let vae = Checkpoint::open(&golden(name))
            .unwrap()
            .component("vae")
            .unwrap();
        let vae = Vae::load(&vae, &LoadOptions::default()).unwrap();
        let pixels = vae
            .decode(&sample.unsqueeze(0).unwrap())
            .unwrap()
            .i(0)
            .unwrap();
        report(name, "picture", difference(&pixels, &r["final_pixels"]));
        if let Some(expected) = r.get("empty_latents") {
            let sample = crate::tests::sample(name, guidance, given(&r), "")
                .i(0)
                .unwrap();
            report(name, "empty negative", difference(&sample, expected));
        }
    }
}
