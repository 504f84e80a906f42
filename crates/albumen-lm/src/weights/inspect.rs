//! What a checkpoint is, without reading its weights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use albumen_weights::WeightsError;
use serde::Serialize;

use super::names;
use super::source;
use crate::config::ModelConfig;
use crate::error::LmError;
use crate::tokenizer::Tokenizer;

/// A checkpoint's description, for people and for `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The directory or file.
    pub path: PathBuf,
    /// `safetensors` or `gguf`.
    pub format: &'static str,
    /// Size of the weight files.
    pub size_bytes: u64,
    /// Family, shape and features.
    pub config: ModelConfig,
    /// Numbers in the model; a tied head counts once.
    pub parameter_count: usize,
    /// How many of the model's tensors are stored in each number format.
    pub dtypes: BTreeMap<String, usize>,
    /// Tensors of the file that the model does not use.
    pub unused_tensors: Vec<String>,
    /// The tokenizer; `None` where it cannot be read, for a reason among `obstacles`.
    pub tokenizer: Option<TokenizerFacts>,
    /// Memory of the frozen weights in f32.
    pub f32_bytes: u64,
    /// Whether the engine can train adapters on it.
    pub trainable: bool,
    /// Why it cannot be trained, with what would mend it.
    pub obstacles: Vec<String>,
}

/// What a tokenizer is.
#[derive(Debug, Clone, Serialize)]
pub struct TokenizerFacts {
    /// Number of tokens; at most the model's `vocab_size`.
    pub vocab_size: usize,
    /// Token that ends a text.
    pub eos_id: u32,
    /// Whether it knows a chat format.
    pub chat_format: bool,
}

/// Describes a checkpoint. What stands in the way of training is part of the description.
///
/// # Errors
/// [`LmError::Load`] where not even the configuration and the list of tensors can be read, and for
/// an architecture that is not supported.
pub fn inspect(path: &Path) -> Result<Inspection, LmError> {
    let (config, source) = super::open(path)?;
    let source = source.as_ref();
    let mut dtypes = BTreeMap::new();
    let mut obstacles = Vec::new();
    let mut used = std::collections::HashSet::new();
    for wanted in names::all(&config, source.naming()) {
        if let Some((_, dtype)) = source.describe(&wanted.name) {
            *dtypes.entry(dtype).or_insert(0) += 1;
        }
        match source::check(source, &wanted) {
            Ok(()) => {}
            Err(WeightsError::Missing { tensor, .. }) => {
                obstacles.push(format!("tensor {tensor} is missing"));
            }
            Err(other) => obstacles.push(other.to_string()),
        }
        used.insert(wanted.name);
    }
    let tokenizer = match Tokenizer::load(path) {
        Ok(tokenizer) => Some(TokenizerFacts {
            vocab_size: tokenizer.vocab_size(),
            eos_id: tokenizer.eos_id(),
            chat_format: tokenizer.chat_format().is_some(),
        }),
        Err(error) => {
            obstacles.push(error.to_string());
            None
        }
    };
    let mut unused_tensors: Vec<_> = source
        .names()
        .into_iter()
        .filter(|n| !used.contains(*n))
        .map(str::to_owned)
        .collect();
    unused_tensors.sort_unstable();
    let parameter_count = config.parameter_count();
    Ok(Inspection {
        path: path.into(),
        format: match source.naming() {
            names::Naming::HuggingFace => "safetensors",
            names::Naming::Gguf => "gguf",
        },
        size_bytes: source.bytes(),
        parameter_count,
        dtypes,
        tokenizer,
        unused_tensors,
        f32_bytes: 4 * parameter_count as u64,
        trainable: obstacles.is_empty(),
        obstacles,
        config,
    })
}
