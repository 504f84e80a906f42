//! `albumen account`.

mod file;
mod parse;

use albumen_accounting::{Event, Part, TuningRuns, account as compose, account_tuned, calibrate};
use albumen_schema::Unit;
use anyhow::anyhow;
use serde_json::json;

use crate::args::AccountArgs;
use crate::failure::{Failure, Outcome};
use crate::progress::{print_json, print_text};

/// What is to be accounted for.
struct Question {
    events: Vec<Event>,
    tuning: Option<TuningRuns>,
    delta: f64,
    unit: Option<Unit>,
    /// Solved for, where an epsilon was given.
    noise_multiplier: Option<f64>,
}

/// Runs `albumen account`.
pub(crate) fn account(args: &AccountArgs) -> Outcome {
    let question = question(args)?;
    let Question {
        events,
        tuning,
        delta,
        unit,
        noise_multiplier,
    } = &question;
    let guarantee = account_tuned(events, *delta, tuning.as_ref()).map_err(Failure::usage)?;
    let one_run = tuning
        .map(|_| compose(events, *delta))
        .transpose()
        .map_err(Failure::usage)?;
    if args.json {
        let mut object = json!({
            "epsilon": guarantee.epsilon,
            "epsilon_lower": guarantee.epsilon_lower,
            "epsilon_rdp": guarantee.epsilon_rdp,
            "delta": guarantee.delta,
            "events": events,
        });
        if let Some(sigma) = noise_multiplier {
            object["noise_multiplier"] = json!(sigma);
        }
        if let (Some(runs), Some(one)) = (tuning, one_run) {
            object["tuning"] = json!({"runs": runs, "epsilon_one_run": one.epsilon});
        }
        if let Some(unit) = unit {
            object["unit"] = json!(unit);
        }
        print_json(&object);
        return Ok(());
    }
    if let Some(sigma) = noise_multiplier {
        print_text(&format!("noise multiplier {sigma:.6}"));
    }
    if let (Some(runs), Some(one)) = (tuning, one_run) {
        print_text(&format!(
            "{runs}: included below; epsilon {:.6} for one run",
            one.epsilon
        ));
    }
    print_text(&format!(
        "epsilon {:.6} (at least {:.6}; by Renyi accounting {:.6}) at delta {:e}{}",
        guarantee.epsilon,
        guarantee.epsilon_lower,
        guarantee.epsilon_rdp,
        guarantee.delta,
        unit.map_or(String::new(), |unit| format!(" by {unit}")),
    ));
    Ok(())
}

fn question(args: &AccountArgs) -> Outcome<Question> {
    let given = args.tuning_runs.as_deref();
    let tuning = given.map(parse::tuning_runs).transpose();
    let tuning = tuning.map_err(Failure::Usage)?;
    if let (Some(epsilon), Some(rate), Some(steps), Some(delta)) =
        (args.epsilon, args.sampling_rate, args.steps, args.delta)
    {
        let part = Part {
            sampling_rate: rate,
            steps,
            share: 1.0,
        };
        let solved = calibrate(&[part], &[], tuning.as_ref(), epsilon, delta);
        let sigma = solved.map_err(Failure::usage)?.noise_multipliers[0];
        return Ok(Question {
            events: vec![Event::poisson_gaussian(sigma, rate, steps)],
            tuning,
            delta,
            unit: None,
            noise_multiplier: Some(sigma),
        });
    }
    let added = args.events.iter().map(|e| parse::event(e));
    let added: Vec<Event> = added.collect::<Result<_, _>>().map_err(Failure::Usage)?;
    let mut question = Question {
        events: Vec::new(),
        tuning,
        delta: args.delta.unwrap_or_default(),
        unit: None,
        noise_multiplier: None,
    };
    if let Some(spent) = file::read_all(&args.ledgers, args.delta)? {
        question.events = spent.events;
        question.tuning = spent.tuning;
        question.delta = args.delta.unwrap_or(spent.delta);
        question.unit = Some(spent.unit);
    } else if added.is_empty() {
        return Err(Failure::usage(anyhow!(
            "nothing to account for\n  hint: give --event SIGMA,Q,STEPS, --ledger FILE, or --epsilon \
             with --sampling-rate and --steps"
        )));
    }
    question.events.extend(added);
    Ok(question)
}
