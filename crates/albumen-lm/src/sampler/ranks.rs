//! A draw along the ranks of tokens, in f64.

use super::{SamplingParams, pool};

/// The token at `uniform`, in [0, 1), of the weights that the filters leave, the likeliest first and of
/// equal ones the lower.
pub(super) fn draw(logits: &[f32], params: &SamplingParams, uniform: f64) -> Option<u32> {
    let greatest = pool::greatest(logits);
    let weight = |logit: f32| f64::from((logit - greatest) / params.temperature).exp();
    let mut ranked: Vec<(f64, u32)> = logits.iter().map(|l| weight(*l)).zip(0..).collect();
    ranked.retain(|(weight, _)| !weight.is_nan());
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let last = params.top_k.checked_sub(1).and_then(|k| ranked.get(k));
    let least = last.map_or(0.0, |(weight, _)| *weight);
    ranked.retain(|(weight, _)| *weight >= least);

    let enough = f64::from(params.top_p) * total(&ranked);
    let mut kept = 0.0;
    let nucleus = ranked.iter().take_while(|(weight, _)| {
        let wanted = kept < enough;
        kept += weight;
        wanted
    });
    ranked.truncate(nucleus.count().max(1));
    ranked.retain(|(weight, _)| *weight >= f64::from(params.min_p));

    let mut at = uniform * total(&ranked);
    let drawn = ranked.iter().find(|(weight, _)| {
        at -= weight;
        at < 0.0
    });
    drawn.or(ranked.last()).map(|(_, token)| *token)
}

fn total(ranked: &[(f64, u32)]) -> f64 {
    ranked.iter().map(|(weight, _)| weight).sum()
}
