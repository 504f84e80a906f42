//! Project checks and generated references: `cargo xtask layers`, `cargo xtask gen [--check]`.

mod boundary;
mod generate;
mod layers;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

/// Project checks and generated references.
#[derive(Parser)]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check which crate may reach which, and that files stay short
    Layers,
    /// Write the generated references
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
        Task::Gen { check } => generate::references(&root, check),
    }
}

/// The workspace's folder: the parent of this crate's.
fn root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .ok_or_else(|| anyhow::anyhow!("xtask has no parent folder"))
}
