//! The run directory: layout, locking, and stages that are written whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use albumen_files::{Part, make_private_dir, sha256_of_file, write_whole};
use albumen_schema::{Config, StageManifest};
use anyhow::{Context, bail, ensure};
use walkdir::WalkDir;

use crate::departures;
use crate::failure::Outcome;
use crate::stages::{Stage, served};

/// Name of the file that says what a stage was made from.
pub(crate) const MANIFEST: &str = "stage.json";
/// Name of the file that holds the configuration.
const CONFIGURATION: &str = "run.toml";

/// A run's directory, held against a second writer for as long as this lives.
pub struct RunDir {
    root: PathBuf,
    _lock: File,
}

impl RunDir {
    /// Opens or creates the directory, takes its lock and writes down the configuration.
    pub(crate) fn open(root: &Path, config: &Config) -> Outcome<Self> {
        fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
        let lock = File::create(root.join(".lock"))
            .with_context(|| format!("cannot write into {}", root.display()))?;
        if lock.try_lock().is_err() {
            return Err(anyhow::anyhow!(
                "another albumen works in {}\n  hint: wait for it, or use another --out",
                root.display()
            )
            .into());
        }
        let dir = Self {
            root: root.to_owned(),
            _lock: lock,
        };
        let begun = [
            dir.departures(),
            dir.private(),
            dir.root.join(CONFIGURATION),
        ];
        if !begun.iter().any(|path| path.exists()) {
            departures::begin(&dir.departures())?;
        }
        dir.make_private()?;
        dir.keep_configuration(config)?;
        Ok(dir)
    }

    fn make_private(&self) -> anyhow::Result<()> {
        make_private_dir(&self.private())?;
        Ok(fs::create_dir_all(self.private().join("escrow"))?)
    }

    /// Writes `run.toml`. Once the ledger holds an event, what led to it must stay as it was.
    fn keep_configuration(&self, config: &Config) -> anyhow::Result<()> {
        let path = self.root.join(CONFIGURATION);
        if self.ledger().exists() {
            ensure!(
                path.exists(),
                "{} has a ledger but no run.toml, which says what was asked for\n  hint: put run.toml \
                 back, or use another --out",
                self.root.display()
            );
            let text = fs::read_to_string(&path)?;
            let before = Config::parse_unchecked(&path.display().to_string(), &text)
                .context("this run directory's own configuration no longer reads")?;
            if let Some(difference) = private_difference(&before, config) {
                bail!(
                    "{} was made with another configuration: {difference} differs\n  \
                     hint: its ledger already holds what was spent; use another --out, or put the \
                     value back",
                    self.root.display()
                );
            }
        }
        Ok(write_whole(&path, config.to_toml()?.as_bytes())?)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What never leaves.
    pub fn private(&self) -> PathBuf {
        self.root.join("private")
    }

    /// The ledger of the run.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.jsonl")
    }

    /// What has left the machine for servers.
    pub fn departures(&self) -> PathBuf {
        self.root.join(departures::FILE)
    }

    /// The released adapter of a model.
    pub fn model(&self, name: &str) -> PathBuf {
        self.root.join("models").join(name)
    }

    /// The released statistics of the private albums.
    pub fn statistics(&self) -> PathBuf {
        self.root.join("statistics")
    }

    /// The synthetic stages.
    pub fn synthetic(&self) -> PathBuf {
        self.root.join("synthetic")
    }

    /// What may be shared.
    pub fn release(&self) -> PathBuf {
        self.root.join("release")
    }
}

/// The first part of the configuration that private outputs depend on and that differs.
fn private_difference(before: &Config, now: &Config) -> Option<&'static str> {
    [
        ("[corpus]", before.corpus != now.corpus),
        ("[caption]", before.caption != now.caption),
        ("[summarize]", before.summarize != now.summarize),
        ("[endpoint]", asked(before) != asked(now)),
        ("[privacy]", before.privacy != now.privacy),
        ("[release]", before.release != now.release),
        (
            "[topics]",
            now.release.topic_histogram_epsilon > 0.0 && before.topics != now.topics,
        ),
        ("[train]", before.train != now.train),
    ]
    .into_iter()
    .find_map(|(table, differs)| differs.then_some(table))
}

/// How servers were asked about private data.
fn asked(config: &Config) -> [serde_json::Value; 2] {
    [Stage::Caption, Stage::Summarize].map(|stage| served::settings(config, stage))
}

/// SHA-256 of every file below `dir` but the manifest, by relative path.
pub(crate) fn hashes(dir: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in WalkDir::new(dir).sort_by_file_name() {
        let entry = entry?;
        let name = entry
            .path()
            .strip_prefix(dir)?
            .to_string_lossy()
            .into_owned();
        if entry.file_type().is_file() && name != MANIFEST {
            found.insert(name, sha256_of_file(entry.path())?);
        }
    }
    Ok(found)
}

/// The manifest at `path`, if it reads.
pub(crate) fn read_manifest(path: &Path) -> Option<StageManifest> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Whether `dir`, which the manifest at `manifest` speaks of, was made from the same as `expected` says,
/// and is as it was left.
pub(crate) fn holds(manifest: &Path, dir: &Path, expected: &StageManifest) -> anyhow::Result<bool> {
    let Some(mut found) = read_manifest(manifest) else {
        return Ok(false);
    };
    let outputs = std::mem::take(&mut found.outputs);
    Ok(found == *expected && dir.is_dir() && hashes(dir)? == outputs)
}

/// Writes the manifest into the directory that it speaks of, with the hashes of what lies there.
pub(crate) fn seal(dir: &Path, mut manifest: StageManifest) -> anyhow::Result<()> {
    manifest.outputs = hashes(dir)?;
    write_manifest(&dir.join(MANIFEST), &manifest)
}

/// Copies a finished directory, whole or not at all.
pub(crate) fn copy_whole(source: &Path, target: &Path) -> anyhow::Result<()> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let part = Part::start(target)?;
    for entry in WalkDir::new(source).min_depth(1) {
        let entry = entry?;
        let copy = part.path().join(entry.path().strip_prefix(source)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&copy)?;
        } else {
            fs::copy(entry.path(), &copy)
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(part.finish()?)
}

/// Writes a manifest.
pub(crate) fn write_manifest(path: &Path, manifest: &StageManifest) -> anyhow::Result<()> {
    Ok(write_whole(path, &serde_json::to_vec_pretty(manifest)?)?)
}
