//! The measures of the synthetic albums as plots: coordinates for the template's SVG.

use albumen_synth::export::words;
use serde::Serialize;

use crate::synthetic::bootstrap::Estimate;
use crate::synthetic::{Diversity, GRAMS, NEAR_DUPLICATE, Similarity, Sizes, SyntheticMetrics};

/// Size of the drawing, and of the part that bars fill, in SVG units.
const WIDTH: f64 = 360.0;
const LEFT: f64 = 6.0;
const TOP: f64 = 8.0;
const BASE: f64 = 132.0;
/// Bars of a histogram of sizes, at most.
const MOST_BARS: usize = 24;
/// Width of a bin of cosines.
const BIN: f64 = 0.05;

/// The section of measures.
#[derive(Debug, Serialize)]
pub(super) struct Measures {
    albums: String,
    seed: u64,
    plots: Vec<Plot>,
    diversity: Vec<[String; 3]>,
    texts: [String; 2],
    near_duplicate: f32,
}

/// A histogram, with a second one as an outline where there is something to compare with.
#[derive(Debug, Serialize)]
struct Plot {
    title: &'static str,
    bars: Vec<Bar>,
    /// An SVG path, and what it stands for.
    outline: Option<String>,
    ticks: Vec<Tick>,
    /// What the numbers say, in words.
    note: String,
    /// What the axis counts.
    axis: &'static str,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    title: String,
}

#[derive(Debug, Serialize)]
struct Tick {
    x: f64,
    label: String,
}

pub(super) fn measures(metrics: &SyntheticMetrics) -> Measures {
    let plots = [
        similarity("Captions of one album", &metrics.coherence),
        similarity("Captions and their summary", &metrics.agreement),
        sizes("Photos in an album", "photos", &metrics.photos),
        sizes("Words in a summary", "words", &metrics.summary_words),
        sizes("Words in a caption", "words", &metrics.caption_words),
    ];
    let (summaries, captions) = (&metrics.summaries, &metrics.captions);
    let row = |name: String, value: &dyn Fn(&Diversity) -> String| {
        [name, value(summaries), value(captions)]
    };
    let mut diversity = vec![
        row("Vendi score".into(), &|d| format!("{:.1}", d.vendi_score)),
        row("near-duplicates".into(), &|d| {
            format!("{:.1}%", 100.0 * d.near_duplicates)
        }),
    ];
    diversity.extend(GRAMS.iter().enumerate().map(|(i, n)| {
        row(format!("distinct-{n}"), &|d| {
            format!("{:.3}", d.distinct[i])
        })
    }));
    Measures {
        albums: words::count(metrics.albums as u64),
        seed: metrics.seed,
        plots: plots.into_iter().flatten().collect(),
        diversity,
        texts: [summaries, captions].map(|d| words::count(d.texts as u64)),
        near_duplicate: NEAR_DUPLICATE,
    }
}

fn estimate(e: &Estimate, decimals: usize) -> String {
    format!(
        "{:.decimals$} ({:.decimals$} to {:.decimals$})",
        e.value, e.low, e.high
    )
}

/// Shares of albums by cosine; `None` where no album has one.
fn similarity(title: &'static str, found: &Similarity) -> Option<Plot> {
    let (mean, shuffled) = (found.mean.as_ref()?, found.shuffled_mean.as_ref()?);
    let bin = |cosine: &f64| (cosine / BIN).floor() as i64;
    let all = || found.albums.iter().chain(&found.shuffled).map(bin);
    let (first, last) = (all().min()?, all().max()?);
    let count = |cosines: &[f64]| -> Vec<usize> {
        let mut counts = vec![0; (last - first + 1) as usize];
        for cosine in cosines {
            counts[(bin(cosine) - first) as usize] += 1;
        }
        counts
    };
    let (albums, dealt) = (count(&found.albums), count(&found.shuffled));
    let highest = albums.iter().chain(&dealt).copied().max()? as f64;
    let scale = Scale::new(albums.len(), highest);
    let edge = |i: i64| (first + i) as f64 * BIN;
    let bars = albums.iter().enumerate().map(|(i, &n)| {
        let (low, high) = (edge(i as i64), edge(i as i64 + 1));
        scale.bar(i, n, format!("cosine {low:.2} to {high:.2}: {n} albums"))
    });
    let ticks = (0..=albums.len())
        .filter(|&i| (first + i as i64) % 4 == 0)
        .map(|i| Tick {
            x: scale.x(i),
            label: format!("{:.1}", edge(i as i64)),
        });
    Some(Plot {
        title,
        bars: bars.collect(),
        outline: Some(scale.outline(&dealt)),
        ticks: ticks.collect(),
        note: format!(
            "Mean {}; with texts of other albums {}.",
            estimate(mean, 2),
            estimate(shuffled, 2)
        ),
        axis: "mean cosine of an album",
    })
}

