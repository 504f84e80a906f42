//! The commands.

pub(crate) mod assets;
pub(crate) mod auditor;
pub(crate) mod dataset;
pub(crate) mod evaluate;
pub(crate) mod models;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod sweep;

use std::path::Path;

use albumen_schema::{Config, ConfigError};

use crate::failure::{Failure, Outcome};

/// Reads a configuration; whatever is wrong with it is the user's to mend.
pub(crate) fn read_config(path: &Path) -> Outcome<Config> {
    read(path, Config::parse)
}

/// Reads a configuration that another version may have checked, for what is shown and not computed.
pub(crate) fn read_kept_config(path: &Path) -> Outcome<Config> {
    read(path, Config::parse_unchecked)
}

fn read(path: &Path, parse: fn(&str, &str) -> Result<Config, ConfigError>) -> Outcome<Config> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::usage(anyhow::anyhow!(
            "cannot read the configuration {}: {e}",
            path.display()
        ))
    })?;
    parse(&path.display().to_string(), &text).map_err(Failure::usage)
}
