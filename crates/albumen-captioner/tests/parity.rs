//! Every stage of each architecture against transformers.
//!
//! `cargo nextest run --release -p albumen-captioner --no-capture equals_the_reference` prints the
//! largest relative difference of each stage (docs/parity.md).
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![allow(
    clippy::print_stderr,
    reason = "the measured differences are part of the result"
)]

mod common;

use albumen_captioner::{Architecture, CaptionSettings, Tensor};
use common::{PHOTOS, difference, golden, load, photo, reference};

/// Of every stage; the goal is 1e-3.
const TOLERANCE: f32 = 1e-5;

fn settings(prompt: Option<&str>) -> CaptionSettings {
    CaptionSettings {
        prompt: prompt.map(str::to_owned),
        max_tokens: 12,
        ..CaptionSettings::default()
    }
}

fn tokens(tensor: &Tensor) -> Vec<u32> {
    let all = tensor.to_vec1::<i64>().unwrap();
    all.into_iter().map(|t| u32::try_from(t).unwrap()).collect()
}

/// The largest difference of each stage; panics where a token differs.
fn compare(model: &str, architecture: Architecture, settings: &CaptionSettings, stop: u32) {
    let captioner = load(&golden(model)).unwrap();
    assert_eq!(captioner.architecture(), architecture);
    let reference = reference(model);
    let mut worst: Vec<(&str, f32)> = Vec::new();
    for name in PHOTOS {
        let theirs = |stage: &str| reference.get(&format!("{name}.{stage}"));
        let ours = captioner.stages(&photo(name), settings).unwrap();
        let mut found = vec![
            (
                "pixels",
                difference(&ours.pixels, theirs("pixels").unwrap()),
            ),
            (
                "vision",
                difference(&ours.vision, theirs("vision").unwrap()),
            ),
        ];
        if let Some(expected) = theirs("projected") {
            found.push((
                "projector",
                difference(ours.projected.as_ref().unwrap(), expected),
            ));
        }
        if let Some(expected) = theirs("deepstack") {
            let deepstack = Tensor::stack(&ours.deepstack, 0).unwrap();
            found.push(("deepstack", difference(&deepstack, expected)));
        }
        if let Some(expected) = theirs("grid") {
            let (rows, cols) = ours.grid.unwrap();
            assert_eq!(tokens(expected), [1, rows as u32, cols as u32]);
        }
        assert_eq!(
            ours.prompt,
            tokens(theirs("prompt").unwrap()),
            "{model} {name}"
        );
        let first = ours.scores.get(0).unwrap();
        found.push((
            "prompt's logits",
            difference(&first, theirs("logits").unwrap()),
        ));
        found.push((
            "each step's logits",
            difference(&ours.scores, theirs("steps").unwrap()),
        ));
        // The reference keeps the token that ends a caption.
        let mut expected = tokens(theirs("caption").unwrap());
        expected.retain(|t| *t != stop);
        assert_eq!(ours.tokens, expected, "{model} {name}");
        for (stage, apart) in found {
            match worst.iter_mut().find(|(s, _)| *s == stage) {
                Some((_, largest)) => *largest = largest.max(apart),
                None => worst.push((stage, apart)),
            }
        }
    }
    for (stage, apart) in &worst {
        eprintln!("{model}: {stage} {apart:.1e}");
    }
    for (stage, apart) in worst {
        assert!(apart < TOLERANCE, "{model}: {stage} differs by {apart}");
    }
}

#[test]
fn blip_equals_the_reference() {
    compare("blip", Architecture::Blip, &settings(Some("a photo of")), 3);
}

#[test]
fn paligemma_equals_the_reference() {
    compare("paligemma", Architecture::PaliGemma, &settings(None), 1);
}

#[test]
fn paligemma_2_equals_the_reference() {
    compare("paligemma2", Architecture::PaliGemma, &settings(None), 1);
}

#[test]
fn llava_equals_the_reference() {
    compare("llava", Architecture::Llava, &settings(None), 2);
}

#[test]
fn qwen3_vl_equals_the_reference() {
    let stop = load_stop("qwen3_vl");
    compare("qwen3_vl", Architecture::Qwen3Vl, &settings(None), stop);
}

fn load_stop(model: &str) -> u32 {
    let text = std::fs::read_to_string(golden(model).join("generation_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    u32::try_from(config["eos_token_id"].as_u64().unwrap()).unwrap()
}

#[test]
fn blip_without_a_prompt_and_with_a_penalty_equals_the_reference() {
    let captioner = load(&golden("blip")).unwrap();
    let reference = reference("blip");
    let penalised = CaptionSettings {
        repetition_penalty: 1.5,
        ..settings(Some("a photo of"))
    };
    for name in PHOTOS {
        for (case, settings) in [("bare", &settings(None)), ("penalised", &penalised)] {
            let expected = tokens(&reference[&format!("{name}.{case}")]);
            let ours = captioner.stages(&photo(name), settings).unwrap();
            assert_eq!(ours.tokens, expected, "{name} {case}");
        }
    }
}

#[test]
fn a_caption_keeps_blips_prompt_and_leaves_out_the_others() {
    let settings = settings(Some("a photo of"));
    let blip = load(&golden("blip")).unwrap();
    let captions = blip.caption(&[photo("dog")], &settings).unwrap();
    assert!(captions[0].starts_with("a photo of "), "{}", captions[0]);
    let llava = load(&golden("llava")).unwrap();
    let stages = llava.stages(&photo("dog"), &settings).unwrap();
    assert!(!stages.caption.contains("a photo of") && !stages.caption.contains("ASSISTANT"));
    assert!(!stages.caption.is_empty());
}
