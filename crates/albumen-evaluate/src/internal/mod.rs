//! `report.internal.html`: what the synthetic albums are like beside the private ones, for the team.
//!
//! Nothing here is differentially private: the evaluation stays sealed until it is written, stamped, to
//! files that only their owner may read.

mod curves;
mod dots;
mod page;
mod sweep;

use std::path::Path;

use albumen_dp::Sensitive;
use albumen_files::write_private;
use albumen_schema::{AlbumText, Curated, Unit, UnitTexts};
use albumen_synth::curate::SentenceEmbedding;
use serde_json::json;

use crate::compare::{Evaluation, EvaluationSettings, Role, STAMP, TextAlbum, evaluate, halves};
use crate::error::Result;

pub use page::{InternalReport, render_internal_report};
pub use sweep::{ChoiceCost, Sweep, SweepPoint, render_sweep, write_sweep};

/// The synthetic sides of an evaluation: each with every verdict, so that all albums and the kept ones
/// are both measured.
#[derive(Clone, Copy, Debug)]
pub struct SyntheticSides<'a> {
    /// The run's albums.
    pub run: &'a [Curated],
    /// What the public model writes without an adapter, by the same prompts and filters.
    pub floor: &'a [Curated],
}

/// Compares the synthetic albums with the private ones, which are split into two halves by unit.
///
/// `progress` is told the finished share of the work, in steps whose number is public.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_run(
    units: Sensitive<Vec<UnitTexts>>,
    unit: Unit,
    sides: SyntheticSides<'_>,
    embedder: &dyn SentenceEmbedding,
    settings: &EvaluationSettings,
    progress: &mut dyn FnMut(f64),
) -> Result<Sensitive<Evaluation>> {
    let (sampled, kept) = both(sides.run);
    let (floor, floor_kept) = both(sides.floor);
    let found = units.map(|units| {
        let albums = units.into_iter().flatten();
        let albums = albums.map(|album| text_album(album, unit)).collect();
        let (reference, held_out) = halves(albums, settings.seed);
        let sets: [(Role, &[TextAlbum]); 5] = [
            (Role::Kept, &kept),
            (Role::Sampled, &sampled),
            (Role::HeldOut, &held_out),
            (Role::Floor, &floor),
            (Role::FloorKept, &floor_kept),
        ];
        evaluate(&reference, &sets, embedder, settings, progress)
    });
    #[expect(
        clippy::disallowed_methods,
        reason = "an error of the evaluation names no text and no number; its result is sealed again"
    )]
    found.into_exposed().map(Sensitive::new)
}

fn both(curated: &[Curated]) -> (Vec<TextAlbum>, Vec<TextAlbum>) {
    let albums = |kept_only: bool| {
        let chosen = curated.iter().filter(|c| !kept_only || c.verdict.kept());
        chosen.map(|c| TextAlbum::from(&c.album)).collect()
    };
    (albums(false), albums(true))
}

fn text_album(album: AlbumText, unit: Unit) -> TextAlbum {
    TextAlbum {
        unit: match unit {
            Unit::Album => album.album_id,
            Unit::Owner => album.owner_id,
        },
        summary: album.summary,
        captions: album.captions,
    }
}

/// Writes the report to `out`, whole or not at all, for its owner's eyes only.
///
/// # Errors
/// A full disk or a failing template.
pub fn write_internal_report(
    report: &InternalReport<'_>,
    evaluation: &Sensitive<Evaluation>,
    out: &Path,
) -> Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "report.internal.html: stamped, mode 0600, never in a release"
    )]
    let html = render_internal_report(report, evaluation.expose())?;
    Ok(write_private(out, html.as_bytes())?)
}

/// Writes everything that was measured to `out`, stamped, for its owner's eyes only.
///
/// # Errors
/// A full disk.
pub fn write_metrics(evaluation: &Sensitive<Evaluation>, out: &Path) -> Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "private/evaluate/metrics.json: stamped, mode 0600, under private/"
    )]
    let record = json!({"stamp": STAMP, "evaluation": evaluation.expose()});
    Ok(write_private(out, &serde_json::to_vec_pretty(&record)?)?)
}
