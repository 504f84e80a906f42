//! Ranges of single keys.
//!
//! A key's range is declared once, beside the key, as an attribute of its JSON schema (`range`,
//! `length`, `regex`). The check reads it back from the schema, and so does the generated reference,
//! so that the three cannot differ. Three more attributes are for people: `x-form` says in words
//! what a pattern or a list of choices allows, `x-usual` gives advice, and a value marked `x-secret`
//! is repeated in no message. Rules between keys are in `validate.rs`.

use std::cmp::Ordering;
use std::fmt::Display;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::Config;
use super::validate::Fault;
use albumen_names::shown;

/// Most photos of a synthetic album: its number has 12 bits of a random stream's.
pub const MAX_PHOTOS: usize = 4095;
/// Most tries of a text: its number has 8 bits of a random stream's.
pub const MAX_TRIES: u32 = 255;
/// Most albums that are sampled. With [`MAX_CANDIDATES`] each, 44 bits of a random stream's number
/// hold them, and a large machine's memory.
pub const MAX_ALBUMS: u64 = 10_000_000;
/// Most candidates of an album.
pub const MAX_CANDIDATES: u32 = 64;
/// Most declared units: the accountant takes sampling rates from 1e-12.
pub(super) const MAX_UNITS: u64 = 1_000_000_000_000;
/// Most steps of a training that the accountant takes.
pub(super) const MAX_STEPS: u64 = 100_000_000;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Config).to_value());

/// Checks every key of `settings`, a configuration or what may become one.
pub(super) fn check(settings: &impl Serialize) -> Result<(), Fault> {
    let settings = serde_json::to_value(settings).map_err(|e| Fault {
        key: "configuration".to_owned(),
        problem: format!("cannot be written down: {e}"),
        hint: "use paths that are Unicode".to_owned(),
    })?;
    check_at(&SCHEMA, &settings, "")
}

fn check_at(schema: &Value, value: &Value, path: &str) -> Result<(), Fault> {
    if let Value::Object(table) = value {
        let known = keys_of(resolve(&SCHEMA, schema), table);
        return table.iter().try_for_each(|(key, value)| {
            let dot = if path.is_empty() { "" } else { "." };
            check_at(&known[key], value, &format!("{path}{dot}{key}"))
        });
    }
    problem(schema, value).map_or(Ok(()), |problem| {
        Err(Fault {
            key: path.to_owned(),
            problem,
            hint: hint(schema),
        })
    })
}

/// The schema behind a reference, an optional one included, or `schema` itself.
pub fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut choices = schema["anyOf"].as_array().into_iter().flatten();
    let schema = choices.find(|v| v["$ref"].is_string()).unwrap_or(schema);
    let target = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next());
    target.map_or(schema, |name| &root["$defs"][name])
}

/// What a table may hold; where there are several kinds, the kind that its constant key names.
fn keys_of<'a>(schema: &'a Value, table: &Map<String, Value>) -> &'a Value {
    let mut kinds = schema["oneOf"].as_array().into_iter().flatten();
    let named = |kind: &&Value| {
        let mut keys = kind["properties"].as_object().into_iter().flatten();
        keys.any(|(key, s)| !s["const"].is_null() && table.get(key) == Some(&s["const"]))
    };
    &kinds.find(named).unwrap_or(schema)["properties"]
}

/// What is wrong with the value of a key, if anything is.
fn problem(schema: &Value, value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => {
            outside(schema, number).then(|| format!("is {}", read(schema, number)))
        }
        // JSON has no other form for these, and an optional key that is not there is left out.
        Value::Null if is_number(schema) => Some("is not a finite number".to_owned()),
        Value::String(text) => (!fits(schema, text)).then(|| match &schema["x-secret"] {
            Value::Bool(true) => "is not of the form that belongs there".to_owned(),
            _ => format!("is `{}`", shown(text)),
        }),
        Value::Array(items) => {
            if !within(schema, &items.len().into(), "minItems", "maxItems") {
                return Some(format!("has {} items", items.len()));
            }
            let wrong = items
                .iter()
                .find_map(|item| problem(&schema["items"], item))?;
            Some(wrong.replacen("is ", "holds ", 1))
        }
        _ => None,
    }
}

fn is_number(schema: &Value) -> bool {
    let kinds = schema["type"]
        .as_array()
        .map_or_else(|| std::slice::from_ref(&schema["type"]), Vec::as_slice);
    kinds
        .iter()
        .any(|kind| kind == "number" || kind == "integer")
}

