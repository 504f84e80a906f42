//! Configuration errors with a place and a hint.

use std::fmt;
use std::ops::Range;

use super::validate::Fault;

/// What is wrong with a configuration, where, and what would mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    origin: String,
    /// Line and column, from 1; absent where a whole table is missing.
    place: Option<(usize, usize)>,
    message: String,
    hint: Option<String>,
}

impl ConfigError {
    pub(super) fn from_toml(origin: &str, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().to_owned();
        Self {
            origin: origin.to_owned(),
            place: error.span().map(|span| line_and_column(text, &span)),
            hint: nearest_key(&message).or_else(|| form_of(&message)),
            message,
        }
    }

    pub(super) fn from_fault(origin: &str, text: &str, fault: &Fault) -> Self {
        Self {
            origin: origin.to_owned(),
            place: span_of(text, &fault.key).map(|span| line_and_column(text, &span)),
            message: format!("`{}` {}", fault.key, fault.problem),
            hint: Some(fault.hint.clone()),
        }
    }

    pub(super) fn unwritable(error: &toml::ser::Error) -> Self {
        Self {
            origin: "configuration".to_owned(),
            place: None,
            message: error.to_string(),
            hint: None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message.trim_end())?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

fn line_and_column(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before = &text[..span.start.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

/// Where the value of the dotted `key` stands, or the nearest table above it.
fn span_of(text: &str, key: &str) -> Option<Range<usize>> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    for part in key.split('.') {
        let (name, value) = table.get_key_value(part)?;
        found = Some(value.span());
        match value.get_ref().as_table() {
            Some(inner) => {
                found = Some(name.span());
                table = inner;
            }
            None => break,
        }
    }
    found
}

/// The closest known key or choice, read out of serde's "unknown field" and "unknown variant" messages.
fn nearest_key(message: &str) -> Option<String> {
    let field = message.strip_prefix("unknown field `");
    let rest = field.or_else(|| message.strip_prefix("unknown variant `"))?;
    let (unknown, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let best = known
        .iter()
        .max_by(|a, b| {
            // A part of a known key is nearer than any likeness.
            let near = |k: &str| {
                let part = f64::from(u8::from(k.contains(unknown)));
                part + strsim::jaro_winkler(unknown, k)
            };
            near(a).total_cmp(&near(b))
        })
        .copied()?;
    Some(format!("did you mean `{best}`?"))
}

/// How a table is written that was given as something else.
fn form_of(message: &str) -> Option<String> {
    message.contains("enum TuningRuns").then(|| {
        "write `{ number = \"fixed\", count = 5 }` for five runs, each charged in full".to_owned()
    })
}
