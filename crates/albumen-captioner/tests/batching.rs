//! A photo's caption does not depend on the photos beside it: privacy rests on that.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use albumen_captioner::CaptionSettings;
use common::{MODELS, PHOTOS, golden, load, photo};
use image::imageops;

fn bits(tensor: &albumen_captioner::Tensor) -> Vec<u32> {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn a_caption_is_the_same_alone_and_in_any_batch() {
    let [dog, mexico] = PHOTOS.map(photo);
    let turned = imageops::rotate90(&dog);
    let drawn = CaptionSettings {
        temperature: 1.0,
        top_p: 0.95,
        max_tokens: 8,
        ..CaptionSettings::default()
    };
    for model in MODELS {
        let captioner = load(&golden(model)).unwrap();
        for settings in [
            &CaptionSettings {
                max_tokens: 8,
                ..CaptionSettings::default()
            },
            &drawn,
        ] {
            let batches = [
                vec![dog.clone(), mexico.clone(), turned.clone(), dog.clone()],
                vec![turned.clone(), dog.clone()],
            ];
            let alone = |image: &image::RgbImage| {
                captioner
                    .caption(std::slice::from_ref(image), settings)
                    .unwrap()
                    .remove(0)
            };
            for batch in batches {
                let together = captioner.caption(&batch, settings).unwrap();
                let each: Vec<String> = batch.iter().map(alone).collect();
                assert_eq!(together, each, "{model}");
            }
        }
    }
}

#[test]
fn scores_have_the_same_bits_while_other_photos_are_captioned() {
    let settings = CaptionSettings {
        max_tokens: 6,
        ..CaptionSettings::default()
    };
    for model in MODELS {
        let captioner = load(&golden(model)).unwrap();
        let alone = captioner.stages(&photo("dog"), &settings).unwrap();
        let others = vec![photo("mexico"); 6];
        std::thread::scope(|scope| {
            let busy = scope.spawn(|| captioner.caption(&others, &settings).unwrap());
            for _ in 0..3 {
                let again = captioner.stages(&photo("dog"), &settings).unwrap();
                assert_eq!(bits(&again.scores), bits(&alone.scores), "{model}");
            }
            busy.join().unwrap();
        });
    }
}

/// Captions of a run that goes on must be those that it began with: tokens of the first release.
#[test]
fn a_seed_keeps_its_captions() {
    let captioner = load(&golden("llava")).unwrap();
    for (temperature, top_p, repetition_penalty, min_tokens, expected) in [
        (
            1.5,
            1.0,
            1.0,
            12,
            [101, 81, 1, 96, 30, 146, 21, 89, 58, 149, 67, 21],
        ),
        (
            1.0,
            0.9,
            1.3,
            12,
            [17, 30, 17, 76, 135, 146, 69, 40, 38, 149, 143, 21],
        ),
    ] {
        let settings = CaptionSettings {
            temperature,
            top_p,
            repetition_penalty,
            min_tokens,
            seed: 7,
            max_tokens: 12,
            ..CaptionSettings::default()
        };
        let tokens = captioner.stages(&photo("dog"), &settings).unwrap().tokens;
        assert_eq!(tokens, expected);
    }
}

#[test]
fn drawing_depends_on_seed_and_photo_only() {
    let captioner = load(&golden("llava")).unwrap();
    let settings = |seed| CaptionSettings {
        temperature: 1.5,
        seed,
        max_tokens: 12,
        ..CaptionSettings::default()
    };
    let write = |seed, name| {
        captioner
            .stages(&photo(name), &settings(seed))
            .unwrap()
            .tokens
    };
    assert_eq!(write(1, "dog"), write(1, "dog"));
    assert_ne!(write(1, "dog"), write(2, "dog"));
    // A hot model without a limit wanders; the narrowest nucleus is the greedy caption.
    let greedy = CaptionSettings {
        temperature: 0.0,
        ..settings(1)
    };
    let narrow = CaptionSettings {
        top_p: 1e-6,
        ..settings(1)
    };
    let tokens = |s: &CaptionSettings| captioner.stages(&photo("dog"), s).unwrap().tokens;
    assert_eq!(tokens(&narrow), tokens(&greedy));
    assert_ne!(tokens(&settings(1)), tokens(&greedy));
}
