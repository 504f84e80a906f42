//! The privacy unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The privacy unit: what add/remove adjacency adds or removes.
///
/// It is always named by the user; no code supplies a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// One album: the guarantee holds for each album alone.
    Album,
    /// One owner with every album of theirs.
    Owner,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Album => "album",
            Self::Owner => "owner",
        })
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "album" => Ok(Self::Album),
            "owner" => Ok(Self::Owner),
            other => Err(format!("unknown unit `{other}`; use `album` or `owner`")),
        }
    }
}
