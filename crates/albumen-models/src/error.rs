//! What can be wrong with a model's name or files.

use std::path::PathBuf;

use thiserror::Error;

use crate::kind::{Architecture, Kind, SUPPORTED};

/// A model that is not there or cannot be used, and what would mend it.
#[derive(Debug, Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Its reason.
        #[source]
        source: std::io::Error,
    },
    /// An endpoint where files are needed.
    #[error(
        "{name} is an endpoint, which has no files here\n  hint: name a model by asset:, path: or hub:"
    )]
    NoFiles {
        /// Its public name.
        name: String,
    },
    /// Nothing is there.
    #[error(
        "the model path:{path} is not there\n  hint: give the path of a GGUF file, of a directory with config.json, safetensors and tokenizer.json, or of a diffusers directory with model_index.json"
    )]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// What is there is no model.
    #[error("{path} is no model that can be read: {reason}")]
    NotAModel {
        /// The file or directory.
        path: PathBuf,
        /// Why, and what would mend it.
        reason: String,
    },
    /// A file of the model is absent.
    #[error("{path} has no {file}\n  hint: copy it from where the model came from")]
    MissingFile {
        /// The directory.
        path: PathBuf,
        /// The file's name.
        file: String,
    },
    /// Another architecture than the supported ones.
    #[error(
        "{path}: the architecture is {found}; {}\n  hint: name a model of one of these",
        supported()
    )]
    Unsupported {
        /// The file that names it.
        path: PathBuf,
        /// Its name.
        found: String,
    },
    /// A model of another kind than its place in the configuration needs.
    #[error(
        "`{key}` needs {}, but {name} is {} ({}){}\n  hint: {}",
        wanted.title(), found.kind.title(), found.class, meant(found), hint(*wanted)
    )]
    WrongKind {
        /// The configuration's key.
        key: String,
        /// The model's public name.
        name: String,
        /// What it is.
        found: &'static Architecture,
        /// What is needed.
        wanted: Kind,
    },
    /// A weights file ends before its last tensor does.
    #[error(
        "{path} is cut short: {found_bytes} bytes of {expected_bytes}\n  hint: download it again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes it must have.
        expected_bytes: u64,
        /// Bytes it has.
        found_bytes: u64,
    },
    /// A file that does not follow its own format.
    #[error("{path} is damaged or cut short ({reason})\n  hint: download it again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        reason: String,
    },
    /// A model that the hub does not give.
    #[error("hub model {model}: {reason}")]
    Hub {
        /// `OWNER/NAME`.
        model: String,
        /// What is wrong, and what would mend it.
        reason: String,
    },
}

/// What can be loaded, a line a kind that a configuration can name.
fn supported() -> String {
    let kinds = [Kind::Language, Kind::Captioner, Kind::TextToImage];
    let lines = kinds.map(|kind| format!("\n  {kind}: {}", kind.supported_names()));
    format!("supported are{}", lines.concat())
}

/// The place that a model of another kind is for.
fn meant(found: &Architecture) -> String {
    match found.kind.keys() {
        [] => String::new(),
        keys => format!("; did you mean `{}`?", keys.join("` or `")),
    }
}

fn hint(wanted: Kind) -> String {
    let count = SUPPORTED.iter().filter(|a| a.kind == wanted).count();
    let are = if count == 1 { "is" } else { "are" };
    format!("supported {are} {}", wanted.supported_names())
}
