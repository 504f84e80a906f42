//! Models of the Hugging Face hub, through the `hf-hub` crate (feature `hub`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use albumen_names::{HubModel, is_gguf};
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use crate::detect::{self, read_json};
use crate::error::Error;
use crate::found::{self, Found, Place, licence};
use crate::kind::{Architecture, Kind};
use crate::layout::{CONFIG, Candidate, MODEL_INDEX, candidates, components, pickled, shards};

/// Says the licence.
const CARD: &str = "README.md";
/// Small files that are taken where a repository has them, beside those that it must have.
const WELCOME: [&str; 8] = [
    CARD,
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
];
/// What a captioner must have one of: how its photos are prepared.
const PROCESSORS: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];
/// Small files of a pipeline's parts: configurations, and tokenizers in all their forms.
const SMALL: [&str; 4] = ["json", "txt", "model", "jinja"];
/// A download that breaks off is taken up again where it stopped, so many times.
const RETRIES: usize = 3;

/// Where files are fetched from and kept.
#[derive(Debug, Clone)]
pub struct Hub {
    /// Directory of the cache, laid out as by Hugging Face's own tools.
    pub cache: PathBuf,
    /// Address of a server that speaks the hub's protocol; `None` for the hub itself.
    pub endpoint: Option<String>,
    /// Access token, for private and gated models.
    pub token: Option<String>,
    /// Ask no server: use what was fetched before.
    pub offline: bool,
    /// Prefer the `fp16` variant of weights, where a repository has one.
    pub half: bool,
}

/// A model's name as the hub's client takes it, and in errors.
trait Named {
    fn at(&self, revision: &str) -> Repo;
    fn refuse(&self, reason: impl Into<String>) -> Error;
}

impl Named for HubModel {
    fn at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.repository.clone(), RepoType::Model, revision.into())
    }

    fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::Hub {
            model: self.repository.clone(),
            reason: reason.into(),
        }
    }
}

impl Hub {
    /// As Hugging Face's own tools have it: the cache under `HF_HOME`, the server `HF_ENDPOINT`, the
    /// token `HF_TOKEN` or the one that a login left, no server where `HF_HUB_OFFLINE` is set.
    pub fn from_env() -> Self {
        let set = |key: &str| std::env::var(key).ok().filter(|v| !v.is_empty());
        let cache = Cache::from_env();
        Self {
            endpoint: set("HF_ENDPOINT"),
            token: set("HF_TOKEN").or_else(|| cache.token()),
            offline: set("HF_HUB_OFFLINE").is_some_and(|v| v != "0"),
            cache: cache.path().clone(),
            half: false,
        }
    }

    /// The commit that a fetched model's files are of.
    pub fn commit(path: &Path) -> Option<String> {
        let mut parts = path.components().map(std::path::Component::as_os_str);
        parts.find(|p| *p == "snapshots")?;
        parts.next()?.to_str().map(str::to_owned)
    }

    /// What was fetched whole before, without asking a server.
    pub fn cached(&self, model: &HubModel) -> Option<PathBuf> {
        let cache = Cache::new(self.cache.clone());
        in_cache(&cache.repo(model.at(&model.revision)), model)
    }

    /// Brings a model's files and says what they are: [`Self::fetch`] with licence and kind.
    ///
    /// # Errors
    /// Those of [`Self::fetch`], and of [`detect::detect`].
    pub fn find(&self, model: &HubModel) -> Result<Found, Error> {
        Self::found(model, self.fetch(model)?)
    }

    /// What is known of a fetched model.
    ///
    /// # Errors
    /// Those of [`detect::detect`].
    pub fn found(model: &HubModel, path: PathBuf) -> Result<Found, Error> {
        let revision = Self::commit(&path);
        Ok(Found {
            name: model.repository.clone(),
            licence: licence(&path),
            architecture: Some(detect::detect(&path)?),
            // A commit names its files' contents; the cache holds links, of many ages.
            fingerprint: match &revision {
                Some(commit) => commit.clone(),
                None => found::fingerprint(&path)?,
            },
            revision,
            place: Place::Local(path),
        })
    }

