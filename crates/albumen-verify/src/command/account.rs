//! `account`: what events, ledgers and releases spent, or the noise that meets an epsilon.

mod file;
mod parse;

use std::io::Write;
use std::path::PathBuf;

use albumen_accounting::{
    Event, Part, TuningRuns, account as compose, account_tuned, calibrate, rounded_down, rounded_up,
};
use albumen_schema::Unit;
use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::{Failure, Outcome};

/// What `account` is asked.
#[derive(Debug, Args)]
pub struct AccountArgs {
    /// A Poisson-sampled Gaussian: noise multiplier, sampling rate, steps; or gaussian:SIGMA,
    /// laplace:SCALE, discrete_gaussian:SIGMA,SENSITIVITY, pure_dp:EPSILON. Repeat to compose
    #[arg(
        long = "event",
        value_name = "SIGMA,Q,STEPS",
        conflicts_with = "epsilon"
    )]
    pub events: Vec<String>,
    /// A run's ledger.jsonl or a release's privacy.json: its events, tuning runs and delta.
    /// Several compose to what all of them spent on the same albums
    #[arg(long = "ledger", value_name = "FILE", conflicts_with = "epsilon")]
    pub ledgers: Vec<PathBuf>,
    /// Charge for choosing among runs: fixed:COUNT, secret_poisson:MEAN, or
    /// secret_negative_binomial:ETA,GAMMA
    #[arg(long, value_name = "RUNS", conflicts_with = "ledgers")]
    pub tuning_runs: Option<String>,
    /// Delta of the guarantee; a ledger has its own
    #[arg(long, required_unless_present = "ledgers")]
    pub delta: Option<f64>,
    /// Epsilon to be met: solves for the noise multiplier
    #[arg(long, requires_all = ["sampling_rate", "steps"])]
    pub epsilon: Option<f64>,
    /// Sampling rate, for --epsilon
    #[arg(long, value_name = "Q")]
    pub sampling_rate: Option<f64>,
    /// Number of steps, for --epsilon
    #[arg(long, value_name = "T")]
    pub steps: Option<u64>,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// What is to be accounted for.
struct Question {
    events: Vec<Event>,
    tuning: Option<TuningRuns>,
    delta: f64,
    unit: Option<Unit>,
    /// Solved for, where an epsilon was given.
    noise_multiplier: Option<f64>,
}

/// Runs `account`, and writes the answer to `out`.
///
/// # Errors
/// [`Failure::Usage`] for arguments that do not read or compose, [`Failure::Failed`] where a ledger or
/// `out` fails.
pub fn account(args: &AccountArgs, out: &mut dyn Write) -> Outcome {
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
        writeln!(out, "{object:#}")?;
        return Ok(());
    }
    if let Some(sigma) = noise_multiplier {
        // Less noise than this would not meet the epsilon.
        writeln!(out, "noise multiplier {}", rounded_up(*sigma, 6))?;
    }
    if let (Some(runs), Some(one)) = (tuning, one_run) {
        writeln!(
            out,
            "{runs}: included below; epsilon {} for one run",
            rounded_up(one.epsilon, 6)
        )?;
    }
    writeln!(
        out,
        "epsilon {} (at least {}; by Renyi accounting {}) at delta {:e}{}",
        rounded_up(guarantee.epsilon, 6),
        rounded_down(guarantee.epsilon_lower, 6),
        rounded_up(guarantee.epsilon_rdp, 6),
        guarantee.delta,
        unit.map_or(String::new(), |unit| format!(" by {unit}")),
    )?;
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
