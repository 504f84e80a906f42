//! Token sequences with loss weights and an attention mask.

use crate::error::LmError;

/// Who attends to whom within a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// Every token sees itself and all before it.
    Causal,
    /// A causal trunk, then branches that see the whole trunk and, causally, themselves, but not
    /// their siblings. The lengths add up to the sequence's.
    Tree {
        /// Tokens of the trunk.
        trunk: usize,
        /// Tokens of each branch, none of them 0.
        branches: Vec<usize>,
    },
}

/// A run of tokens that is causal in itself and sees the first `context` tokens of its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// First token, counted from the start of the sequence.
    pub start: usize,
    /// Tokens in the run.
    pub len: usize,
    /// How many of the sequence's first tokens each token of the run sees besides the run.
    pub context: usize,
}

/// One training sequence.
///
/// Token i is predicted from the token before it on its path: its left neighbour, or, for the first
/// token of a branch, the last token of the trunk. The loss of the sequence is
/// `sum_i weights[i] * -log p(tokens[i])`; nothing is normalised here.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    weights: Vec<f32>,
    mask: Mask,
}

impl Sequence {
    /// A sequence from its parts.
    ///
    /// # Errors
    /// Where lengths disagree, a weight is not finite, a branch is empty, or a token that nothing
    /// precedes has a weight.
    pub fn new(tokens: Vec<u32>, weights: Vec<f32>, mask: Mask) -> Result<Self, LmError> {
        let refuse = |why: String| Err(LmError::Sequence(why));
        if tokens.is_empty() {
            return refuse("it is empty; give it at least one token".into());
        }
        if tokens.len() != weights.len() {
            let (t, w) = (tokens.len(), weights.len());
            return refuse(format!(
                "{t} tokens but {w} weights; give one weight a token"
            ));
        }
        if let Some(w) = weights.iter().find(|w| !w.is_finite()) {
            return refuse(format!("a loss weight is {w}; weights must be finite"));
        }
        if let Mask::Tree { trunk, branches } = &mask {
            let total = trunk + branches.iter().sum::<usize>();
            if total != tokens.len() || branches.contains(&0) {
                let n = tokens.len();
                return refuse(format!(
                    "trunk {trunk} and branches {branches:?} must be non-empty runs of its {n} tokens"
                ));
            }
        }
        let runs = runs(&mask, tokens.len());
        let mut positions = vec![0; tokens.len()];
        for run in &runs {
            for i in 0..run.len {
                positions[run.start + i] = (run.context + i) as u32;
            }
            if run.context == 0 && weights[run.start] != 0.0 {
                return refuse("its first token has a loss weight, but nothing predicts it".into());
            }
        }
        Ok(Self {
            tokens,
            positions,
            weights,
            mask,
        })
    }

    /// A builder, to be filled from left to right.
    pub fn builder() -> SequenceBuilder {
        SequenceBuilder::default()
    }

    /// The tokens, trunk first.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The position of each token; those of a branch continue from the trunk's end.
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// The weight of predicting each token.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The attention mask.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Tokens in the sequence, never 0.
    #[expect(clippy::len_without_is_empty, reason = "no sequence is empty")]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The sum of all loss weights.
    pub fn total_weight(&self) -> f32 {
        self.weights.iter().sum()
    }

    /// Multiplies every loss weight by `factor`.
    pub fn scale_weights(&mut self, factor: f32) {
        self.weights.iter_mut().for_each(|w| *w *= factor);
    }

    /// The mask as runs, in token order.
    pub fn runs(&self) -> Vec<Run> {
        runs(&self.mask, self.tokens.len())
    }

    /// Each token with a loss weight: (the token that predicts it, itself, weight), by index.
    pub fn targets(&self) -> Vec<(usize, usize, f32)> {
        let mut targets = Vec::new();
        for run in self.runs() {
            for i in run.start..run.start + run.len {
                if self.weights[i] != 0.0 {
                    let from = if i == run.start { run.context } else { i };
                    targets.push((from - 1, i, self.weights[i]));
                }
            }
        }
        targets
    }
}

fn runs(mask: &Mask, len: usize) -> Vec<Run> {
    match mask {
        Mask::Causal => vec![Run {
            start: 0,
            len,
            context: 0,
        }],
        Mask::Tree { trunk, branches } => {
            let mut runs = Vec::with_capacity(branches.len() + 1);
            if *trunk > 0 {
                runs.push(Run {
                    start: 0,
                    len: *trunk,
                    context: 0,
                });
            }
            let mut start = *trunk;
            for &len in branches {
                runs.push(Run {
                    start,
                    len,
                    context: *trunk,
                });
                start += len;
            }
            runs
        }
    }
}

/// Builds a [`Sequence`] from left to right; see [`Sequence::builder`].
#[derive(Debug, Clone, Default)]
pub struct SequenceBuilder {
    tokens: Vec<u32>,
    weights: Vec<f32>,
    branch_starts: Vec<usize>,
}

impl SequenceBuilder {
    /// Adds tokens that are given, not predicted.
    #[must_use]
    pub fn context(self, tokens: &[u32]) -> Self {
        self.target(tokens, 0.0)
    }

    /// Adds tokens to be predicted, each with this loss weight.
    #[must_use]
    pub fn target(mut self, tokens: &[u32], weight: f32) -> Self {
        self.tokens.extend_from_slice(tokens);
        self.weights.resize(self.tokens.len(), weight);
        self
    }

    /// Starts a branch: what is added next sees the trunk and this branch only. All that was added
    /// before the first branch is the trunk.
    #[must_use]
    pub fn branch(mut self) -> Self {
        self.branch_starts.push(self.tokens.len());
        self
    }

    /// The sequence.
    ///
    /// # Errors
    /// See [`Sequence::new`].
    pub fn build(self) -> Result<Sequence, LmError> {
        let mask = match self.branch_starts.first() {
            None => Mask::Causal,
            Some(&trunk) => {
                let ends = self.branch_starts[1..]
                    .iter()
                    .copied()
                    .chain([self.tokens.len()]);
                let branches = self
                    .branch_starts
                    .iter()
                    .zip(ends)
                    .map(|(s, e)| e - s)
                    .collect();
                Mask::Tree { trunk, branches }
            }
        };
        Sequence::new(self.tokens, self.weights, mask)
    }
}
