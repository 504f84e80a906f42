//! The plan as one SVG picture: how epsilon moves with each number, what it means, what it is spent on.

use albumen_chart::colour::{CHART, Place, variables};
use albumen_chart::number::short;
use albumen_chart::{Axis, Colour, Element, Frame, STYLE, Stroke};
use albumen_run::{Forecast, Sweep};

use super::text::up;

/// The picture is larger than a page's charts, and so are its words.
const WORDS: &str = "
svg { font-family: system-ui, -apple-system, Segoe UI, Roboto, sans-serif; }
.paper { fill: var(--surface); }
.chart text { font-size: 12.5px; }
.chart .coloured { font-size: 12px; }
.chart .strong { font-size: 13px; }
.chart .title { fill: var(--ink); font-size: 15px; font-weight: 600; }
.chart .heading { fill: var(--ink); font-size: 21px; font-weight: 600; }
.chart .words { fill: var(--ink); font-size: 13px; }
";

/// Where a panel's plot begins inside its cell, its size, and the cells' size.
const MARGIN: (f64, f64) = (58.0, 40.0);
const INNER: (f64, f64) = (300.0, 200.0);
const CELL: (f64, f64) = (400.0, 350.0);
const TOP: f64 = 96.0;

/// The whole picture.
pub(super) fn svg(plan: &Forecast) -> String {
    let (width, height) = (3.0 * CELL.0 + 20.0, TOP + 2.0 * CELL.1 - 30.0);
    let heading = format!(
        "{}: epsilon {} at delta {:e} by {}",
        plan.run,
        up(plan.epsilon),
        plan.delta,
        plan.unit
    );
    let style = [&variables(&CHART, Place::Picture), STYLE, WORDS].concat();
    let mut svg = Element::drawing(width, height, &heading)
        .with("xmlns", "http://www.w3.org/2000/svg")
        .at("width", width)
        .at("height", height)
        .child(&Element::new("title").text(&heading))
        .child(&Element::new("style").text(&style))
        .child(&Element::rect("paper", (0.0, 0.0), (width, height)))
        .child(&Element::words("heading start", 24.0, 38.0, &heading));
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
        let corner = panel(&mut svg, i, title);
        moves(&mut svg, corner, plan, sweep, y, axis);
    }
    let corner = panel(&mut svg, 4, "What an attacker can do");
    trade_off(&mut svg, corner, plan);
    let corner = panel(&mut svg, 5, "What epsilon is spent on");
    spending(&mut svg, corner, plan);
    format!("{svg}\n")
}

/// The colour and the line of a model's epsilon.
fn line_of(model: &str) -> (Colour, Stroke) {
    if model == "caption" {
        (Colour::Caption, Stroke::Dotted)
    } else {
        (Colour::Summary, Stroke::Dashed)
    }
}

const TOTAL: (Colour, Stroke) = (Colour::Ink, Stroke::Thick);
const ASKED: (Colour, Stroke) = (Colour::Asked, Stroke::Broken);

fn legend(svg: &mut Element, plan: &Forecast) {
    let (total, width) = if plan.tuning.is_some() {
        ("total, with the charge for tuning", 262.0)
    } else {
        ("total", 92.0)
    };
    let mut lines = vec![(TOTAL, total.to_owned(), width)];
    for (model, _) in plan.models.iter() {
        let width = if model == "summary" { 186.0 } else { 182.0 };
        lines.push((line_of(model), format!("{model} model alone"), width));
    }
    lines.push((ASKED, "asked for".to_owned(), 0.0));
    let mut x = 24.0;
    for ((colour, stroke), words, width) in lines {
        let path = format!("M{x} 64H{}", x + 32.0);
        svg.push(&Element::path(&stroke.class(colour), &path));
        svg.push(&Element::words("words start", x + 40.0, 68.0, &words));
        x += width + 14.0;
    }
    let note = "one number moves at a time, in all models; all else as configured";
    svg.push(&Element::words("end", 3.0 * CELL.0 - 24.0, 38.0, note));
}

/// Writes a panel's title; gives the corner of its plot.
fn panel(svg: &mut Element, index: usize, title: &str) -> (f64, f64) {
    let (column, row) = ((index % 3) as f64, (index / 3) as f64);
    let x = 10.0 + CELL.0 * column + MARGIN.0;
    let y = TOP + CELL.1 * row + MARGIN.1;
    svg.push(&Element::words("title start", x, y - 14.0, title));
    (x, y)
}

fn frame(corner: (f64, f64), x: Axis, y: Axis) -> Frame {
    let size = INNER;
    Frame { corner, size, x, y }
}

