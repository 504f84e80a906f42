//! A directory with `config.json` and one `model.safetensors`, or shards with their index.

use std::path::Path;

use albumen_weights::{Weights, WeightsError};

use super::names::Naming;
use super::source::Source;

/// Reads the headers; the data stays on disk.
pub(super) fn open(path: &Path) -> Result<Weights, WeightsError> {
    Ok(Weights::open(path, false, text_part)?)
}

/// A tensor's name without the prefix that it has in a model whose language model is one part of
/// several, by transformers 4 (`language_model.model.norm`) and 5 (`model.language_model.norm`).
fn text_part(name: &str) -> String {
    match name.strip_prefix("model.language_model.") {
        Some(rest) => format!("model.{rest}"),
        None => name.strip_prefix("language_model.").unwrap_or(name).into(),
    }
}

impl Source for Weights {
    fn path(&self) -> &Path {
        self.dir()
    }

    fn naming(&self) -> Naming {
        Naming::HuggingFace
    }

    fn describe(&self, name: &str) -> Option<(&[usize], String)> {
        let (shape, dtype) = Weights::describe(self, name)?;
        Some((shape, format!("{dtype:?}")))
    }

    fn readable(&self, name: &str) -> Result<(), WeightsError> {
        self.check(name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.numbers(name)
    }

    fn names(&self) -> Vec<&str> {
        Weights::names(self).collect()
    }

    fn bytes(&self) -> u64 {
        self.file_bytes()
    }
}
