//! `report.html`: one self-contained page about a run, for anyone.
//!
//! It is made from synthetic albums, the ledger and public settings, so it may be shared like the
//! release. It loads nothing from the network: style, script and thumbnails lie inside.

mod charts;
mod funnel;
mod gallery;
mod plots;
mod topics;

use std::path::Path;

use albumen_accounting::History;
use albumen_chart::{Colour, Key};
use albumen_files::write_whole;
use albumen_schema::{
    Curated, Departure, PrivacyStatement, PublicTrainingStatement, Statistic, TOOL,
};
use albumen_synth::SynthError;
use albumen_synth::curate::CurationSummary;
use albumen_synth::export::words;
use albumen_verify::statement::of_ledger;
use minijinja::context;
use minijinja::value::{Serde, Value};

use crate::error::{ReportError, Result};
use crate::shell::Page;
use crate::synthetic::SyntheticMetrics;

pub use topics::{AlbumTopic, AlbumTopics, MOST_CLUSTERED, MOST_TOPICS};

const PAGE: Page = Page {
    name: "report.html",
    template: include_str!("report.html.j2"),
    style: include_str!("style.css"),
    script: include_str!("script.js"),
    pictures: "data:",
};

/// What a report is made from; all of it may be shared.
#[derive(Clone, Copy, Debug)]
pub struct ReportData<'a> {
    /// Heading of the page.
    pub title: &'a str,
    /// What the private albums are, in public words; may be empty.
    pub source: &'a str,
    /// The public albums that the models learnt from without privacy, where there were any.
    pub public_training: Option<&'a PublicTrainingStatement>,
    /// What left the machine for servers.
    pub left_machine: &'a [Departure],
    /// Epsilon that the configuration allows.
    pub epsilon_allowed: f64,
    /// The run's verified ledger.
    pub ledger: &'a History,
    /// The statistics of the private albums that the ledger paid for.
    pub statistics: &'a [Statistic],
    /// Every sampled album with its verdict, in the order sampled.
    pub curated: &'a [Curated],
    /// The same in numbers, as curation wrote them down.
    pub curation: &'a CurationSummary,
    /// The directory that `albumen_synth::render::render` filled, or none before rendering.
    pub images: Option<&'a Path>,
    /// What was measured on the kept albums, if anything was.
    pub metrics: Option<&'a SyntheticMetrics>,
    /// The topics of the kept albums, where there are enough of them.
    pub topics: Option<&'a AlbumTopics>,
    /// Whether the pictures are illustrations and not an image model's.
    pub illustrations: bool,
}

/// Writes the report to `out`, whole or not at all.
///
/// # Errors
/// [`ReportError`]: a ledger without events, a missing or damaged picture, numbers of curation that
/// are not those of the albums, a full disk.
pub fn write_report(data: &ReportData<'_>, out: &Path) -> Result<()> {
    let html = render_report(data)?;
    Ok(write_whole(out, html.as_bytes())?)
}

/// The report as HTML.
///
/// # Errors
/// As [`write_report`].
pub fn render_report(data: &ReportData<'_>) -> Result<String> {
    let mut statement = of_ledger(data.ledger).map_err(SynthError::from)?;
    statement.public_training = data.public_training.cloned();
    statement.left_machine = data.left_machine.to_vec();
    let kept = data.curated.iter().filter(|c| c.verdict.kept());
    let table = [kept.clone().count(), data.curated.len()];
    let summary = [data.curation.kept, data.curation.sampled];
    if table != summary {
        return Err(ReportError::OtherCuration { summary, table });
    }
    let gallery = gallery::collect(data.curated, data.images, data.topics)?;
    let photos: usize = kept.clone().map(|c| c.album.captions.len()).sum();
    Ok(PAGE.render(context! {
        title => data.title,
        source => data.source.trim(),
        albums => words::count(kept.count() as u64),
        sampled => words::count(data.curated.len() as u64),
        photos => words::count(photos as u64),
        statement => figures(&statement),
        guarantee => words::guarantee(&statement),
        not_covered => words::not_covered(&statement),
        tuning => Value::from(Serde(words::tuning(&statement))),
        public_training => data.public_training.map(|p| p.source.trim()),
        insecure_seed => statement.insecure_seed,
        events => Value::from(Serde(&statement.events)),
        statistics => Value::from(Serde(words::statistics(data.statistics, statement.unit))),
        budget => Value::from(Serde(charts::budget(data, &statement)?)),
        funnel => Value::from(Serde(funnel::funnel(data.curation))),
        topics => Value::from(Serde(data.topics.map(AlbumTopics::rows))),
        topic_albums => data.topics.map(|t| words::count(t.albums as u64)),
        topic_seed => data.topics.map(|t| t.seed),
        measures => Value::from(Serde(data.metrics.map(plots::measures))),
        reasons => Value::from(Serde(gallery.reasons)),
        left_out => gallery.left_out.map(|n| words::count(n as u64)),
        gallery => gallery.json,
        illustrations => data.illustrations,
        keys => context! {
            albums => Key::Bar(Colour::Own).svg(),
            dealt => Key::Outline(Colour::Ink).svg(),
            left => Key::Bar(Colour::OwnSoft).svg(),
            fell => Key::Bar(Colour::Fell).svg(),
        },
        tool => TOOL,
    })?)
}

fn figures(statement: &PrivacyStatement) -> Value {
    context! {
        epsilon => words::epsilon(statement.epsilon),
        epsilon_lower => words::epsilon_lower(statement.epsilon_lower),
        epsilon_rdp => words::epsilon(statement.epsilon_rdp),
        delta => format!("{:e}", statement.delta),
        unit => statement.unit.to_string(),
        declared_units => words::count(statement.declared_units),
    }
}
