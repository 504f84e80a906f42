//! A picture depends on its request alone.

use candle_core::DType;

use super::{copy, difference, golden, request, sample, settings};
use crate::noise::{Noise, NoiseKey};
use crate::scheduler::SchedulerKind;
use crate::settings::{LoadOptions, Request, Settings};
use crate::{TextToImage, estimate};

fn noise(album: u64, photo: u64) -> Noise {
    Noise::Stream(NoiseKey {
        seed: 11,
        album,
        photo,
        album_weight: 0.25,
    })
}

fn requests() -> Vec<Request> {
    let mut requests: Vec<Request> = (0..3).map(|i| request(noise(i / 2, i))).collect();
    requests[1].prompt = "a lake".into();
    requests[2].negative_prompt = String::new();
    requests
}

#[test]
fn a_picture_is_the_same_drawn_alone_or_beside_others() {
    for name in ["sd15", "sdxl", "sdxl_turbo"] {
        let model = TextToImage::load(&golden(name), &LoadOptions::default()).unwrap();
        let settings = settings(if name == "sdxl_turbo" { 0.0 } else { 5.0 });
        let requests = requests();
        let together = model.draw(&requests, &settings).unwrap();
        for (i, request) in requests.iter().enumerate().rev() {
            let alone = model
                .draw(std::slice::from_ref(request), &settings)
                .unwrap();
            assert_eq!(alone[0], together[i], "{name} {i}");
        }
        assert_ne!(together[0], together[1]);
        // As one batch, as a device computes it: equal up to rounding.
        let batch = model.pipeline.sample(&requests, &settings).unwrap();
        for (i, request) in requests.iter().enumerate() {
            let one = model
                .pipeline
                .sample(std::slice::from_ref(request), &settings)
                .unwrap();
            let d = difference(&batch.narrow(0, i, 1).unwrap(), &one);
            assert!(d < 1e-4, "{name} {i}: {d}");
        }
    }
}

#[test]
fn slices_change_no_picture_beyond_rounding() {
    let settings = settings(5.0);
    let plain = TextToImage::load(&golden("sdxl"), &LoadOptions::default()).unwrap();
    let sliced = LoadOptions {
        attention_slice: Some(1),
        vae_slicing: true,
        ..LoadOptions::default()
    };
    let sliced = TextToImage::load(&golden("sdxl"), &sliced).unwrap();
    let (a, b) = (
        plain.pipeline.sample(&requests(), &settings).unwrap(),
        sliced.pipeline.sample(&requests(), &settings).unwrap(),
    );
    assert!(difference(&a, &b) < 1e-4);
    let (a, b) = (
        plain.pipeline.decode(&a).unwrap(),
        sliced.pipeline.decode(&a).unwrap(),
    );
    assert!(difference(&a, &b) < 1e-4);
}

#[test]
fn half_precision_draws_nearly_the_same() {
    for name in ["sd15", "sd21", "sdxl"] {
        let options = LoadOptions {
            dtype: DType::F16,
            ..LoadOptions::default()
        };
        let model = TextToImage::load(&golden(name), &options).unwrap();
        let found = model
            .pipeline
            .sample(&[request(noise(0, 0))], &settings(5.0))
            .unwrap();
        let exact = sample(name, 5.0, noise(0, 0), super::NEGATIVE);
        let d = difference(&found, &exact);
        eprintln!("parity {name} latents in f16: {d:.1e}");
        assert!(d < 0.03 && d > 1e-5, "{name}: {d}");
    }
}

#[test]
fn prompt_negative_prompt_guidance_scheduler_and_noise_all_matter() {
    let model = TextToImage::load(&golden("sd15"), &LoadOptions::default()).unwrap();
    let base = request(noise(0, 0));
    let plain = settings(5.0);
    let draw = |request: &Request, settings: &Settings| {
        model.draw(std::slice::from_ref(request), settings).unwrap()
    };
    let first = draw(&base, &plain);
    assert_eq!((first[0].width(), first[0].height()), (64, 48));
    let others = [
        Request {
            prompt: "a dog".into(),
            ..base.clone()
        },
        Request {
            negative_prompt: "a dog".into(),
            ..base.clone()
        },
        request(noise(0, 1)),
        request(noise(1, 0)),
    ];
    for other in &others {
        assert_ne!(draw(other, &plain), first);
    }
    for (kind, ..) in SchedulerKind::ALL {
        if kind != SchedulerKind::Pndm {
            let scheduler = Some(kind);
            assert_ne!(
                draw(
                    &base,
                    &Settings {
                        scheduler,
                        ..plain.clone()
                    }
                ),
                first
            );
        }
    }
    let guidance = 2.0;
    assert_ne!(
        draw(
            &base,
            &Settings {
                guidance,
                ..plain.clone()
            }
        ),
        first
    );
    // Without guidance the negative prompt says nothing.
    let unguided = settings(1.0);
    assert_eq!(draw(&base, &unguided), draw(&others[1], &unguided));
}

#[test]
fn old_names_of_the_autoencoders_attention_are_read() {
    let dir = copy("sd15");
    let path = dir.path().join("vae/diffusion_pytorch_model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &crate::Device::Cpu).unwrap();
    let renamed = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let name = name
                .replace("to_q.", "query.")
                .replace("to_k.", "key.")
                .replace("to_v.", "value.")
                .replace("to_out.0.", "proj_attn.");
            (name, tensor)
        })
        .collect();
    candle_core::safetensors::save(&renamed, &path).unwrap();
    let draw = |dir: &std::path::Path| {
        let model = TextToImage::load(dir, &LoadOptions::default()).unwrap();
        model.draw(&[request(noise(0, 0))], &settings(5.0)).unwrap()
    };
    assert_eq!(draw(dir.path()), draw(&golden("sd15")));
}

#[test]
fn the_estimate_counts_every_weight() {
    let options = LoadOptions {
        dtype: DType::F16,
        ..LoadOptions::default()
    };
    let found = estimate(&golden("sdxl"), &options, &settings(5.0), 2).unwrap();
    let names: Vec<&str> = found.components.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["text_encoder", "text_encoder_2", "unet", "vae"]);
    for component in &found.components {
        let bytes = if component.name == "vae" { 4 } else { 2 };
        assert_eq!(component.weight_bytes, component.parameters * bytes);
        assert_eq!(component.file_bytes, component.parameters * 2);
        assert!(component.parameters > 5_000);
    }
    let sliced = LoadOptions {
        attention_slice: Some(1),
        vae_slicing: true,
        ..options
    };
    let large = Settings {
        width: 1024,
        height: 1024,
        ..settings(5.0)
    };
    let bytes = |o: &LoadOptions, s: &Settings, batch| {
        estimate(&golden("sdxl"), o, s, batch)
            .unwrap()
            .activation_bytes
    };
    let whole = LoadOptions {
        attention_slice: None,
        vae_slicing: false,
        ..sliced.clone()
    };
    assert!(bytes(&sliced, &large, 4) < bytes(&whole, &large, 4));
    assert!(bytes(&whole, &settings(5.0), 1) < bytes(&whole, &large, 1));
}
