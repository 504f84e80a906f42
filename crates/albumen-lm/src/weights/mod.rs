//! Frozen weights in f32, whatever file they came from.
//!
//! Two kinds of checkpoint: a directory as Hugging Face transformers writes it, and a GGUF file.
//! Every tensor's presence, shape and number format is checked before the first is read.

mod error;
pub(crate) mod gguf;
mod inspect;
mod names;
mod safetensors;
mod source;

use std::path::{Path, PathBuf};

use albumen_models::Error as Files;
use rayon::prelude::*;

use crate::config::{ModelConfig, from_json};
use crate::error::LmError;
use gguf::Gguf;
use names::Naming;
use source::Source;

pub use error::LoadError;
pub use inspect::{Inspection, TokenizerFacts, inspect};

/// A whole model. Matrices are row-major (out, in): `y = x W^T`. Norm weights are the factors that
/// multiply the normalised vector (Gemma's checkpoints store the factor less one; the loader adds it).
pub struct Weights {
    /// Shape and features.
    pub config: ModelConfig,
    /// (vocab_size, hidden_size).
    pub embedding: Vec<f32>,
    /// (vocab_size, hidden_size); `None` where the head is the embedding.
    pub head: Option<Vec<f32>>,
    /// (hidden_size).
    pub final_norm: Vec<f32>,
    /// `config.num_layers` of them.
    pub layers: Vec<LayerWeights>,
}

/// One block: `x += o(attention(norm(x)))`, then `x += down(act(gate(norm(x))) * up(norm(x)))`.
#[derive(Default)]
pub struct LayerWeights {
    /// Before attention, (hidden_size).
    pub input_norm: Vec<f32>,
    /// (num_heads * head_dim, hidden_size).
    pub q: Vec<f32>,
    /// (num_kv_heads * head_dim, hidden_size).
    pub k: Vec<f32>,
    /// (num_kv_heads * head_dim, hidden_size).
    pub v: Vec<f32>,
    /// (hidden_size, num_heads * head_dim).
    pub o: Vec<f32>,
    /// With `config.qkv_bias`, (num_heads * head_dim).
    pub q_bias: Option<Vec<f32>>,
    /// With `config.qkv_bias`, (num_kv_heads * head_dim).
    pub k_bias: Option<Vec<f32>>,
    /// With `config.qkv_bias`, (num_kv_heads * head_dim).
    pub v_bias: Option<Vec<f32>>,
    /// With `config.o_bias`, (hidden_size).
    pub o_bias: Option<Vec<f32>>,
    /// With `config.qk_norm`, (head_dim).
    pub q_norm: Option<Vec<f32>>,
    /// With `config.qk_norm`, (head_dim).
    pub k_norm: Option<Vec<f32>>,
    /// With `config.output_norms`: on attention's output, (hidden_size).
    pub attention_output_norm: Option<Vec<f32>>,
    /// Before the feed-forward block, (hidden_size). Llama's `post_attention_layernorm`.
    pub mlp_norm: Vec<f32>,
    /// (intermediate_size, hidden_size).
    pub gate: Vec<f32>,
    /// (intermediate_size, hidden_size).
    pub up: Vec<f32>,
    /// (hidden_size, intermediate_size).
    pub down: Vec<f32>,
    /// With `config.mlp_bias`, (intermediate_size).
    pub gate_bias: Option<Vec<f32>>,
    /// With `config.mlp_bias`, (intermediate_size).
    pub up_bias: Option<Vec<f32>>,
    /// With `config.mlp_bias`, (hidden_size).
    pub down_bias: Option<Vec<f32>>,
    /// With `config.output_norms`: on the feed-forward block's output, (hidden_size).
    pub mlp_output_norm: Option<Vec<f32>>,
}

impl Weights {
    /// Loads a directory (`config.json` with `model.safetensors` or its shards) or a `.gguf` file.
    ///
    /// # Errors
    /// [`LmError::Load`]: a file that is absent, cut short or damaged, an architecture or feature
    /// that is not supported, a tensor that is missing or has another shape or number format.
    pub fn load(path: &Path) -> Result<Self, LmError> {
        let (config, source) = open(path)?;
        Ok(Self::read(config, source.as_ref())?)
    }

    fn read(config: ModelConfig, source: &dyn Source) -> Result<Self, LoadError> {
        let naming = source.naming();
        names::all(&config, naming).try_for_each(|wanted| source::check(source, &wanted))?;
        let read = |wanted| source::read(source, &config, &wanted);
        let layers = (0..config.num_layers).into_par_iter().map(|index| {
            let mut layer = LayerWeights::default();
            for (wanted, slot) in names::layer(&config, naming, index) {
                *slot(&mut layer) = read(wanted)?;
            }
            Ok(layer)
        });
        let layers = layers.collect::<Result<Vec<_>, LoadError>>()?;
        Ok(Self {
            embedding: read(names::embedding(&config, naming))?,
            head: names::head(&config, naming).map(read).transpose()?,
            final_norm: read(names::final_norm(&config, naming))?,
            layers,
            config,
        })
    }
}

/// Reads the configuration and the headers of the weights.
fn open(path: &Path) -> Result<(ModelConfig, Box<dyn Source>), LoadError> {
    let io = |path: PathBuf| move |source| Files::Io { path, source };
    if std::fs::metadata(path).map_err(io(path.into()))?.is_file() {
        if path
            .extension()
            .is_none_or(|e| !e.eq_ignore_ascii_case("gguf"))
        {
            return Err(LoadError::NotACheckpoint { path: path.into() });
        }
        let gguf = Gguf::open(path)?;
        return Ok((gguf.config()?, Box::new(gguf)));
    }
    let file = path.join("config.json");
    if !file.is_file() {
        return Err(Files::MissingFile {
            path: path.into(),
            file: "config.json".into(),
        }
        .into());
    }
    let text = std::fs::read_to_string(&file).map_err(io(file.clone()))?;
    let config = from_json(&text).map_err(|e| LoadError::from_config(file, e))?;
    Ok((config, Box::new(safetensors::open(path)?)))
}

/// A checkpoint's shape and features, from its headers alone: no weight is read.
///
/// # Errors
/// [`LmError::Load`] where the configuration or the list of tensors cannot be read.
pub fn read_config(path: &Path) -> Result<ModelConfig, LmError> {
    Ok(open(path)?.0)
}

/// The shape and features that the text of a `config.json` states.
///
/// # Errors
/// [`LmError::Load`] for another architecture, or a configuration that makes no model.
pub fn config_from_json(text: &str) -> Result<ModelConfig, LmError> {
    let file = || PathBuf::from("config.json");
    Ok(from_json(text).map_err(|e| LoadError::from_config(file(), e))?)
}

/// Numbers in all tensors that the configuration asks for.
pub(crate) fn parameter_count(config: &ModelConfig) -> usize {
    names::all(config, Naming::HuggingFace)
        .map(|w| w.shape.iter().product::<usize>())
        .sum()
}
