//! Every drawing as it is written.

use albumen_chart::{
    Axis, Bin, Colour, Curve, Curves, DotPlot, DotRow, Histogram, Key, Outline, Part, Reference,
    ShareBar, ShareRow, ShareRows, Span, Stroke,
};

fn span(value: f64, by: f64) -> Span {
    let (low, high) = (value - by, value + by);
    Span { low, value, high }
}

#[test]
fn histogram() {
    let bin = |(i, height): (usize, &f64)| Bin {
        height: *height,
        title: format!("{i} photos: {height}"),
    };
    let drawing = Histogram {
        label: "Photos in an album. Mean 2.1".to_owned(),
        bins: [3.0, 12.0, 7.0, 0.0, 1.0]
            .iter()
            .enumerate()
            .map(bin)
            .collect(),
        outline: Some(Outline {
            heights: vec![5.0, 9.0, 6.0, 2.0, 0.0],
            colour: Colour::Ink,
            stroke: Stroke::Dashed,
        }),
        ticks: (0..5).map(|i| (i as f64 + 0.5, i.to_string())).collect(),
        axis: "photos".to_owned(),
    };
    insta::assert_snapshot!(drawing.svg());
}

#[test]
fn dots() {
    let row = |name: &str, value: f64, colour, hollow| DotRow {
        name: name.to_owned(),
        value: format!("{value:.3}"),
        title: format!("{name}: {value} <of & all>"),
        span: span(value, 0.1 * value),
        colour,
        hollow,
    };
    let drawing = DotPlot {
        label: "Frechet: kept 0.240; public model 0.400".to_owned(),
        rows: vec![
            row("kept", 0.24, Colour::Own, false),
            row("public model", 0.4, Colour::Floor, true),
        ],
        references: vec![
            Reference {
                value: 0.06,
                band: Some((0.05, 0.08)),
                colour: Colour::Real,
                stroke: Stroke::Solid,
            },
            Reference {
                value: 0.4,
                band: None,
                colour: Colour::Floor,
                stroke: Stroke::Faint,
            },
        ],
        axis: Axis::from_zero([0.44].into_iter()),
    };
    insta::assert_snapshot!(drawing.svg());
}

#[test]
fn curves() {
    let drawing = Curves {
        label: "MAUVE by epsilon".to_owned(),
        names: ["1", "4", "inf"].map(str::to_owned).to_vec(),
        axis: "epsilon".to_owned(),
        curves: vec![
            Curve {
                values: vec![Some(span(0.9, 0.02)); 3],
                colour: Colour::Real,
                stroke: Stroke::Solid,
                dots: None,
            },
            Curve {
                values: vec![Some(span(0.31, 0.05)), None, Some(span(0.7, 0.04))],
                colour: Colour::Own,
                stroke: Stroke::Thick,
                dots: Some("epsilon"),
            },
        ],
        limits: (0.0, 1.0),
    };
    assert_eq!(
        drawing.words(),
        [
            "epsilon 1: 0.310 (0.260 to 0.360)",
            "epsilon inf: 0.700 (0.660 to 0.740)"
        ]
    );
    insta::assert_snapshot!(drawing.svg());
}

#[test]
fn shares() {
    let left = Part {
        from: 0.0,
        to: 61.237,
        colour: Colour::OwnSoft,
    };
    let fell = Part {
        from: 61.237,
        to: 80.0,
        colour: Colour::Fell,
    };
    let bar = ShareBar {
        parts: vec![fell, left],
        whisker: Some((55.0, 66.666)),
    };
    let row = |name, share, colour| ShareRow {
        name,
        share,
        colour,
    };
    let rows = ShareRows {
        rows: vec![
            row("real", 0.12, Colour::Real),
            row("synthetic", 0.3, Colour::Own),
        ],
        longest: 0.4,
    };
    insta::assert_snapshot!([bar.svg(), rows.svg()].join("\n"));
}

#[test]
fn keys() {
    let keys = [
        Key::Bar(Colour::Own),
        Key::Line(Colour::Summary, Stroke::Dashed),
        Key::Outline(Colour::Ink),
        Key::Band(Colour::Real),
        Key::Across(Colour::Floor, Stroke::Faint),
        Key::Dot(Colour::Own),
        Key::HollowDot(Colour::Floor),
        Key::UprightDot(Colour::Own),
    ];
    insta::assert_snapshot!(keys.map(Key::svg).join("\n"));
}
