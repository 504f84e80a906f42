//! Memory of the stages that run a language model.

use albumen_corpus::{MAX_PROMPT_TOKENS, SUMMARIES_AT_ONCE};
use albumen_lm::states::StateFormat;
use albumen_lm::weights::{config_from_json, read_config};
use albumen_lm::{Budget, DecodingMemory, Device, LoraLayout, ModelConfig, TrainingMemory};
use albumen_schema::Config;
use albumen_schema::format::FIXED_TOKENS;

use super::{Basis, Need};
use crate::models::{self, Look, Models};
use albumen_train::lora_config;

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

/// `summarize`: always on the processor.
pub(super) fn summarising(config: &Config, models: &Models) -> anyhow::Result<Need> {
    let look = models.look(&config.summarize.model)?;
    let need = |basis| Need::new("summarize", look.name(), &Device::Cpu, basis);
    let Some((model, basis)) = shape(&look)? else {
        return Ok(need(look.is_endpoint().then_some(Basis::Headers)));
    };
    let tokens = MAX_PROMPT_TOKENS + config.summarize.max_tokens;
    let precision = models::precision(&config.compute);
    let at_once = SUMMARIES_AT_ONCE as u64;
    let memory = DecodingMemory::new(&model, precision, at_once, tokens as u64);
    Ok(decoding(need(Some(basis)), memory))
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
    let tokens = config.train.micro_batch_tokens;
    Ok(Need::new("train", look.name(), &device, Some(basis))
        .with("weights", memory.weights_bytes)
        .with("adapter, its gradient and moments", memory.adapter_bytes)
        .with(
            "gradients of units",
            memory.gradients_bytes(&Budget::default()),
        )
        .with("activations", memory.token_bytes * tokens as u64)
        .with("logits", TrainingMemory::logits_bytes(&model, tokens)))
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
    let bytes = StateFormat::Bf16.size_bytes() as u64 * albums * album * model.hidden_size as u64;
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
    let tokens = g.max_summary_tokens + g.max_caption_tokens + FIXED_TOKENS;
    let memory = DecodingMemory::new(&model, precision, g.batch as u64, tokens as u64);
    let need = Need::new("generate", look.name(), &device, Some(basis));
    Ok(decoding(need, memory.pooled()))
}

fn decoding(need: Need, memory: DecodingMemory) -> Need {
    need.with("weights", memory.weights_bytes)
        .with("caches", memory.caches_bytes)
        .with("logits", memory.logits_bytes)
}
