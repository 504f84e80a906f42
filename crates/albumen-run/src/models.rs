//! Finding and loading the models that a configuration names.

pub mod assets;
mod look;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use albumen_assets::{Check, Home, State};
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::weights::read_config;
use albumen_lm::{AnyLm, Device, ModelConfig, Precision, Weights};
use albumen_models::{Found, Kind, Place, fingerprint};
use albumen_names::{HubModel, ModelName, Source};
use albumen_schema::config::{
    ComputeConfig, ComputePrecision, CorpusConfig, InputFormat, Layout, RenderConfig,
    RenderPrecision,
};
use albumen_schema::format::FIXED_TOKENS;
use albumen_schema::{Config, ModelStatement, ModelUse};
use albumen_train::Model;
use albumen_vision::Embedder;
use anyhow::{Context, bail, ensure};

use crate::stages::{Stage, preamble, renderer, served};

pub(crate) use look::Look;

/// A language model in memory.
pub struct LanguageModel {
    /// The frozen model.
    pub lm: AnyLm,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
}

/// What tells a loaded model from another.
type Loaded = (String, Device, Precision);

/// Models by name, each found once; the language model that was used last stays loaded.
pub struct Models {
    home: Home,
    found: RefCell<BTreeMap<String, Found>>,
    loaded: Option<(Loaded, Rc<LanguageModel>)>,
}

