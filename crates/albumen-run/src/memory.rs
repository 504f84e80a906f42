//! What each stage will keep in memory, by count, before anything is loaded.
//!
//! Weights are exact, from the files' headers or from a published model's shape. The rest counts the
//! large tensors that a stage holds at its fullest; a device's own context, the allocator's reserve and
//! the program come on top, and are not counted.

mod language;
mod pictures;

use std::fmt::Write as _;

use albumen_corpus::PHOTOS_AT_ONCE;
use albumen_lm::Device;
use albumen_models::Kind;
use albumen_schema::Config;
use albumen_vision::{Describer, Embedder};
use anyhow::ensure;
use serde::Serialize;

use crate::models::{Models, device, is_text};
use crate::words::bytes;

/// One use of memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// In words.
    pub what: &'static str,
    /// Its size.
    pub bytes: u64,
}

/// What the figures rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The headers of files that are there.
    Headers,
    /// The published shape of a model that is yet to be fetched.
    Published,
    /// A measurement of the embedded models.
    Measured,
}

/// What one stage keeps in memory at its fullest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The stage.
    pub stage: &'static str,
    /// Its model's public name.
    pub model: String,
    /// Where it runs.
    pub device: String,
    /// What the figures rest on; absent where nothing is known.
    pub basis: Option<Basis>,
    /// Whether this is a bound that a run need not come near: held against no memory.
    pub at_most: bool,
    /// Uses of memory; all of them at once.
    pub parts: Vec<Part>,
    /// Their sum.
    pub peak_bytes: u64,
}

impl Need {
    fn new(stage: &'static str, model: &str, device: &Device, basis: Option<Basis>) -> Self {
        Self {
            stage,
            model: model.to_owned(),
            device: device.to_string(),
            basis,
            at_most: false,
            parts: Vec::new(),
            peak_bytes: 0,
        }
    }

    fn with(mut self, what: &'static str, bytes: u64) -> Self {
        if bytes > 0 {
            self.parts.push(Part { what, bytes });
            self.peak_bytes += bytes;
        }
        self
    }
}

/// Pixels of a photo from a camera of 12 megapixels.
const PHOTO_BYTES: u64 = 3 * 12_000_000;

/// Every stage that loads a model, in order. Each lets go of its models before the next begins.
///
/// # Errors
/// A model that is there and cannot be read.
pub(crate) fn needs(config: &Config, models: &Models) -> anyhow::Result<Vec<Need>> {
    let mut needs = Vec::new();
    if !is_text(&config.corpus) {
        needs.push(captioning(config, models)?);
    }
    needs.push(language::summarising(config, models)?);
    needs.push(language::training(config, models)?);
    needs.extend(language::states(config, models)?);
    needs.push(language::sampling(config, models)?);
    needs.push(
        Need::new(
            "curate",
            "all-MiniLM-L6-v2",
            &Device::Cpu,
            Some(Basis::Headers),
        )
        .with("weights", Embedder::WEIGHTS_BYTES),
    );
    needs.extend(pictures::rendering(config, models)?);
    Ok(needs)
}

fn captioning(config: &Config, models: &Models) -> anyhow::Result<Need> {
    let look = models.look(&config.caption.model)?;
    if look.kind() != Some(Kind::Tagger) {
        return pictures::captioning(config, &look);
    }
    let basis = Some(Basis::Measured);
    Ok(Need::new("caption", look.name(), &Device::Cpu, basis)
        .with("models", Describer::MEMORY_BYTES)
        .with(
            "photos of 12 megapixels",
            PHOTOS_AT_ONCE as u64 * PHOTO_BYTES,
        ))
}

/// Fails where a stage on the configured device cannot fit into the memory that it is said to have.
///
/// # Errors
/// Names the stage, what it needs and what would make it smaller.
pub fn ensure_fits(config: &Config, needs: &[Need]) -> anyhow::Result<()> {
    let Some(gib) = config.compute.memory_gib else {
        return Ok(());
    };
    let room = (gib * f64::from(1 << 30)) as u64;
    let device = device(&config.compute)?.to_string();
    let here = needs.iter().filter(|n| n.device == device && !n.at_most);
    let Some(most) = here.max_by_key(|n| n.peak_bytes) else {
        return Ok(());
    };
    ensure!(
        most.peak_bytes <= room,
        "stage {} needs about {} on {device}, which `compute.memory_gib` = {gib} says has {}\n  hint: \
         {}",
        most.stage,
        bytes(most.peak_bytes),
        bytes(room),
        mend(most.stage)
    );
    Ok(())
}

fn mend(stage: &str) -> &'static str {
    match stage {
        "train" => {
            "take a smaller `train.model`, fewer `train.lora_layers` or a lower \
             `train.micro_batch_tokens`"
        }
        "generate" => "take `compute.precision = \"bf16\"`, or a lower `generate.batch`",
        "render" => "take a 16-bit precision, smaller pictures or a lower batch in [render]",
        _ => "take a smaller model, or another device",
    }
}

/// The table for people.
pub fn table(needs: &[Need]) -> String {
    let mut text = format!(
        "{:<11} {:<8} {:>9}  of which\n",
        "stage", "device", "memory"
    );
    for need in needs {
        let peak = match need.basis {
            Some(_) => bytes(need.peak_bytes),
            None => "unknown".to_owned(),
        };
        let parts: Vec<String> = (need.parts.iter())
            .map(|p| format!("{} {}", p.what, bytes(p.bytes)))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<11} {:<8} {peak:>9}  {}: {}",
            need.stage,
            need.device,
            need.model,
            if parts.is_empty() {
                "fetch it to know".to_owned()
            } else {
                parts.join(", ")
            }
        );
    }
    text.truncate(text.trim_end().len());
    text
}
