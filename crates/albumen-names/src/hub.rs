//! Models of the Hugging Face hub.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::model::is_gguf;

/// A model of the Hugging Face hub: what follows `hub:` in a model's name,
/// `OWNER/NAME[/FILE.gguf][@REVISION]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubModel {
    /// `OWNER/NAME`.
    pub repository: String,
    /// The GGUF file, in a repository of such.
    pub file: Option<String>,
    /// Branch, tag or commit; `main` where none is given.
    pub revision: String,
}

impl HubModel {
    pub(crate) const FORMS: &str =
        "write hub:OWNER/NAME, hub:OWNER/NAME@REVISION or hub:OWNER/NAME/FILE.gguf";
}

impl FromStr for HubModel {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let parts: Vec<&str> = name.split('/').collect();
        let (repository, file) = match parts[..] {
            [owner, name] => (format!("{owner}/{name}"), None),
            [owner, name, file] if is_gguf(Path::new(file)) => {
                (format!("{owner}/{name}"), Some(file.into()))
            }
            _ => return Err(()),
        };
        // Each part becomes a folder of the cache: none may lead out of it.
        let revision_parts = revision.split('/');
        let outside = |part: &str| part.is_empty() || part.starts_with('.');
        if parts.iter().copied().chain(revision_parts).any(outside) {
            return Err(());
        }
        Ok(Self {
            repository,
            file,
            revision: revision.into(),
        })
    }
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hub:{}", self.repository)?;
        if let Some(file) = &self.file {
            write!(f, "/{file}")?;
        }
        write!(f, "@{}", self.revision)
    }
}
