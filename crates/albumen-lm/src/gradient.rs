//! Losses and per-unit gradients of packed micro-batches.
//!
//! The sequences of a micro-batch lie back to back, so that no length costs another padding and
//! batches need no sorting by length. Each unit's gradient is formed inside the one backward pass,
//! from its rows of activations and their gradients (Lee & Kifer 2021, arXiv:2009.03106).

use std::ops::Range;

use crate::backward::Pass;
use crate::decode::Prefix;
use crate::error::LmError;
use crate::kernels::{Decode, on_pool};
use crate::lora::{Adapter, LoraLayout};
use crate::model::{DeviceAdapter, Lm, Seen};
use crate::packed::{Packed, micro_batches};
use crate::sequence::Sequence;
use crate::states::{PrefixStates, StateFormat};

/// How much of a batch is in work at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Tokens whose activations are kept at once. A longer unit is processed alone.
    pub tokens: usize,
    /// Bytes of per-unit gradients kept at once, one unit's at least.
    pub gradient_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            tokens: 512,
            gradient_bytes: 128 << 20,
        }
    }
}

/// A sequence to train on, with the states below its first adapted layer where they are cached.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// The tokens, their weights and mask.
    pub sequence: &'a Sequence,
    /// From [`Lm::prefix_states`] of the same sequence and layout.
    pub states: Option<&'a PrefixStates>,
}

impl<'a> From<&'a Sequence> for Example<'a> {
    fn from(sequence: &'a Sequence) -> Self {
        Self {
            sequence,
            states: None,
        }
    }
}

