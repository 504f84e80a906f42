//! The page's content.

use albumen_chart::{Bin, Colour, Histogram, Key, Outline, ShareRow, ShareRows, Stroke, number};
use albumen_report::shell::Page;
use albumen_schema::TOOL;
use albumen_synth::export::words;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::dots::{self, Plot};
use crate::compare::{Evaluation, Kind, KindEvaluation, Measure, Pair, Role, STAMP};
use crate::error::Result;

/// Style of the internal pages.
pub(super) const STYLE: &str = include_str!("page.css");

const PAGE: Page = Page {
    name: "report.internal.html",
    template: include_str!("page.html.j2"),
    style: STYLE,
    script: "",
    pictures: "'none'",
};

/// Topics that are shown; the rest are few texts each.
const TOPICS: usize = 20;
/// What the histograms are of.
const DISTANCES: &str = "Distance to the closest record, all texts";
const SIZES: &str = "Photos in an album";

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
    plots: Vec<Plot>,
    topics: Vec<TopicRow>,
    copying: Vec<Plot>,
    /// The histogram of distances, as SVG.
    distances: Option<String>,
    majority: String,
    closest: Vec<PairRow>,
    copied: Vec<PairRow>,
}

#[derive(Serialize)]
struct TopicRow {
    words: String,
    ranks: String,
    /// The drawing.
    svg: String,
}

#[derive(Serialize)]
struct PairRow {
    value: String,
    synthetic: String,
    real: String,
    run: Option<String>,
}

/// The report as HTML.
///
/// # Errors
/// A failing template.
pub fn render_internal_report(
    report: &InternalReport<'_>,
    evaluation: &Evaluation,
) -> Result<String> {
    let albums = |wanted: Role| {
        let found = evaluation.albums.iter().find(|(role, _)| *role == wanted);
        words::count(found.map_or(0, |(_, n)| *n) as u64)
    };
    let main = main_role(evaluation);
    let sections: Vec<Section> = evaluation.kinds.iter().map(|k| section(k, main)).collect();
    Ok(PAGE.render(context! {
        stamp => STAMP,
        title => report.title,
        embedder => report.embedder,
        unit => report.unit,
        settings => Value::from(Serde(evaluation.settings)),
        reference => words::count(evaluation.reference_albums as u64),
        held_out => albums(Role::HeldOut),
        kept => albums(Role::Kept),
        sampled => albums(Role::Sampled),
        floor => albums(Role::Floor),
        floor_kept => albums(Role::FloorKept),
        sections => Value::from(Serde(sections)),
        sizes => sizes(evaluation, main),
        size_plot => Value::from(Serde(dots::plot(
            &evaluation.sizes.measured,
            Measure::SizeDivergence,
        ))),
        titles => context! { distances => DISTANCES, sizes => SIZES },
        keys => keys(),
        tool => TOOL,
    })?)
}

/// What the legends show.
fn keys() -> Value {
    context! {
        run => Key::Dot(Colour::Own).svg(),
        public => Key::HollowDot(Colour::Floor).svg(),
        ceiling => Key::Band(Colour::Real).svg(),
        floor => Key::Across(Colour::Floor, Stroke::Faint).svg(),
        real => Key::Bar(Colour::Real).svg(),
        synthetic => Key::Bar(Colour::Own).svg(),
        public_bar => Key::Bar(Colour::Floor).svg(),
    }
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
        let bar = |name, share, colour| ShareRow {
            name,
            share,
            colour,
        };
        let rank = synthetic.iter().filter(|s| **s > synthetic[i]).count() + 1;
        let floor = share_of(&topic.shares, Role::FloorKept);
        let bars = ShareRows {
            rows: vec![
                bar("real", topic.real, Colour::Real),
                bar("synthetic", synthetic[i], Colour::Own),
                bar("floor", floor, Colour::Floor),
            ],
            longest,
        };
        TopicRow {
            words: topic.words.join(", "),
            ranks: format!("#{} real, #{rank} synthetic", i + 1),
            svg: bars.svg(),
        }
    };
    let shown = kind.topics.iter().enumerate().take(TOPICS);
    shown.map(row).collect()
}

/// Distances to the closest record: the synthetic texts as bars, held-out real ones as the outline.
fn distances(kind: &KindEvaluation, main: Role) -> Option<String> {
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
    let words = Words {
        title: DISTANCES,
        axis: "Euclidean distance of embeddings",
    };
    Some(histogram(&words, &synthetic, &held_out, name, ticks))
}

fn sizes(evaluation: &Evaluation, main: Role) -> String {
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
    let words = Words {
        title: SIZES,
        axis: "photos",
    };
    let name = |i| format!("{i} photos");
    histogram(&words, &synthetic, &real, name, ticks)
}

/// What is said of a histogram.
struct Words {
    title: &'static str,
    axis: &'static str,
}

/// Shares of two sets over the same bins: the synthetic ones as bars, the real ones as the outline.
fn histogram(
    words: &Words,
    synthetic: &[f64],
    real: &[f64],
    name: impl Fn(usize) -> String,
    ticks: impl Iterator<Item = (f64, String)>,
) -> String {
    let shares = synthetic.iter().zip(real).enumerate();
    let bins: Vec<Bin> = shares
        .map(|(i, (&share, &other))| Bin {
            height: share,
            title: format!(
                "{}: {} synthetic, {} real",
                name(i),
                number::percent(share),
                number::percent(other)
            ),
        })
        .collect();
    let filled = bins.iter().filter(|bin| bin.height > 0.0);
    let titles: Vec<&str> = filled.map(|bin| bin.title.as_str()).collect();
    Histogram {
        label: format!("{}. {}", words.title, titles.join("; ")),
        bins,
        outline: Some(Outline {
            heights: real.to_vec(),
            colour: Colour::Real,
            stroke: Stroke::Solid,
        }),
        ticks: ticks.collect(),
        axis: words.axis.to_owned(),
    }
    .svg()
}
