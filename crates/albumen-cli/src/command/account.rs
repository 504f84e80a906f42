//! `albumen account`.

use albumen_accounting::{Event, Part, account as compose, calibrate};
use anyhow::{Context, anyhow};
use serde_json::json;

use crate::args::AccountArgs;
use crate::failure::{Failure, Outcome};
use crate::progress::{print_json, print_text};

/// Runs `albumen account`.
pub(crate) fn account(args: &AccountArgs) -> Outcome {
    let (events, noise_multiplier) = match (args.epsilon, args.sampling_rate, args.steps) {
        (Some(epsilon), Some(rate), Some(steps)) => {
            let part = Part {
                sampling_rate: rate,
                steps,
                share: 1.0,
            };
            let solved =
                calibrate(&[part], &[], None, epsilon, args.delta).map_err(Failure::usage)?;
            let sigma = solved.noise_multipliers[0];
            (
                vec![Event::poisson_gaussian(sigma, rate, steps)],
                Some(sigma),
            )
        }
        _ if args.events.is_empty() => {
            return Err(Failure::usage(anyhow!(
                "nothing to account for\n  hint: give --event SIGMA,Q,STEPS, or --epsilon with \
                 --sampling-rate and --steps"
            )));
        }
        _ => {
            let events = args.events.iter().map(|e| parse(e));
            (
                events.collect::<Result<_, _>>().map_err(Failure::Usage)?,
                None,
            )
        }
    };
    let guarantee = compose(&events, args.delta).map_err(Failure::usage)?;
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
        print_json(&object);
        return Ok(());
    }
    if let Some(sigma) = noise_multiplier {
        print_text(&format!("noise multiplier {sigma:.6}"));
    }
    print_text(&format!(
        "epsilon {:.6} (at least {:.6}; by Renyi accounting {:.6}) at delta {:e}",
        guarantee.epsilon, guarantee.epsilon_lower, guarantee.epsilon_rdp, guarantee.delta
    ));
    Ok(())
}

/// `SIGMA,Q,STEPS`.
fn parse(text: &str) -> anyhow::Result<Event> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [sigma, rate, steps] = parts.as_slice() else {
        return Err(anyhow!(
            "--event {text}: three values are needed, SIGMA,Q,STEPS"
        ));
    };
    let number = |s: &str, name: &str| {
        s.parse::<f64>()
            .with_context(|| format!("--event {text}: {name} `{s}` is no number"))
    };
    let steps = steps
        .parse::<u64>()
        .with_context(|| format!("--event {text}: STEPS `{steps}` is no whole number"))?;
    let event = Event::poisson_gaussian(number(sigma, "SIGMA")?, number(rate, "Q")?, steps);
    event
        .validate()
        .with_context(|| format!("--event {text}"))?;
    Ok(event)
}