impl<K: Decode> Lm<K> {
    /// The loss of each example, `sum_i weights[i] * -log p(tokens[i])`, without gradients. Every
    /// sequence stands after `before`, whose keys and values are as they are, whatever the adapter.
    ///
    /// # Errors
    /// Where a token, a position, the parameters or the states do not fit the model.
    pub fn losses(
        &self,
        adapter: Option<Adapter<'_>>,
        before: Option<&Prefix<K>>,
        examples: &[Example<'_>],
        budget: Budget,
    ) -> Result<Vec<f32>, LmError> {
        let adapter = adapter.map(|a| self.device_adapter(a)).transpose()?;
        let layout = adapter.as_ref().map(|a| a.adapter.layout);
        examples
            .iter()
            .try_for_each(|e| self.check_example(e, before, layout))?;
        let sizes: Vec<_> = examples.iter().map(|e| e.sequence.len()).collect();
        let mut losses = Vec::with_capacity(examples.len());
        for batch in micro_batches(&sizes, budget.tokens, usize::MAX) {
            let examples: Vec<_> = examples[batch].iter().collect();
            let packed = Packed::new(length(before), examples.iter().map(|e| e.sequence));
            losses.extend(on_pool(|| {
                let (adapter, end) = (adapter.as_ref(), self.layers.len());
                let h = self.hidden(&examples, before, &packed, adapter, end)?;
                Ok::<_, LmError>(self.head_loss(&h, &packed, false)?.0)
            })?);
        }
        Ok(losses)
    }

    /// The gradient of each unit's loss (the sum over its examples) with respect to the adapter's
    /// flat parameters: `sink(unit, gradient, loss)`, once a unit, in order. The gradients of one
    /// micro-batch are in memory at a time. No unit, no call; a unit without examples has a
    /// gradient of zeros. `before` is constant: no gradient flows into or through it.
    ///
    /// # Errors
    /// As [`Lm::losses`]; what the caller gave is checked before any work.
    pub fn gradients(
        &self,
        adapter: Adapter<'_>,
        before: Option<&Prefix<K>>,
        units: &[Vec<Example<'_>>],
        budget: Budget,
        sink: &mut dyn FnMut(usize, &[f32], f32),
    ) -> Result<(), LmError> {
        let device = self.device_adapter(adapter)?;
        let layout = adapter.layout;
        units
            .iter()
            .flatten()
            .try_for_each(|e| self.check_example(e, before, Some(layout)))?;
        let sizes: Vec<_> = units
            .iter()
            .map(|u| u.iter().map(|e| e.sequence.len()).sum())
            .collect();
        let count = (budget.gradient_bytes / (4 * layout.len())).max(1);
        for batch in micro_batches(&sizes, budget.tokens, count) {
            let examples: Vec<_> = units[batch.clone()].iter().flatten().collect();
            let packed = Packed::new(length(before), examples.iter().map(|e| e.sequence));
            let (mut row, mut rows) = (0, Vec::with_capacity(batch.len()));
            for &size in &sizes[batch.clone()] {
                rows.push(row..row + size);
                row += size;
            }
            let (gradients, losses) =
                on_pool(|| self.micro_batch(&device, before, &examples, &packed, &rows))?;
            let mut losses = losses.into_iter();
            for (row, unit) in batch.enumerate() {
                let loss = losses.by_ref().take(units[unit].len()).sum();
                self.kernels
                    .with_row(&gradients, row, &mut |g| sink(unit, g, loss))?;
            }
        }
        Ok(())
    }

    /// One forward and backward pass: (units, parameters), and the loss of each example.
    fn micro_batch(
        &self,
        adapter: &DeviceAdapter<'_, K>,
        before: Option<&Prefix<K>>,
        examples: &[&Example<'_>],
        packed: &Packed,
        units: &[Range<usize>],
    ) -> Result<(K::Matrix, Vec<f32>), LmError> {
        let layout = adapter.adapter.layout;
        let mut gradients = self.kernels.zeros(units.len(), layout.len())?;
        if packed.targets.is_empty() {
            return Ok((gradients, vec![0.0; examples.len()]));
        }
        let angles = self.angles(&packed.positions)?;
        let seen = seen(packed, before);
        let (first, mut h) = self.input(examples, packed)?;
        let mut saved = Vec::with_capacity(self.layers.len() - layout.first_layer());
        for layer in first..self.layers.len() {
            let save = layer >= layout.first_layer();
            let (out, kept) = self.layer(layer, h, seen, &angles, Some(adapter), save)?;
            saved.extend(kept);
            h = out;
        }
        let (losses, g) = self.head_loss(&h, packed, true)?;
        drop(h);
        let mut pass = Pass {
            seen,
            angles: &angles,
            adapter,
            units,
            gradients: &mut gradients,
        };
        let mut g = g;
        for layer in (layout.first_layer()..self.layers.len()).rev() {
            let (Some(above), Some(kept)) = (g.take(), saved.pop()) else {
                break;
            };
            g = self.layer_backward(layer, kept, above, &mut pass)?;
        }
        Ok((gradients, losses))
    }

    /// The first layer to run and its input: the embedding, or cached states.
    fn input(
        &self,
        examples: &[&Example<'_>],
        packed: &Packed,
    ) -> Result<(usize, K::Matrix), LmError> {
        let width = self.config.hidden_size;
        let Some(first) = examples.iter().find_map(|e| e.states) else {
            let scale = self.config.embedding_scale;
            return Ok((
                0,
                self.kernels.embed(&self.embedding, &packed.tokens, scale)?,
            ));
        };
        let mut rows = Vec::with_capacity(packed.tokens.len() * width);
        for example in examples {
            let Some(states) = example.states else {
                let why = "only some examples of a batch have them";
                return Err(LmError::States(why.into()));
            };
            states.read(&mut rows);
        }
        Ok((first.layer(), self.kernels.upload(&rows, width)?))
    }

    /// The loss of each sequence and, where `backward`, the gradient of the last layer's output.
    /// The head sees only rows that predict something.
    fn head_loss(
        &self,
        h: &K::Matrix,
        packed: &Packed,
        backward: bool,
    ) -> Result<(Vec<f32>, Option<K::Matrix>), LmError> {
        if packed.targets.is_empty() {
            return Ok((packed.losses(&[]), None));
        }
        let k = &self.kernels;
        let rows = k.gather(h, &packed.predictors)?;
        let (x, inverse) = k.rms_norm(&rows, &self.final_norm, self.eps())?;
        let (head, cap) = (self.head(), self.config.final_softcap);
        let (losses, dx) =
            k.cross_entropy(&x, head, &packed.targets, &packed.weights, cap, backward)?;
        let g = dx
            .map(|dx| {
                let dx = k.rms_norm_backward(&rows, &inverse, &self.final_norm, &dx, None)?;
                k.scatter(&dx, &packed.predictors, packed.tokens.len())
            })
            .transpose()?;
        Ok((packed.losses(&losses), g))
    }

    /// The hidden states that enter `layout.first_layer()`, for each sequence after `before`. They
    /// are as private as the text, and serve with the same `before` only.
    ///
    /// # Errors
    /// Where a token or position does not fit the model.
    pub fn prefix_states(
        &self,
        layout: &LoraLayout,
        before: Option<&Prefix<K>>,
        sequences: &[&Sequence],
        format: StateFormat,
        budget: Budget,
    ) -> Result<Vec<PrefixStates>, LmError> {
        sequences
            .iter()
            .try_for_each(|s| self.check_sequence(s, before))?;
        let (layer, width) = (layout.first_layer(), self.config.hidden_size);
        let sizes: Vec<_> = sequences.iter().map(|s| s.len()).collect();
        let mut states = Vec::with_capacity(sequences.len());
        for batch in micro_batches(&sizes, budget.tokens, usize::MAX) {
            let packed = Packed::new(length(before), sequences[batch.clone()].iter().copied());
            let h = on_pool(|| self.hidden(&[], before, &packed, None, layer))?;
            let rows = self.kernels.download(&h)?;
            let mut rows = &rows[..];
            for &size in &sizes[batch] {
                let (of_sequence, left) = rows.split_at(size * width);
                states.push(PrefixStates::new(layer, width, format, of_sequence));
                rows = left;
            }
        }
        Ok(states)
    }

    /// The input of layer `end`, from the embedding or cached states on.
    fn hidden(
        &self,
        examples: &[&Example<'_>],
        before: Option<&Prefix<K>>,
        packed: &Packed,
        adapter: Option<&DeviceAdapter<'_, K>>,
        end: usize,
    ) -> Result<K::Matrix, LmError> {
        let seen = seen(packed, before);
        let angles = self.angles(&packed.positions)?;
        let (first, mut h) = self.input(examples, packed)?;
        for layer in first..end {
            h = self.layer(layer, h, seen, &angles, adapter, false)?.0;
        }
        Ok(h)
    }

    /// The logits that follow each token of a sequence, (tokens, vocab_size). For tests and small
    /// inputs: it holds them all.
    ///
    /// # Errors
    /// Where a token, a position or the parameters do not fit the model.
    pub fn logits(
        &self,
        adapter: Option<Adapter<'_>>,
        sequence: &Sequence,
    ) -> Result<Vec<f32>, LmError> {
        self.check_sequence(sequence, None)?;
        let adapter = adapter.map(|a| self.device_adapter(a)).transpose()?;
        let packed = Packed::new(0, [sequence].into_iter());
        let (adapter, end) = (adapter.as_ref(), self.layers.len());
        let h = on_pool(|| self.hidden(&[], None, &packed, adapter, end))?;
        let (x, _) = self.kernels.rms_norm(&h, &self.final_norm, self.eps())?;
        let mut logits = self
            .kernels
            .download(&self.kernels.linear(&x, self.head(), None)?)?;
        if let Some(c) = self.config.final_softcap {
            for x in &mut logits {
                *x = c * (*x / c).tanh();
            }
        }
        Ok(logits)
    }

    fn check_example(
        &self,
        e: &Example<'_>,
        before: Option<&Prefix<K>>,
        layout: Option<&LoraLayout>,
    ) -> Result<(), LmError> {
        self.check_sequence(e.sequence, before)?;
        let Some(states) = e.states else {
            return Ok(());
        };
        let (rows, len) = (states.rows(), e.sequence.len());
        if rows != len || states.width() != self.config.hidden_size {
            let (width, h) = (states.width(), self.config.hidden_size);
            return Err(LmError::States(format!(
                "they are ({rows}, {width}) where the sequence needs ({len}, {h})"
            )));
        }
        let first = layout.map_or(self.layers.len(), LoraLayout::first_layer);
        if states.layer() != first {
            let layer = states.layer();
            return Err(LmError::States(format!(
                "they enter layer {layer} where the adapter starts at layer {first}"
            )));
        }
        Ok(())
    }

    fn check_sequence(
        &self,
        sequence: &Sequence,
        before: Option<&Prefix<K>>,
    ) -> Result<(), LmError> {
        self.check_tokens(sequence.tokens())?;
        let position = sequence.positions().iter().copied().max().unwrap_or(0) as usize;
        self.check_position(length(before) + position)
    }

    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<(), LmError> {
        let vocab_size = self.config.vocab_size;
        match tokens.iter().find(|&&t| t as usize >= vocab_size) {
            Some(&token) => Err(LmError::Token { token, vocab_size }),
            None => Ok(()),
        }
    }

    pub(crate) fn check_position(&self, position: usize) -> Result<(), LmError> {
        let max_position = self.config.max_position;
        if position < max_position {
            return Ok(());
        }
        // How long the text is may be private; the limit is not.
        Err(LmError::TooLong { max_position })
    }
}

fn length<K: Decode>(before: Option<&Prefix<K>>) -> usize {
    before.map_or(0, Prefix::len)
}

fn seen<'a, K: Decode>(packed: &'a Packed, before: Option<&'a Prefix<K>>) -> Seen<'a, K> {
    Seen {
        runs: &packed.runs,
        before: before.map(Prefix::rows),
    }
}
