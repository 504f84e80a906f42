//! Memory by count.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use albumen_captioner::{CaptionSettings, DType, estimate};
use common::{MODELS, golden, load, photo};

#[test]
fn weights_and_caches_are_counted() {
    let settings = CaptionSettings {
        max_tokens: 8,
        ..CaptionSettings::default()
    };
    for model in MODELS {
        let dir = golden(model);
        let counted = estimate(&dir, DType::F32, &settings).unwrap();
        let captioner = load(&dir).unwrap();
        assert_eq!(counted.architecture, captioner.architecture());
        let files = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap());
        let weights = files.filter(|e| e.file_name().to_string_lossy().starts_with("model"));
        let weights: u64 = weights.map(|e| e.metadata().unwrap().len()).sum();
        // The files have headers (llava an index too), the estimate only numbers.
        assert!(
            counted.weights_bytes < weights && counted.weights_bytes * 5 > weights * 4,
            "{model}"
        );
        let stages = captioner.stages(&photo("dog"), &settings).unwrap();
        let held = stages.cache_bytes as u64;
        // The prompt's words are taken as 4 tokens for BLIP, 32 elsewhere.
        assert!(
            counted.cache_bytes >= held * 2 / 3 && counted.cache_bytes <= held * 2,
            "{model}: {} and {held}",
            counted.cache_bytes
        );
        assert!(counted.activations_bytes > 4 * stages.vision.elem_count() as u64);
        let halved = estimate(&dir, DType::BF16, &settings).unwrap();
        assert_eq!(halved.weights_bytes * 2, counted.weights_bytes);
        let two = counted.total_bytes(2) - counted.total_bytes(1);
        assert_eq!(two, counted.activations_bytes + counted.cache_bytes);
    }
}
