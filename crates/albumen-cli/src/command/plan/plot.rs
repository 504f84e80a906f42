//! The plan as one SVG picture: how epsilon moves with each number, what it means, what it is spent on.
//!
//! Colours are CSS classes, so that the picture follows the reader's light or dark setting; a plotting
//! library would write them into every element.

use std::fmt::Write as _;

use super::chart::{Area, Axis, INNER, Scale, escape, short};
use super::text::up;
use albumen_run::{Forecast, Sweep};

const STYLE: &str = "
svg { --paper: #fff; --ink: #1d2733; --soft: #5b6875; --grid: #e4e8ec; --summary: #1f6fb2; --caption: #b4540a; --asked: #8a3ffc;
  font-family: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
@media (prefers-color-scheme: dark) { svg { --paper: #12171d; --ink: #e8edf2; --soft: #9fb0bf; --grid: #2a333d; --summary: #74b9f5; --caption: #f2a25c; --asked: #c3a0ff; } }
.paper { fill: var(--paper); }
text { fill: var(--ink); font-size: 13px; }
.heading { font-size: 21px; font-weight: 600; }
.title { font-size: 15px; font-weight: 600; }
.note, .axis { fill: var(--soft); font-size: 12.5px; }
.tick { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.label { font-weight: 600; font-size: 13px; paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
.grid { stroke: var(--grid); stroke-width: 1; }
.frame { fill: none; stroke: var(--soft); stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.total { stroke: var(--ink); stroke-width: 3; }
.summary { stroke: var(--summary); stroke-dasharray: 7 4; }
.album { stroke: var(--summary); stroke-dasharray: 7 4; }
.caption { stroke: var(--caption); stroke-dasharray: 2 4; stroke-linecap: round; stroke-width: 2.6; }
.guess { stroke: var(--soft); stroke-dasharray: 4 4; stroke-width: 1.5; }
.asked { stroke: var(--asked); stroke-width: 1.6; stroke-dasharray: 10 4 2 4; }
.mark { fill: var(--paper); stroke-width: 3; stroke-dasharray: none; }
text.summary { fill: var(--summary); stroke: none; }
text.caption { fill: var(--caption); stroke: none; }
text.asked { fill: var(--asked); stroke: none; }
.bar-total { fill: var(--ink); } .bar-summary { fill: var(--summary); } .bar-caption { fill: var(--caption); } .bar-other { fill: var(--soft); } .bar-asked { fill: var(--asked); }
";

/// Where a panel's inner area begins inside its cell, and the cells' size.
const MARGIN: (f64, f64) = (58.0, 40.0);
const CELL: (f64, f64) = (400.0, 350.0);
const TOP: f64 = 96.0;

/// The whole picture.
pub(super) fn svg(plan: &Forecast) -> String {
    let (width, height) = (3.0 * CELL.0 + 20.0, TOP + 2.0 * CELL.1 - 30.0);
    let heading = format!(
        "{}: epsilon {} at delta {:e} by {}",
        escape(&plan.run),
        up(plan.epsilon),
        plan.delta,
        plan.unit
    );
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="plan-title">
<title id="plan-title">{heading}</title>
<style>{STYLE}</style>
<rect class="paper" width="{width}" height="{height}"/>
<text class="heading" x="24" y="38">{heading}</text>
"#
    );
    legend(&mut svg, plan);
    let s = &plan.sensitivity;
    let all = [
        &s.noise_multiplier,
        &s.sampling_rate,
        &s.steps,
        &s.declared_units,
    ];
    let values = all.iter().flat_map(|sweep| sweep.iter());
    let y = Axis::log_around(
        values
            .flat_map(|p| p.alone.iter().map(|(_, e)| *e).chain([p.epsilon]))
            .chain([plan.asked_epsilon]),
    );
    let panels = [
        ("Noise multiplier", "sigma, noise over clipping norm"),
        ("Sampling rate", "q, share of the units in a step's batch"),
        ("Steps", "T, noisy steps of training"),
        ("Declared units", "at the same expected batch"),
    ];
    for (i, ((title, axis), sweep)) in panels.into_iter().zip(all).enumerate() {
        panel(&mut svg, i, title, |svg| moves(svg, plan, sweep, y, axis));
    }
    panel(&mut svg, 4, "What an attacker can do", |svg| {
        trade_off(svg, plan);
    });
    panel(&mut svg, 5, "What epsilon is spent on", |svg| {
        spending(svg, plan);
    });
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, plan: &Forecast) {
    let total = if plan.tuning.is_some() {
        "total, with the charge for tuning"
    } else {
        "total"
    };
    let mut x = 24.0;
    let width = if plan.tuning.is_some() { 262.0 } else { 92.0 };
    let mut lines = vec![("total", total.to_owned(), width)];
    for (class, _) in plan.models.iter() {
        let width = if class == "summary" { 186.0 } else { 182.0 };
        lines.push((class, format!("{class} model alone"), width));
    }
    lines.push(("asked", "asked for".to_owned(), 0.0));
    for (class, words, width) in lines {
        let _ = writeln!(
            svg,
            r#"<path class="line {class}" d="M{x} 64H{}"/><text x="{}" y="68">{words}</text>"#,
            x + 32.0,
            x + 40.0
        );
        x += width + 14.0;
    }
    let _ = writeln!(
        svg,
        r#"<text class="note" x="{}" y="38" text-anchor="end">one number moves at a time, in all models; all else as configured</text>"#,
        3.0 * CELL.0 - 24.0
    );
}

/// A panel's frame and title around what `draw` puts inside.
fn panel(svg: &mut String, index: usize, title: &str, draw: impl FnOnce(&mut String)) {
    let (column, row) = ((index % 3) as f64, (index / 3) as f64);
    let (x, y) = (
        10.0 + CELL.0 * column + MARGIN.0,
        TOP + CELL.1 * row + MARGIN.1,
    );
    let _ = writeln!(
        svg,
        r#"<g transform="translate({x} {y})"><text class="title" x="0" y="-14">{title}</text>"#
    );
    draw(svg);
    svg.push_str("</g>\n");
}

fn frame(svg: &mut String) {
    let (w, h) = INNER;
    let _ = writeln!(svg, r#"<rect class="frame" width="{w}" height="{h}"/>"#);
}

fn axis_titles(svg: &mut String, below: &str, row: usize, left: &str) {
    let (w, h) = INNER;
    let _ = writeln!(
        svg,
        r#"<text class="axis" x="{}" y="{}" text-anchor="middle">{below}</text><text class="axis" transform="translate(-44 {}) rotate(-90)" text-anchor="middle">{left}</text>"#,
        w / 2.0,
        h + 20.0 + 15.0 * row as f64,
        h / 2.0
    );
}

/// Epsilon against one number of the plan, by what it is multiplied with.
fn moves(svg: &mut String, plan: &Forecast, sweep: &[Sweep], y: Axis, title: &str) {
    let x = Axis {
        low: 0.23,
        high: 4.35,
        scale: Scale::Log,
    };
    let area = Area { x, y };
    let ticks: Vec<_> = y.ticks().into_iter().map(|t| (t, short(t))).collect();
    area.y_ticks(svg, &ticks);
    let alike = sweep.iter().all(|p| {
        let values: Vec<f64> = p.values.iter().map(|(_, v)| *v).collect();
        values.iter().all(|v| *v == values[0])
    });
    let mut rows = 0;
    for (factor, name) in [
        (0.25, "× ¼"),
        (0.5, "× ½"),
        (1.0, "as is"),
        (2.0, "× 2"),
        (4.0, "× 4"),
    ] {
        let near = |p: &&Sweep| (p.factor / factor - 1.0).abs() < 0.01;
        let mut labels = vec![("", name.to_owned())];
        if let Some(p) = sweep.iter().find(near) {
            let values = p.values.iter();
            if alike {
                labels.extend(values.take(1).map(|(_, v)| ("", short(*v))));
            } else {
                labels.extend(values.map(|(name, v)| (name, short(*v))));
            }
        }
        rows = rows.max(labels.len());
        area.x_tick(svg, factor, &labels);
    }
    frame(svg);
    let asked = plan.asked_epsilon;
    area.line(svg, "asked", &[(x.low, asked), (x.high, asked)]);
    for (class, _) in plan.models.iter() {
        let of = |p: &Sweep| {
            p.alone
                .iter()
                .find(|(name, _)| *name == class)
                .map(|m| *m.1)
        };
        let points: Vec<_> = sweep
            .iter()
            .filter_map(|p| Some((p.factor, of(p)?)))
            .collect();
        area.line(svg, class, &points);
    }
    let total: Vec<_> = sweep.iter().map(|p| (p.factor, p.epsilon)).collect();
    area.line(svg, "total", &total);
    let ends = (sweep.first(), sweep.last());
    let rising = matches!(ends, (Some(a), Some(b)) if a.epsilon < b.epsilon);
    area.mark(svg, "total", (1.0, plan.epsilon), rising, &up(plan.epsilon));
    axis_titles(svg, title, rows, "epsilon");
}

/// The largest true-positive rate at each false-positive rate.
fn trade_off(svg: &mut String, plan: &Forecast) {
    let area = Area {
        x: Axis {
            low: 1e-4,
            high: 1.0,
            scale: Scale::Log,
        },
        y: Axis {
            low: 0.0,
            high: 1.0,
            scale: Scale::Linear,
        },
    };
    let shares = [0.0, 0.25, 0.5, 0.75, 1.0];
    area.y_ticks(svg, &shares.map(|s| (s, format!("{:.0}%", 100.0 * s))));
    for (rate, name) in [
        (1e-4, "0.01%"),
        (1e-3, "0.1%"),
        (1e-2, "1%"),
        (0.1, "10%"),
        (1.0, "100%"),
    ] {
        area.x_tick(svg, rate, &[("", name.to_owned())]);
    }
    frame(svg);
    let curve = &plan.meaning.trade_off;
    let guess: Vec<_> = curve
        .iter()
        .map(|p| (p.false_positive_rate, p.false_positive_rate))
        .collect();
    area.line(svg, "guess", &guess);
    let best: Vec<_> = curve
        .iter()
        .map(|p| (p.false_positive_rate, p.true_positive_rate))
        .collect();
    area.line(svg, "total", &best);
    for p in &plan.meaning.true_positive_rates {
        let label = format!("{:.1}%", (1000.0 * p.true_positive_rate).ceil() / 10.0);
        area.mark(
            svg,
            "total",
            (p.false_positive_rate, p.true_positive_rate),
            true,
            &label,
        );
    }
    let (x, y) = area.at(0.93, 0.06);
    let _ = writeln!(
        svg,
        r#"<text class="tick" x="{x:.1}" y="{y:.1}" text-anchor="end">guessing</text>"#
    );
    let advantage = (1000.0 * plan.meaning.bayes_advantage).ceil() / 1000.0;
    let _ = writeln!(
        svg,
        r#"<text class="note" x="0" y="{}">Advantage over guessing at even odds: at most {advantage:.3}</text>"#,
        INNER.1 + 62.0
    );
    let below = format!("false-positive rate: {}s taken for members", plan.unit);
    axis_titles(svg, &below, 1, "best true-positive rate");
}

/// Epsilon of each part alone, of the whole, and what was asked for.
fn spending(svg: &mut String, plan: &Forecast) {
    let models = plan.models.iter();
    let mut bars: Vec<_> = models
        .map(|(name, model)| (format!("{name} model alone"), model.epsilon, name))
        .collect();
    for release in &plan.releases {
        bars.push((
            format!("{} alone", escape(&release.stage)),
            release.epsilon,
            "other",
        ));
    }
    if let Some(tuning) = &plan.tuning {
        bars.push((
            "one run, all together".to_owned(),
            tuning.epsilon_one_run,
            "other",
        ));
    }
    bars.push(("total".to_owned(), plan.epsilon, "total"));
    bars.push(("asked for".to_owned(), plan.asked_epsilon, "asked"));
    let longest = bars
        .iter()
        .map(|(_, value, _)| *value)
        .filter(|v| v.is_finite())
        .fold(1e-300, f64::max);
    let pitch = (INNER.1 / bars.len() as f64).min(44.0);
    for (i, (name, value, class)) in bars.iter().enumerate() {
        let y = pitch * i as f64;
        let length = (INNER.0 * (value / longest).min(1.0)).max(1.0);
        let _ = writeln!(
            svg,
            r#"<text x="0" y="{:.1}">{name}</text><text class="tick" x="{}" y="{:.1}" text-anchor="end">{}</text><rect class="bar-{class}" y="{:.1}" width="{length:.1}" height="{:.1}" rx="2"/>"#,
            y + 13.0,
            INNER.0,
            y + 13.0,
            up(*value),
            y + 18.0,
            (pitch - 24.0).clamp(3.0, 14.0)
        );
    }
    let _ = writeln!(
        svg,
        r#"<text class="note" x="0" y="{}">Parts are composed, so they do not add up to the total.</text>"#,
        INNER.1 + 24.0
    );
}
