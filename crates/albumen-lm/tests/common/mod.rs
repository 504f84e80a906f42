//! What several test files need.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may"
)]

pub(crate) mod reference;

use std::path::{Path, PathBuf};

use albumen_lm::weights::LoadError;
use albumen_lm::{LmError, Weights};

/// A golden file or directory.
pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// An asset fetched by `albumen assets fetch`.
pub(crate) fn asset(name: &str) -> PathBuf {
    let set = |key: &str| {
        std::env::var_os(key)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let cache = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let home = set("ALBUMEN_HOME")
        .or_else(|| Some(cache()?.join("albumen")))
        .expect("HOME or ALBUMEN_HOME is set");
    let path = home.join("assets").join(name);
    assert!(
        path.is_file(),
        "{} is absent: run `make assets`",
        path.display()
    );
    path
}

/// Loads a checkpoint; what can be wrong with one is a [`LoadError`].
pub(crate) fn load(path: &Path) -> Result<Weights, LoadError> {
    Weights::load(path).map_err(|e| match e {
        LmError::Load(e) => e,
        other => panic!("{other}"),
    })
}

/// A copy of a golden directory whose config.json has one key changed.
pub(crate) fn with_config(name: &str, key: &str, value: serde_json::Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(golden(name).join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config[key] = value;
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    std::fs::copy(
        golden(name).join("model.safetensors"),
        folder.path().join("model.safetensors"),
    )
    .unwrap();
    folder
}
