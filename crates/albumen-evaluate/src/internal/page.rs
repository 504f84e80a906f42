//! The page's content.

use albumen_schema::TOOL;
use albumen_synth::export::words;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::dots::{self, DotPlot};
use crate::compare::{Evaluation, Kind, KindEvaluation, Measure, Pair, Role, STAMP};
use crate::error::Result;

const TEMPLATE: &str = include_str!("page.html.j2");
pub(super) const STYLE: &str = concat!(
    include_str!("../../../albumen-report/src/shell/style.css"),
    include_str!("page.css")
);
pub(super) const SCRIPT: &str = include_str!("../../../albumen-report/src/shell/theme.js");

/// Topics that are shown; the rest are few texts each.
const TOPICS: usize = 20;
/// Length of the longest topic's bar in per cent; its share stands beside it.
const BAR: f64 = 86.0;
/// The histograms' drawing, in SVG units.
const LEFT: f64 = 6.0;
const WIDTH: f64 = 348.0;
const TOP: f64 = 8.0;
const BASE: f64 = 132.0;

/// What an internal report says beside its numbers.
#[derive(Clone, Copy, Debug)]
pub struct InternalReport<'a> {
    /// Heading of the page.
    pub title: &'a str,
    /// The embedder's name.
    pub embedder: &'a str,
    /// The privacy unit, by which the real albums were split.
    pub unit: &'a str,
}

#[derive(Serialize)]
struct Section {
    id: &'static str,
    title: &'static str,
    /// Name, this run's value, and those of ceiling and floor.
    lead: Vec<(&'static str, String, String)>,
    plots: Vec<DotPlot>,
    topics: Vec<TopicRow>,
    copying: Vec<DotPlot>,
    distances: Option<Histogram>,
    majority: String,
    closest: Vec<PairRow>,
    copied: Vec<PairRow>,
}

#[derive(Serialize)]
struct TopicRow {
    words: String,
    /// Name, length of the bar in per cent, share in words.
    bars: Vec<(&'static str, f64, String)>,
    ranks: String,
}

#[derive(Serialize)]
struct PairRow {
    value: String,
    synthetic: String,
    real: String,
    run: Option<String>,
}

/// Shares of two sets over the same bins: bars, and an outline.
#[derive(Serialize)]
struct Histogram {
    bars: Vec<(f64, f64, f64, f64, String)>,
    outline: String,
    ticks: Vec<(f64, String)>,
    label: String,
}

/// The report as HTML.
///
/// # Errors
/// A failing template.
pub fn render_internal_report(
    report: &InternalReport<'_>,
    evaluation: &Evaluation,
) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let albums = |wanted: Role| {
        let found = evaluation.albums.iter().find(|(role, _)| *role == wanted);
        words::count(found.map_or(0, |(_, n)| *n) as u64)
    };
    let main = main_role(evaluation);
    let sections: Vec<Section> = evaluation.kinds.iter().map(|k| section(k, main)).collect();
    Ok(environment.render_named_str(
        "report.internal.html",
        TEMPLATE,
        context! {
            stamp => STAMP,
            title => report.title,
            embedder => report.embedder,
            unit => report.unit,
            settings => Value::from(Serde(evaluation.settings)),
            script_hash => Value::from_safe_string(script_hash()),
            style => Value::from_safe_string(STYLE.to_owned()),
            script => Value::from_safe_string(SCRIPT.to_owned()),
            reference => words::count(evaluation.reference_albums as u64),
            held_out => albums(Role::HeldOut),
            kept => albums(Role::Kept),
            sampled => albums(Role::Sampled),
            floor => albums(Role::Floor),
            floor_kept => albums(Role::FloorKept),
            sections => Value::from(Serde(sections)),
            sizes => Value::from(Serde(sizes(evaluation, main))),
            size_plot => Value::from(Serde(dots::plot(
                &evaluation.sizes.measured,
                Measure::SizeDivergence,
            ))),
            tool => TOOL,
        },
    )?)
}

/// What the content security policy allows to run.
pub(super) fn script_hash() -> String {
    STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()))
}

/// The kept albums, or all of them where none was kept.
fn main_role(evaluation: &Evaluation) -> Role {
    let kept = evaluation.albums.iter();
    let mut kept = kept.filter(|(role, n)| *role == Role::Kept && *n > 0);
    kept.next().map_or(Role::Sampled, |(role, _)| *role)
}

fn section(kind: &KindEvaluation, main: Role) -> Section {
    let lead = [
        ("MAUVE", Measure::Mauve),
        ("Frechet", Measure::Frechet),
        ("train here, test on real", Measure::TransferAccuracy),
    ]
    .into_iter()
    .filter_map(|(name, measure)| {
        let value = kind.get(measure, main)?.value;
        let best = kind.get(measure, Role::HeldOut)?.value;
        let floor = kind.get(measure, Role::FloorKept);
        let floor = floor.or_else(|| kind.get(measure, Role::Floor));
        let floor = floor.map_or_else(String::new, |e| format!(", floor {:.2}", e.value));
        Some((
            name,
            format!("{value:.2}"),
            format!("real {best:.2}{floor}"),
        ))
    });
    Section {
        id: kind.kind.title(),
        title: match kind.kind {
            Kind::Summaries => "Summaries",
            Kind::Captions => "Captions",
        },
        lead: lead.collect(),
        plots: dots::plots(kind),
        topics: topics(kind, main),
        copying: dots::copying(kind),
        distances: distances(kind, main),
        majority: format!("{:.2}", kind.majority),
        closest: pairs(&kind.closest, 3),
        copied: pairs(&kind.copied, 0),
    }
}

