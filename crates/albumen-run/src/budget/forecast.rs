//! What a budget means, and how it would move: everything that `albumen plan` shows.

use albumen_accounting::{Event, Guarantee, TradeOff, TuningRuns, account, account_tuned};
use albumen_dp::Plan;
use albumen_schema::Unit;
use rayon::prelude::*;
use serde::Serialize;

use super::Budget;
use crate::stages::Stage;

/// Points of the trade-off curve.
const CURVE_POINTS: usize = 41;

/// False-positive rates at which the best true-positive rate is named.
const RATES: [f64; 2] = [0.001, 0.01];

/// Everything `albumen plan --json` prints; each field is described in docs/privacy.md.
#[derive(Debug, Serialize)]
pub struct Forecast {
    /// The run's name.
    pub run: String,
    /// Whose presence is protected.
    pub unit: Unit,
    /// How two corpora differ that must look alike.
    pub adjacency: &'static str,
    /// The public number that stands for the corpus's size.
    pub declared_units: u64,
    /// The epsilon that the configuration asks for.
    pub asked_epsilon: f64,
    /// Of the whole run: certified.
    pub epsilon: f64,
    /// The mechanisms are not private at any smaller epsilon.
    pub epsilon_lower: f64,
    /// The Renyi accountant's epsilon, looser and independent.
    pub epsilon_rdp: f64,
    /// The delta at which these hold.
    pub delta: f64,
    /// The runs that the release is chosen from, where any are declared.
    pub tuning: Option<Tuning>,
    /// Trained numbers of one model, where its shape is known.
    pub adapter_parameters: Option<usize>,
    /// Each training.
    pub models: ByModel<Model>,
    /// Each one-shot release.
    pub releases: Vec<Release>,
    /// What an attacker can do.
    pub meaning: Meaning,
    /// How epsilon moves with each number.
    pub sensitivity: Sensitivity,
}

/// The runs that the release is chosen from.
#[derive(Debug, Serialize)]
pub struct Tuning {
    pub runs: TuningRuns,
    pub expected_runs: f64,
    pub epsilon_one_run: f64,
    pub epsilon_one_run_lower: f64,
}

/// A value for each model of the layout: summary and caption, or album.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ByModel<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album: Option<T>,
}

impl<T> ByModel<T> {
    /// From the values of a layout's models, in order.
    fn new(stages: &[Stage], values: impl IntoIterator<Item = T>) -> Self {
        let mut by_model = Self {
            summary: None,
            caption: None,
            album: None,
        };
        for (stage, value) in stages.iter().zip(values) {
            match stage {
                Stage::TrainSummary => by_model.summary = Some(value),
                Stage::TrainCaption => by_model.caption = Some(value),
                _ => by_model.album = Some(value),
            }
        }
        by_model
    }

    /// Each model's name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &T)> {
        let all = [
            ("summary", self.summary.as_ref()),
            ("caption", self.caption.as_ref()),
            ("album", self.album.as_ref()),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
    }
}

/// One model's training.
#[derive(Debug, Serialize)]
pub struct Model {
    /// Standard deviation of the noise over the clipping norm.
    pub noise_multiplier: f64,
    /// Probability with which a unit enters a step's batch.
    pub sampling_rate: f64,
    /// Units of a step, on average.
    pub expected_batch: u64,
    /// Number of steps.
    pub steps: u64,
    /// The clipping norm C.
    pub clip_norm: f64,
    /// Alone, in one run.
    pub epsilon: f64,
    /// A step's signal over its noise, where the adapter's size is known.
    pub signal_to_noise: Option<SignalToNoise>,
}

/// A step's clipped sum against its noise, as norms.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SignalToNoise {
    /// Every gradient of the expected batch at the clipping norm and in one direction: the most.
    pub aligned: f64,
    /// The same gradients in directions that have nothing to do with each other.
    pub unrelated: f64,
}

/// One one-shot release.
#[derive(Debug, Serialize)]
pub struct Release {
    pub stage: String,
    pub event: Event,
    /// Alone, in one run.
    pub epsilon: f64,
}

