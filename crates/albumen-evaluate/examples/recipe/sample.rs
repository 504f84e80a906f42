//! Albums sampled from trained adapters, or from the public model.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use albumen_lm::{Adapter, LoraLayout};
use albumen_report::synthetic::measure;
use albumen_schema::config::{GenerateConfig, TrainConfig};
use albumen_synth::generate::{AlbumModel, Writer, Writers, generate};
use albumen_train::{Model, lora_config};
use albumen_vision::Embedder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::trial::preamble;
use crate::{Bench, Failed};

/// `{"sample", "train": a [train] table, "generate": a [generate] table, "preamble", adapters, "out"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    /// Its name.
    #[serde(rename = "sample")]
    name: String,
    train: TrainConfig,
    generate: GenerateConfig,
    preamble: String,
    /// The adapter that writes summaries; without it the public model does.
    #[serde(default)]
    summary: Option<PathBuf>,
    /// The adapter that writes captions; without it the public model does.
    #[serde(default)]
    caption: Option<PathBuf>,
    /// The adapter of the flat layout; without it the two models write.
    #[serde(default)]
    album: Option<PathBuf>,
    /// Where the whole albums go, as JSON lines in the form of `[train.public]`'s.
    out: PathBuf,
}

/// Samples, writes what is whole, and gives its coherence.
pub(crate) fn run(bench: &Bench, sample: &Sample) -> Result<Value, Failed> {
    let layout = LoraLayout::new(bench.lm.config(), &lora_config(&sample.train))?;
    let load = |path: &Option<PathBuf>| -> Result<Option<Vec<f32>>, Failed> {
        let Some(path) = path else { return Ok(None) };
        Ok(Some(layout.from_safetensors(&std::fs::read(path)?)?))
    };
    let before = |model| preamble(bench, model, &sample.preamble);
    let started = Instant::now();
    let (summary, caption, album) = (
        load(&sample.summary)?,
        load(&sample.caption)?,
        load(&sample.album)?,
    );
    let preambles = (
        before(Model::Summary)?,
        before(Model::Caption)?,
        before(Model::Album)?,
    );
    let writer = |params, preamble| Writer {
        adapter: Option::map(params, |params: &Vec<f32>| Adapter {
            layout: &layout,
            params,
        }),
        preamble: Some(preamble),
    };
    let writers = match &album {
        Some(album) => Writers::Flat(writer(Some(album), &preambles.2)),
        None => Writers::Hierarchical {
            summary: writer(summary.as_ref(), &preambles.0),
            caption: writer(caption.as_ref(), &preambles.1),
        },
    };
    let model = AlbumModel {
        lm: &bench.lm,
        tokenizer: &bench.tokenizer,
        writers,
    };
    let albums = generate(&model, &sample.generate, &mut |_| {})?;
    let seconds = started.elapsed().as_secs_f64();
    let whole: Vec<_> = albums.iter().filter(|a| !a.truncated).collect();
    let mut text = String::new();
    for album in &whole {
        let photos: Vec<_> = album
            .captions
            .iter()
            .map(|c| json!({"caption": c}))
            .collect();
        let line = json!({"album_id": album.id, "summary": album.summary, "photos": photos});
        writeln!(text, "{line}")?;
    }
    std::fs::write(&sample.out, text)?;
    let home = albumen_assets::Home::locate()?;
    let weights = home.require("all-minilm-l6-v2", "model.safetensors")?;
    let folder = weights.parent().ok_or("an asset has no folder")?;
    let found = measure(&whole, &Embedder::load(folder)?, 0)?;
    let mean = |s: &albumen_report::synthetic::Similarity| {
        let estimate = |e: &Option<albumen_report::synthetic::bootstrap::Estimate>| {
            e.as_ref().map(|e| [e.value, e.low, e.high])
        };
        json!({"albums": estimate(&s.mean), "shuffled": estimate(&s.shuffled_mean)})
    };
    Ok(json!({
        "name": sample.name, "seconds": seconds, "sampled": albums.len(), "whole": whole.len(),
        "coherence": mean(&found.coherence), "agreement": mean(&found.agreement),
        "distinct_captions": found.captions.distinct, "distinct_summaries": found.summaries.distinct,
    }))
}
