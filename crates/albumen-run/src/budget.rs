//! The budget of a run: solved from the configuration alone, before any data is read.

mod forecast;
mod releases;

use albumen_accounting::{Event, Guarantee, Part, account_tuned, calibrate};
use albumen_dp::Plan;
use albumen_schema::Config;
use albumen_schema::config::{Layout, ModelTraining, TuningRuns};
use albumen_train::clipping;
use albumen_train::escrow::{Allowance, Planned};
use anyhow::{Context, ensure};

use crate::failure::{Failure, Outcome};
use crate::stages::Stage;

pub use forecast::{Forecast, Model, SignalToNoise, Sweep};
pub(crate) use releases::mechanism;

/// The models' plans, the one-shot releases, and the guarantee that they give together.
pub struct Budget {
    /// Each private training, in order.
    pub models: Vec<(Stage, Plan)>,
    /// What is released beside the models, charged as it is; the models share what it leaves.
    pub releases: Vec<Planned>,
    /// The whole, the charge for tuning included.
    pub total: Guarantee,
    /// The runs that the release is chosen from.
    pub tuning: Option<TuningRuns>,
    /// What was asked for.
    pub asked_epsilon: f64,
    delta: f64,
}

impl Budget {
    /// Solves for the noise of all models that, with the one-shot releases, meets the configured
    /// (epsilon, delta).
    ///
    /// The split is by what each model would spend alone: the summary model's epsilon on its own is
    /// to the caption model's as `summary_share` is to the rest. The flat layout's one model gets all.
    ///
    /// # Errors
    /// [`Failure::Usage`] where no noise meets what is asked for.
    pub fn solve(config: &Config) -> Outcome<Self> {
        let p = &config.privacy;
        let t = &config.train;
        let trained: Vec<(Stage, &ModelTraining, f64)> = match t.layout {
            Layout::Hierarchical => vec![
                (Stage::TrainSummary, &t.summary, p.summary_share),
                (Stage::TrainCaption, &t.caption, 1.0 - p.summary_share),
            ],
            Layout::Flat => vec![(Stage::TrainAlbum, t.of_album(), 1.0)],
        };
        let part = |t: &ModelTraining, share| Part {
            sampling_rate: t.expected_batch as f64 / p.declared_units as f64,
            steps: t.steps,
            share,
        };
        let parts: Vec<Part> = trained
            .iter()
            .map(|(_, t, share)| part(t, *share))
            .collect();
        let releases = releases::configured(config).map_err(Failure::usage)?;
        let mut events: Vec<Event> = releases.iter().map(|r| r.event.clone()).collect();
        let solved = calibrate(&parts, &events, p.tuning_runs.as_ref(), p.epsilon, p.delta)
            .map_err(Failure::usage)?;
        let plan = |t: &ModelTraining, noise_multiplier| Plan {
            unit: p.unit,
            declared_units: p.declared_units,
            expected_batch: t.expected_batch,
            steps: t.steps,
            noise_multiplier,
            clipping: clipping(t),
        };
        let mut models = Vec::new();
        for ((stage, t, _), noise) in trained.into_iter().zip(solved.noise_multipliers) {
            let plan = plan(t, noise);
            plan.validate()?;
            events.push(plan.event());
            models.push((stage, plan));
        }
        let total = account_tuned(&events, p.delta, p.tuning_runs.as_ref())?;
        ensure_met(total.epsilon, p.epsilon)?;
        Ok(Self {
            models,
            releases,
            total,
            tuning: p.tuning_runs,
            asked_epsilon: p.epsilon,
            delta: p.delta,
        })
    }

    /// A private training's plan.
    pub(crate) fn plan(&self, stage: Stage) -> anyhow::Result<&Plan> {
        let found = self.models.iter().find(|(s, _)| *s == stage);
        let plan = found.map(|(_, plan)| plan);
        plan.with_context(|| {
            format!(
                "this layout has no stage {}\n  hint: `train.layout` says which models there are",
                stage.name()
            )
        })
    }

    /// Every event of one run, the releases first.
    pub(crate) fn events(&self) -> Vec<Event> {
        let releases = self.releases.iter().map(|r| r.event.clone());
        releases
            .chain(self.models.iter().map(|(_, plan)| plan.event()))
            .collect()
    }

    /// What the run may spend, and on what.
    pub(crate) fn allowance(&self) -> Allowance {
        let trainings = self.models.iter().map(|(stage, plan)| Planned {
            stage: stage.name().to_owned(),
            event: plan.event(),
        });
        Allowance {
            epsilon: self.asked_epsilon,
            planned: self.releases.iter().cloned().chain(trainings).collect(),
        }
    }
}

fn ensure_met(epsilon: f64, asked: f64) -> anyhow::Result<()> {
    ensure!(
        epsilon <= asked,
        "the plan spends epsilon {epsilon} where {asked} was asked for"
    );
    Ok(())
}
