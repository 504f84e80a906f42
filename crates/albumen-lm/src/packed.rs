//! Sequences side by side in one matrix, and how a batch is cut into pieces.

use std::ops::Range;

use crate::kernels::PackedRun;
use crate::sequence::Sequence;

/// Sequences packed into one matrix's rows.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(crate) tokens: Vec<u32>,
    pub(crate) positions: Vec<u32>,
    pub(crate) runs: Vec<PackedRun>,
    /// For each token with a loss weight: the row that predicts it, the token, its weight.
    pub(crate) predictors: Vec<u32>,
    pub(crate) targets: Vec<u32>,
    pub(crate) weights: Vec<f32>,
    /// Targets of each sequence.
    spans: Vec<Range<usize>>,
}

impl Packed {
    /// Of sequences that `before` tokens stand before.
    pub(crate) fn new<'a>(before: usize, sequences: impl Iterator<Item = &'a Sequence>) -> Self {
        let mut packed = Self::default();
        for sequence in sequences {
            let origin = packed.tokens.len();
            packed.tokens.extend(sequence.tokens());
            let positions = sequence.positions().iter();
            packed
                .positions
                .extend(positions.map(|p| p + before as u32));
            packed
                .runs
                .extend(sequence.runs().into_iter().map(|run| PackedRun {
                    origin,
                    start: origin + run.start,
                    len: run.len,
                    context: run.context,
                }));
            let first = packed.targets.len();
            for (from, target, weight) in sequence.targets() {
                packed.predictors.push((origin + from) as u32);
                packed.targets.push(sequence.tokens()[target]);
                packed.weights.push(weight);
            }
            packed.spans.push(first..packed.targets.len());
        }
        packed
    }

    /// The loss of each sequence from that of each target.
    pub(crate) fn losses(&self, of_targets: &[f32]) -> Vec<f32> {
        self.spans
            .iter()
            .map(|s| of_targets[s.clone()].iter().sum())
            .collect()
    }
}

/// Splits items into neighbours of at most `tokens` tokens and `count` items, one at least.
pub(crate) fn micro_batches(sizes: &[usize], tokens: usize, count: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut sum) = (0, 0);
    for (i, &size) in sizes.iter().enumerate() {
        if i > start && (sum + size > tokens || i - start >= count) {
            batches.push(start..i);
            (start, sum) = (i, 0);
        }
        sum += size;
    }
    if start < sizes.len() {
        batches.push(start..sizes.len());
    }
    batches
}