/// Epsilon against one number of the plan, by what it is multiplied with.
fn moves(
    svg: &mut Element,
    corner: (f64, f64),
    plan: &Forecast,
    sweep: &[Sweep],
    y: Axis,
    title: &str,
) {
    let x = Axis::log(0.23, 4.35);
    let area = frame(corner, x, y);
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
        let mut labels = vec![(Colour::Soft, name.to_owned())];
        if let Some(p) = sweep.iter().find(near) {
            let values = p.values.iter();
            if alike {
                labels.extend(values.take(1).map(|(_, v)| (Colour::Soft, short(*v))));
            } else {
                labels.extend(values.map(|(name, v)| (line_of(name).0, short(*v))));
            }
        }
        rows = rows.max(labels.len());
        area.x_tick(svg, factor, &labels, true);
    }
    area.border(svg);
    let asked = plan.asked_epsilon;
    area.line(svg, ASKED.0, ASKED.1, &[(x.low, asked), (x.high, asked)]);
    for (model, _) in plan.models.iter() {
        let of = |p: &Sweep| {
            let mut alone = p.alone.iter();
            alone.find(|(name, _)| *name == model).map(|m| *m.1)
        };
        let points: Vec<_> = sweep
            .iter()
            .filter_map(|p| Some((p.factor, of(p)?)))
            .collect();
        let (colour, stroke) = line_of(model);
        area.line(svg, colour, stroke, &points);
    }
    let total: Vec<_> = sweep.iter().map(|p| (p.factor, p.epsilon)).collect();
    area.line(svg, TOTAL.0, TOTAL.1, &total);
    let ends = (sweep.first(), sweep.last());
    let rising = matches!(ends, (Some(a), Some(b)) if a.epsilon < b.epsilon);
    let here = (1.0, plan.epsilon);
    area.mark(svg, TOTAL.0, here, rising, &up(plan.epsilon));
    area.titles(svg, title, rows, "epsilon");
}

/// The largest true-positive rate at each false-positive rate.
fn trade_off(svg: &mut Element, corner: (f64, f64), plan: &Forecast) {
    let area = frame(corner, Axis::log(1e-4, 1.0), Axis::linear(0.0, 1.0));
    let shares = [0.0, 0.25, 0.5, 0.75, 1.0];
    area.y_ticks(svg, &shares.map(|s| (s, format!("{:.0}%", 100.0 * s))));
    for (rate, name) in [
        (1e-4, "0.01%"),
        (1e-3, "0.1%"),
        (1e-2, "1%"),
        (0.1, "10%"),
        (1.0, "100%"),
    ] {
        area.x_tick(svg, rate, &[(Colour::Soft, name.to_owned())], true);
    }
    area.border(svg);
    let curve = plan.meaning.trade_off.iter();
    let rates = curve.map(|p| (p.false_positive_rate, p.true_positive_rate));
    let best: Vec<_> = rates.collect();
    let guess: Vec<_> = best.iter().map(|(rate, _)| (*rate, *rate)).collect();
    area.line(svg, Colour::Soft, Stroke::Faint, &guess);
    area.line(svg, TOTAL.0, TOTAL.1, &best);
    for p in &plan.meaning.true_positive_rates {
        let label = format!("{:.1}%", (1000.0 * p.true_positive_rate).ceil() / 10.0);
        let at = (p.false_positive_rate, p.true_positive_rate);
        area.mark(svg, TOTAL.0, at, true, &label);
    }
    let (x, y) = area.at(0.93, 0.06);
    svg.push(&Element::words("end", x, y, "guessing"));
    let advantage = (1000.0 * plan.meaning.bayes_advantage).ceil() / 1000.0;
    let note = format!("Advantage over guessing at even odds: at most {advantage:.3}");
    let below = corner.1 + INNER.1 + 62.0;
    svg.push(&Element::words("start", corner.0, below, &note));
    let below = format!("false-positive rate: {}s taken for members", plan.unit);
    area.titles(svg, &below, 1, "best true-positive rate");
}

/// Epsilon of each part alone, of the whole, and what was asked for.
fn spending(svg: &mut Element, (left, top): (f64, f64), plan: &Forecast) {
    let models = plan.models.iter();
    let mut bars: Vec<_> = models
        .map(|(name, model)| {
            let label = format!("{name} model alone");
            (label, model.epsilon, line_of(name).0)
        })
        .collect();
    for release in &plan.releases {
        let label = format!("{} alone", release.stage);
        bars.push((label, release.epsilon, Colour::Soft));
    }
    if let Some(tuning) = &plan.tuning {
        let label = "one run, all together".to_owned();
        bars.push((label, tuning.epsilon_one_run, Colour::Soft));
    }
    bars.push(("total".to_owned(), plan.epsilon, TOTAL.0));
    bars.push(("asked for".to_owned(), plan.asked_epsilon, ASKED.0));
    let longest = bars
        .iter()
        .map(|(_, value, _)| *value)
        .filter(|v| v.is_finite())
        .fold(1e-300, f64::max);
    let pitch = (INNER.1 / bars.len() as f64).min(44.0);
    for (i, (name, value, colour)) in bars.iter().enumerate() {
        let y = top + pitch * i as f64;
        svg.push(&Element::words("words start", left, y + 13.0, name));
        let value_at = left + INNER.0;
        svg.push(&Element::words("end", value_at, y + 13.0, &up(*value)));
        let length = (INNER.0 * (value / longest).min(1.0)).max(1.0);
        let class = format!("bar c-{}", colour.name());
        let size = (length, (pitch - 24.0).clamp(3.0, 14.0));
        svg.push(&Element::rect(&class, (left, y + 18.0), size).at("rx", 2.0));
    }
    let note = "Parts are composed, so they do not add up to the total.";
    svg.push(&Element::words("start", left, top + INNER.1 + 24.0, note));
}