    /// Brings a model's files into the cache and says where they are: a GGUF file, or a directory. Of
    /// a language model and of a captioner come `config.json`, tokenizer, processor and weights; of a
    /// text-to-image model the parts that `model_index.json` names. What the architecture is comes
    /// first: nothing large is fetched of one that cannot be loaded. All files come from one commit.
    /// Without a network, what was fetched whole before is used.
    ///
    /// # Errors
    /// [`Error::Hub`]: no network and nothing cached, an unknown or closed repository, a file that is
    /// missing there or arrives damaged. [`Error::Unsupported`] for another architecture.
    pub fn fetch(&self, model: &HubModel) -> Result<PathBuf, Error> {
        let cache = Cache::new(self.cache.clone());
        let named = cache.repo(model.at(&model.revision));
        if self.offline {
            return in_cache(&named, model).ok_or_else(|| {
                model.refuse(format!(
                    "revision {:?} is not in the cache {}, and HF_HUB_OFFLINE forbids to ask; fetch it once with a network",
                    model.revision,
                    self.cache.display()
                ))
            });
        }
        let api = self.api().map_err(|e| model.refuse(e.to_string()))?;
        let info = match api.repo(model.at(&model.revision)).info() {
            Ok(info) => info,
            Err(error) => {
                return in_cache(&named, model).ok_or_else(|| {
                    model.refuse(format!(
                        "{error}; check the name, the revision {:?} and the network; private and gated models need a token (HF_TOKEN)",
                        model.revision
                    ))
                });
            }
        };
        let fetch = Fetch {
            repo: api.repo(model.at(&info.sha)),
            listed: info.siblings.into_iter().map(|s| s.rfilename).collect(),
            model,
            half: self.half,
        };
        let found = fetch.all()?;
        // The name is bound last: where it is, the commit's files are complete.
        named.create_ref(&info.sha).map_err(|source| Error::Io {
            path: self.cache.clone(),
            source,
        })?;
        Ok(found)
    }

    fn api(&self) -> Result<Api, hf_hub::api::sync::ApiError> {
        let builder = ApiBuilder::new()
            .with_cache_dir(self.cache.clone())
            .with_progress(false)
            .with_token(self.token.clone())
            .with_retries(RETRIES);
        match &self.endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint.clone()).build(),
            None => builder.build(),
        }
    }
}

fn in_cache(named: &CacheRepo, model: &HubModel) -> Option<PathBuf> {
    match &model.file {
        Some(file) => named.get(file),
        None => [MODEL_INDEX, CONFIG]
            .iter()
            .find_map(|file| Some(named.get(file)?.parent()?.to_owned())),
    }
}

/// One commit of one repository.
struct Fetch<'a> {
    repo: ApiRepo,
    listed: BTreeSet<String>,
    model: &'a HubModel,
    half: bool,
}