impl Models {
    /// Finds models under the home of the assets.
    ///
    /// # Errors
    /// Where that home cannot be told.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            home: Home::locate()?,
            found: RefCell::default(),
            loaded: None,
        })
    }

    /// A file of an asset.
    pub(crate) fn asset(&self, asset: &str, file: &str) -> anyhow::Result<PathBuf> {
        Ok(self.home.require(asset, file)?)
    }

    /// The sentence embedder of this name: `asset:all-minilm-l6-v2`, or `path:` and a directory.
    ///
    /// # Errors
    /// Where there is no such embedder, or it cannot be loaded.
    pub fn embedder(&self, name: &ModelName) -> anyhow::Result<Embedder> {
        let dir = match name.source() {
            Ok(Source::Asset(asset)) => {
                let weights = self.asset(asset, "model.safetensors")?;
                weights
                    .parent()
                    .context("an asset has no folder")?
                    .to_owned()
            }
            Ok(Source::Path(path)) => path.clone(),
            _ => bail!(
                "`{}` names no embedder\n  hint: write asset:all-minilm-l6-v2, or path: and a \
                 directory with config.json, model.safetensors and tokenizer.json",
                name.shown()
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
    ///
    /// # Errors
    /// Where there is no such model, or it cannot be fetched.
    pub fn find(&self, name: &ModelName) -> anyhow::Result<Found> {
        self.find_as(name, false)
    }

    /// The same; of the hub preferably the `fp16` variant, where `half`.
    ///
    /// # Errors
    /// As [`Models::find`].
    pub fn find_as(&self, name: &ModelName, half: bool) -> anyhow::Result<Found> {
        if let Some(found) = self.found.borrow().get(name.as_str()) {
            return Ok(found.clone());
        }
        let found = match name.source().map_err(Clone::clone)? {
            Source::Endpoint(server) => served::found(server),
            Source::Asset(asset) => self.find_asset(asset)?,
            Source::Path(path) => albumen_models::find_path(path)?,
            Source::Hub(model) => find_on_hub(model, half)?,
            Source::Illustration => bail!(
                "`illustration` draws without a model\n  hint: it is a name for `render.model` alone"
            ),
        };
        let key = name.as_str().to_owned();
        self.found.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    /// The model that the configuration's `key` names, which must be of one of these kinds.
    pub(crate) fn find_for(
        &self,
        key: &str,
        name: &ModelName,
        kinds: &[Kind],
    ) -> anyhow::Result<Found> {
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
        Ok(Found {
            name: model.name.to_owned(),
            licence: Some(model.licence()),
            revision: Some(model.revision()),
            architecture: Some(model.architecture),
            fingerprint: fingerprint(&path)?,
            place: Place::Local(path),
        })
    }

    /// The text-to-image model of a configuration; `None` for the illustrator, which is no model.
    pub(crate) fn renderer(&self, config: &RenderConfig) -> anyhow::Result<Option<Found>> {
        if config.is_illustration() {
            return Ok(None);
        }
        let half = config.precision != RenderPrecision::F32;
        let found = self.find_as(&config.model, half)?;
        found.require(&[Kind::TextToImage], "render.model")?;
        Ok(Some(found))
    }

    /// The language model of this name on a device.
    pub(crate) fn language_model(
        &mut self,
        name: &ModelName,
        device: Device,
        precision: Precision,
    ) -> anyhow::Result<Rc<LanguageModel>> {
        let key = (name.as_str().to_owned(), device, precision);
        if let Some((loaded, model)) = &self.loaded
            && *loaded == key
        {
            return Ok(Rc::clone(model));
        }
        self.unload();
        let found = self.find(name)?;
        let path = found.path()?;
        let failed = || format!("cannot load the model {name}");
        let tokenizer = Tokenizer::load(path).with_context(failed)?;
        let weights = Weights::load(path).with_context(failed)?;
        let lm = AnyLm::new(weights, device, precision).with_context(failed)?;
        let model = Rc::new(LanguageModel { lm, tokenizer });
        self.loaded = Some((key, Rc::clone(&model)));
        Ok(model)
    }

    /// Lets go of the language model, whose memory the next stage may need.
    pub(crate) fn unload(&mut self) {
        self.loaded = None;
    }

    /// Every public model that a release of this configuration is made with.
    pub(crate) fn statements(&self, config: &Config) -> anyhow::Result<Vec<ModelStatement>> {
        // Which variant of its weights was fetched is settled here.
        self.renderer(&config.render)?;
        used(config)
            .map(|(used_for, name)| {
                // Of an asset the pin says all, whether it is there or not.
                let (name, revision, licence) = if let Some(asset) = assets::of_name(&name) {
                    let name = asset.name.to_owned();
                    (name, Some(asset.revision()), Some(asset.licence()))
                } else {
                    let found = self.find(&name)?;
                    (found.name, found.revision, found.licence)
                };
                Ok(ModelStatement {
                    used_for,
                    name,
                    revision,
                    licence,
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
        // The renderer may be fetched in another variant.
        for (key, name, kinds) in named(config).into_iter().filter(|n| n.0 != RENDERER) {
            self.find_for(key, name, kinds)?;
        }
        let model = self.find(&config.train.model)?;
        let path = model.path()?;
        let preamble = config.train.preamble != "none";
        let tokenizer = preamble.then(|| Tokenizer::load(path)).transpose()?;
        check_lengths(config, &read_config(path)?, tokenizer.as_ref())?;
        check_keys(config)?;
        if let Some(renderer) = self.renderer(&config.render)? {
            renderer::check(&renderer, &config.render, device)?;
        }
        self.check_assets(config)
    }

    /// Fails where an asset that the run uses without naming it is not there.
    pub(crate) fn check_assets(&self, config: &Config) -> anyhow::Result<()> {
        for (_, name) in used(config).filter(|(_, name)| name.asset().is_some()) {
            self.find(&name)?;
        }
        for (asset, file) in [
            ("naughty-words", "en.json"),
            ("fluent-emoji-flat", "icons.json"),
        ] {
            self.asset(asset, file)?;
        }
        Ok(())
    }
}

/// Fails where a key that a server asks for is not there.
pub(crate) fn check_keys(config: &Config) -> anyhow::Result<()> {
    for stage in [Stage::Caption, Stage::Summarize, Stage::Render] {
        served::client(config, stage)?;
    }
    Ok(())
}

/// Whether the albums are text, so that no photo is captioned.
pub(crate) fn is_text(corpus: &CorpusConfig) -> bool {
    match corpus.format {
        InputFormat::Jsonl => true,
        InputFormat::Auto => {
            corpus.path.is_file() || corpus.path.extension().is_some_and(|e| e == "jsonl")
        }
        _ => false,
    }
}

const RENDERER: &str = "render.model";

/// Every model that a configuration names: its key, its name, and what it may be.
pub(crate) fn named(config: &Config) -> Vec<(&'static str, &ModelName, &'static [Kind])> {
    let mut named: Vec<(_, &ModelName, &'static [Kind])> = vec![
        (
            "summarize.model",
            &config.summarize.model,
            &[Kind::Language],
        ),
        ("train.model", &config.train.model, &[Kind::Language]),
    ];
    if !is_text(&config.corpus) {
        let kinds = &[Kind::Captioner, Kind::Tagger];
        named.insert(0, ("caption.model", &config.caption.model, kinds));
    }
    if !config.render.is_illustration() {
        named.push((RENDERER, &config.render.model, &[Kind::TextToImage]));
    }
    named
}

/// Every model that a configuration uses, with the assets that no key names.
fn used(config: &Config) -> impl Iterator<Item = (ModelUse, ModelName)> {
    let photos = !is_text(&config.corpus);
    let model = &config.caption.model;
    let tagger = photos && model.asset() == Some("efficientnet-lite0");
    let captions = photos.then(|| (ModelUse::Captions, model.clone()));
    let objects = tagger.then(|| (ModelUse::Objects, "asset:nanodet".into()));
    let drawn = !config.render.is_illustration();
    let pictures = drawn.then(|| (ModelUse::Pictures, config.render.model.clone()));
    let rest = [
        (ModelUse::Summaries, config.summarize.model.clone()),
        (ModelUse::LanguageModel, config.train.model.clone()),
        (ModelUse::TextVectors, "asset:all-minilm-l6-v2".into()),
    ];
    captions
        .into_iter()
        .chain(objects)
        .chain(rest)
        .chain(pictures)
}

/// Fails where the longest text that training may cut to does not fit the model: found before any
/// private text is read, so that no failure can depend on one.
///
/// The preamble is counted by `tokenizer`, and left out where there is none at hand yet.
pub(crate) fn check_lengths(
    config: &Config,
    model: &ModelConfig,
    tokenizer: Option<&Tokenizer>,
) -> anyhow::Result<()> {
    let limits = &config.generate;
    let caption = limits.max_caption_tokens + FIXED_TOKENS;
    let (captions, written) = match config.train.layout {
        Layout::Hierarchical => (1, Model::Caption),
        Layout::Flat => (
            config.corpus.max_photos_per_album.max(limits.max_photos),
            Model::Album,
        ),
    };
    let mut longest = limits.max_summary_tokens + captions * caption;
    if let Some(tokenizer) = tokenizer {
        longest += preamble::tokens(&config.train.preamble, written, tokenizer)?.len();
    }
    let room = model.max_position;
    ensure!(
        longest <= room,
        "`generate.max_summary_tokens`, `generate.max_caption_tokens` and `train.preamble` allow texts \
         of {longest} tokens; the model {} sees {room}\n  hint: lower them",
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

/// The precision in which the models are trained. Devices other than the processor train in f32: there
/// a unit's gradient may round differently beside other units, and in bf16 each such flip would be
/// thousands of times larger.
pub(crate) fn training_precision(compute: &ComputeConfig) -> anyhow::Result<Precision> {
    Ok(match device(compute)? {
        Device::Cpu => precision(compute),
        _ => Precision::F32,
    })
}

/// The precision in which synthetic albums are sampled.
pub(crate) fn sampling_precision(config: &Config) -> Precision {
    if config.generate.eight_bit {
        Precision::Int8
    } else {
        precision(&config.compute)
    }
}
