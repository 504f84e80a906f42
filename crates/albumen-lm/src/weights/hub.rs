//! Checkpoints from the Hugging Face hub, through the `hf-hub` crate (feature `hub`).

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use sha2::{Digest, Sha256};

use super::error::LoadError;
use super::safetensors::{INDEX, SINGLE, shards};
use crate::error::LmError;

/// Files besides the weights; those in `NEEDED` must be there.
const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];
const WELCOME: [&str; 4] = [
    "README.md",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
];
/// A download that breaks off is taken up again where it stopped, so many times.
const RETRIES: usize = 3;

/// A model on the hub, written `hub:OWNER/NAME[/FILE.gguf][@REVISION]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubModel {
    /// `OWNER/NAME`.
    pub repository: String,
    /// The GGUF file, in a repository of such.
    pub file: Option<String>,
    /// Branch, tag or commit; `main` where none is given.
    pub revision: String,
}

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
}

impl FromStr for HubModel {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        let refuse = || LoadError::Hub {
            model: text.into(),
            reason: "write hub:OWNER/NAME, hub:OWNER/NAME@REVISION or hub:OWNER/NAME/FILE.gguf"
                .into(),
        };
        let rest = text.strip_prefix("hub:").ok_or_else(refuse)?;
        let (name, revision) = rest.rsplit_once('@').unwrap_or((rest, "main"));
        let parts: Vec<&str> = name.split('/').collect();
        let (repository, file) = match parts[..] {
            [owner, name] => (format!("{owner}/{name}"), None),
            [owner, name, file] if Path::new(file).extension().is_some_and(|e| e == "gguf") => {
                (format!("{owner}/{name}"), Some(file.into()))
            }
            _ => return Err(refuse()),
        };
        if revision.is_empty() || parts.iter().any(|p| p.is_empty() || p.starts_with('.')) {
            return Err(refuse());
        }
        Ok(Self {
            repository,
            file,
            revision: revision.into(),
        })
    }
}

impl HubModel {
    fn at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.repository.clone(), RepoType::Model, revision.into())
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
        }
    }

    /// The commit that a fetched model's files are of.
    pub fn commit(path: &Path) -> Option<String> {
        let mut parts = path.components().map(std::path::Component::as_os_str);
        parts.find(|p| *p == "snapshots")?;
        parts.next()?.to_str().map(str::to_owned)
    }

    /// Brings a model's files into the cache and says where they are: a directory or a GGUF file for
    /// [`crate::Weights::load`]. All files come from one commit. Without a network, what was fetched
    /// whole before is used.
    ///
    /// # Errors
    /// [`LmError::Load`]: no network and nothing cached, an unknown or closed repository, a file
    /// that is missing there or arrives damaged.
    pub fn fetch(&self, model: &HubModel) -> Result<PathBuf, LmError> {
        let refuse = |reason: String| LoadError::Hub {
            model: model.repository.clone(),
            reason,
        };
        let cache = Cache::new(self.cache.clone());
        let named = cache.repo(model.at(&model.revision));
        let cached = || named.get(model.file.as_deref().unwrap_or(NEEDED[0]));
        if self.offline {
            let found = cached().ok_or_else(|| {
                refuse(format!(
                    "revision {:?} is not in the cache {}, and HF_HUB_OFFLINE forbids to ask; fetch it once with a network",
                    model.revision,
                    self.cache.display()
                ))
            })?;
            return Ok(checkpoint(model, found));
        }
        let api = self.api().map_err(|e| refuse(e.to_string()))?;
        let info = match api.repo(model.at(&model.revision)).info() {
            Ok(info) => info,
            Err(error) => {
                let found = cached().ok_or_else(|| {
                    refuse(format!(
                        "{error}; check the name, the revision {:?} and the network; private and gated models need a token (HF_TOKEN)",
                        model.revision
                    ))
                })?;
                return Ok(checkpoint(model, found));
            }
        };
        let listed: BTreeSet<String> = info.siblings.into_iter().map(|s| s.rfilename).collect();
        let fetch = Fetch {
            repo: api.repo(model.at(&info.sha)),
            listed,
            model,
        };
        let found = if let Some(file) = &model.file {
            fetch.file(file)?
        } else {
            fetch.directory()?
        };
        // The name is bound last: where it is, the commit's files are complete.
        named
            .create_ref(&info.sha)
            .map_err(|source| LoadError::Io {
                path: self.cache.clone(),
                source,
            })?;
        Ok(checkpoint(model, found))
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

/// The GGUF file itself, or the directory that a file lies in.
fn checkpoint(model: &HubModel, file: PathBuf) -> PathBuf {
    match file.parent() {
        Some(folder) if model.file.is_none() => folder.into(),
        _ => file,
    }
}

/// One commit of one repository.
struct Fetch<'a> {
    repo: ApiRepo,
    listed: BTreeSet<String>,
    model: &'a HubModel,
}

impl Fetch<'_> {
    fn refuse(&self, reason: String) -> LoadError {
        LoadError::Hub {
            model: self.model.repository.clone(),
            reason,
        }
    }

    /// Fetches everything that a directory needs; one of its files.
    fn directory(&self) -> Result<PathBuf, LoadError> {
        let config = self.file(NEEDED[0])?;
        self.file(NEEDED[1])?;
        for name in WELCOME
            .into_iter()
            .filter(|name| self.listed.contains(*name))
        {
            self.file(name)?;
        }
        if self.listed.contains(SINGLE) {
            self.file(SINGLE)?;
        } else {
            for shard in shards(&self.file(INDEX)?)? {
                self.file(&shard)?;
            }
        }
        Ok(config)
    }

    fn file(&self, name: &str) -> Result<PathBuf, LoadError> {
        if !self.listed.contains(name) {
            let revision = &self.model.revision;
            return Err(self.refuse(format!(
                "it has no {name} at {revision:?}; choose another model or revision"
            )));
        }
        let path = self
            .repo
            .get(name)
            .map_err(|e| self.refuse(format!("{name}: {e}; run again to go on")))?;
        self.verify(name, &path)?;
        Ok(path)
    }

    /// Large files are named by their SHA-256 in the cache, and are checked against it once.
    fn verify(&self, name: &str, path: &Path) -> Result<(), LoadError> {
        let io = |source| LoadError::Io {
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
        let found = sha256(&blob).map_err(io)?;
        if found != wanted {
            // Both go, so that the next run fetches the file anew.
            std::fs::remove_file(path).map_err(io)?;
            std::fs::remove_file(&blob).map_err(io)?;
            return Err(self.refuse(format!(
                "{name} arrived with SHA-256 {found} instead of {wanted}; run again"
            )));
        }
        std::fs::write(checked, "").map_err(io)
    }
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
    }
    let hex = |text: String, byte: &u8| text + &format!("{byte:02x}");
    Ok(hasher.finalize().iter().fold(String::new(), hex))
}
