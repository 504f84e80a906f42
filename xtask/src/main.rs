//! Project checks and generated files: `cargo xtask layers`, `cargo xtask gen [--check]`.
//!
//! Built without the feature `references`, it needs no crate of the program: so the layers and the
//! boundary are checked before anything heavy is compiled.

mod boundary;
mod generate;
mod graph;
mod layers;
#[cfg(feature = "references")]
mod references;
mod rings;
mod rules;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

/// Project checks and generated files.
#[derive(Parser)]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check which crate may reach which, the lints that all keep, and that files stay short
    Layers,
    /// Write the generated files
    Gen {
        /// Compare instead of writing
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<()> {
    let root = root()?;
    match Xtask::parse().task {
        Task::Layers => layers::check(&root),
        Task::Gen { check } => generate::files(&root, check),
    }
}

/// The workspace's folder: the parent of this crate's.
fn root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .ok_or_else(|| anyhow::anyhow!("xtask has no parent folder"))
}