/// What an attacker can do who must tell whether a unit took part.
#[derive(Debug, Serialize)]
pub struct Meaning {
    pub bayes_advantage: f64,
    pub true_positive_rates: Vec<Rate>,
    pub trade_off: Vec<Rate>,
}

/// A point of the trade-off curve.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rate {
    pub false_positive_rate: f64,
    pub true_positive_rate: f64,
}

/// How epsilon moves with each number of the plan, all else as configured.
#[derive(Debug, Serialize)]
pub struct Sensitivity {
    pub noise_multiplier: Vec<Sweep>,
    pub sampling_rate: Vec<Sweep>,
    pub steps: Vec<Sweep>,
    pub declared_units: Vec<Sweep>,
}

/// One plan near the configured one.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sweep {
    /// What the number was multiplied by, in all models.
    pub factor: f64,
    /// Each model's number.
    #[serde(flatten)]
    pub values: ByModel<f64>,
    /// The total, the charge for tuning included.
    pub epsilon: f64,
    /// Each model alone, in one run.
    #[serde(flatten, with = "alone")]
    pub alone: ByModel<f64>,
}

/// Writes a model's epsilon alone as `epsilon_MODEL`.
mod alone {
    use serde::ser::{SerializeMap, Serializer};

    use super::ByModel;

    pub(super) fn serialize<S: Serializer>(
        epsilons: &ByModel<f64>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (name, epsilon) in epsilons.iter() {
            map.serialize_entry(&format!("epsilon_{name}"), epsilon)?;
        }
        map.end()
    }
}

impl Budget {
    /// Works out everything that `albumen plan` shows; `adapter_parameters` is the number of trained
    /// parameters of a model, if it is known.
    ///
    /// # Errors
    /// Where a number leaves the range that the accountant takes.
    pub fn forecast(
        &self,
        run: &str,
        adapter_parameters: Option<usize>,
    ) -> anyhow::Result<Forecast> {
        let model = |plan: &Plan| -> anyhow::Result<Model> {
            Ok(Model {
                noise_multiplier: plan.noise_multiplier,
                sampling_rate: plan.sampling_rate(),
                expected_batch: plan.expected_batch,
                steps: plan.steps,
                clip_norm: plan.clipping.norm(),
                epsilon: account(&[plan.event()], self.delta)?.epsilon,
                signal_to_noise: adapter_parameters.map(|n| signal_to_noise(plan, n)),
            })
        };
        let plans: Vec<&Plan> = self.models.iter().map(|(_, plan)| plan).collect();
        let models: Vec<Model> = plans
            .iter()
            .map(|plan| model(plan))
            .collect::<anyhow::Result<_>>()?;
        let releases = self.releases.iter().map(|release| {
            Ok(Release {
                stage: release.stage.clone(),
                event: release.event.clone(),
                epsilon: account(std::slice::from_ref(&release.event), self.delta)?.epsilon,
            })
        });
        Ok(Forecast {
            run: run.to_owned(),
            unit: plans[0].unit,
            adjacency: "add_remove",
            declared_units: plans[0].declared_units,
            asked_epsilon: self.asked_epsilon,
            epsilon: self.total.epsilon,
            epsilon_lower: self.total.epsilon_lower,
            epsilon_rdp: self.total.epsilon_rdp,
            delta: self.delta,
            tuning: self.tuning.map(|runs| self.tuning(runs)).transpose()?,
            adapter_parameters,
            models: ByModel::new(&self.stages(), models),
            releases: releases.collect::<anyhow::Result<_>>()?,
            meaning: self.meaning()?,
            sensitivity: self.sensitivity()?,
        })
    }

    fn stages(&self) -> Vec<Stage> {
        self.models.iter().map(|(stage, _)| *stage).collect()
    }

    fn tuning(&self, runs: TuningRuns) -> anyhow::Result<Tuning> {
        let one: Guarantee = account(&self.events(), self.delta)?;
        Ok(Tuning {
            runs,
            expected_runs: runs.mean(),
            epsilon_one_run: one.epsilon,
            epsilon_one_run_lower: one.epsilon_lower,
        })
    }

