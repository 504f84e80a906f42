//! The binary, and what tests of whole runs share.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test file uses a part of these helpers, which fail by panicking"
)]

use std::path::Path;

use assert_cmd::Command;

#[path = "../../../albumen-run/tests/support/mod.rs"]
mod tiny;

pub(crate) use tiny::*;

/// The binary, to be run in `dir`.
pub(crate) fn albumen(dir: &Path) -> Command {
    let mut command = Command::cargo_bin("albumen").unwrap();
    command.current_dir(dir);
    command
}

/// Runs `albumen ARGS` in `dir`: exit code and stderr.
pub(crate) fn say(dir: &Path, args: &[&str]) -> (i32, String) {
    let output = albumen(dir).args(args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

/// Runs `albumen ARGS` in `dir`, which must succeed; gives stderr.
pub(crate) fn succeed(dir: &Path, args: &[&str]) -> String {
    let (code, said) = say(dir, args);
    assert_eq!(code, 0, "{args:?}: {said}");
    said
}
