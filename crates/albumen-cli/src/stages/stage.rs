//! The stages by name, in their order.

use albumen_train::Model;

/// A stage, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Stage {
    /// Read and check the private albums.
    Ingest,
    /// Caption every photo.
    Caption,
    /// Summarise every album.
    Summarize,
    /// Sort the public model's own sentences into topics, where something asks for them.
    Topics,
    /// Publish noisy statistics of the private albums, where [release] asks for them.
    Statistics,
    /// Train both models on public albums, where [train.public] names them.
    TrainPublic,
    /// Train the summary model.
    TrainSummary,
    /// Train the caption model.
    TrainCaption,
    /// Train the one model of `train.layout = "flat"`.
    TrainAlbum,
    /// Sample synthetic albums.
    Generate,
    /// Judge them.
    Curate,
    /// Draw the kept ones.
    Render,
    /// Write the release.
    Export,
    /// Write report.html.
    Report,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 14] = [
        Self::Ingest,
        Self::Caption,
        Self::Summarize,
        Self::Topics,
        Self::Statistics,
        Self::TrainPublic,
        Self::TrainSummary,
        Self::TrainCaption,
        Self::TrainAlbum,
        Self::Generate,
        Self::Curate,
        Self::Render,
        Self::Export,
        Self::Report,
    ];

    /// The model that a private training trains.
    pub(crate) fn model(self) -> Option<Model> {
        match self {
            Self::TrainSummary => Some(Model::Summary),
            Self::TrainCaption => Some(Model::Caption),
            Self::TrainAlbum => Some(Model::Album),
            _ => None,
        }
    }

    /// Whether it is a private training.
    pub(crate) fn trains(self) -> bool {
        self.model().is_some()
    }

    /// Whether it spends budget.
    pub(crate) fn releases(self) -> bool {
        self.trains() || self == Self::Statistics
    }

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Caption => "caption",
            Self::Summarize => "summarize",
            Self::Topics => "topics",
            Self::Statistics => "statistics",
            Self::TrainPublic => "train-public",
            Self::TrainSummary => "train-summary",
            Self::TrainCaption => "train-caption",
            Self::TrainAlbum => "train-album",
            Self::Generate => "generate",
            Self::Curate => "curate",
            Self::Render => "render",
            Self::Export => "export",
            Self::Report => "report",
        }
    }
}