    fn meaning(&self) -> anyhow::Result<Meaning> {
        let trade_off = TradeOff::tuned(&self.events(), self.tuning.as_ref())?;
        let rate = |false_positive_rate| -> anyhow::Result<Rate> {
            Ok(Rate {
                false_positive_rate,
                true_positive_rate: trade_off.true_positive_rate(false_positive_rate)?,
            })
        };
        let curve = trade_off.curve(CURVE_POINTS)?.into_iter();
        Ok(Meaning {
            bayes_advantage: trade_off.advantage(),
            true_positive_rates: RATES.map(rate).into_iter().collect::<anyhow::Result<_>>()?,
            trade_off: curve
                .map(|(false_positive_rate, true_positive_rate)| Rate {
                    false_positive_rate,
                    true_positive_rate,
                })
                .collect(),
        })
    }

    fn sensitivity(&self) -> anyhow::Result<Sensitivity> {
        let scaled = |plan: &Plan, noise: f64, rate: f64, steps: f64| {
            let sampling_rate = plan.sampling_rate() * rate;
            let steps = (plan.steps as f64 * steps).round().max(1.0);
            Event::poisson_gaussian(plan.noise_multiplier * noise, sampling_rate, steps as u64)
        };
        // One variable moves at a time; `shown` is its value.
        let sweep = |[noise, rate, steps]: [bool; 3], shown: fn(&Event) -> f64| {
            let points: Vec<Option<Sweep>> = factors()
                .into_par_iter()
                .map(|factor| {
                    let pick = |moves: bool| if moves { factor } else { 1.0 };
                    let of = |plan| scaled(plan, pick(noise), pick(rate), pick(steps));
                    let models: Vec<Event> = self.models.iter().map(|(_, p)| of(p)).collect();
                    if models.iter().any(|event| event.validate().is_err()) {
                        return Ok(None);
                    }
                    let values = models.iter().map(shown).collect();
                    self.point(factor, values, &models).map(Some)
                })
                .collect::<anyhow::Result<_>>()?;
            anyhow::Ok(points.into_iter().flatten().collect::<Vec<_>>())
        };
        let sampling_rate = sweep([false, true, false], Event::sampling_rate)?;
        // At a fixed expected batch, declaring more units lowers the rate by the same factor.
        let units = self.models.first().map_or(0, |(_, p)| p.declared_units) as f64;
        let stages = self.stages();
        let declared_units = (sampling_rate.iter().rev())
            .map(|point| Sweep {
                factor: 1.0 / point.factor,
                values: ByModel::new(&stages, stages.iter().map(|_| units / point.factor)),
                ..*point
            })
            .collect();
        Ok(Sensitivity {
            noise_multiplier: sweep([true, false, false], Event::noise_multiplier)?,
            sampling_rate,
            steps: sweep([false, false, true], |e| e.steps() as f64)?,
            declared_units,
        })
    }

    fn point(&self, factor: f64, values: Vec<f64>, models: &[Event]) -> anyhow::Result<Sweep> {
        let mut events: Vec<Event> = self.releases.iter().map(|r| r.event.clone()).collect();
        events.extend_from_slice(models);
        let alone = models
            .iter()
            .map(|model| account(std::slice::from_ref(model), self.delta).map(|g| g.epsilon))
            .collect::<Result<Vec<f64>, _>>()?;
        let stages = self.stages();
        Ok(Sweep {
            factor,
            values: ByModel::new(&stages, values),
            epsilon: account_tuned(&events, self.delta, self.tuning.as_ref())?.epsilon,
            alone: ByModel::new(&stages, alone),
        })
    }
}

/// From a quarter to four times, each the last one times the root of two.
fn factors() -> Vec<f64> {
    (-4..=4).map(|i| 2_f64.powf(f64::from(i) / 2.0)).collect()
}

fn signal_to_noise(plan: &Plan, parameters: usize) -> SignalToNoise {
    let aligned = plan.signal_to_noise(parameters);
    SignalToNoise {
        aligned,
        // The norm of a sum of n orthogonal vectors grows with the root of n.
        unrelated: aligned / (plan.expected_batch as f64).sqrt(),
    }
}