fn sizes(title: &'static str, axis: &'static str, found: &Sizes) -> Option<Plot> {
    let mean = found.mean.as_ref()?;
    let (first, last) = (*found.counts.keys().next()?, *found.counts.keys().last()?);
    let width = (last - first + 1).div_ceil(MOST_BARS);
    let mut bins = vec![0; (last - first + 1).div_ceil(width)];
    for (size, n) in &found.counts {
        bins[(size - first) / width] += n;
    }
    let scale = Scale::new(bins.len(), bins.iter().copied().max()? as f64);
    let name = |i: usize| {
        let (low, high) = (first + i * width, first + (i + 1) * width - 1);
        if width == 1 {
            low.to_string()
        } else {
            format!("{low} to {high}")
        }
    };
    let every = bins.len().div_ceil(8);
    Some(Plot {
        title,
        bars: bins
            .iter()
            .enumerate()
            .map(|(i, &n)| scale.bar(i, n, format!("{} {axis}: {n}", name(i))))
            .collect(),
        outline: None,
        ticks: (0..bins.len())
            .step_by(every)
            .map(|i| Tick {
                x: round(f64::midpoint(scale.x(i), scale.x(i + 1))),
                label: (first + i * width).to_string(),
            })
            .collect(),
        note: format!("Mean {}.", estimate(mean, 1)),
        axis,
    })
}

/// Where bin `i` and a count lie.
struct Scale {
    step: f64,
    highest: f64,
}

impl Scale {
    fn new(bins: usize, highest: f64) -> Self {
        Self {
            step: (WIDTH - 2.0 * LEFT) / bins.max(1) as f64,
            highest,
        }
    }

    fn x(&self, bin: usize) -> f64 {
        round(LEFT + self.step * bin as f64)
    }

    fn y(&self, count: usize) -> f64 {
        round(BASE - (BASE - TOP) * count as f64 / self.highest)
    }

    fn bar(&self, bin: usize, count: usize, title: String) -> Bar {
        let (x, y) = (self.x(bin), self.y(count));
        let gap = (self.step * 0.16).min(6.0);
        Bar {
            x: round(x + gap / 2.0),
            y,
            width: round(self.step - gap),
            height: round(BASE - y),
            title,
        }
    }

    fn outline(&self, counts: &[usize]) -> String {
        let steps: Vec<String> = counts
            .iter()
            .enumerate()
            .map(|(i, &n)| format!("V{}H{}", self.y(n), self.x(i + 1)))
            .collect();
        format!("M{} {BASE}{}V{BASE}", self.x(0), steps.concat())
    }
}

/// To one decimal, so that equal reports have equal bytes.
fn round(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: f64) -> Estimate {
        let (low, high) = (value - 0.1, value + 0.1);
        Estimate { value, low, high }
    }

    #[test]
    fn bars_stand_for_every_item_and_stay_inside() {
        for counts in [
            vec![(2, 1)],
            vec![(1, 3), (7, 1)],
            (0..=99).map(|i| (i, i + 1)).collect(),
        ] {
            let items: usize = counts.iter().map(|(_, n)| n).sum();
            let found = Sizes {
                counts: counts.into_iter().collect(),
                mean: Some(of(3.0)),
            };
            let plot = sizes("Words", "words", &found).unwrap();
            assert!(plot.bars.len() <= MOST_BARS);
            let count =
                |bar: &Bar| -> usize { bar.title.rsplit(' ').next().unwrap().parse().unwrap() };
            assert_eq!(plot.bars.iter().map(count).sum::<usize>(), items);
            let tallest = plot.bars.iter().max_by_key(|bar| count(bar)).unwrap();
            assert_eq!((tallest.y, tallest.height), (TOP, BASE - TOP));
            for bar in &plot.bars {
                assert!(bar.x >= LEFT && bar.x + bar.width <= WIDTH - LEFT + 0.2);
                assert!((bar.y + bar.height - BASE).abs() < 0.1 && bar.y >= TOP);
            }
            assert!(plot.ticks.len() <= 8);
            assert!(plot.note.contains("3.0 (2.9 to 3.1)"), "{}", plot.note);
        }
    }

    #[test]
    fn cosines_share_one_scale_with_those_of_other_albums() {
        let found = Similarity {
            albums: vec![0.41, 0.44, 0.52, 0.44],
            shuffled: vec![-0.02, 0.01, 0.43, 0.02],
            mean: Some(of(0.45)),
            shuffled_mean: Some(of(0.11)),
        };
        let plot = similarity("Alike", &found).unwrap();
        // From -0.05 to 0.55 by 0.05.
        assert_eq!(plot.bars.len(), 12);
        assert_eq!(plot.bars[9].title, "cosine 0.40 to 0.45: 3 albums");
        assert_eq!(plot.bars[9].y, TOP);
        assert_eq!(plot.outline.unwrap().matches('V').count(), 13);
        let labels: Vec<&str> = plot.ticks.iter().map(|t| t.label.as_str()).collect();
        assert_eq!(labels, ["0.0", "0.2", "0.4"]);
        let empty = Similarity {
            albums: Vec::new(),
            shuffled: Vec::new(),
            mean: None,
            shuffled_mean: None,
        };
        assert!(similarity("Alike", &empty).is_none());
    }
}