fn outside(schema: &Value, number: &Number) -> bool {
    use Ordering::{Equal, Greater, Less};
    let is = |bound: &str, wrong: &[Ordering]| {
        let bound = schema[bound].as_number();
        bound.is_some_and(|bound| wrong.contains(&order(number, bound)))
    };
    !within(schema, number, "minimum", "maximum")
        || is("exclusiveMinimum", &[Less, Equal])
        || is("exclusiveMaximum", &[Greater, Equal])
}

fn within(schema: &Value, number: &Number, least: &str, most: &str) -> bool {
    let is = |bound: &str, wrong: Ordering| {
        let bound = schema[bound].as_number();
        bound.is_some_and(|bound| order(number, bound) == wrong)
    };
    !is(least, Ordering::Less) && !is(most, Ordering::Greater)
}

/// How two numbers compare; whole ones exactly, however large.
fn order(a: &Number, b: &Number) -> Ordering {
    let float = |n: &Number| n.as_f64().unwrap_or(f64::NAN);
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        // JSON holds no NaN.
        _ => float(a).partial_cmp(&float(b)).unwrap_or(Ordering::Less),
    }
}

fn fits(schema: &Value, text: &str) -> bool {
    let pattern = schema["pattern"].as_str();
    let choices = schema["enum"].as_array();
    within(
        schema,
        &text.chars().count().into(),
        "minLength",
        "maxLength",
    ) && pattern.is_none_or(|p| Regex::new(p).is_ok_and(|form| form.is_match(text)))
        && choices.is_none_or(|known| known.iter().any(|choice| choice == text))
}

fn hint(schema: &Value) -> String {
    let allowed = allowed(schema).unwrap_or_default();
    match schema["x-usual"].as_str() {
        Some(usual) => format!("use {allowed}; {usual}"),
        None => format!("use {allowed}"),
    }
}

/// What the schema of a key allows, in words; `None` where it sets no bound.
pub fn allowed(schema: &Value) -> Option<String> {
    if let Some(form) = schema["x-form"].as_str() {
        return Some(form.to_owned());
    }
    if let Some(kinds) = schema["oneOf"].as_array() {
        return of_each(
            kinds
                .iter()
                .filter_map(|kind| kind["properties"].as_object()),
        );
    }
    let bound = |name: &str| Some(read(schema, schema[name].as_number()?));
    let numbers = interval(
        (bound("minimum"), bound("exclusiveMinimum")),
        (bound("maximum"), bound("exclusiveMaximum")),
    );
    let length = interval((bound("minLength"), None), (bound("maxLength"), None));
    let items = interval((bound("minItems"), None), (bound("maxItems"), None));
    let each = schema.get("items").and_then(allowed);
    let parts = [
        numbers,
        length.map(|n| format!("{n} characters")),
        items.map(|n| format!("{n} items")),
        each.map(|range| format!("each {range}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The ranges of the keys of several kinds of tables.
fn of_each<'a>(kinds: impl Iterator<Item = &'a Map<String, Value>>) -> Option<String> {
    let keys = kinds.flatten();
    let ranges: Vec<String> = keys
        .filter_map(|(key, schema)| Some(format!("`{key}` {}", allowed(schema)?)))
        .collect();
    (!ranges.is_empty()).then(|| ranges.join(", "))
}

/// An interval in words, from its bounds, each as (included, excluded).
fn interval(
    low: (Option<String>, Option<String>),
    high: (Option<String>, Option<String>),
) -> Option<String> {
    match (low, high) {
        ((Some(low), None), (Some(high), None)) => Some(format!("{low} to {high}")),
        (low, high) => {
            let worded = |word: &str, bound: Option<String>| Some(format!("{word} {}", bound?));
            let parts = [
                worded("at least", low.0),
                worded("more than", low.1),
                worded("at most", high.0),
                worded("less than", high.1),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join(" and "))
        }
    }
}

/// A number as people write it: thousands apart, and powers of ten where zeros would be many.
fn read(schema: &Value, number: &Number) -> String {
    if let Some(whole) = number.as_i128() {
        let digits = whole.unsigned_abs().to_string();
        let sign = if whole < 0 { "-" } else { "" };
        return format!("{sign}{}", apart(&digits));
    }
    let value = number.as_f64().unwrap_or(f64::NAN);
    if schema["format"] == "float" {
        // The shortest form that reads back as the same 32-bit number.
        return decimal(value.abs(), &(value as f32));
    }
    decimal(value.abs(), &value)
}

fn decimal<T: Display + std::fmt::LowerExp>(magnitude: f64, value: &T) -> String {
    if magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

/// Groups of three digits, where there are more than four.
fn apart(digits: &str) -> String {
    if digits.len() < 5 {
        return digits.to_owned();
    }
    let mut text = String::new();
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
