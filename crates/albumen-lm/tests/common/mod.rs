//! What several test files need.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;

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
