//! What a model is made of, from the headers of its files alone.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::detect::read_json;
use crate::error::Error;
use crate::layout::{Component, MODEL_INDEX, components, headers};
use crate::safetensors::{Dtype, Header, Tensor};

/// One part of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `unet`, `vae`, `vision_model`, `language_model` ...
    pub name: String,
    /// The class that made it, where the model says so.
    pub class: Option<String>,
    /// Numbers in its tensors.
    pub parameters: u64,
    /// Their size in the files.
    pub bytes: u64,
    /// Numbers in each format.
    pub dtypes: BTreeMap<String, u64>,
}

/// The parts of a directory of transformers or diffusers. Every weight file's header is read and held
/// against its size, so that a file that is cut short is found here.
///
/// # Errors
/// Those of [`headers`], and of reading `model_index.json`.
pub fn parts(path: &Path, half: bool) -> Result<Vec<Part>, Error> {
    let index = path.join(MODEL_INDEX);
    if !index.is_file() {
        return Ok(by_prefix(&headers(path, half)?));
    }
    let heavy = components(&read_json(&index)?)
        .into_iter()
        .filter(Component::has_weights);
    heavy
        .map(|component| {
            let mut part = Part::new(&component.name);
            part.class = Some(component.class);
            for (_, header) in headers(&path.join(&component.name), half)? {
                header.tensors.values().for_each(|t| part.add(t));
            }
            Ok(part)
        })
        .collect()
}

/// Tensors of one file or directory, by the first word of their names that tells parts apart.
fn by_prefix(headers: &[(std::path::PathBuf, Header)]) -> Vec<Part> {
    let mut parts = BTreeMap::new();
    for (name, tensor) in headers.iter().flat_map(|(_, header)| &header.tensors) {
        let mut words = name.split('.');
        let first = words.next().unwrap_or_default();
        // Of most models everything but the head lies under `model`.
        let word = match first {
            "model" => words.next().unwrap_or(first),
            _ => first,
        };
        let part = parts.entry(word).or_insert_with(|| Part::new(word));
        part.add(tensor);
    }
    parts.into_values().collect()
}

impl Part {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            class: None,
            parameters: 0,
            bytes: 0,
            dtypes: BTreeMap::new(),
        }
    }

    fn add(&mut self, tensor: &Tensor) {
        let numbers = match tensor.dtype {
            // Tables of positions and the like are no parameters.
            Dtype::I64 | Dtype::I32 | Dtype::BOOL => 0,
            _ => tensor.numbers(),
        };
        self.parameters += numbers;
        self.bytes += tensor.len as u64;
        *self
            .dtypes
            .entry(format!("{:?}", tensor.dtype))
            .or_default() += tensor.numbers();
    }
}
