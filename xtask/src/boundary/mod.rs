//! docs/boundary.md: every place where a private value leaves its seal, from the calls in the code.
//!
//! Two readers watch the same calls. clippy resolves types and refuses every call of a disallowed
//! method without an `#[expect]`, and every `#[expect]` without such a call. This one reads the syntax
//! and lists each call with the reason that stands around it. It goes by the method's name, so it may
//! see too much, never too little: a method of the same name on another type must have a row in
//! [`NAMESAKES`], which lifts nothing, since clippy still refuses the call if it is a seal's after all.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use walkdir::WalkDir;

use calls::Call;

/// A method that only shares its name with one that is disallowed.
struct Namesake {
    file: &'static str,
    function: &'static str,
    method: &'static str,
    /// The type that it belongs to.
    of: &'static str,
}

/// Calls of them.
const NAMESAKES: &[Namesake] = &[];

/// A call and the file that it stands in.
type Opening = (String, Call);

/// The page.
///
/// # Errors
/// Every call without a reason, and everything that lifts the lint without being undone by clippy when
/// the call has gone.
pub(crate) fn page(root: &Path) -> anyhow::Result<String> {
    let methods = disallowed(&fs::read_to_string(root.join("clippy.toml"))?)?;
    let openings = without_namesakes(openings(root, &methods)?, NAMESAKES)?;
    table(&openings, &methods)
}

/// The methods that clippy.toml disallows in the workspace's own types: name, and name with its type.
fn disallowed(clippy: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let clippy: toml::Table = clippy.parse().context("clippy.toml")?;
    let listed = clippy.get("disallowed-methods").and_then(|v| v.as_array());
    let paths = (listed.into_iter().flatten())
        .filter_map(|v| v.as_str().or_else(|| v.get("path")?.as_str()))
        .filter(|path| path.starts_with("albumen_"));
    let mut methods = BTreeMap::new();
    for path in paths {
        let mut names = path.rsplit("::");
        let (Some(name), Some(of)) = (names.next(), names.next()) else {
            bail!("clippy.toml disallows {path}, which is no method");
        };
        if methods
            .insert(name.to_owned(), format!("{of}::{name}"))
            .is_some()
        {
            bail!(
                "clippy.toml disallows two methods named {name}: this page could not tell them apart"
            );
        }
    }
    if methods.is_empty() {
        bail!("clippy.toml disallows no method of the workspace");
    }
    Ok(methods)
}

/// Every call in the crates' sources, examples and benches, modules of tests apart.
fn openings(root: &Path, methods: &BTreeMap<String, String>) -> anyhow::Result<Vec<Opening>> {
    let names: BTreeSet<String> = methods.keys().cloned().collect();
    let mut files = BTreeMap::new();
    let mut tests = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in sources(root)? {
        let name = path.strip_prefix(root)?.display().to_string();
        let text = fs::read_to_string(&path)?;
        let found = calls::in_text(&text, &names).with_context(|| format!("in {name}"))?;
        tests.extend(found.test_modules.iter().map(|m| m.place(&path)));
        for line in found.lifted {
            wrong.push(format!(
                "{name}:{line} lifts the lint otherwise than by #[expect(clippy::disallowed_methods, \
                 reason = \"...\")]"
            ));
        }
        files.insert(path, (name, found.calls));
    }
    let of_tests = |path: &Path| {
        tests.iter().any(|module: &PathBuf| {
            path.starts_with(module) || path == module.with_extension("rs") || path == module
        })
    };
    let mut openings = Vec::new();
    for (path, (name, calls)) in files {
        if !of_tests(&path) {
            openings.extend(calls.into_iter().map(|call| (name.clone(), call)));
        }
    }
    if wrong.is_empty() {
        return Ok(openings);
    }
    bail!("{}", wrong.join("\n"))
}

fn sources(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(root.join("crates")).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path();
        let inside = path.strip_prefix(root.join("crates"))?;
        let folder = inside.components().nth(1);
        let read = folder.is_some_and(|f| f.as_os_str() != "tests" && f.as_os_str() != "target");
        if read && entry.file_type().is_file() && path.extension().is_some_and(|e| e == "rs") {
            found.push(path.to_owned());
        }
    }
    Ok(found)
}

/// Drops the calls that belong to another type; each row must stand for one.
fn without_namesakes(
    mut openings: Vec<Opening>,
    namesakes: &[Namesake],
) -> anyhow::Result<Vec<Opening>> {
    for n in namesakes {
        let before = openings.len();
        openings.retain(|(file, call)| {
            (file.as_str(), call.function.as_str(), call.method.as_str())
                != (n.file, n.function, n.method)
        });
        if openings.len() == before {
            bail!(
                "xtask lists {} in {} of {} as {}'s, but there is no such call",
                n.method,
                n.function,
                n.file,
                n.of
            );
        }
    }
    Ok(openings)
}

fn table(openings: &[Opening], methods: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let mut text = String::from(
        "<!-- Generated by `cargo xtask gen`: do not edit. -->\n# The boundary\n\n\
         Private values travel as `albumen_dp::Sensitive`. Opening one is a disallowed method \
         (clippy.toml), and so is whatever else the seals hang on. Each of the calls below lifts \
         that with a reason; `make check` fails where one has none or is missing from this page. \
         Inside `albumen-corpus`, the reader of private photos, albums are plain values; everything \
         that crate gives away is sealed, or a file under `private/`.\n\n\
         What keeps the rest honest: `ClippedSum` cannot be read before noise is added, `Released` \
         can be had only by writing its event to the ledger (both with compile-fail tests in \
         albumen-dp), a `Released` that says `Trained` or `Drawn` can be made by albumen-dp or \
         albumen-oneshot alone (each other mechanism would stand below as a call of `sealed_by`), \
         and `cargo xtask layers` keeps the public crates from reaching private \
         data.\n\n\
         | file | function | call | why it may |\n|---|---|---|---|\n",
    );
    let mut without = Vec::new();
    let mut counts: BTreeMap<(&str, &str, &str, &str), usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for (file, call) in openings {
        let Some(reason) = &call.reason else {
            without.push(format!(
                "{file}:{}: {} in {} stands without a reason: add #[expect(\
                 clippy::disallowed_methods, reason = \"...\")]",
                call.line, call.method, call.function
            ));
            continue;
        };
        let row = (
            file.as_str(),
            call.function.as_str(),
            call.method.as_str(),
            reason.as_str(),
        );
        let count = counts.entry(row).or_default();
        if *count == 0 {
            rows.push(row);
        }
        *count += 1;
    }
    if !without.is_empty() {
        bail!("{}", without.join("\n"));
    }
    for row in rows {
        let (file, function, method, reason) = row;
        let times = match counts[&row] {
            1 => String::new(),
            n => format!(", {n} times"),
        };
        let method = methods.get(method).map_or(method, String::as_str);
        let function = Some(function)
            .filter(|f| !f.is_empty())
            .unwrap_or("outside functions");
        let reason = reason.replace('|', "\\|");
        let _ = writeln!(
            text,
            "| `{file}` | `{function}` | `{method}`{times} | {reason} |"
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
