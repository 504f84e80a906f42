//! Finding and loading the models that a configuration names.

pub(crate) mod assets;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use albumen_assets::{Check, Home, State};
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{AnyLm, Device, Precision, Weights};
use albumen_models::{Found, HubModel, Kind, Name, Place, fingerprint};
use albumen_schema::config::{ComputeConfig, ComputePrecision};
use albumen_schema::{Config, ModelStatement, ModelUse};
use albumen_vision::Embedder;
use anyhow::{Context, bail, ensure};

use crate::stages::{Stage, served};

/// A language model in memory.
pub(crate) struct LanguageModel {
    /// The frozen model.
    pub(crate) lm: AnyLm,
    /// Its tokenizer.
    pub(crate) tokenizer: Tokenizer,
}

/// Models by name, each found and loaded once.
pub(crate) struct Models {
    home: Home,
    found: RefCell<BTreeMap<String, Found>>,
    loaded: BTreeMap<(String, Device, Precision), Rc<LanguageModel>>,
}

impl Models {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            home: Home::locate()?,
            found: RefCell::default(),
            loaded: BTreeMap::new(),
        })
    }

    /// A file of an asset.
    pub(crate) fn asset(&self, asset: &str, file: &str) -> anyhow::Result<PathBuf> {
        Ok(self.home.require(asset, file)?)
    }

    /// The sentence embedder of this name: `asset:all-minilm-l6-v2`, or `path:` and a directory.
    pub(crate) fn embedder(&self, name: &str) -> anyhow::Result<Embedder> {
        let dir = match name.split_once(':') {
            Some(("asset", asset)) => {
                let weights = self.asset(asset, "model.safetensors")?;
                weights
                    .parent()
                    .context("an asset has no folder")?
                    .to_owned()
            }
            Some(("path", path)) => PathBuf::from(path),
            _ => bail!(
                "{name:?} names no embedder\n  hint: write asset:all-minilm-l6-v2, or path: and a \
                 directory with config.json, model.safetensors and tokenizer.json"
            ),
        };
        Ok(Embedder::load(&dir)?)
    }

    /// Where public files made from assets may be cached.
    pub(crate) fn cache(&self, name: &str) -> anyhow::Result<PathBuf> {
        let dir = self.home.root().join("derived");
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(dir.join(name))
    }

    /// What lies behind a model's name; one of the hub is fetched where it is not there.
    pub(crate) fn find(&self, name: &str) -> anyhow::Result<Found> {
        self.find_as(name, false)
    }

    /// The same; of the hub preferably the `fp16` variant, where `half`.
    pub(crate) fn find_as(&self, name: &str, half: bool) -> anyhow::Result<Found> {
        if let Some(found) = self.found.borrow().get(name) {
            return Ok(found.clone());
        }
        let found = match name.parse()? {
            Name::Asset(asset) => self.find_asset(&asset)?,
            Name::Path(path) => albumen_models::find_path(&path)?,
            Name::Hub(model) => find_on_hub(&model, half)?,
            Name::Endpoint(endpoint) => albumen_models::find_endpoint(&endpoint),
        };
        self.found.borrow_mut().insert(name.into(), found.clone());
        Ok(found)
    }

    /// The model that the configuration's `key` names, which must be of one of these kinds.
    pub(crate) fn find_for(&self, key: &str, name: &str, kinds: &[Kind]) -> anyhow::Result<Found> {
        let found = self.find(name)?;
        found.require(kinds, key)?;
        Ok(found)
    }

    fn find_asset(&self, asset: &str) -> anyhow::Result<Found> {
        let Some(model) = assets::model(asset) else {
            let names: Vec<_> = assets::models().map(|m| m.pin.asset).collect();
            bail!(
                "no asset {asset:?} is a model\n  hint: there are: {}",
                names.join(", ")
            );
        };
        let path = self.home.require(asset, model.file)?;
        if let Some(status) = albumen_assets::status(&self.home, asset, Check::Stamp)?
            && let State::Corrupt { file, reason } = status.state
        {
            bail!(
                "{}: {file} {reason}\n  hint: `albumen models fetch asset:{asset}` brings it anew",
                self.home.asset_dir(asset).display()
            );
        }
        let pin = model.pin;
        Ok(Found {
            name: model.name.to_owned(),
            licence: Some(pin.licence.to_owned()),
            revision: Some(format!("{} {}", pin.package, pin.version)),
            architecture: Some(model.architecture),
            fingerprint: fingerprint(&path)?,
            place: Place::Local(path),
        })
    }

    /// The language model of this name on a device.
    pub(crate) fn language_model(
        &mut self,
        name: &str,
        device: Device,
        precision: Precision,
    ) -> anyhow::Result<Rc<LanguageModel>> {
        let key = (name.to_owned(), device, precision);
        if let Some(model) = self.loaded.get(&key) {
            return Ok(Rc::clone(model));
        }
        let found = self.find(name)?;
        let path = found.path()?;
        let failed = || format!("cannot load the model {name}");
        let tokenizer = Tokenizer::load(path).with_context(failed)?;
        let weights = Weights::load(path).with_context(failed)?;
        let lm = AnyLm::new(weights, device, precision).with_context(failed)?;
        let model = Rc::new(LanguageModel { lm, tokenizer });
        self.loaded.insert(key, Rc::clone(&model));
        Ok(model)
    }

    /// Every public model that a release of this configuration is made with.
    pub(crate) fn statements(&self, config: &Config) -> anyhow::Result<Vec<ModelStatement>> {
        used(config)
            .map(|(used_for, name)| {
                let found = self.find(name)?;
                Ok(ModelStatement {
                    used_for,
                    name: found.name,
                    revision: found.revision,
                    licence: found.licence,
                })
            })
            .collect()
    }

    /// Fails where a model or device that the configuration names is not there.
    pub(crate) fn check(&self, config: &Config) -> anyhow::Result<()> {
        let device = device(&config.compute)?;
        device.check()?;
        ensure!(
            !config.generate.eight_bit || device == Device::Cpu,
            "`generate.eight_bit` needs `compute.device = \"cpu\"`\n  hint: other devices sample in \
             `compute.precision`"
        );
        let language = [Kind::Language];
        self.find_for("summarize.model", &config.summarize.model, &language)?;
        let model = self.find_for("train.model", &config.train.model, &language)?;
        check_lengths(config, model.path()?)?;
        let captioners = [Kind::Captioner, Kind::Tagger];
        self.find_for("caption.model", &config.caption.model, &captioners)?;
        for stage in [Stage::Caption, Stage::Summarize, Stage::Render] {
            // A key that is not there is found now.
            served::client(config, stage)?;
        }
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

/// Every model of a configuration, with the names of the assets that no key names.
fn used(config: &Config) -> impl Iterator<Item = (ModelUse, &str)> {
    let tagger = config.caption.model == "asset:efficientnet-lite0";
    let objects = tagger.then_some((ModelUse::Objects, "asset:nanodet"));
    let renderer = config.render.renderer.as_str();
    let served = renderer.starts_with("endpoint:");
    let pictures = served.then_some((ModelUse::Pictures, renderer));
    [
        (ModelUse::Captions, config.caption.model.as_str()),
        (ModelUse::Summaries, config.summarize.model.as_str()),
        (ModelUse::LanguageModel, config.train.model.as_str()),
        (ModelUse::TextVectors, "asset:all-minilm-l6-v2"),
    ]
    .into_iter()
    .chain(objects)
    .chain(pictures)
}

/// Tokens of the fixed words around summary and caption, with room to spare.
const FIXED_WORDS: usize = 64;

/// Fails where the longest text that training may cut to does not fit the model: found before any
/// private text is read, so that no failure can depend on one.
fn check_lengths(config: &Config, model: &Path) -> anyhow::Result<()> {
    let limits = &config.generate;
    let longest = limits.max_summary_tokens + limits.max_caption_tokens + FIXED_WORDS;
    let room = albumen_lm::weights::read_config(model)?.max_position;
    ensure!(
        longest <= room,
        "`generate.max_summary_tokens` and `generate.max_caption_tokens` allow texts of {longest} \
         tokens; the model {} sees {room}\n  hint: lower them",
        config.train.model
    );
    Ok(())
}

#[cfg(feature = "hub")]
fn find_on_hub(model: &HubModel, half: bool) -> anyhow::Result<Found> {
    let hub = albumen_models::Hub {
        half,
        ..albumen_models::Hub::from_env()
    };
    Ok(hub.find(model)?)
}

#[cfg(not(feature = "hub"))]
fn find_on_hub(model: &HubModel, _: bool) -> anyhow::Result<Found> {
    bail!(
        "{model}: this build cannot reach the hub\n  hint: build with `--features hub`, or download \
         the model and name it path:"
    )
}

/// The device of a configuration.
pub(crate) fn device(compute: &ComputeConfig) -> anyhow::Result<Device> {
    Ok(compute.device.parse()?)
}

/// The precision of a configuration.
pub(crate) fn precision(compute: &ComputeConfig) -> Precision {
    match compute.precision {
        ComputePrecision::F32 => Precision::F32,
        ComputePrecision::Bf16 => Precision::Bf16,
    }
}
