//! Finding and loading the models that a configuration names.
//!
//! A language model is named `asset:NAME`, `path:FILE-OR-DIRECTORY` or
//! `hub:OWNER/NAME[/FILE.gguf][@REVISION]`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use albumen_assets::{Check, Contents, Home, PINS, Pin, State};
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{AnyLm, Device, Precision, Weights};
use albumen_schema::config::{ComputeConfig, ComputePrecision};
use anyhow::{Context, bail, ensure};

use crate::run_dir::fingerprint;

/// A language model in memory.
pub(crate) struct LanguageModel {
    /// The frozen model.
    pub(crate) lm: AnyLm,
    /// Its tokenizer.
    pub(crate) tokenizer: Tokenizer,
}

/// The files behind a language model's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// A GGUF file, or a directory.
    pub(crate) path: PathBuf,
    /// Its public name: no path of this machine.
    pub(crate) name: String,
    /// What is known of its licence.
    pub(crate) licence: Option<String>,
    /// The version that is pinned or was fetched.
    pub(crate) revision: Option<String>,
}

impl Found {
    /// The model in a few words, for the data card.
    pub(crate) fn describe(&self) -> String {
        let Self {
            name,
            licence,
            revision,
            ..
        } = self;
        match (revision, licence) {
            (Some(revision), Some(licence)) => format!("{name}, revision {revision} ({licence})"),
            (Some(revision), None) => format!("{name}, revision {revision}"),
            (None, Some(licence)) => format!("{name} ({licence})"),
            (None, None) => name.clone(),
        }
    }
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

    /// Where public files made from assets may be cached.
    pub(crate) fn cache(&self, name: &str) -> anyhow::Result<PathBuf> {
        let dir = self.home.root().join("derived");
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(dir.join(name))
    }

    /// The files of a language model; one of the hub is fetched where it is not there.
    pub(crate) fn find(&self, name: &str) -> anyhow::Result<Found> {
        if let Some(found) = self.found.borrow().get(name) {
            return Ok(found.clone());
        }
        let found = match name.split_once(':') {
            Some(("asset", asset)) => self.find_asset(asset),
            Some(("path", path)) => find_path(Path::new(path)),
            Some(("hub", _)) => find_on_hub(name),
            _ => bail!(
                "{name:?} names no model\n  hint: write asset:NAME, hub:OWNER/NAME@REVISION or \
                 path: and a GGUF file or directory; `albumen models list` shows what is there"
            ),
        }?;
        self.found.borrow_mut().insert(name.into(), found.clone());
        Ok(found)
    }

    fn find_asset(&self, asset: &str) -> anyhow::Result<Found> {
        let Some((pin, file)) = language_models().find(|(pin, _)| pin.asset == asset) else {
            let names: Vec<_> = language_models().map(|(pin, _)| pin.asset).collect();
            bail!(
                "no asset {asset:?} is a language model\n  hint: there are: {}",
                names.join(", ")
            );
        };
        let path = self.home.require(asset, file)?;
        if let Some(status) = albumen_assets::status(&self.home, asset, Check::Stamp)?
            && let State::Corrupt { file, reason } = status.state
        {
            bail!(
                "{}: {file} {reason}\n  hint: `albumen models fetch asset:{asset}` brings it anew",
                self.home.asset_dir(asset).display()
            );
        }
        Ok(Found {
            name: file.split('.').next().unwrap_or(asset).to_owned(),
            licence: Some(pin.licence.to_owned()),
            revision: Some(format!("{} {}", pin.package, pin.version)),
            path,
        })
    }

