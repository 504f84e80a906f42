//! Histograms.

use crate::element::{Element, round};
use crate::{Colour, Stroke};

/// The drawing, and the part that bars fill, in SVG units.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 164.0;
const LEFT: f64 = 6.0;
const TOP: f64 = 8.0;
const BASE: f64 = 132.0;

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// A count or a share.
    pub height: f64,
    /// What it says when pointed at.
    pub title: String,
}

/// A second set over the same bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Counts or shares, one a bin.
    pub heights: Vec<f64>,
    /// Its colour.
    pub colour: Colour,
    /// How its line is drawn.
    pub stroke: Stroke,
}

/// Bars over the bins of one set, and another set's outline.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// The drawing in words.
    pub label: String,
    /// The bars, at equal widths.
    pub bins: Vec<Bin>,
    /// What to compare them with.
    pub outline: Option<Outline>,
    /// Labels of the axis, each at a place in bins: 1.5 is the second bin's middle.
    pub ticks: Vec<(f64, String)>,
    /// What the axis counts.
    pub axis: String,
}

impl Histogram {
    /// The drawing.
    pub fn svg(&self) -> String {
        let outline = self.outline.iter().flat_map(|o| &o.heights);
        let heights = self.bins.iter().map(|bin| &bin.height).chain(outline);
        let scale = Scale {
            step: (WIDTH - 2.0 * LEFT) / self.bins.len().max(1) as f64,
            highest: heights.copied().fold(1e-9, f64::max),
        };
        let mut svg = Element::drawing(WIDTH, HEIGHT, &self.label);
        for (i, bin) in self.bins.iter().enumerate() {
            svg.push(&scale.bar(i, bin));
        }
        if let Some(outline) = &self.outline {
            let dashed = match outline.stroke {
                Stroke::Dashed => " dashed",
                _ => "",
            };
            let class = format!("outline{dashed} c-{}", outline.colour.name());
            svg.push(&Element::path(&class, &scale.outline(&outline.heights)));
        }
        let axis = format!("M{LEFT} {BASE}H{}", WIDTH - LEFT);
        svg.push(&Element::path("axis", &axis));
        for (place, label) in &self.ticks {
            let x = scale.x(*place);
            // A label at either end stays inside the drawing.
            let class = if x < LEFT + 2.0 {
                "start"
            } else if x > WIDTH - LEFT - 4.0 {
                "end"
            } else {
                ""
            };
            svg.push(&Element::words(class, x, BASE + 14.0, label));
        }
        let words = Element::words("end", WIDTH - LEFT, BASE + 29.0, &self.axis);
        svg.child(&words).to_string()
    }
}

/// Where bins and heights lie.
struct Scale {
    step: f64,
    highest: f64,
}

impl Scale {
    fn x(&self, bins: f64) -> f64 {
        round(LEFT + self.step * bins)
    }

    fn y(&self, height: f64) -> f64 {
        round(BASE - (BASE - TOP) * height / self.highest)
    }

    fn bar(&self, i: usize, bin: &Bin) -> Element {
        let gap = (self.step * 0.16).min(6.0);
        let corner = (self.x(i as f64) + gap / 2.0, self.y(bin.height));
        let size = (self.step - gap, BASE - corner.1);
        Element::rect("bar c-accent", corner, size).title(&bin.title)
    }

    fn outline(&self, heights: &[f64]) -> String {
        let steps = heights.iter().enumerate();
        let steps: Vec<String> = steps
            .map(|(i, &height)| format!("V{}H{}", self.y(height), self.x(i as f64 + 1.0)))
            .collect();
        format!("M{LEFT} {BASE}{}V{BASE}", steps.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(heights: &[f64]) -> Histogram {
        let bin = |&height: &f64| Bin {
            height,
            title: format!("{height} items"),
        };
        Histogram {
            label: "Items".to_owned(),
            bins: heights.iter().map(bin).collect(),
            outline: Some(Outline {
                heights: heights.iter().map(|h| h / 2.0).collect(),
                colour: Colour::Ink,
                stroke: Stroke::Dashed,
            }),
            ticks: vec![
                (0.0, "0".to_owned()),
                (heights.len() as f64, "end".to_owned()),
            ],
            axis: "items".to_owned(),
        }
    }

    #[test]
    fn bars_stand_on_the_axis_and_stay_inside() {
        for heights in [vec![2.0], vec![1.0, 4.0, 0.0, 2.5], vec![3.0; 60]] {
            let svg = of(&heights).svg();
            let bars: Vec<Vec<f64>> = svg
                .lines()
                .filter(|line| line.starts_with("<rect"))
                .map(|line| {
                    let parts = line.split('"').skip(3).step_by(2).take(4);
                    parts.map(|v| v.parse().unwrap_or(f64::NAN)).collect()
                })
                .collect();
            assert_eq!(bars.len(), heights.len());
            for bar in &bars {
                let [x, y, w, h] = bar[..] else {
                    panic!("{bar:?}")
                };
                assert!(x >= LEFT && x + w <= WIDTH - LEFT + 0.2, "{bar:?}");
                assert!(y >= TOP && (y + h - BASE).abs() < 0.15, "{bar:?}");
            }
            let tallest = bars.iter().map(|bar| bar[3]).fold(0.0, f64::max);
            assert_eq!(tallest, BASE - TOP);
            let steps = svg.lines().find(|line| line.contains("outline"));
            let steps = steps.map_or(0, |line| line.matches('V').count());
            assert_eq!(steps, heights.len() + 1);
            assert!(
                svg.contains(r#"class="start" x="6""#) && svg.contains(r#"class="end" x="354""#)
            );
        }
    }
}
