//! Shapes of published models, for estimates before anything is fetched.
//!
//! `known.json` is written by scripts/golden/models_known.py from the configurations that each model
//! publishes on the hub, with the parameters counted by transformers and diffusers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::inspect::Part;
use crate::kind::{Architecture, by_class};

/// A published model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Known {
    /// `OWNER/NAME` on the hub.
    pub repository: String,
    class: String,
    parts: BTreeMap<String, u64>,
    /// Its configurations by file name.
    pub files: BTreeMap<String, Value>,
}

impl Known {
    /// The model of a repository, where its shape is known.
    pub fn of(repository: &str) -> Option<Self> {
        Self::all().into_iter().find(|k| k.repository == repository)
    }

    /// Every one.
    pub fn all() -> Vec<Self> {
        // A test reads the table; damage leaves it empty.
        serde_json::from_str(include_str!("known.json")).unwrap_or_default()
    }

    /// What it is.
    pub fn architecture(&self) -> Option<&'static Architecture> {
        by_class(&self.class)
    }

    /// Its parts, without sizes in files.
    pub fn parts(&self) -> Vec<Part> {
        let part = |(name, parameters): (&String, &u64)| Part {
            name: name.clone(),
            class: None,
            parameters: *parameters,
            bytes: 0,
            dtypes: BTreeMap::new(),
        };
        self.parts.iter().map(part).collect()
    }

    /// Its parameters, all parts together.
    pub fn parameters(&self) -> u64 {
        self.parts.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_and_every_row_can_be_loaded() {
        let all = Known::all();
        assert_eq!(all.len(), 9);
        for known in &all {
            assert!(known.architecture().is_some(), "{}", known.repository);
            assert!(known.parameters() > 100_000_000, "{}", known.repository);
        }
        // As the hub counts them.
        let qwen = Known::of("Qwen/Qwen3-VL-8B-Instruct").map(|k| k.parameters());
        assert_eq!(qwen, Some(8_767_123_696));
        assert_eq!(Known::of("nobody/nothing"), None);
    }
}
