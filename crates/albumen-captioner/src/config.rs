//! Reading a checkpoint's JSON: values by name, the reference library's default where one is absent,
//! errors that name file and key.
//!
//! Published configurations leave out whatever equals the default of `transformers`, so each caller
//! states that default beside the key.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{CaptionerError, Result, read_text};

/// A JSON object and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    path: PathBuf,
    /// The tables that lead here, with a dot after each.
    prefix: String,
    value: Value,
}

impl Section {
    /// The object in a file.
    pub(crate) fn read(path: &Path, what: &'static str, mend: &'static str) -> Result<Self> {
        let text = read_text(path, what, mend)?;
        let value: Value = serde_json::from_str(&text).map_err(|e| CaptionerError::Format {
            path: path.to_owned(),
            reason: format!("it is not JSON: {e}"),
        })?;
        Ok(Self::new(path, value))
    }

    pub(crate) fn new(path: &Path, value: Value) -> Self {
        Self {
            path: path.to_owned(),
            prefix: String::new(),
            value,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn error(&self, key: &str, reason: impl Into<String>) -> CaptionerError {
        CaptionerError::Config {
            path: self.path.clone(),
            key: format!("{}{key}", self.prefix),
            reason: reason.into(),
        }
    }

    /// The value of a key; `null` counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    /// Whether the key is there at all, `null` or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some()
    }

    /// The object under a key; an empty one where there is none.
    pub(crate) fn section(&self, key: &str) -> Result<Self> {
        let value = match self.get(key) {
            None => Value::Object(serde_json::Map::new()),
            Some(value @ Value::Object(_)) => value.clone(),
            Some(_) => return Err(self.error(key, "is not a table")),
        };
        Ok(Self {
            path: self.path.clone(),
            prefix: format!("{}{key}.", self.prefix),
            value,
        })
    }

    fn typed<T>(
        &self,
        key: &str,
        read: impl Fn(&Value) -> Option<T>,
        kind: &str,
    ) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(self.error(key, format!("is {value}; it must be {kind}"))),
            },
        }
    }

    /// A count that may be absent.
    pub(crate) fn optional_usize(&self, key: &str) -> Result<Option<usize>> {
        let read = |v: &Value| v.as_u64().and_then(|v| usize::try_from(v).ok());
        self.typed(key, read, "a whole number")
    }

    /// A positive count. Bounded, so that products of a few cannot overflow.
    pub(crate) fn size(&self, key: &str, default: usize) -> Result<usize> {
        let size = self.optional_usize(key)?.unwrap_or(default);
        if size == 0 || size > 1 << 24 {
            return Err(self.error(
                key,
                format!("is {size}; it must lie between 1 and 16777216"),
            ));
        }
        Ok(size)
    }

    /// A token.
    pub(crate) fn token(&self, key: &str, default: u32) -> Result<u32> {
        let read = |v: &Value| v.as_u64().and_then(|v| u32::try_from(v).ok());
        Ok(self.typed(key, read, "a token")?.unwrap_or(default))
    }

    /// One token or a list of them.
    pub(crate) fn tokens(&self, key: &str) -> Result<Option<Vec<u32>>> {
        let one = |v: &Value| v.as_u64().and_then(|v| u32::try_from(v).ok());
        let read = |v: &Value| match v {
            Value::Array(all) => all.iter().map(one).collect(),
            value => one(value).map(|t| vec![t]),
        };
        self.typed(key, read, "a token or a list of tokens")
    }

    /// A number that may be absent.
    pub(crate) fn optional_f64(&self, key: &str) -> Result<Option<f64>> {
        self.typed(key, |v| v.as_f64().filter(|v| v.is_finite()), "a number")
    }

    /// A number.
    pub(crate) fn f64(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.optional_f64(key)?.unwrap_or(default))
    }

    /// A switch.
    pub(crate) fn bool(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self
            .typed(key, Value::as_bool, "true or false")?
            .unwrap_or(default))
    }

    /// A word.
    pub(crate) fn string(&self, key: &str, default: &str) -> Result<String> {
        let read = |v: &Value| v.as_str().map(str::to_owned);
        Ok(self
            .typed(key, read, "text")?
            .unwrap_or_else(|| default.to_owned()))
    }

    /// A list of counts that may be absent.
    pub(crate) fn optional_list(&self, key: &str) -> Result<Option<Vec<usize>>> {
        let read = |v: &Value| {
            let all = v.as_array()?.iter();
            all.map(|v| v.as_u64().and_then(|v| usize::try_from(v).ok()))
                .collect()
        };
        self.typed(key, read, "a list of whole numbers")
    }

    /// Three numbers, one a colour.
    pub(crate) fn colours(&self, key: &str, default: [f32; 3]) -> Result<[f32; 3]> {
        let read = |v: &Value| {
            let all: Option<Vec<f32>> = v
                .as_array()?
                .iter()
                .map(|v| Some(v.as_f64()? as f32))
                .collect();
            all?.try_into().ok()
        };
        Ok(self.typed(key, read, "three numbers")?.unwrap_or(default))
    }

    /// A value that must be one of those that the code can do.
    pub(crate) fn require(&self, key: &str, found: &str, supported: &[&str]) -> Result<()> {
        if supported.contains(&found) {
            return Ok(());
        }
        let supported = supported.join(", ");
        Err(self.error(key, format!("is {found:?}; supported: {supported}")))
    }
}

/// `config.json` of a directory.
pub(crate) fn read_config(dir: &Path) -> Result<Section> {
    Section::read(
        &dir.join("config.json"),
        "the model's configuration",
        "download config.json with the rest of the repository",
    )
}

/// The tokens that end a text: those of `generation_config.json` where it has them.
pub(crate) fn stop_tokens(config: &Section, dir: &Path, default: u32) -> Result<Vec<u32>> {
    let path = dir.join("generation_config.json");
    if path.is_file() {
        let generation = Section::read(&path, "the generation configuration", "")?;
        if let Some(tokens) = generation.tokens("eos_token_id")? {
            return Ok(tokens);
        }
    }
    let text = config.section("text_config")?.tokens("eos_token_id")?;
    let root = config.tokens("eos_token_id")?;
    Ok(text.or(root).unwrap_or_else(|| vec![default]))
}
