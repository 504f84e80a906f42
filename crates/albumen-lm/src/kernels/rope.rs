//! Rotary position embeddings (Su et al. 2021, arXiv:2104.09864): the angles.

use std::f64::consts::PI;

use crate::config::{Rope, RopeScaling};

/// The angle by which position 1 turns each pair of a head, (head_dim / 2).
pub fn frequencies(rope: &Rope, head_dim: usize) -> Vec<f64> {
    let half = head_dim / 2;
    (0..half)
        .map(|i| {
            let f = rope.theta.powf(-(i as f64) / half as f64);
            match rope.scaling {
                RopeScaling::None => f,
                RopeScaling::Linear { factor } => f / factor,
                RopeScaling::Llama3 {
                    factor,
                    low_freq_factor: low,
                    high_freq_factor: high,
                    original_max_position,
                } => {
                    // The share of the unscaled frequency rises from 0 at the low factor to 1 at
                    // the high one.
                    let turns = original_max_position * f / (2.0 * PI);
                    let share = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    f * (share + (1.0 - share) / factor)
                }
            }
        })
        .collect()
}

/// The cosines, then the sines, of every token's angles: (tokens, head_dim).
pub fn table(rope: &Rope, head_dim: usize, positions: impl Iterator<Item = u32>) -> Vec<f32> {
    let frequencies = frequencies(rope, head_dim);
    let mut table = Vec::new();
    for p in positions {
        let angles = frequencies.iter().map(|f| f64::from(p) * f);
        table.extend(angles.clone().map(|a| a.cos() as f32));
        table.extend(angles.map(|a| a.sin() as f32));
    }
    table
}
