//! `sweep.internal.html`: how close the synthetic albums are to the private ones, by epsilon.

use std::path::Path;

use albumen_chart::{Colour, Key, Stroke};
use albumen_dp::Sensitive;
use albumen_files::write_private;
use albumen_report::shell::Page;
use albumen_schema::TOOL;
use albumen_synth::export::words;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;
use serde_json::json;

use super::curves::{self, Plot};
use super::page;
use crate::compare::{Evaluation, Kind, Measure, Measured, Role, STAMP};
use crate::error::Result;

const PAGE: Page = Page {
    name: "sweep.internal.html",
    template: include_str!("sweep.html.j2"),
    style: page::STYLE,
    script: "",
    pictures: "'none'",
};

/// The measures that are drawn; all of them are in the table's file.
const DRAWN: [Measure; 9] = [
    Measure::Mauve,
    Measure::Frechet,
    Measure::TransferAccuracy,
    Measure::Coverage,
    Measure::Density,
    Measure::TopicDivergence,
    Measure::WordDivergence,
    Measure::ClosestDistance,
    Measure::CopiedWords,
];

/// One training of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct SweepPoint {
    /// The epsilon that was asked for; none where neither clipping nor noise was used.
    pub epsilon: Option<f64>,
    /// What the run's ledger spent.
    pub spent: Option<f64>,
    /// Albums sampled.
    pub sampled: usize,
    /// Albums that curation kept.
    pub kept: usize,
}

impl SweepPoint {
    /// The epsilon in words, `inf` for none.
    pub fn name(&self) -> String {
        self.epsilon
            .map_or_else(|| "inf".to_owned(), |epsilon| format!("{epsilon}"))
    }
}

/// What publishing one of the runs costs, chosen by something that is not private.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ChoiceCost {
    /// Private runs.
    pub runs: usize,
    /// Epsilon of all of them together.
    pub epsilon: f64,
    /// The same, from below.
    pub epsilon_lower: f64,
    /// At this delta.
    pub delta: f64,
}

/// A sweep without its measures.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// Name of the configuration.
    pub title: String,
    /// The embedder's name.
    pub embedder: String,
    /// The privacy unit.
    pub unit: String,
    /// Public number of units.
    pub declared_units: u64,
    /// The trainings, epsilon rising.
    pub points: Vec<SweepPoint>,
    /// What a choice among them costs; none without a private run.
    pub choice: Option<ChoiceCost>,
}

/// A row of the table.
#[derive(Serialize)]
struct Row {
    /// The epsilon that was asked for; null without privacy.
    epsilon: Option<f64>,
    /// `summaries`, `captions` or `albums`.
    texts: &'static str,
    set: Role,
    measure: &'static str,
    value: f64,
    low: f64,
    high: f64,
    /// Texts on either side.
    n: usize,
}

/// Writes the page to `page` and the table to `table`, stamped, for their owner's eyes only.
/// `evaluations` are those of the sweep's points, in their order.
///
/// # Errors
/// A full disk or a failing template.
pub fn write_sweep(
    sweep: &Sweep,
    evaluations: &[Sensitive<Evaluation>],
    page: &Path,
    table: &Path,
) -> Result<()> {
    let opened: Vec<&Evaluation> = evaluations
        .iter()
        .map(|evaluation| {
            #[expect(
                clippy::disallowed_methods,
                reason = "sweep.internal.html and .json: stamped, mode 0600, never in a release"
            )]
            let opened = evaluation.expose();
            opened
        })
        .collect();
    let record = json!({"stamp": STAMP, "sweep": sweep, "measures": rows(sweep, &opened)});
    write_private(table, &serde_json::to_vec_pretty(&record)?)?;
    Ok(write_private(
        page,
        render_sweep(sweep, &opened)?.as_bytes(),
    )?)
}

fn rows(sweep: &Sweep, evaluations: &[&Evaluation]) -> Vec<Row> {
    let points = sweep.points.iter().zip(evaluations);
    points
        .flat_map(|(point, evaluation)| {
            let row = |texts: &'static str, m: &Measured| Row {
                epsilon: point.epsilon,
                texts,
                set: m.role,
                measure: m.measure.name(),
                value: m.estimate.value,
                low: m.estimate.low,
                high: m.estimate.high,
                n: m.texts,
            };
            let kinds = evaluation.kinds.iter().flat_map(move |kind| {
                let of = move |m| row(kind.kind.title(), m);
                kind.measured.iter().map(of)
            });
            let sizes = &evaluation.sizes.measured;
            kinds.chain(sizes.iter().map(move |m| row("albums", m)))
        })
        .collect()
}

#[derive(Serialize)]
struct Section {
    id: &'static str,
    plots: Vec<Plot>,
}

/// The page as HTML.
///
/// # Errors
/// A failing template.
pub fn render_sweep(sweep: &Sweep, evaluations: &[&Evaluation]) -> Result<String> {
    let names: Vec<String> = sweep.points.iter().map(SweepPoint::name).collect();
    let section = |kind: Kind| Section {
        id: kind.title(),
        plots: DRAWN
            .iter()
            .filter_map(|&measure| {
                let of = |evaluation: &&Evaluation| {
                    let mut all = evaluation.kinds.iter();
                    all.find(|k| k.kind == kind).map(|k| k.measured.clone())
                };
                let measured: Option<Vec<_>> = evaluations.iter().map(of).collect();
                curves::plot(&names, &measured?, measure)
            })
            .collect(),
    };
    let points: Vec<_> = sweep
        .points
        .iter()
        .map(|p| {
            context! {
                name => p.name(),
                spent => p.spent.map_or_else(|| "no guarantee".to_owned(), words::epsilon),
                sampled => words::count(p.sampled as u64),
                kept => words::count(p.kept as u64),
            }
        })
        .collect();
    Ok(PAGE.render(context! {
        stamp => STAMP,
        title => &sweep.title,
        unit => &sweep.unit,
        embedder => &sweep.embedder,
        declared_units => words::count(sweep.declared_units),
        points => points,
        choice => sweep.choice.map(|c| context! {
            runs => c.runs,
            epsilon => words::epsilon(c.epsilon),
            delta => format!("{:e}", c.delta),
        }),
        sections => Value::from(Serde([section(Kind::Summaries), section(Kind::Captions)])),
        keys => context! {
            kept => Key::UprightDot(Colour::Own).svg(),
            sampled => Key::Line(Colour::OwnSoft, Stroke::Thin).svg(),
            ceiling => Key::Line(Colour::Real, Stroke::Solid).svg(),
            floor => Key::Line(Colour::Floor, Stroke::Faint).svg(),
        },
        tool => TOOL,
    })?)
}
