//! What follows from a stage's row: its name, its side of the boundary, where its files lie.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use albumen_schema::config::Layout;
use albumen_train::Model;

use super::table::Output;
pub use super::table::Stage;
use crate::run_dir::RunDir;

/// Which side of the boundary a stage works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Reads private data and leaves private data, under `private/`. Its progress is told in twentieths.
    Private,
    /// Reads private data and releases something through the ledger. Its manifest names hashes of private
    /// tables, so it lies under `private/`.
    Boundary,
    /// Reads nothing private.
    Public,
}

/// The private trainings of a layout.
pub(crate) fn trained(layout: Layout) -> &'static [Stage] {
    match layout {
        Layout::Hierarchical => &[Stage::TrainSummary, Stage::TrainCaption],
        Layout::Flat => &[Stage::TrainAlbum],
    }
}

impl Stage {
    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it does, in a sentence.
    pub fn what(self) -> &'static str {
        self.row().what
    }

    /// Which side of the boundary it works on.
    pub fn ring(self) -> Ring {
        self.row().ring
    }

    /// The model that a private training trains.
    pub(crate) fn model(self) -> Option<Model> {
        match self {
            Self::TrainSummary => Some(Model::Summary),
            Self::TrainCaption => Some(Model::Caption),
            Self::TrainAlbum => Some(Model::Album),
            _ => None,
        }
    }

    /// Where the outputs lie in a run directory.
    pub(crate) fn output(self, dir: &RunDir) -> PathBuf {
        match self.row().output {
            Output::Private => dir.private().join(self.name()),
            Output::Model(name) => dir.model(name),
            Output::Statistics => dir.statistics(),
            Output::Synthetic | Output::Resumed => dir.synthetic().join(self.name()),
            Output::Release => dir.release(),
            Output::Page(name) => dir.root().join(name),
        }
    }

    /// Where the manifest lies; none of a page. Hashes of private tables are private themselves.
    pub(crate) fn manifest(self, dir: &RunDir) -> Option<PathBuf> {
        let beside = format!("{}.json", self.name());
        match (self.row().output, self.ring()) {
            (Output::Page(_), _) => None,
            (Output::Release, _) => Some(dir.root().join(beside)),
            (_, Ring::Boundary) => Some(dir.private().join(beside)),
            _ => Some(self.output(dir).join(crate::run_dir::MANIFEST)),
        }
    }

    /// Whether the engine gives the stage a directory to fill.
    pub(crate) fn fills_a_directory(self) -> bool {
        !matches!(self.row().output, Output::Release | Output::Page(_))
    }

    /// Whether an unfinished try is gone on with.
    pub(crate) fn resumes(self) -> bool {
        matches!(self.row().output, Output::Resumed)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no stage has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no stage {0:?}")]
pub struct UnknownStage(String);

impl FromStr for Stage {
    type Err = UnknownStage;

    fn from_str(name: &str) -> Result<Self, UnknownStage> {
        let found = Self::ALL.iter().find(|stage| stage.name() == name);
        found.copied().ok_or_else(|| UnknownStage(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use albumen_schema::Config;

    use super::*;

    #[test]
    fn every_row_is_filled_and_every_stage_reads_earlier_ones() {
        let text = include_str!("../../../../configs/smoke.toml");
        let config = Config::parse("smoke.toml", text).unwrap();
        for &stage in Stage::ALL {
            assert!(!stage.name().is_empty() && !stage.what().is_empty());
            assert_eq!(stage.name().parse(), Ok(stage));
            for before in (stage.row().reads)(&config) {
                assert!(before < stage, "{stage} reads {before}");
            }
        }
        assert!("nothing".parse::<Stage>().is_err());
    }

    #[test]
    fn whatever_trains_on_private_albums_or_counts_them_is_at_the_boundary() {
        for &stage in Stage::ALL {
            let releases = stage.model().is_some() || stage == Stage::Statistics;
            assert_eq!(releases, stage.ring() == Ring::Boundary, "{stage}");
        }
    }
}
