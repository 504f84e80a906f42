//! Finding and loading the models that a configuration names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use albumen_assets::Home;
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{Lm, Precision, Weights};
use anyhow::Context;

use crate::run_dir::fingerprint;

/// The language model that comes as an asset.
const SMOLLM2: &str = "asset:smollm2-135m-instruct";

/// A language model in memory.
pub(crate) struct LanguageModel {
    /// The frozen model.
    pub(crate) lm: Lm,
    /// Its tokenizer.
    pub(crate) tokenizer: Tokenizer,
}

/// Models by name, each loaded once.
pub(crate) struct Models {
    home: Home,
    loaded: BTreeMap<String, Rc<LanguageModel>>,
}

impl Models {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            home: Home::locate()?,
            loaded: BTreeMap::new(),
        })
    }

    /// A file of an asset.
    pub(crate) fn asset(&self, asset: &str, file: &str) -> anyhow::Result<PathBuf> {
        Ok(self.home.require(asset, file)?)
    }

    /// Where public files made from assets may be cached.
    pub(crate) fn cache(&self, name: &str) -> anyhow::Result<PathBuf> {
        let dir = self.home.root().join("derived");
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(dir.join(name))
    }

    /// Where a language model lies.
    pub(crate) fn language_model_path(&self, name: &str) -> anyhow::Result<PathBuf> {
        if name == SMOLLM2 {
            let file = "SmolLM2-135M-Instruct.Q4_1.gguf";
            return self.asset("smollm2-135m-instruct", file);
        }
        let path = Path::new(name.strip_prefix("path:").unwrap_or(name));
        anyhow::ensure!(
            path.exists(),
            "the model {name} is not there\n  hint: give the path of a GGUF file or of a directory \
             with config.json, safetensors and tokenizer.json"
        );
        Ok(path.to_owned())
    }

    /// What identifies the files behind a language model's name.
    pub(crate) fn language_model_fingerprint(&self, name: &str) -> anyhow::Result<String> {
        fingerprint(&self.language_model_path(name)?)
    }

    /// The language model of this name.
    pub(crate) fn language_model(&mut self, name: &str) -> anyhow::Result<Rc<LanguageModel>> {
        if let Some(model) = self.loaded.get(name) {
            return Ok(Rc::clone(model));
        }
        let path = self.language_model_path(name)?;
        let failed = || format!("cannot load the model {name}");
        let tokenizer = Tokenizer::load(&path).with_context(failed)?;
        let weights = Weights::load(&path).with_context(failed)?;
        let lm = Lm::new(weights, Precision::Bf16).with_context(failed)?;
        let model = Rc::new(LanguageModel { lm, tokenizer });
        self.loaded.insert(name.to_owned(), Rc::clone(&model));
        Ok(model)
    }
}

impl Models {
    /// Fails where a model that the configuration names is not there.
    pub(crate) fn check(&self, config: &albumen_schema::Config) -> anyhow::Result<()> {
        self.language_model_path(&config.summarize.model)?;
        self.language_model_path(&config.train.model)?;
        for (asset, file) in [
            ("all-minilm-l6-v2", "model.safetensors"),
            ("naughty-words", "en.json"),
            ("fluent-emoji-flat", "icons.json"),
        ] {
            self.asset(asset, file)?;
        }
        Ok(())
    }
}
