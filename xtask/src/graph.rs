//! What a crate is built of, as cargo resolves it for that crate alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// One version of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    version: String,
    /// Whether it comes from a registry.
    pub(crate) third_party: bool,
}

/// The packages that one crate is built of, build scripts' and macros' included, tests' left out.
pub(crate) struct Graph {
    /// From each package but the first to one that needs it, on a shortest way.
    needed_by: BTreeMap<Package, Package>,
}

impl Graph {
    /// Of the crate alone: other crates of a build may switch on features of what it depends on, but
    /// those are theirs.
    pub(crate) fn of(root: &Path, name: &str) -> anyhow::Result<Self> {
        // For this machine only: what other systems need may never have been downloaded.
        let text = cargo(
            root,
            &[
                "tree",
                "--locked",
                "--offline",
                "--package",
                name,
                "--edges",
                "normal,build",
                "--prefix",
                "depth",
                "--format",
                "|{p}",
            ],
        )?;
        Self::parse(&text).with_context(|| format!("cargo tree --package {name}"))
    }

    /// Reads `cargo tree`'s lines of depth and package.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut edges: BTreeMap<Package, BTreeSet<Package>> = BTreeMap::new();
        let mut above: Vec<Package> = Vec::new();
        for line in text.lines().filter(|l| !l.is_empty()) {
            let (depth, package) = line.split_once('|').context("a line without depth")?;
            let depth: usize = depth.parse().context("a depth that is no number")?;
            let package = Package::parse(package).context("a package without version")?;
            above.truncate(depth);
            if let Some(parent) = above.last() {
                let needs = edges.entry(parent.clone()).or_default();
                needs.insert(package.clone());
            }
            above.push(package);
        }
        let root = above.into_iter().next().context("no package")?;
        Ok(Self::new(&root, &edges))
    }

    fn new(root: &Package, edges: &BTreeMap<Package, BTreeSet<Package>>) -> Self {
        let mut needed_by = BTreeMap::new();
        let mut open = VecDeque::from([root.clone()]);
        while let Some(package) = open.pop_front() {
            for next in edges.get(&package).into_iter().flatten() {
                if next != root && !needed_by.contains_key(next) {
                    needed_by.insert(next.clone(), package.clone());
                    open.push_back(next.clone());
                }
            }
        }
        Self { needed_by }
    }

    /// Every package but the crate itself.
    pub(crate) fn reach(&self) -> impl Iterator<Item = &Package> {
        self.needed_by.keys()
    }

    /// The names on a shortest way from the crate to the package.
    pub(crate) fn route<'a>(&'a self, to: &'a Package) -> Vec<&'a str> {
        let mut names = vec![to.name.as_str()];
        let mut at = to;
        while let Some(from) = self.needed_by.get(at) {
            names.push(&from.name);
            at = from;
        }
        names.reverse();
        names
    }
}

impl Package {
    /// `NAME vVERSION`, followed by the folder where it is not from a registry.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            third_party: !words.any(|w| w.starts_with("(/") || w.starts_with("(\\")),
        })
    }
}

/// A crate of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest: std::path::PathBuf,
}

/// The crates of the workspace.
pub(crate) fn members(root: &Path) -> anyhow::Result<Vec<Member>> {
    let text = cargo(
        root,
        &[
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--locked",
            "--offline",
        ],
    )?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let member = |p: &Value| {
        Some(Member {
            name: p["name"].as_str()?.to_owned(),
            manifest: p["manifest_path"].as_str()?.into(),
        })
    };
    Ok(packages.filter_map(member).collect())
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        let verb = arguments.first().copied().unwrap_or_default();
        bail!("cargo {verb}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_with_versions_and_routes() {
        let text = "0|a v0.1.0 (/w/a)\n1|b v0.1.0 (/w/b)\n2|serde v1.0.0\n3|syn v2.0.0 (proc-macro)\n\
                    1|c v0.2.0\n2|serde v1.0.0 (*)\n2|syn v3.0.0\n";
        let graph = Graph::parse(text).unwrap();
        let names: Vec<_> = graph
            .reach()
            .map(|p| (p.name.as_str(), p.third_party))
            .collect();
        let expected = [
            ("b", false),
            ("c", true),
            ("serde", true),
            ("syn", true),
            ("syn", true),
        ];
        assert_eq!(names, expected);
        let old = graph.reach().find(|p| p.version == "2.0.0").unwrap();
        assert_eq!(graph.route(old), ["a", "b", "serde", "syn"]);
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        assert!(Graph::parse("").is_err());
        assert!(Graph::parse("a v0.1.0\n").is_err());
        assert!(Graph::parse("0|a\n").is_err());
    }
}
