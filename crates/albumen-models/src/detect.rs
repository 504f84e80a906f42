//! What a model is, by its own files.

use std::path::Path;

use albumen_names::is_gguf;
use serde_json::Value;

use crate::error::Error;
use crate::kind::{self, Architecture};
use crate::layout::{CONFIG, MODEL_INDEX, pickled};

/// The architecture of a GGUF file, of a directory with `config.json`, or of a diffusers directory
/// with `model_index.json`.
///
/// # Errors
/// [`Error::NotAModel`] where none of these is there, [`Error::Unsupported`] for an architecture that
/// cannot be loaded, with a list of those that can.
pub fn detect(path: &Path) -> Result<&'static Architecture, Error> {
    if path.is_file() {
        return of_file(path);
    }
    for (file, read) in [
        (MODEL_INDEX, pipeline as fn(&Value) -> _),
        (CONFIG, transformer),
    ] {
        let file = path.join(file);
        if file.is_file() {
            return read(&read_json(&file)?)
                .map_err(|found| Error::Unsupported { path: file, found });
        }
    }
    Err(Error::NotAModel {
        path: path.into(),
        reason: without_configuration(path),
    })
}

/// The class of a `model_index.json`; where it is not supported, its name.
pub(crate) fn pipeline(index: &Value) -> Result<&'static Architecture, String> {
    let named = index["_class_name"].as_str().unwrap_or("none named");
    kind::by_class(named).ok_or_else(|| named.to_owned())
}

/// The class of a `config.json`; where it is not supported, its name.
pub(crate) fn transformer(config: &Value) -> Result<&'static Architecture, String> {
    if let Some(class) = config["architectures"][0].as_str() {
        return kind::by_class(class).ok_or_else(|| class.to_owned());
    }
    match config["model_type"].as_str() {
        Some(model_type) => kind::by_model_type(model_type).ok_or_else(|| model_type.to_owned()),
        // A part of a pipeline says only which class made it.
        None => Err(match config["_class_name"].as_str() {
            Some(class) => format!("{class}, which is one part of a diffusers directory"),
            None => "none named".to_owned(),
        }),
    }
}

fn of_file(path: &Path) -> Result<&'static Architecture, Error> {
    if !is_gguf(path) {
        let reason = match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => {
                "a lone file of weights does not say what it is; give the directory with its \
                 config.json or model_index.json"
            }
            _ => "give a .gguf file, or a directory with config.json or model_index.json",
        };
        return Err(Error::NotAModel {
            path: path.into(),
            reason: reason.into(),
        });
    }
    let name = crate::gguf::architecture(path)?;
    kind::by_gguf(&name).ok_or_else(|| Error::Unsupported {
        path: path.into(),
        found: name,
    })
}

/// Reads a file of JSON.
///
/// # Errors
/// [`Error::Io`], and [`Error::Malformed`] where it is none.
pub fn read_json(path: &Path) -> Result<Value, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io {
        path: path.into(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|e| Error::Malformed {
        path: path.into(),
        reason: format!("it is not JSON: {e}"),
    })
}

/// Why a directory is no model, with a word on what is there instead.
fn without_configuration(path: &Path) -> String {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    if let Some(file) = names.iter().find(|n| is_gguf(Path::new(n))) {
        return format!("it has no {CONFIG}, but {file}: name that file");
    }
    if let Some(file) = names.iter().find(|n| pickled(n)) {
        return format!(
            "it has neither {CONFIG} nor {MODEL_INDEX}, and {file} is in a format that is not read; \
             give a directory as transformers or diffusers write it, with safetensors"
        );
    }
    format!("it has neither {CONFIG} nor {MODEL_INDEX}; copy it from where the model came from")
}