impl Fetch<'_> {
    /// Fetches the GGUF file itself, or everything that a directory needs; where it is.
    fn all(&self) -> Result<PathBuf, Error> {
        if let Some(file) = &self.model.file {
            if self.has(CARD) {
                self.file(CARD)?;
            }
            return self.file(file);
        }
        let first = if self.has(MODEL_INDEX) {
            self.pipeline()?
        } else if self.has(CONFIG) {
            self.transformer()?
        } else {
            return Err(self.model.refuse(self.without_configuration()));
        };
        first.parent().map(Path::to_owned).ok_or_else(|| {
            self.model
                .refuse("the cache gave a file without a directory")
        })
    }

    /// A language model, captioner or embedder: its `config.json`.
    fn transformer(&self) -> Result<PathBuf, Error> {
        let config = self.file(CONFIG)?;
        let architecture = self.supported(&config, detect::transformer)?;
        self.file("tokenizer.json")?;
        if architecture.kind == Kind::Captioner && !PROCESSORS.iter().any(|f| self.has(f)) {
            self.file(PROCESSORS[0])?;
        }
        self.welcome()?;
        self.weights("")?;
        Ok(config)
    }

    /// A text-to-image model: its `model_index.json`.
    fn pipeline(&self) -> Result<PathBuf, Error> {
        let index = self.file(MODEL_INDEX)?;
        self.supported(&index, detect::pipeline)?;
        self.welcome()?;
        for part in components(&read_json(&index)?) {
            let folder = format!("{}/", part.name);
            for file in &self.listed {
                let small = file.strip_prefix(&folder).is_some_and(|name| {
                    !name.contains('/')
                        && !name.contains(".safetensors.index")
                        && Path::new(name)
                            .extension()
                            .is_some_and(|e| SMALL.contains(&&*e.to_string_lossy()))
                });
                if small {
                    self.file(file)?;
                }
            }
            if part.has_weights() {
                self.weights(&folder)?;
            }
        }
        Ok(index)
    }

    fn supported(
        &self,
        file: &Path,
        read: fn(&serde_json::Value) -> Result<&'static Architecture, String>,
    ) -> Result<&'static Architecture, Error> {
        read(&read_json(file)?).map_err(|found| Error::Unsupported {
            path: format!("hub:{}", self.model.repository).into(),
            found,
        })
    }

    fn welcome(&self) -> Result<(), Error> {
        let mut there = WELCOME.into_iter().filter(|name| self.has(name));
        there.try_for_each(|name| self.file(name).map(drop))
    }

    /// The safetensors of a folder (`""`, or with its slash).
    fn weights(&self, folder: &str) -> Result<(), Error> {
        let there = |c: &Candidate| self.has(&format!("{folder}{}", c.file()));
        let Some(found) = candidates(self.half).into_iter().find(there) else {
            let old = self.listed.iter().find(|f| match f.strip_prefix(folder) {
                Some(name) => !name.contains('/') && pickled(name),
                None => false,
            });
            let has = old.map_or_else(String::new, |old| format!(" but {old}"));
            return Err(self.model.refuse(format!(
                "it has no safetensors in {folder:?} at {:?}{has}; choose a revision that has them, or \
                 convert it and name it path:",
                self.model.revision
            )));
        };
        let path = self.file(&format!("{folder}{}", found.file()))?;
        if let Candidate::Index(_) = found {
            for shard in shards(&path)? {
                self.file(&format!("{folder}{shard}"))?;
            }
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.listed.contains(name)
    }

    fn without_configuration(&self) -> String {
        let revision = &self.model.revision;
        let files: Vec<&str> = (self.listed.iter().map(String::as_str))
            .filter(|f| is_gguf(Path::new(f)) && !f.contains('/'))
            .collect();
        if files.is_empty() {
            return format!(
                "it has neither {CONFIG} nor {MODEL_INDEX} at {revision:?}; choose another model or \
                 revision"
            );
        }
        format!(
            "it has no {CONFIG} but GGUF files: name one, as hub:{}/{}; there are {}",
            self.model.repository,
            files[0],
            files.join(", ")
        )
    }

    fn file(&self, name: &str) -> Result<PathBuf, Error> {
        if !self.has(name) {
            let revision = &self.model.revision;
            return Err(self.model.refuse(format!(
                "it has no {name} at {revision:?}; choose another model or revision"
            )));
        }
        let path = self.repo.get(name).map_err(|e| {
            self.model
                .refuse(format!("{name}: {e}; run again to go on"))
        })?;
        self.verify(name, &path)?;
        Ok(path)
    }

    /// Large files are named by their SHA-256 in the cache, and are checked against it once.
    fn verify(&self, name: &str, path: &Path) -> Result<(), Error> {
        let io = |source| Error::Io {
            path: path.into(),
            source,
        };
        let blob = path.canonicalize().map_err(io)?;
        let wanted = blob
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let is_hash = wanted.len() == 64 && wanted.bytes().all(|b| b.is_ascii_hexdigit());
        let checked = blob.with_extension("checked");
        if !is_hash || checked.is_file() {
            return Ok(());
        }
        let found = albumen_files::sha256_of_file(&blob).map_err(|e| io(e.source))?;
        if found != wanted {
            // Both go, so that the next run fetches the file anew.
            std::fs::remove_file(path).map_err(io)?;
            std::fs::remove_file(&blob).map_err(io)?;
            return Err(self.model.refuse(format!(
                "{name} arrived with SHA-256 {found} instead of {wanted}; run again"
            )));
        }
        std::fs::write(checked, "").map_err(io)
    }
}
