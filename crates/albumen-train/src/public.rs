//! Training without privacy, on albums that the user declares public.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use albumen_dp::{Optimizer, OptimizerState};
use albumen_lm::Adapter;
use albumen_schema::{AlbumText, UnitTexts};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::training::prepare;
use crate::{Engine, Model, StepProgress, TrainError};

/// How a public training goes.
#[derive(Clone, Copy, Debug)]
pub struct WarmUp {
    /// Albums a step.
    pub batch: usize,
    /// Steps.
    pub steps: u64,
    /// The update rule and its schedule.
    pub optimizer: Optimizer,
    /// Seed of the albums' order.
    pub seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlbumLine {
    album_id: String,
    summary: String,
    photos: Vec<PhotoLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhotoLine {
    caption: String,
}

/// Reads albums that are declared public: JSON lines
/// `{"album_id": "...", "summary": "...", "photos": [{"caption": "..."}]}`. Each is a unit of its own.
///
/// # Errors
/// [`TrainError::PublicAlbums`] with the line.
pub fn read_public(path: &Path) -> Result<Vec<UnitTexts>, TrainError> {
    let wrong = |line: usize, problem: String| TrainError::PublicAlbums {
        path: path.to_owned(),
        line,
        problem,
    };
    let file = File::open(path).map_err(|e| wrong(0, e.to_string()))?;
    let mut albums = Vec::new();
    for (i, text) in BufReader::new(file).lines().enumerate() {
        let text = text.map_err(|e| wrong(i + 1, e.to_string()))?;
        if text.trim().is_empty() {
            continue;
        }
        let album: AlbumLine =
            serde_json::from_str(&text).map_err(|e| wrong(i + 1, e.to_string()))?;
        let captions: Vec<String> = album.photos.into_iter().map(|p| p.caption).collect();
        let blank = |text: &String| text.trim().is_empty();
        if blank(&album.summary) || captions.is_empty() || captions.iter().any(blank) {
            return Err(wrong(i + 1, "a summary or caption is empty".to_owned()));
        }
        albums.push(vec![AlbumText {
            owner_id: album.album_id.clone(),
            album_id: album.album_id,
            captions,
            summary: album.summary,
        }]);
    }
    if albums.is_empty() {
        return Err(wrong(0, "it holds no albums".to_owned()));
    }
    Ok(albums)
}

/// Trains one model on public albums and gives its parameters, to start a private training from.
///
/// The same sequences, loss and engine as [`crate::train`], with shuffled batches, plain means of
/// the gradients, and no noise. Equal input gives equal parameters.
///
/// # Errors
/// [`TrainError`].
pub fn warm_up(
    engine: &Engine<'_>,
    model: Model,
    settings: &WarmUp,
    initial: Vec<f32>,
    albums: &[UnitTexts],
    progress: &mut dyn FnMut(StepProgress),
) -> Result<Vec<f32>, TrainError> {
    settings.optimizer.validate()?;
    let units = prepare(engine, model, albums)?;
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut order: Vec<usize> = Vec::new();
    let mut state = OptimizerState::new(settings.optimizer, initial);
    let batch = settings.batch.min(albums.len());
    for step in 0..settings.steps {
        let mut chosen = Vec::with_capacity(batch);
        while chosen.len() < batch {
            if order.is_empty() {
                order = (0..albums.len()).collect();
                order.shuffle(&mut rng);
            }
            let wanted = (batch - chosen.len()).min(order.len());
            let rest = order.len() - wanted;
            chosen.extend(order.drain(rest..).map(|unit| units.examples(unit)));
        }
        let adapter = Adapter {
            layout: engine.layout,
            params: state.params(),
        };
        let mut mean = vec![0.0; state.params().len()];
        let mut add = |_: usize, gradient: &[f32], _: f32| {
            for (m, g) in mean.iter_mut().zip(gradient) {
                *m += g / batch as f32;
            }
        };
        engine
            .lm
            .gradients(adapter, engine.preamble, &chosen, engine.budget, &mut add)?;
        state.apply(&mean, 0.0, step, settings.steps);
        progress(StepProgress {
            step: step + 1,
            steps: settings.steps,
            resumed: 0,
        });
    }
    Ok(state.into_params())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]
    use albumen_lm::tokenizer::Tokenizer;
    use albumen_lm::{AnyLm, Budget, Lm, LoraConfig, LoraLayout, Precision, Target, Weights};

    use super::*;
    use crate::Lengths;

    fn smollm2() -> std::path::PathBuf {
        let home = albumen_assets::Home::locate().unwrap();
        home.require("smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1.gguf")
            .unwrap()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn album(id: usize, words: &str) -> String {
        format!(
            "{{\"album_id\": \"{id}\", \"summary\": \"A {words} by the sea.\", \
             \"photos\": [{{\"caption\": \"{words} one\"}}, {{\"caption\": \"{words} two\"}}]}}\n"
        )
    }

    #[test]
    fn learns_repeatably_and_from_the_public_albums_alone() {
        let path = smollm2();
        let lm = Lm::new(Weights::load(&path).unwrap(), Precision::Bf16).unwrap();
        let lm = AnyLm::from(lm);
        let lora = LoraConfig {
            rank: 4,
            alpha: 8.0,
            targets: vec![Target::Q, Target::V],
            layers: Some(2),
            frozen_a: None,
        };
        let layout = LoraLayout::new(lm.config(), &lora).unwrap();
        let engine = Engine {
            lm: &lm,
            tokenizer: &Tokenizer::load(&path).unwrap(),
            preamble: None,
            layout: &layout,
            budget: Budget::default(),
            lengths: Lengths {
                summary_tokens: 20,
                caption_tokens: 20,
            },
            cache_activations: true,
        };
        let text: String = ["walk", "picnic", "party"]
            .iter()
            .enumerate()
            .map(|(i, words)| album(i, words))
            .collect();
        let albums = read_public(file(&text).path()).unwrap();
        for model in [Model::Summary, Model::Caption] {
            let settings = WarmUp {
                batch: 2,
                steps: 6,
                optimizer: Optimizer::adam(0.01),
                seed: 1,
            };
            let initial = layout.init(0);
            let run = |settings: &WarmUp| {
                warm_up(
                    &engine,
                    model,
                    settings,
                    initial.clone(),
                    &albums,
                    &mut |_| {},
                )
                .unwrap()
            };
            let trained = run(&settings);
            assert_eq!(trained, run(&settings));
            assert_ne!(
                trained,
                run(&WarmUp {
                    seed: 2,
                    ..settings
                })
            );
            let units = prepare(&engine, model, &albums).unwrap();
            let examples: Vec<_> = (0..3).flat_map(|i| units.examples(i)).collect();
            let loss = |params: &[f32]| -> f32 {
                let adapter = Adapter {
                    layout: &layout,
                    params,
                };
                let losses = lm
                    .losses(Some(adapter), None, &examples, engine.budget)
                    .unwrap();
                losses.iter().sum::<f32>() / 3.0
            };
            let (before, after) = (loss(&initial), loss(&trained));
            assert!(after < before - 0.3, "{before} {after}");
        }
    }

    #[test]
    fn broken_lines_are_named() {
        for (text, wanted) in [
            (
                album(1, "walk") + "{\"album_id\": \"2\"}\n",
                ":2: missing field",
            ),
            (
                album(1, " ").replace("A   by the sea.", " "),
                ":1: a summary",
            ),
            ("\n".to_owned(), ": it holds no albums"),
            (
                album(1, "walk").replace("summary", "sumary"),
                ":1: unknown field",
            ),
        ] {
            let file = file(&text);
            let message = read_public(file.path()).unwrap_err().to_string();
            assert!(message.contains(wanted), "{message}");
            assert!(message.contains("hint: "), "{message}");
        }
        let missing = read_public(Path::new("no/such/file.jsonl")).unwrap_err();
        assert!(missing.to_string().contains("no/such/file.jsonl"));
    }
}
