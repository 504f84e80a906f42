//! Memory of the stages that run a language model.

use albumen_lm::weights::{config_from_json, read_config};
use albumen_lm::{Budget, Device, LoraLayout, ModelConfig, Precision, TrainingMemory};
use albumen_schema::Config;

use super::{Basis, Need};
use crate::models::{self, Look, Models};
use albumen_train::lora_config;

/// Sequences that the summariser decodes together.
const SUMMARIES: u64 = 64;
/// Tokens of its longest prompt for an album.
const PROMPT_TOKENS: u64 = 512;
/// Tokens of the fixed words around summary and caption.
const FIXED_WORDS: u64 = 64;
/// Numbers of logits that exist at once in training, and how many copies of them.
const LOGITS: u64 = 1 << 25;
const LOGITS_COPIES: u64 = 3;
/// A number of the states below the adapted layers, bfloat16.
const STATE_BYTES: u64 = 2;
/// A pool of caches doubles where it is full.
const POOL_RESERVE: u64 = 2;

/// The shape of a language model, where it is known.
fn shape(look: &Look) -> anyhow::Result<Option<(ModelConfig, Basis)>> {
    Ok(match look {
        Look::There(found) => match found.path() {
            Ok(path) => Some((read_config(path)?, Basis::Headers)),
            // Behind a server: nothing is loaded here.
            Err(_) => None,
        },
        Look::ToFetch { known, .. } => {
            let config = known.as_ref().and_then(|k| k.files.get("config.json"));
            let config = config
                .map(|c| config_from_json(&c.to_string()))
                .transpose()?;
            config.map(|c| (c, Basis::Published))
        }
    })
}

fn weights(model: &ModelConfig, precision: Precision) -> u64 {
    let numbers = model.parameter_count() as u64;
    match precision {
        Precision::F32 => 4 * numbers,
        Precision::Bf16 => 2 * numbers,
        Precision::Int8 => 34 * numbers / 32,
    }
}

/// Keys and values of one token in every layer, f32.
fn cache_of_a_token(model: &ModelConfig) -> u64 {
    (2 * 4 * model.num_layers * model.num_kv_heads * model.head_dim) as u64
}

/// `summarize`: always on the processor.
pub(super) fn summarising(config: &Config, models: &Models) -> anyhow::Result<Need> {
    let look = models.look(&config.summarize.model)?;
    let need = |basis| Need::new("summarize", look.name(), &Device::Cpu, basis);
    let Some((model, basis)) = shape(&look)? else {
        return Ok(need(look.is_endpoint().then_some(Basis::Headers)));
    };
    let tokens = PROMPT_TOKENS + config.summarize.max_tokens as u64;
    Ok(need(Some(basis))
        .with(
            "weights",
            weights(&model, models::precision(&config.compute)),
        )
        .with("caches", SUMMARIES * tokens * cache_of_a_token(&model))
        .with("logits", 4 * SUMMARIES * model.vocab_size as u64))
}

/// `train-summary` and `train-caption`, which take the same.
pub(super) fn training(config: &Config, models: &Models) -> anyhow::Result<Need> {
    let device = models::device(&config.compute)?;
    let precision = models::training_precision(&config.compute)?;
    let look = models.look(&config.train.model)?;
    let Some((model, basis)) = shape(&look)? else {
        return Ok(Need::new("train", look.name(), &device, None));
    };
    let layout = LoraLayout::new(&model, &lora_config(&config.train))?;
    let memory = TrainingMemory::new(&model, &layout, precision);
    let tokens = config.train.micro_batch_tokens as u64;
    let gradients = memory
        .unit_gradient_bytes
        .max(Budget::default().gradient_bytes as u64);
    let rows = tokens.min(LOGITS / model.vocab_size as u64).max(1);
    Ok(Need::new("train", look.name(), &device, Some(basis))
        .with("weights", memory.weights_bytes)
        .with("adapter, its gradient and moments", memory.adapter_bytes)
        .with("gradients of units", gradients)
        .with("activations", memory.token_bytes * tokens)
        .with("logits", LOGITS_COPIES * 4 * rows * model.vocab_size as u64))
}

/// States below the adapted layers, which training keeps on the processor's side for every album. How
/// many there are is private: this is for the declared units, with the longest texts.
pub(super) fn states(config: &Config, models: &Models) -> anyhow::Result<Option<Need>> {
    let look = models.look(&config.train.model)?;
    let Some((model, basis)) = shape(&look)? else {
        return Ok(None);
    };
    let layout = LoraLayout::new(&model, &lora_config(&config.train))?;
    if !config.train.cache_activations || layout.first_layer() == 0 {
        return Ok(None);
    }
    let (g, p) = (&config.generate, &config.privacy);
    let photos = config.corpus.max_photos_per_album as u64;
    let album = g.max_summary_tokens as u64 + photos * g.max_caption_tokens as u64;
    let albums = p.declared_units * p.max_albums_per_owner as u64;
    let bytes = STATE_BYTES * albums * album * model.hidden_size as u64;
    let what = "states below the adapters, if every declared unit is as long as can be";
    let need = Need::new("train", look.name(), &Device::Cpu, Some(basis));
    Ok(Some(Need {
        at_most: true,
        ..need.with(what, bytes)
    }))
}

/// `generate`.
pub(super) fn sampling(config: &Config, models: &Models) -> anyhow::Result<Need> {
    let (device, g) = (models::device(&config.compute)?, &config.generate);
    let look = models.look(&config.train.model)?;
    let Some((model, basis)) = shape(&look)? else {
        return Ok(Need::new("generate", look.name(), &device, None));
    };
    let precision = models::sampling_precision(config);
    let tokens = (g.max_summary_tokens + g.max_caption_tokens) as u64 + FIXED_WORDS;
    let batch = g.batch as u64;
    Ok(Need::new("generate", look.name(), &device, Some(basis))
        .with("weights", weights(&model, precision))
        .with(
            "caches",
            POOL_RESERVE * batch * tokens * cache_of_a_token(&model),
        )
        .with("logits", 2 * 4 * batch * model.vocab_size as u64))
}
