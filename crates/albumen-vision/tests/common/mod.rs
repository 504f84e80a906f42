//! Where the tests find the downloaded models.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::PathBuf;

/// The directory of an asset; fails with the mend where it is absent.
pub(crate) fn asset(name: &str) -> PathBuf {
    let home = std::env::var_os("ALBUMEN_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|d| PathBuf::from(d).join("albumen")));
    let home = home.unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/albumen")
    });
    let dir = home.join("assets").join(name);
    assert!(
        dir.is_dir(),
        "{} is missing: run `make assets`",
        dir.display()
    );
    dir
}
