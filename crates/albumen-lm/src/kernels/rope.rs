//! Rotary position embeddings (Su et al. 2021, arXiv:2104.09864): the angles.

use crate::config::Rope;

/// The cosines, then the sines, of every token's angles: (tokens, head_dim).
pub fn table(rope: &Rope, head_dim: usize, positions: impl Iterator<Item = u32>) -> Vec<f32> {
    let frequencies = rope.frequencies(head_dim);
    let mut table = Vec::new();
    for p in positions {
        let angles = frequencies.iter().map(|f| f64::from(p) * f);
        table.extend(angles.clone().map(|a| a.cos() as f32));
        table.extend(angles.map(|a| a.sin() as f32));
    }
    table
}