    /// What identifies the files behind a language model's name.
    pub(crate) fn language_model_fingerprint(&self, name: &str) -> anyhow::Result<String> {
        let found = self.find(name)?;
        match found.revision {
            // A commit names its files' contents; the cache holds links, of many ages.
            Some(commit) if name.starts_with("hub:") => Ok(commit),
            _ => fingerprint(&found.path),
        }
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
        let path = self.find(name)?.path;
        let failed = || format!("cannot load the model {name}");
        let tokenizer = Tokenizer::load(&path).with_context(failed)?;
        let weights = Weights::load(&path).with_context(failed)?;
        let lm = AnyLm::new(weights, device, precision).with_context(failed)?;
        let model = Rc::new(LanguageModel { lm, tokenizer });
        self.loaded.insert(key, Rc::clone(&model));
        Ok(model)
    }

    /// Fails where a model or device that the configuration names is not there.
    pub(crate) fn check(&self, config: &albumen_schema::Config) -> anyhow::Result<()> {
        let device = device(&config.compute)?;
        device.check()?;
        ensure!(
            !config.generate.eight_bit || device == Device::Cpu,
            "`generate.eight_bit` needs `compute.device = \"cpu\"`\n  hint: other devices sample in \
             `compute.precision`"
        );
        self.find(&config.summarize.model)?;
        let model = self.find(&config.train.model)?;
        check_lengths(config, &model.path)?;
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

/// Tokens of the fixed words around summary and caption, with room to spare.
const FIXED_WORDS: usize = 64;

/// Fails where the longest text that training may cut to does not fit the model: found before any
/// private text is read, so that no failure can depend on one.
fn check_lengths(config: &albumen_schema::Config, model: &Path) -> anyhow::Result<()> {
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

/// The assets that are language models, with their weights' file.
pub(crate) fn language_models() -> impl Iterator<Item = (&'static Pin, &'static str)> {
    PINS.iter().filter_map(|pin| match pin.contents {
        Contents::Files(files) if pin.purpose == "language model" => files
            .iter()
            .find(|f| Path::new(f.file).extension().is_some_and(|e| e == "gguf"))
            .map(|f| (pin, f.file)),
        _ => None,
    })
}

fn find_path(path: &Path) -> anyhow::Result<Found> {
    ensure!(
        path.exists(),
        "the model path:{} is not there\n  hint: give the path of a GGUF file or of a directory with \
         config.json, safetensors and tokenizer.json",
        path.display()
    );
    let name = path.file_stem().filter(|_| path.is_file());
    let name = name.or(path.file_name()).unwrap_or_default();
    Ok(Found {
        path: path.to_owned(),
        name: name.to_string_lossy().into_owned(),
        licence: albumen_lm::weights::licence(path),
        revision: None,
    })
}

#[cfg(feature = "hub")]
fn find_on_hub(name: &str) -> anyhow::Result<Found> {
    use albumen_lm::weights::{Hub, HubModel};
    let model: HubModel = name.parse()?;
    let path = Hub::from_env().fetch(&model)?;
    Ok(Found {
        name: model.repository.clone(),
        licence: albumen_lm::weights::licence(&path),
        revision: Hub::commit(&path),
        path,
    })
}

#[cfg(not(feature = "hub"))]
fn find_on_hub(name: &str) -> anyhow::Result<Found> {
    bail!(
        "{name}: this build cannot reach the hub\n  hint: build with `--features hub`, or download \
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_words_for_the_card_hold_what_is_known_and_no_path() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("my-model");
        std::fs::create_dir(&folder).unwrap();
        let mut found = find_path(&folder).unwrap();
        assert_eq!(found.describe(), "my-model");
        std::fs::write(folder.join("README.md"), "---\nlicense: mit\n---\n").unwrap();
        assert_eq!(find_path(&folder).unwrap().describe(), "my-model (mit)");
        found.revision = Some("0123".into());
        assert_eq!(found.describe(), "my-model, revision 0123");
        std::fs::write(folder.join("tiny.Q8_0.gguf"), "").unwrap();
        let file = find_path(&folder.join("tiny.Q8_0.gguf")).unwrap();
        assert_eq!(file.describe(), "tiny.Q8_0 (mit)");
    }
}
