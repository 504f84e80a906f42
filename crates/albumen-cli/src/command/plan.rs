//! `albumen plan`: the budget before a byte of data is read.

use albumen_accounting::{Guarantee, account};
use albumen_dp::Plan;
use serde_json::{Value, json};

use crate::args::PlanArgs;
use crate::budget::{Budget, NamedEvent};
use crate::command::read_config;
use crate::failure::Outcome;
use crate::progress::{print_json, print_text};

/// Runs `albumen plan`.
pub(crate) fn plan(args: &PlanArgs) -> Outcome {
    let config = read_config(&args.config)?;
    let budget = Budget::solve(&config)?;
    let delta = config.privacy.delta;
    let models = [("summary", &budget.summary), ("caption", &budget.caption)];
    let alone = models
        .iter()
        .map(|(name, plan)| Ok((*name, *plan, account(&[plan.event()], delta)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let releases = (budget.releases.iter())
        .map(|r| Ok((r, account(std::slice::from_ref(&r.event), delta)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    if args.json {
        print_json(&as_json(&budget, &alone, &releases));
        return Ok(());
    }
    let p = &config.privacy;
    print_text(&format!(
        "unit {}, {} declared; asked for epsilon {} at delta {:e}\n",
        p.unit, p.declared_units, p.epsilon, p.delta
    ));
    print_text("model      sigma      q          steps   C        epsilon alone");
    for (name, plan, guarantee) in &alone {
        print_text(&format!(
            "{name:<10} {:<10.4} {:<10.6} {:<7} {:<8} {:.4}",
            plan.noise_multiplier,
            plan.sampling_rate(),
            plan.steps,
            plan.clipping.norm(),
            guarantee.epsilon
        ));
    }
    for (release, guarantee) in &releases {
        print_text(&format!("{:<46} {:.4}", release.stage, guarantee.epsilon));
    }
    print_text(&format!(
        "\ntotal      epsilon {:.4} (at least {:.4}; by Renyi accounting {:.4})",
        budget.total.epsilon, budget.total.epsilon_lower, budget.total.epsilon_rdp
    ));
    Ok(())
}

fn as_json(
    budget: &Budget,
    alone: &[(&str, &Plan, Guarantee)],
    releases: &[(&NamedEvent, Guarantee)],
) -> Value {
    let releases: Vec<Value> = (releases.iter())
        .map(|(r, alone)| json!({"stage": r.stage, "event": r.event, "epsilon": alone.epsilon}))
        .collect();
    let models: serde_json::Map<String, Value> = alone
        .iter()
        .map(|(name, plan, guarantee)| {
            let row = json!({
                "noise_multiplier": plan.noise_multiplier,
                "sampling_rate": plan.sampling_rate(),
                "steps": plan.steps,
                "clip_norm": plan.clipping.norm(),
                "epsilon": guarantee.epsilon,
            });
            ((*name).to_owned(), row)
        })
        .collect();
    json!({
        "unit": budget.summary.unit,
        "declared_units": budget.summary.declared_units,
        "epsilon": budget.total.epsilon,
        "epsilon_lower": budget.total.epsilon_lower,
        "epsilon_rdp": budget.total.epsilon_rdp,
        "delta": budget.total.delta,
        "models": models,
        "releases": releases,
    })
}
