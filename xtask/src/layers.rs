//! Which crate may reach which, and how long files may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;
use walkdir::WalkDir;

/// Longest file, in lines; tests may be longer.
const MAX_LINES: usize = 420;

/// `(crate, what it must not reach, why)`.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "albumen-synth",
        &["albumen-corpus", "albumen-train", "albumen-dp"],
        "synthesis is post-processing: it must not be able to read private data",
    ),
    (
        "albumen-lm",
        &[
            "albumen-dp",
            "albumen-accounting",
            "albumen-corpus",
            "albumen-schema",
        ],
        "the language model knows nothing of privacy",
    ),
    (
        "albumen-vision",
        &["albumen-dp", "albumen-accounting", "albumen-corpus"],
        "image models are frozen and public",
    ),
    (
        "albumen-captioner",
        &["albumen-dp", "albumen-accounting", "albumen-corpus"],
        "captioners are frozen and public",
    ),
    (
        "albumen-diffusion",
        &["albumen-dp", "albumen-accounting", "albumen-corpus"],
        "text-to-image models are frozen and public",
    ),
    (
        "albumen-endpoint",
        &["albumen-dp", "albumen-accounting", "albumen-corpus"],
        "a client knows of requests, not of albums",
    ),
    (
        "albumen-models",
        &["candle-core", "albumen-schema", "albumen-dp"],
        "finding a model loads none, and knows nothing of albums",
    ),
    (
        "albumen-accounting",
        &["candle-core", "albumen-lm", "albumen-dp"],
        "the accountant stays small enough to check",
    ),
    (
        "albumen-dp",
        &["candle-core", "albumen-lm", "albumen-corpus"],
        "the mechanisms know nothing of models",
    ),
    (
        "albumen-topics",
        &["albumen-dp", "albumen-corpus", "albumen-schema"],
        "clusters and words know of no albums",
    ),
    (
        "albumen-schema",
        &["albumen-accounting", "albumen-dp", "albumen-lm"],
        "types only",
    ),
];

/// Fails with every broken rule.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let graph = dependencies(root)?;
    let mut broken = Vec::new();
    for (name, banned, why) in FORBIDDEN {
        let reached = reach(&graph, name);
        for other in *banned {
            if reached.contains(*other) {
                broken.push(format!("{name} reaches {other}: {why}"));
            }
        }
    }
    broken.extend(long_files(root)?);
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("\n"))
}

/// The platform that the compiler builds for.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// Normal dependencies of every package, by name.
fn dependencies(root: &Path) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    // For this machine only: what other systems need was never downloaded.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", &host()?])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let names: BTreeMap<String, String> = list(&metadata["packages"])
        .iter()
        .map(|p| (text(&p["id"]), text(&p["name"])))
        .collect();
    let mut graph = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let normal = list(&node["deps"])
            .iter()
            .filter(|d| list(&d["dep_kinds"]).iter().any(|k| k["kind"].is_null()))
            .filter_map(|d| names.get(&text(&d["pkg"])).cloned())
            .collect();
        if let Some(name) = names.get(&text(&node["id"])) {
            graph.insert(name.clone(), normal);
        }
    }
    Ok(graph)
}

fn reach<'a>(graph: &'a BTreeMap<String, BTreeSet<String>>, from: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        for next in graph.get(name).into_iter().flatten() {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
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
    fn a_way_around_is_found() {
        let edge = |to: &str| BTreeSet::from([to.to_owned()]);
        let graph = BTreeMap::from([
            ("albumen-synth".to_owned(), edge("helper")),
            ("helper".to_owned(), edge("albumen-corpus")),
        ]);
        assert!(reach(&graph, "albumen-synth").contains("albumen-corpus"));
        assert!(!reach(&graph, "albumen-corpus").contains("albumen-synth"));
    }
}