fn pairs(pairs: &[Pair], decimals: usize) -> Vec<PairRow> {
    let row = |pair: &Pair| PairRow {
        value: format!("{:.decimals$}", pair.value),
        synthetic: pair.synthetic.clone(),
        real: pair.real.clone(),
        run: pair.run.clone(),
    };
    pairs.iter().map(row).collect()
}

fn share_of(shares: &[(Role, f64)], wanted: Role) -> f64 {
    let found = shares.iter().find(|(role, _)| *role == wanted);
    found.map_or(0.0, |(_, share)| *share)
}

/// The topics, most frequent in the real albums first, each with its rank on either side.
fn topics(kind: &KindEvaluation, main: Role) -> Vec<TopicRow> {
    let synthetic: Vec<f64> = kind
        .topics
        .iter()
        .map(|topic| share_of(&topic.shares, main))
        .collect();
    let all = kind.topics.iter().flat_map(|topic| {
        let shares = topic.shares.iter().map(|(_, share)| *share);
        shares.chain([topic.real])
    });
    let longest = all.fold(f64::MIN_POSITIVE, f64::max);
    let row = |(i, topic): (usize, &crate::compare::Topic)| {
        let bar = |name, share: f64| (name, round(BAR * share / longest), percent(share));
        let rank = synthetic.iter().filter(|s| **s > synthetic[i]).count() + 1;
        TopicRow {
            words: topic.words.join(", "),
            bars: vec![
                bar("real", topic.real),
                bar("synthetic", synthetic[i]),
                bar("floor", share_of(&topic.shares, Role::FloorKept)),
            ],
            ranks: format!("#{} real, #{rank} synthetic", i + 1),
        }
    };
    let shown = kind.topics.iter().enumerate().take(TOPICS);
    shown.map(row).collect()
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// Distances to the closest record: the synthetic texts as bars, held-out real ones as the outline.
fn distances(kind: &KindEvaluation, main: Role) -> Option<Histogram> {
    let of = |wanted| {
        let found = kind.distances.iter().find(|(role, _)| *role == wanted)?;
        let all: usize = found.1.iter().sum();
        let shares = found.1.iter().map(|&n| n as f64 / all.max(1) as f64);
        Some(shares.collect::<Vec<f64>>())
    };
    let (synthetic, held_out) = (of(main)?, of(Role::HeldOut)?);
    let width = kind.distance_end / synthetic.len() as f64;
    let name = |i: usize| format!("{:.2} to {:.2}", width * i as f64, width * (i + 1) as f64);
    let ticks = (0..=synthetic.len()).step_by(4);
    let ticks = ticks.map(|i| (i as f64, format!("{:.1}", width * i as f64)));
    Some(histogram(&synthetic, &held_out, name, ticks))
}

fn sizes(evaluation: &Evaluation, main: Role) -> Histogram {
    let found = evaluation.sizes.shares.iter();
    let mut found = found.filter(|(role, _)| *role == main);
    let mut synthetic = found.next().map_or_else(Vec::new, |(_, s)| s.clone());
    let mut real = evaluation.sizes.real.clone();
    let longest = synthetic.len().max(real.len());
    synthetic.resize(longest, 0.0);
    real.resize(longest, 0.0);
    let every = longest.div_ceil(12).max(1);
    let ticks = (0..longest).step_by(every);
    let ticks = ticks.map(|i| (i as f64 + 0.5, i.to_string()));
    histogram(&synthetic, &real, |i| format!("{i} photos"), ticks)
}

fn histogram(
    bars: &[f64],
    outline: &[f64],
    name: impl Fn(usize) -> String,
    ticks: impl Iterator<Item = (f64, String)>,
) -> Histogram {
    let step = WIDTH / bars.len().max(1) as f64;
    let highest = bars.iter().chain(outline).copied().fold(1e-9, f64::max);
    let x = |i: f64| round(LEFT + step * i);
    let y = |share: f64| round(BASE - (BASE - TOP) * share / highest);
    let gap = (step * 0.16).min(6.0);
    let drawn = bars.iter().zip(outline).enumerate().map(|(i, (&a, &b))| {
        let title = format!("{}: {} synthetic, {} real", name(i), percent(a), percent(b));
        let top = y(a);
        (
            round(x(i as f64) + gap / 2.0),
            top,
            round(step - gap),
            round(BASE - top),
            title,
        )
    });
    let steps: Vec<String> = outline
        .iter()
        .enumerate()
        .map(|(i, &share)| format!("V{}H{}", y(share), x(i as f64 + 1.0)))
        .collect();
    let label = drawn.clone().filter(|bar| bar.3 > 0.0);
    let label: Vec<String> = label.map(|bar| bar.4).collect();
    Histogram {
        bars: drawn.collect(),
        outline: format!("M{LEFT} {BASE}{}V{BASE}", steps.concat()),
        ticks: ticks.map(|(i, words)| (x(i), words)).collect(),
        label: label.join("; "),
    }
}

/// To one decimal, so that equal reports have equal bytes.
fn round(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}
