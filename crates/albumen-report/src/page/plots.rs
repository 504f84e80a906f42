//! The measures of the synthetic albums as plots.

use albumen_chart::{Bin, Colour, Histogram, Outline, Stroke, number};
use albumen_synth::export::words;
use serde::Serialize;

use crate::synthetic::{Diversity, GRAMS, NEAR_DUPLICATE, Similarity, Sizes, SyntheticMetrics};

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
    /// The drawing.
    svg: String,
    /// Whether there is an outline.
    compared: bool,
    /// What the numbers say, in words.
    note: String,
}

impl Plot {
    fn new(title: &'static str, note: String, mut drawing: Histogram) -> Self {
        drawing.label = format!("{title}. {note}");
        Self {
            title,
            svg: drawing.svg(),
            compared: drawing.outline.is_some(),
            note,
        }
    }
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
            number::percent(d.near_duplicates)
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

/// Shares of albums by cosine; `None` where no album has one.
fn similarity(title: &'static str, found: &Similarity) -> Option<Plot> {
    let (mean, shuffled) = (found.mean?, found.shuffled_mean?);
    let note = format!(
        "Mean {}; with texts of other albums {}.",
        number::interval(mean, 2),
        number::interval(shuffled, 2)
    );
    Some(Plot::new(title, note, cosines(found)?))
}

fn cosines(found: &Similarity) -> Option<Histogram> {
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
    let edge = |i: i64| (first + i) as f64 * BIN;
    let bins = count(&found.albums).into_iter().enumerate().map(|(i, n)| {
        let (low, high) = (edge(i as i64), edge(i as i64 + 1));
        Bin {
            height: n as f64,
            title: format!("cosine {low:.2} to {high:.2}: {n} albums"),
        }
    });
    let dealt = count(&found.shuffled).into_iter().map(|n| n as f64);
    let ticks = (0..=last - first + 1)
        .filter(|i| (first + i) % 4 == 0)
        .map(|i| (i as f64, format!("{:.1}", edge(i))));
    Some(Histogram {
        label: String::new(),
        bins: bins.collect(),
        outline: Some(Outline {
            heights: dealt.collect(),
            colour: Colour::Ink,
            stroke: Stroke::Dashed,
        }),
        ticks: ticks.collect(),
        axis: "mean cosine of an album".to_owned(),
    })
}

fn sizes(title: &'static str, axis: &'static str, found: &Sizes) -> Option<Plot> {
    let note = format!("Mean {}.", number::interval(found.mean?, 1));
    Some(Plot::new(title, note, counts(axis, found)?))
}

fn counts(axis: &'static str, found: &Sizes) -> Option<Histogram> {
    let (first, last) = (*found.counts.keys().next()?, *found.counts.keys().last()?);
    let width = (last - first + 1).div_ceil(MOST_BARS);
    let mut bins = vec![0; (last - first + 1).div_ceil(width)];
    for (size, n) in &found.counts {
        bins[(size - first) / width] += n;
    }
    let name = |i: usize| {
        let (low, high) = (first + i * width, first + (i + 1) * width - 1);
        if width == 1 {
            low.to_string()
        } else {
            format!("{low} to {high}")
        }
    };
    let every = bins.len().div_ceil(8);
    let bars = bins.iter().enumerate().map(|(i, &n)| Bin {
        height: n as f64,
        title: format!("{} {axis}: {n}", name(i)),
    });
    Some(Histogram {
        label: String::new(),
        bins: bars.collect(),
        outline: None,
        ticks: (0..bins.len())
            .step_by(every)
            .map(|i| (i as f64 + 0.5, (first + i * width).to_string()))
            .collect(),
        axis: axis.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::bootstrap::Estimate;

    fn of(value: f64) -> Estimate {
        let (low, high) = (value - 0.1, value + 0.1);
        Estimate { value, low, high }
    }

    #[test]
    fn bars_stand_for_every_item() {
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
            let plot = super::counts("words", &found).unwrap();
            assert!(plot.bins.len() <= MOST_BARS);
            let said =
                |bin: &Bin| -> f64 { bin.title.rsplit(' ').next().unwrap().parse().unwrap() };
            assert!(plot.bins.iter().all(|bin| said(bin) == bin.height));
            let all: f64 = plot.bins.iter().map(|bin| bin.height).sum();
            assert_eq!(all, items as f64);
            assert!(plot.ticks.len() <= 8);
            let plot = sizes("Words", "words", &found).unwrap();
            assert_eq!(plot.note, "Mean 3.0 (2.9 to 3.1).");
            assert!(plot.svg.contains(r#"aria-label="Words. Mean 3.0"#));
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
        let plot = cosines(&found).unwrap();
        // From -0.05 to 0.55 by 0.05.
        assert_eq!(plot.bins.len(), 12);
        assert_eq!(plot.bins[9].title, "cosine 0.40 to 0.45: 3 albums");
        assert_eq!(plot.outline.unwrap().heights.iter().sum::<f64>(), 4.0);
        let labels: Vec<&str> = plot.ticks.iter().map(|(_, t)| t.as_str()).collect();
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
