//! A checkpoint in the directory layout of diffusers: `model_index.json`, and one directory a
//! component with its configuration and weights.

use std::path::{Path, PathBuf};

use albumen_weights::Weights;
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{DiffusionError, Result};

/// The file that names the pipeline and its components.
const INDEX: &str = "model_index.json";

/// A checkpoint's directory, opened.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    root: PathBuf,
    index: Map<String, Value>,
}

impl Checkpoint {
    /// Reads `model_index.json`.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`] or [`DiffusionError::Config`].
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join(INDEX);
        if !path.is_file() {
            return Err(DiffusionError::Missing {
                what: "the pipeline's index".into(),
                path,
                hint:
                    "name the directory of a whole pipeline in the layout of diffusers; a single \
                       .safetensors file must be converted first"
                        .into(),
            });
        }
        Ok(Self {
            root: root.into(),
            index: read_json(&path)?,
        })
    }

    /// The pipeline's class, such as `StableDiffusionPipeline`.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] where the index names none.
    pub fn class(&self) -> Result<&str> {
        let class = self.index.get("_class_name").and_then(Value::as_str);
        class.ok_or_else(|| DiffusionError::Config {
            path: self.index_path(),
            reason: "it names no `_class_name`".into(),
        })
    }

    /// A setting of the pipeline.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.index.get(name).and_then(Value::as_bool)
    }

    /// The file that names the components.
    pub(crate) fn index_path(&self) -> PathBuf {
        self.root.join(INDEX)
    }

    /// Whether the index names the component and does not leave it empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self.index.get(name) {
            Some(Value::Array(kinds)) => kinds.iter().any(|k| !k.is_null()),
            _ => false,
        }
    }

    /// The directory of a component without a model: a tokenizer.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`].
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.root.join(name);
        if path.is_dir() {
            return Ok(path);
        }
        Err(DiffusionError::Missing {
            what: format!("the pipeline's {name}"),
            path,
            hint: format!("fetch the checkpoint again, with its directory {name}/"),
        })
    }

    /// A component that is a network.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`] or [`DiffusionError::Config`].
    pub(crate) fn component(&self, name: &str) -> Result<Component> {
        Component::open(name, self.directory(name)?, "config.json")
    }

    /// The scheduler's configuration.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`] or [`DiffusionError::Config`].
    pub(crate) fn scheduler(&self) -> Result<Component> {
        Component::open(
            "scheduler",
            self.directory("scheduler")?,
            "scheduler_config.json",
        )
    }
}

/// A directory with a configuration and, for a network, weights.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    dir: PathBuf,
    file: PathBuf,
    config: Map<String, Value>,
}

impl Component {
    fn open(name: &str, dir: PathBuf, file: &str) -> Result<Self> {
        let file = dir.join(file);
        if !file.is_file() {
            return Err(DiffusionError::Missing {
                what: format!("the configuration of the pipeline's {name}"),
                path: file,
                hint: "fetch the checkpoint again, with its .json files".into(),
            });
        }
        Ok(Self {
            config: read_json(&file)?,
            dir,
            file,
        })
    }

    /// The configuration's file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The configuration, read into a type.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] with the key that is missing or of another type.
    pub(crate) fn config<T: DeserializeOwned>(&self) -> Result<T> {
        let value = Value::Object(self.config.clone());
        serde_json::from_value(value).map_err(|e| DiffusionError::Config {
            path: self.file.clone(),
            reason: e.to_string(),
        })
    }

    /// The class by which Python knows the component: diffusers writes `_class_name`, transformers
    /// `architectures`.
    pub(crate) fn class(&self) -> Option<&str> {
        let named = self.config.get("_class_name").and_then(Value::as_str);
        named.or_else(|| self.config.get("architectures")?.get(0)?.as_str())
    }

    /// An error about a setting of the configuration that this crate does not have.
    pub(crate) fn unsupported(
        &self,
        what: &'static str,
        found: impl std::fmt::Display,
        supported: &str,
    ) -> DiffusionError {
        DiffusionError::Unsupported {
            path: self.file.clone(),
            what,
            found: found.to_string(),
            supported: supported.into(),
        }
    }

    /// The headers of the weights; the 16-bit variant of their files where no more is asked for.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`], [`DiffusionError::Io`], [`DiffusionError::Files`].
    pub(crate) fn weights(&self, dtype: DType) -> Result<Weights> {
        Ok(Weights::open(
            &self.dir,
            dtype != DType::F32,
            str::to_owned,
        )?)
    }

    /// Builds a network over the weights, converted to `dtype` on `device`.
    ///
    /// # Errors
    /// Those of [`Self::weights`], and [`DiffusionError::Weights`] where a tensor is missing or of
    /// another shape.
    pub(crate) fn build<T>(
        &self,
        dtype: DType,
        device: &Device,
        network: impl FnOnce(VarBuilder<'static>) -> candle_core::Result<T>,
    ) -> Result<T> {
        Ok(self.weights(dtype)?.build(dtype, device, network)?)
    }
}

fn read_json(path: &Path) -> Result<Map<String, Value>> {
    let bytes = std::fs::read(path).map_err(|source| DiffusionError::Io {
        path: path.into(),
        source,
    })?;
    let failed = |e: serde_json::Error| DiffusionError::Config {
        path: path.into(),
        reason: e.to_string(),
    };
    serde_json::from_slice(&bytes).or_else(|e| {
        // Python writes infinities bare, which is no JSON; as null they take their default.
        let text = String::from_utf8_lossy(&bytes);
        let text = text
            .replace("-Infinity", "null")
            .replace("Infinity", "null");
        serde_json::from_str(&text).map_err(|_| failed(e))
    })
}
