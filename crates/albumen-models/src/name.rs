//! Names of models, as a configuration has them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::Error;

/// What names a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `asset:NAME`: a pinned public asset.
    Asset(String),
    /// `path:FILE.gguf` or `path:DIRECTORY`.
    Path(PathBuf),
    /// `hub:OWNER/NAME[/FILE.gguf][@REVISION]`.
    Hub(HubModel),
}

/// A model of the Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubModel {
    /// `OWNER/NAME`.
    pub repository: String,
    /// The GGUF file, in a repository of such.
    pub file: Option<String>,
    /// Branch, tag or commit; `main` where none is given.
    pub revision: String,
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // Of an address nothing is repeated: a password may stand in it.
        let (shown, _) = text.split_once("//").unwrap_or((text, ""));
        let refuse = || Error::Name { text: shown.into() };
        let (scheme, rest) = text.split_once(':').ok_or_else(refuse)?;
        if rest.is_empty() {
            return Err(refuse());
        }
        match scheme {
            "asset" => Ok(Self::Asset(rest.into())),
            "path" => Ok(Self::Path(rest.into())),
            "hub" => text.parse().map(Self::Hub),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asset(name) => write!(f, "asset:{name}"),
            Self::Path(path) => write!(f, "path:{}", path.display()),
            Self::Hub(model) => model.fmt(f),
        }
    }
}

impl FromStr for HubModel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || Error::Hub {
            model: text.into(),
            reason: "write hub:OWNER/NAME, hub:OWNER/NAME@REVISION or hub:OWNER/NAME/FILE.gguf"
                .into(),
        };
        let rest = text.strip_prefix("hub:").ok_or_else(refuse)?;
        let (name, revision) = rest.split_once('@').unwrap_or((rest, "main"));
        let parts: Vec<&str> = name.split('/').collect();
        let (repository, file) = match parts[..] {
            [owner, name] => (format!("{owner}/{name}"), None),
            [owner, name, file] if is_gguf(Path::new(file)) => {
                (format!("{owner}/{name}"), Some(file.into()))
            }
            _ => return Err(refuse()),
        };
        let revision_parts = revision.split('/');
        let outside = |part: &str| part.is_empty() || part.starts_with('.');
        if parts.iter().copied().chain(revision_parts).any(outside) {
            return Err(refuse());
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

/// Whether a file's name says that it is a GGUF file.
pub(crate) fn is_gguf(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for text in [
            "asset:smollm2-135m-instruct",
            "path:models/my model",
            "hub:owner/name@main",
            "hub:owner/name/file.Q8_0.gguf@v1.2",
            "hub:owner/name@refs/pr/4",
        ] {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
        }
        let Name::Hub(model) = "hub:a/b".parse().unwrap() else {
            unreachable!()
        };
        assert_eq!((model.revision.as_str(), model.file), ("main", None));
    }

    #[test]
    fn what_names_nothing_is_refused_with_the_right_words() {
        for (text, words) in [
            ("mistral", "names no model"),
            ("zip:mistral", "names no model"),
            ("path:", "names no model"),
            (
                "endpoint:http://u:s3cret@h/v1",
                "\"endpoint:http:\" names no model",
            ),
            ("http://u:s3cret@h/v1", "\"http:\" names no model"),
            ("hub:tiny", "write hub:OWNER/NAME"),
            ("hub:../tiny", "write hub:OWNER/NAME"),
            ("hub:owner/tiny@", "write hub:OWNER/NAME"),
            ("hub:owner/tiny@../../x", "write hub:OWNER/NAME"),
            ("hub:owner/tiny/notes.txt", "write hub:OWNER/NAME"),
        ] {
            let error = text.parse::<Name>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
