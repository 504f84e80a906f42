//! Which crate may reach which, which lints every crate keeps, and how long files may be.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use walkdir::WalkDir;

use crate::graph::{self, Graph, Member};
use crate::rings::CRATES;
use crate::rules;

/// Longest file, in lines; tests may be longer.
const MAX_LINES: usize = 420;

/// Fails with every broken rule.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let members = graph::members(root)?;
    let names: Vec<String> = members.iter().map(|m| m.name.clone()).collect();
    let mut broken = rules::unmatched(CRATES, &names);
    for row in CRATES.iter().filter(|r| names.iter().any(|n| n == r.name)) {
        let graph = Graph::of(root, row.name)?;
        broken.extend(rules::broken(CRATES, row, &graph));
    }
    broken.extend(without_lints(&members)?);
    broken.extend(long_files(root)?);
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("\n"))
}

/// Crates that do not take the workspace's lints: there a seal could be broken without a word.
fn without_lints(members: &[Member]) -> anyhow::Result<Vec<String>> {
    let mut without = Vec::new();
    for member in members {
        let manifest = &member.manifest;
        let text = fs::read_to_string(manifest)
            .with_context(|| format!("cannot read {}", manifest.display()))?;
        if !takes_lints(&text) {
            let name = &member.name;
            without.push(format!("{name} has no `[lints] workspace = true`"));
        }
    }
    Ok(without)
}

fn takes_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim);
    lines.any(|l| l == "[lints]") && lines.next() == Some("workspace = true")
}

fn long_files(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut long = Vec::new();
    for folder in ["crates", "xtask"] {
        for entry in WalkDir::new(root.join(folder)).sort_by_file_name() {
            let entry = entry?;
            if entry.path().components().any(|c| c.as_os_str() == "tests") {
                continue;
            }
            if entry.path().extension().is_some_and(|e| e == "rs") {
                let lines = fs::read_to_string(entry.path())?.lines().count();
                if lines > MAX_LINES {
                    let name = entry.path().strip_prefix(root)?.display().to_string();
                    long.push(format!(
                        "{name} has {lines} lines; split it below {MAX_LINES}"
                    ));
                }
            }
        }
    }
    Ok(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_its_layers() {
        check(&crate::root().unwrap()).unwrap();
    }

    #[test]
    fn a_manifest_without_the_workspaces_lints_is_found() {
        assert!(takes_lints("[package]\n\n[lints]\nworkspace = true\n"));
        assert!(!takes_lints("[package]\nworkspace = true\n"));
        assert!(!takes_lints("[lints]\nworkspace = false\n"));
        assert!(!takes_lints("[lints.clippy]\nworkspace = true\n"));
    }

    #[test]
    fn long_files_are_found_and_tests_may_be_longer() {
        let dir = tempfile::tempdir().unwrap();
        let lines = |n| "\n".repeat(n);
        for (name, count) in [
            ("crates/a/src/fits.rs", MAX_LINES),
            ("crates/a/src/long.rs", MAX_LINES + 1),
            ("crates/a/src/long.txt", MAX_LINES + 1),
            ("crates/a/tests/long.rs", MAX_LINES + 1),
            ("xtask/src/main.rs", 1),
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, lines(count)).unwrap();
        }
        let found = long_files(dir.path()).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("long.rs has 421 lines"), "{found:?}");
    }

    #[test]
    fn a_crate_without_the_workspaces_lints_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let member = |name: &str, text: &str| {
            let manifest = dir.path().join(name);
            fs::write(&manifest, text).unwrap();
            let name = name.to_owned();
            Member { name, manifest }
        };
        let with = member("with", "[lints]\nworkspace = true\n");
        let found = without_lints(&[with, member("without", "[package]\n")]).unwrap();
        assert_eq!(found, ["without has no `[lints] workspace = true`"]);
    }
}
