//! The private training loop.

use std::path::Path;
use std::time::{Duration, Instant};

use albumen_dp::{BatchMetrics, DpTraining, Optimizer, Plan, Randomness, Released, Sensitive};
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{
    Adapter, AnyLm, AnyPrefix, Budget, Example, LmError, LoraLayout, PrefixStates, Sequence,
    StateFormat,
};
use albumen_schema::UnitTexts;

use crate::sequences::of_unit;
use crate::{Lengths, Model, TrainError};

/// The public side of training.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    /// The frozen model.
    pub lm: &'a AnyLm,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// What stands before every sequence: public, and made without an adapter, so that it is the same
    /// in every step.
    pub preamble: Option<&'a AnyPrefix>,
    /// What is trained.
    pub layout: &'a LoraLayout,
    /// How much is in work at once.
    pub budget: Budget,
    /// Bounds on text.
    pub lengths: Lengths,
    /// Whether the hidden states below the adapted layers are computed once and kept.
    pub cache_activations: bool,
}

/// Where and how often a training leaves its state, so that a killed one need not begin again.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints<'a> {
    /// A file under `private/`.
    pub path: &'a Path,
    /// Names everything else that the steps depend on: inputs, the ledger's head.
    pub context: &'a str,
    /// Least time between two; zero for one after each step.
    pub every: Duration,
}

/// How far training is. Counts steps only: nothing here depends on the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepProgress {
    /// Steps finished.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Steps that an earlier process had taken.
    pub resumed: u64,
}

/// What one step saw; private, for `--show-private-metrics` only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMetrics {
    /// The step, from 1.
    pub step: u64,
    /// Units in the batch.
    pub batch: usize,
    /// Mean loss of a unit before the step, in nats a token.
    pub loss: f64,
    /// Mean norm of a unit's gradient before clipping, over the finite ones.
    pub gradient_norm: f64,
    /// Units whose gradient was longer than the clipping norm.
    pub clipped: usize,
    /// Units whose gradient was not finite and counted as zero.
    pub non_finite: usize,
}

impl StepMetrics {
    /// From the clipped sum's counts and the batch's summed loss.
    fn new(step: u64, batch: BatchMetrics, loss_total: f64) -> Self {
        let finite = batch.units - batch.non_finite;
        Self {
            step,
            batch: batch.units,
            loss: loss_total / batch.units.max(1) as f64,
            gradient_norm: batch.norm_total / finite.max(1) as f64,
            clipped: batch.clipped,
            non_finite: batch.non_finite,
        }
    }
}

/// Sequences of every unit, with their cached states.
pub(crate) struct Units {
    sequences: Vec<Vec<Sequence>>,
    states: Vec<Vec<PrefixStates>>,
}

impl Units {
    pub(crate) fn examples(&self, unit: usize) -> Vec<Example<'_>> {
        let states = self.states.get(unit);
        self.sequences[unit]
            .iter()
            .enumerate()
            .map(|(i, sequence)| Example {
                sequence,
                states: states.and_then(|s| s.get(i)),
            })
            .collect()
    }
}

/// Trains one model by DP-SGD and gives its released parameters.
///
/// # Guarantee
/// The released parameters are a function of `initial` (public) and of the noised clipped sums of
/// `plan.steps` Poisson-sampled batches; `albumen_dp` forms both, and the event that comes with
/// them. The guarantee is `plan`'s, for add/remove of one element of `units`.
///
/// `observe`, where there is one, gets each step's private numbers under seal; they are outside the
/// guarantee.
///
/// # Errors
/// [`TrainError`]; nothing has been released then.
pub fn train(
    engine: &Engine<'_>,
    model: Model,
    plan: Plan,
    optimizer: Optimizer,
    initial: Vec<f32>,
    units: &Sensitive<Vec<UnitTexts>>,
    randomness: Randomness,
    checkpoints: &Checkpoints<'_>,
    progress: &mut dyn FnMut(StepProgress),
    mut observe: Option<&mut dyn FnMut(Sensitive<StepMetrics>)>,
) -> Result<Released<Vec<f32>>, TrainError> {
    let (lm, layout) = (engine.lm, engine.layout);
    let steps = plan.steps;
    let units = units.as_ref().map(|units| prepare(engine, model, units));
    #[expect(
        clippy::disallowed_methods,
        reason = "training reads the units' sequences to compute gradients; only clipped, noised sums leave"
    )]
    let units = units.into_exposed()?;
    let count = Sensitive::new(units.sequences.len());

    let mut training = DpTraining::begin(plan, optimizer, initial, &count, randomness)?;
    training.restore(checkpoints.path, checkpoints.context)?;
    let resumed = training.steps_taken();
    let mut saved = Instant::now();
    while let Some(batch) = training.sample()? {
        let mut sum = training.clipped_sum(&batch);
        let adapter = Adapter {
            layout,
            params: training.params(),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the sampled units' indices choose whose gradients are computed"
        )]
        let chosen: Vec<_> = batch
            .units()
            .expose()
            .iter()
            .map(|&unit| units.examples(unit))
            .collect();
        let mut refused = Ok(());
        let mut loss_total = 0.0;
        let mut add = |i: usize, gradient: &[f32], loss: f32| {
            loss_total += f64::from(loss);
            if refused.is_ok() {
                refused = sum.add_unit(i, gradient);
            }
        };
        lm.gradients(adapter, engine.preamble, &chosen, engine.budget, &mut add)?;
        refused?;
        let step = training.steps_taken() + 1;
        if let Some(observe) = &mut observe {
            observe((sum.metrics()).map(|batch| StepMetrics::new(step, batch, loss_total)));
        }
        training.update(batch, sum)?;
        if saved.elapsed() >= checkpoints.every {
            training.checkpoint(checkpoints.path, checkpoints.context)?;
            saved = Instant::now();
        }
        progress(StepProgress {
            step,
            steps,
            resumed,
        });
    }

    Ok(training.finish()?)
}

/// Checks released parameters after they are paid for: a look at them before would be a release
/// that the ledger does not know.
///
/// # Errors
/// [`TrainError::NotFinite`], [`TrainError::Unchanged`].
pub fn check_released(model: Model, before: &[f32], released: &[f32]) -> Result<(), TrainError> {
    let model = model.name();
    if !released.iter().all(|p| p.is_finite()) {
        return Err(TrainError::NotFinite { model });
    }
    if released == before {
        return Err(TrainError::Unchanged { model });
    }
    Ok(())
}

/// Tokenises every unit and computes, once, the hidden states below the adapted layers.
pub(crate) fn prepare(
    engine: &Engine<'_>,
    model: Model,
    units: &[UnitTexts],
) -> Result<Units, LmError> {
    let sequences = units
        .iter()
        .map(|unit| of_unit(model, unit, engine.tokenizer, engine.lengths))
        .collect::<Result<Vec<_>, _>>()?;
    let flat: Vec<&Sequence> = sequences.iter().flatten().collect();
    if engine.layout.first_layer() == 0 || !engine.cache_activations {
        return Ok(Units {
            sequences,
            states: Vec::new(),
        });
    }
    let mut cached = engine
        .lm
        .prefix_states(
            engine.layout,
            engine.preamble,
            &flat,
            StateFormat::Bf16,
            engine.budget,
        )?
        .into_iter();
    let states = sequences
        .iter()
        .map(|unit| cached.by_ref().take(unit.len()).collect())
        .collect();
    Ok(Units { sequences, states })
}

#[cfg(test)]
mod tests;
