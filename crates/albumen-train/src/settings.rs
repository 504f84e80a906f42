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
