//! What a configuration says of training, as the engine's own types.

use albumen_dp::{Clipping, Decay, Optimizer, Rule, Schedule};
use albumen_lm::{LoraConfig, Target};
use albumen_schema::config::{
    LearningSchedule, LoraTargets, ModelTraining, OptimizerRule, TrainConfig,
};

/// Stabiliser of normalised gradients (Bu et al. 2023, section 4).
const GAMMA: f64 = 0.01;

/// What is adapted.
pub fn lora_config(train: &TrainConfig) -> LoraConfig {
    LoraConfig {
        rank: train.lora_rank,
        alpha: train.lora_alpha,
        targets: targets(train.lora_targets),
        layers: Some(train.lora_layers),
        frozen_a: train.freeze_a.then_some(train.init_seed),
    }
}

/// The projections of a configuration.
pub fn targets(targets: LoraTargets) -> Vec<Target> {
    use Target::{Down, Gate, K, O, Q, Up, V};
    match targets {
        LoraTargets::QueryValue => vec![Q, V],
        LoraTargets::Attention => vec![Q, K, V, O],
        LoraTargets::All => vec![Q, K, V, O, Gate, Up, Down],
    }
}

/// How a unit's gradient is bounded.
pub fn clipping(settings: &ModelTraining) -> Clipping {
    let norm = settings.clip_norm;
    if settings.normalize {
        Clipping::Normalize { norm, gamma: GAMMA }
    } else {
        Clipping::Flat { norm }
    }
}

/// The update rule and its schedule.
pub fn optimizer(settings: &ModelTraining) -> Optimizer {
    let final_fraction = 0.0;
    let beta1 = settings.momentum;
    let beta2 = settings.second_moment_decay;
    Optimizer {
        rule: match settings.optimizer {
            OptimizerRule::Adam => Rule::Adam {
                beta1,
                beta2,
                epsilon: 1e-8,
            },
            OptimizerRule::AdamBc => Rule::AdamBc {
                beta1,
                beta2,
                floor: settings.second_moment_floor,
            },
            OptimizerRule::Sgd => Rule::Sgd {
                momentum: settings.momentum,
            },
        },
        schedule: Schedule {
            peak: settings.learning_rate,
            warmup_steps: settings.warmup_steps,
            decay: match settings.schedule {
                LearningSchedule::Constant => Decay::Constant,
                LearningSchedule::Cosine => Decay::Cosine { final_fraction },
                LearningSchedule::Linear => Decay::Linear { final_fraction },
            },
        },
        weight_decay: settings.weight_decay,
        ema_decay: settings.ema_decay,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]
    use serde_json::{Value, json};

    use super::*;

    fn training(more: &Value) -> ModelTraining {
        let mut all = json!({"expected_batch": 8, "steps": 10, "learning_rate": 0.25});
        let more = more.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(more);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn clipping_is_flat_unless_gradients_are_normalised() {
        let of = |normalize: bool| {
            clipping(&training(
                &json!({"clip_norm": 0.5, "normalize": normalize}),
            ))
        };
        assert_eq!(of(false), Clipping::Flat { norm: 0.5 });
        let auto_s = Clipping::Normalize {
            norm: 0.5,
            gamma: 0.01,
        };
        assert_eq!(of(true), auto_s);
    }

    #[test]
    fn every_rule_and_schedule_reaches_the_optimizer() {
        let of = |rule: &str, schedule: &str| {
            let set = optimizer(&training(&json!({
                "optimizer": rule, "schedule": schedule, "momentum": 0.7, "second_moment_decay": 0.8,
                "second_moment_floor": 1e-4, "warmup_steps": 3, "weight_decay": 0.1, "ema_decay": 0.6,
            })));
            assert_eq!((set.weight_decay, set.ema_decay), (0.1, Some(0.6)));
            assert_eq!((set.schedule.peak, set.schedule.warmup_steps), (0.25, 3));
            (set.rule, set.schedule.decay)
        };
        let (beta1, beta2, final_fraction) = (0.7, 0.8, 0.0);
        let epsilon = 1e-8;
        let adam = Rule::Adam {
            beta1,
            beta2,
            epsilon,
        };
        assert_eq!(of("adam", "constant"), (adam, Decay::Constant));
        let floor = 1e-4;
        let corrected = Rule::AdamBc {
            beta1,
            beta2,
            floor,
        };
        assert_eq!(
            of("adam_bc", "cosine"),
            (corrected, Decay::Cosine { final_fraction })
        );
        let sgd = Rule::Sgd { momentum: 0.7 };
        assert_eq!(of("sgd", "linear"), (sgd, Decay::Linear { final_fraction }));
    }

    #[test]
    fn what_is_adapted_is_what_the_configuration_says() {
        let one = json!({"expected_batch": 8, "steps": 10, "learning_rate": 0.25});
        let of = |freeze: bool| -> LoraConfig {
            let train: TrainConfig = serde_json::from_value(json!({
                "summary": one, "caption": one, "lora_rank": 3, "lora_alpha": 6.0, "lora_layers": 5,
                "lora_targets": "attention", "init_seed": 9, "freeze_a": freeze,
            }))
            .unwrap();
            lora_config(&train)
        };
        let plain = of(false);
        assert_eq!((plain.rank, plain.alpha, plain.layers), (3, 6.0, Some(5)));
        assert_eq!(plain.targets, [Target::Q, Target::K, Target::V, Target::O]);
        assert_eq!((plain.frozen_a, of(true).frozen_a), (None, Some(9)));
        assert_eq!(targets(LoraTargets::QueryValue), [Target::Q, Target::V]);
        let all = targets(LoraTargets::All);
        assert_eq!(all[4..], [Target::Gate, Target::Up, Target::Down]);
    }
}
