//! Where the tests find the downloaded models.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::PathBuf;

/// The directory of an asset; fails with the mend where it is absent.
pub(crate) fn asset(name: &str) -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let home = variable("ALBUMEN_HOME")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("albumen")))
        .or_else(|| Some(variable("HOME")?.join(".cache/albumen")))
        .unwrap_or_default();
    let dir = home.join("assets").join(name);
    assert!(
        dir.is_dir(),
        "{} is missing: run `make assets`",
        dir.display()
    );
    dir
}
