//! What a name means.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::endpoint::EndpointName;
use crate::hub::HubModel;

/// A model's name: the text, and what it means. It serialises as the text that it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ModelName {
    text: String,
    meaning: Result<Source, NameError>,
}

/// Where a model is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `illustration`: the renderer that needs no model.
    Illustration,
    /// `asset:NAME`: a pinned public asset.
    Asset(String),
    /// `path:FILE.gguf` or `path:DIRECTORY`.
    Path(PathBuf),
    /// `hub:OWNER/NAME[/FILE.gguf][@REVISION]`: a model of the Hugging Face hub.
    Hub(HubModel),
    /// `endpoint:URL[#MODEL]`: a model behind a server.
    Endpoint(EndpointName),
}

/// Why a text names no model. The text is not repeated from its `//` on: a password may stand there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` {problem}\n  hint: {}", self.hint())]
pub struct NameError {
    shown: String,
    /// What is wrong with it.
    pub problem: NameProblem,
}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// It is in none of the forms.
    #[error("names no model")]
    Form,
    /// What follows `hub:` is not a model of the hub.
    #[error("names no model of the hub")]
    Hub,
    /// What follows `endpoint:` is not a server.
    #[error("names no server: {0}")]
    Server(&'static str),
}

impl NameError {
    /// What would mend it.
    pub fn hint(&self) -> &'static str {
        match self.problem {
            NameProblem::Form => {
                "write asset:NAME, hub:OWNER/NAME@REVISION, endpoint:http://HOST:PORT/v1#MODEL, or path: and a \
                 GGUF file or directory; `albumen models list` shows what is there"
            }
            NameProblem::Hub => HubModel::FORMS,
            NameProblem::Server(_) => EndpointName::FORM,
        }
    }
}

impl ModelName {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it means.
    ///
    /// # Errors
    /// Why it names nothing.
    pub fn source(&self) -> Result<&Source, &NameError> {
        self.meaning.as_ref()
    }

    /// The asset, where it names one.
    pub fn asset(&self) -> Option<&str> {
        match &self.meaning {
            Ok(Source::Asset(asset)) => Some(asset),
            _ => None,
        }
    }

    /// The path, where it names one.
    pub fn path(&self) -> Option<&Path> {
        match &self.meaning {
            Ok(Source::Path(path)) => Some(path),
            _ => None,
        }
    }

    /// The server, where it names one.
    pub fn endpoint(&self) -> Option<&EndpointName> {
        match &self.meaning {
            Ok(Source::Endpoint(server)) => Some(server),
            _ => None,
        }
    }

    /// Whether it means a model whose files are read on this machine: by path or from the hub.
    pub fn has_own_files(&self) -> bool {
        matches!(self.meaning, Ok(Source::Path(_) | Source::Hub(_)))
    }

    /// As much of the text as a message may repeat: nothing from its `//` on.
    pub fn shown(&self) -> &str {
        shown(&self.text)
    }
}

/// As much of a model's name as a message may repeat: of one with an address nothing from the `//` on,
/// since a password may stand there.
pub fn shown(text: &str) -> &str {
    text.split_once("//").map_or(text, |(before, _)| before)
}

fn parse(text: &str) -> Result<Source, NameError> {
    let refuse = |problem| NameError {
        shown: shown(text).into(),
        problem,
    };
    let nothing = || refuse(NameProblem::Form);
    if text == "illustration" {
        return Ok(Source::Illustration);
    }
    let (scheme, rest) = text.split_once(':').ok_or_else(nothing)?;
    match scheme {
        "endpoint" => {
            let server = rest.parse().map(Source::Endpoint);
            server.map_err(|problem| refuse(NameProblem::Server(problem)))
        }
        "hub" => {
            let model = rest.parse().map(Source::Hub);
            model.map_err(|()| refuse(NameProblem::Hub))
        }
        "asset" if !rest.is_empty() => Ok(Source::Asset(rest.into())),
        "path" if !rest.is_empty() => Ok(Source::Path(rest.into())),
        _ => Err(nothing()),
    }
}

impl From<String> for ModelName {
    fn from(text: String) -> Self {
        let meaning = parse(&text);
        Self { text, meaning }
    }
}

impl From<&str> for ModelName {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.text
    }
}

impl FromStr for Source {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        parse(text)
    }
}

impl Deref for ModelName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl PartialEq<str> for ModelName {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl PartialEq<&str> for ModelName {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Whether a file's name says that it is a GGUF file.
pub fn is_gguf(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_name_means_one_thing_and_is_written_as_it_was() {
        let hub = |repository: &str, file: Option<&str>, revision: &str| {
            Source::Hub(HubModel {
                repository: repository.into(),
                file: file.map(str::to_owned),
                revision: revision.into(),
            })
        };
        for (text, meaning) in [
            ("illustration", Source::Illustration),
            ("asset:x", Source::Asset("x".into())),
            (
                "path:models/my model",
                Source::Path("models/my model".into()),
            ),
            ("path:hub:a/b", Source::Path("hub:a/b".into())),
            ("hub:a/b", hub("a/b", None, "main")),
            ("hub:a/b@v1", hub("a/b", None, "v1")),
            (
                "hub:a/b/c.Q8_0.GGUF@refs/pr/4",
                hub("a/b", Some("c.Q8_0.GGUF"), "refs/pr/4"),
            ),
            (
                "endpoint:http://127.0.0.1:8080/v1#m",
                Source::Endpoint("http://127.0.0.1:8080/v1#m".parse().unwrap()),
            ),
        ] {
            let name = ModelName::from(text);
            assert_eq!(name.source(), Ok(&meaning), "{text}");
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<ModelName>(&json).unwrap(), name);
        }
    }

    #[test]
    fn what_names_nothing_says_why_and_repeats_no_password() {
        for (text, words) in [
            ("", "names no model"),
            ("mistral", "names no model"),
            ("Illustration", "names no model"),
            ("zip:mistral", "names no model"),
            ("path:", "names no model"),
            ("asset:", "names no model"),
            ("http://u:s3cret@h/v1", "`http:` names no model"),
            (
                "endpoint:http://u:s3cret@h/v1",
                "`endpoint:http:` names no server: a server's name must hold no user",
            ),
            ("endpoint:localhost", "starts with `http://`"),
            ("hub:tiny", "write hub:OWNER/NAME"),
            ("hub:../tiny", "write hub:OWNER/NAME"),
            ("hub:owner/tiny@", "write hub:OWNER/NAME"),
            ("hub:owner/tiny@../../x", "write hub:OWNER/NAME"),
            ("hub:owner/tiny/notes.txt", "write hub:OWNER/NAME"),
        ] {
            let name = ModelName::from(text);
            let error = name.source().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(error.contains("\n  hint: "), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
            assert!(!name.shown().contains("s3cret"));
            assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn shortcuts_agree_with_the_meaning() {
        let name = |text: &str| ModelName::from(text);
        assert_eq!(name("asset:a").asset(), Some("a"));
        assert_eq!(name("path:a").asset(), None);
        assert_eq!(name("path:a").path(), Some(Path::new("a")));
        assert!(name("endpoint:http://h").endpoint().is_some());
        for (text, own) in [
            ("path:a", true),
            ("hub:a/b", true),
            ("hub:a", false),
            ("asset:a", false),
            ("illustration", false),
            ("endpoint:http://h", false),
        ] {
            assert_eq!(name(text).has_own_files(), own, "{text}");
        }
    }
}
