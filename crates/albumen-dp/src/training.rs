use std::sync::atomic::{AtomicU64, Ordering};

use crate::checkpoint::identity;
use crate::noise::LatticeGaussian;
use crate::optimizer::OptimizerState;
use crate::released::Scope;
use crate::sampler::PoissonSampler;
use crate::{ClippedSum, DpError, Optimizer, Plan, Randomness, Released, Sensitive};

/// One DP-SGD run.
///
/// # Guarantee
/// What [`DpTraining::finish`] releases is a function of `plan.steps` noised sums and of public
/// input (plan, optimizer, initial parameters): each sum is of one Poisson batch, moves by at most C
/// when a unit is added or removed, and gets Gaussian noise of standard deviation
/// `noise_multiplier * C` in every coordinate. It is divided by the expected batch, never by the
/// realised one, and an empty batch takes a noisy step like any other. [`Plan::event`] describes
/// exactly that, under add/remove adjacency of `plan.unit`.
///
/// [`DpTraining::params`] between the steps are such a function too, of fewer steps; they pass
/// before the event is in the ledger, so they belong to the private side until `finish` is committed.
///
/// # Citations
/// Abadi et al. 2016, algorithm 1. Proof notes: proofs/sampling.md, clipping.md, noise.md.
pub struct DpTraining {
    plan: Plan,
    pub(crate) state: OptimizerState,
    sampler: PoissonSampler,
    noise: LatticeGaussian,
    unit_count: Sensitive<usize>,
    pub(crate) insecure: bool,
    pub(crate) sampled: u64,
    pub(crate) updated: u64,
    /// Of what the steps depend on but the data; see `checkpoint`.
    pub(crate) identity: String,
    number: u64,
}

/// One step's Poisson sample of the units; it is used up by exactly one noisy step.
///
/// ```compile_fail,E0308
/// fn copy(batch: &albumen_dp::Batch) -> albumen_dp::Batch {
///     batch.clone()
/// }
/// ```
pub struct Batch {
    units: Sensitive<Vec<usize>>,
    ticket: u64,
}

impl Batch {
    /// Indices of the units in the batch, ascending; a unit's place in this list is its position.
    pub fn units(&self) -> &Sensitive<Vec<usize>> {
        &self.units
    }
}

/// Numbers trainings, so that no sum passes from one to another.
static TRAININGS: AtomicU64 = AtomicU64::new(0);

impl DpTraining {
    /// Begins a run over `unit_count` units from `initial` (`[dimension]`) parameters, which must be
    /// public.
    ///
    /// # Errors
    /// [`DpError::OutOfRange`] or [`DpError::Accounting`] for a plan or optimizer out of range,
    /// [`DpError::Randomness`].
    pub fn begin(
        plan: Plan,
        optimizer: Optimizer,
        initial: Vec<f32>,
        unit_count: &Sensitive<usize>,
        randomness: Randomness,
    ) -> Result<Self, DpError> {
        plan.validate()?;
        optimizer.validate()?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the count bounds the sampler's loop and stays sealed in the training"
        )]
        let unit_count = Sensitive::new(*unit_count.expose());
        Ok(Self {
            sampler: PoissonSampler::new(plan.sampling_rate(), randomness)?,
            noise: LatticeGaussian::new(plan.noise_multiplier, randomness)?,
            identity: identity(&plan, &optimizer, &initial, randomness.is_insecure()),
            state: OptimizerState::new(optimizer, initial),
            unit_count,
            insecure: randomness.is_insecure(),
            sampled: 0,
            updated: 0,
            number: TRAININGS.fetch_add(1, Ordering::Relaxed),
            plan,
        })
    }

    /// Draws the next step's batch; `None` after `plan.steps` of them.
    ///
    /// # Errors
    /// [`DpError::OpenBatch`] where the last batch has not been closed by [`DpTraining::update`].
    pub fn sample(&mut self) -> Result<Option<Batch>, DpError> {
        if self.sampled != self.updated {
            return Err(DpError::OpenBatch { step: self.updated });
        }
        if self.sampled == self.plan.steps {
            return Ok(None);
        }
        self.sampled += 1;
        #[expect(
            clippy::disallowed_methods,
            reason = "the count bounds the sampler's loop; the batch is sealed again"
        )]
        let units = self.sampler.sample(*self.unit_count.expose());
        Ok(Some(Batch {
            units: Sensitive::new(units),
            ticket: self.ticket(),
        }))
    }

    /// An empty sum for this batch.
    pub fn clipped_sum(&self, batch: &Batch) -> ClippedSum {
        #[expect(
            clippy::disallowed_methods,
            reason = "the sum checks positions against the batch's size and keeps it sealed"
        )]
        let units = batch.units.expose().len();
        ClippedSum::new(
            self.state.params().len(),
            units,
            self.plan.clipping,
            batch.ticket,
        )
    }

    /// Closes the batch: adds noise to its sum, divides by the expected batch, and steps.
    ///
    /// # Errors
    /// [`DpError::ForeignSum`], [`DpError::MissingUnit`]: the batch is used up, and the training can
    /// only be given up.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a batch is used up by its one noisy step"
    )]
    pub fn update(&mut self, batch: Batch, sum: ClippedSum) -> Result<(), DpError> {
        if batch.ticket != self.ticket() || sum.ticket != batch.ticket {
            return Err(DpError::ForeignSum);
        }
        if !sum.is_complete() {
            return Err(DpError::MissingUnit);
        }
        let mut noised = sum.total;
        self.noise.add_to(&mut noised);
        let scale = self.plan.clipping.norm()
            / f64::from(1_u32 << crate::clip::LATTICE_BITS)
            / self.plan.expected_batch as f64;
        let gradient: Vec<f32> = noised.iter().map(|&n| (n as f64 * scale) as f32).collect();
        let deviation = self.plan.noise_multiplier * self.plan.clipping.norm()
            / self.plan.expected_batch as f64;
        self.state.apply(
            &gradient,
            deviation * deviation,
            self.updated,
            self.plan.steps,
        );
        self.updated += 1;
        Ok(())
    }

    /// The current parameters (`[dimension]`), for computing gradients.
    pub fn params(&self) -> &[f32] {
        self.state.params()
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Steps taken; public, as it does not depend on the data.
    pub fn steps_taken(&self) -> u64 {
        self.updated
    }

    /// Ends the run after its last step.
    ///
    /// # Errors
    /// [`DpError::Unfinished`] where steps of the plan are missing.
    pub fn finish(self) -> Result<Released<Vec<f32>>, DpError> {
        if self.updated != self.plan.steps || self.sampled != self.updated {
            return Err(DpError::Unfinished {
                done: self.updated,
                planned: self.plan.steps,
            });
        }
        let scope = Scope {
            unit: self.plan.unit,
            declared_units: self.plan.declared_units,
            insecure: self.insecure,
        };
        let event = self.plan.event();
        Ok(Released::new(self.state.into_params(), event, scope))
    }

    /// Identifies the open step among all steps of all trainings of this process.
    fn ticket(&self) -> u64 {
        (self.number << 40) | self.sampled
    }
}
