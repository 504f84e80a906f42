//! Bootstrap intervals of measures that compare two sets.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use albumen_report::synthetic::bootstrap::Estimate;

/// Which texts belong together: those of an album, or of an owner. Groups are drawn whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    of_text: Vec<usize>,
    count: usize,
}

impl Groups {
    /// Takes the group of each text.
    pub fn new<T: Ord>(of_text: &[T]) -> Self {
        let mut different: Vec<&T> = of_text.iter().collect();
        different.sort_unstable();
        different.dedup();
        let number = |group: &T| different.partition_point(|g| *g < group);
        Self {
            of_text: of_text.iter().map(number).collect(),
            count: different.len(),
        }
    }

    /// How often each text counts where groups are drawn with replacement.
    fn draw(&self, random: &mut ChaCha8Rng) -> Vec<f64> {
        let mut times = vec![0.0; self.count];
        for _ in 0..self.count {
            times[random.random_range(0..self.count)] += 1.0;
        }
        self.of_text.iter().map(|&group| times[group]).collect()
    }

    /// Every text once.
    fn once(&self) -> Vec<f64> {
        vec![1.0; self.of_text.len()]
    }
}

/// The bootstrap of measures over two sets of texts.
#[derive(Clone, Copy, Debug)]
pub struct Bootstrap<'a> {
    /// Groups of the first set.
    pub p: &'a Groups,
    /// Groups of the second set.
    pub q: &'a Groups,
    /// Resamples.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
}

impl Bootstrap<'_> {
    /// The measure with its 95% interval, from the measure as a function of how often each text of
    /// either set counts; `None` without texts. The interval is cut to `range`.
    ///
    /// Groups are resampled in both sets. What was fitted to all texts (clusters, neighbours, a
    /// classifier) stays. Resamples repeat texts, which makes sets look less alike than they are, so
    /// the percentile interval (Efron & Tibshirani 1993, chapter 13) is moved by the resamples' mean
    /// less the estimate (section 10.2's estimate of bias): its width is the resamples', its place the
    /// estimate's.
    pub fn estimate(
        &self,
        range: (f64, f64),
        measure: impl Fn(&[f64], &[f64]) -> f64 + Sync,
    ) -> Option<Estimate> {
        if self.p.count == 0 || self.q.count == 0 {
            return None;
        }
        let value = measure(&self.p.once(), &self.q.once());
        let mut found: Vec<f64> = (0..self.resamples)
            .into_par_iter()
            .map(|i| {
                let mut random = ChaCha8Rng::seed_from_u64(self.seed);
                random.set_stream(i as u64);
                let p = self.p.draw(&mut random);
                measure(&p, &self.q.draw(&mut random))
            })
            .collect();
        if found.is_empty() {
            return Some(Estimate {
                value,
                low: value,
                high: value,
            });
        }
        let bias = found.iter().sum::<f64>() / found.len() as f64 - value;
        found.sort_by(f64::total_cmp);
        let tail = found.len() / 40;
        let place = |v: f64| (v - bias).clamp(range.0, range.1);
        Some(Estimate {
            value,
            low: place(found[tail]).min(value),
            high: place(found[found.len() - 1 - tail]).max(value),
        })
    }
}

/// The mean of `values`, each as often as its weight says; 0 where nothing counts.
pub fn weighted_mean(values: &[f64], weights: &[f64]) -> f64 {
    let all: f64 = weights.iter().sum();
    let sum: f64 = values.iter().zip(weights).map(|(v, w)| v * w).sum();
    if all > 0.0 { sum / all } else { 0.0 }
}

/// The lower median of `values`, each as often as its weight says; 0 where nothing counts.
pub fn weighted_median(values: &[f64], weights: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let half = weights.iter().sum::<f64>() / 2.0;
    let mut before = 0.0;
    for i in order {
        before += weights[i];
        if before >= half && before > 0.0 {
            return values[i];
        }
    }
    0.0
}
