//! Solving for the noise that meets a budget.

use serde::{Deserialize, Serialize};

use crate::event::{MAX_NOISE_MULTIPLIER, MIN_NOISE_MULTIPLIER, check};
use crate::{AccountingError, Composition, Event, Guarantee, TuningRuns, account, account_tuned};

/// A training run whose noise multiplier is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Probability with which each unit enters a step's batch.
    pub sampling_rate: f64,
    /// Number of steps.
    pub steps: u64,
    /// This part's share of the budget, relative to the other parts' shares; above 0.
    pub share: f64,
}

/// Noise multipliers that meet a budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// One for each part, in order.
    pub noise_multipliers: Vec<f64>,
    /// The epsilon that each part would spend if it ran alone, at the same delta.
    pub alone: Vec<f64>,
    /// What everything spends together, the fixed events and the charge for tuning included.
    pub guarantee: Guarantee,
}

/// How far below the target the solution may end, relatively.
const SLACK: f64 = 1e-3;

/// Finds the least noise with which `parts` and the `fixed` events together meet (epsilon, delta).
///
/// The split between several parts is by what each would spend alone: part i's epsilon on its own,
/// at `delta`, is proportional to its share. That makes the problem one equation in one unknown
/// (the scale of those epsilons), in which the joint epsilon rises; it is composed as one privacy
/// loss distribution, so the parts' own epsilons add up to more than the total.
///
/// Where the release is chosen from several runs, `tuning` says from how many, and the charge for that
/// is part of the joint epsilon.
///
/// # Guarantee
/// The returned guarantee is [`account_tuned`]'s of the returned multipliers, with `epsilon` at most the
/// one asked for.
///
/// # Errors
/// [`AccountingError::OutOfRange`], [`AccountingError::NothingToCalibrate`], and
/// [`AccountingError::BudgetTooSmall`] where the fixed events, or sampling at the largest noise
/// multiplier, spend more already.
pub fn calibrate(
    parts: &[Part],
    fixed: &[Event],
    tuning: Option<&TuningRuns>,
    epsilon: f64,
    delta: f64,
) -> Result<Calibration, AccountingError> {
    check(
        "epsilon",
        epsilon,
        epsilon > 0.0 && epsilon.is_finite(),
        "above 0",
    )?;
    if parts.is_empty() || parts.iter().any(|p| p.steps == 0) {
        return Err(AccountingError::NothingToCalibrate);
    }
    for part in parts {
        check(
            "share",
            part.share,
            part.share > 0.0 && part.share.is_finite(),
            "above 0",
        )?;
        event(part, 1.0).validate()?;
    }
    let together = |sigmas: &[f64]| -> Result<Guarantee, AccountingError> {
        let mut events: Vec<Event> = parts
            .iter()
            .zip(sigmas)
            .map(|(p, &s)| event(p, s))
            .collect();
        events.extend_from_slice(fixed);
        account_tuned(&events, delta, tuning)
    };
    let too_small = |least: f64| AccountingError::BudgetTooSmall {
        epsilon,
        delta,
        largest: MAX_NOISE_MULTIPLIER,
        least_epsilon: least,
    };
    let least = together(&vec![MAX_NOISE_MULTIPLIER; parts.len()])?.epsilon;
    if least > epsilon {
        return Err(too_small(least));
    }
    let sigmas = if let [part] = parts {
        let spend = |sigma: f64| Ok(together(&[sigma])?.epsilon);
        vec![
            solve(spend, epsilon, first_guess(part, epsilon))
                .map(|s| s.ok_or_else(|| too_small(least)))??,
        ]
    } else {
        split(parts, &together, epsilon, delta)?.ok_or_else(|| too_small(least))?
    };
    let alone = (parts.iter().zip(&sigmas))
        .map(|(part, &sigma)| Ok(account(&[event(part, sigma)], delta)?.epsilon))
        .collect::<Result<_, AccountingError>>()?;
    Ok(Calibration {
        guarantee: together(&sigmas)?,
        noise_multipliers: sigmas,
        alone,
    })
}

/// The multipliers of several parts; the unknown is the sum of their epsilons alone.
fn split(
    parts: &[Part],
    together: &dyn Fn(&[f64]) -> Result<Guarantee, AccountingError>,
    epsilon: f64,
    delta: f64,
) -> Result<Option<Vec<f64>>, AccountingError> {
    let shares: f64 = parts.iter().map(|p| p.share).sum();
    let mut guesses: Vec<f64> = parts
        .iter()
        .map(|p| first_guess(p, epsilon * p.share / shares))
        .collect();
    let mut best = None;
    // Noise falls as the sum of the epsilons rises: solve in its inverse.
    let total = |inverse: f64| -> Result<f64, AccountingError> {
        for (part, guess) in parts.iter().zip(&mut guesses) {
            let goal = part.share / shares / inverse;
            let spend = |sigma: f64| {
                Ok(Composition::new(&[event(part, sigma)])?
                    .epsilon(delta)?
                    .upper)
            };
            *guess = solve(spend, goal, *guess)?.unwrap_or(MAX_NOISE_MULTIPLIER);
        }
        let spent = together(&guesses)?.epsilon;
        if spent <= epsilon {
            best = Some(guesses.clone());
        }
        Ok(spent)
    };
    solve(total, epsilon, 0.75 / epsilon)?;
    Ok(best)
}

fn event(part: &Part, noise_multiplier: f64) -> Event {
    Event::poisson_gaussian(noise_multiplier, part.sampling_rate, part.steps)
}

/// From the central-limit form mu = q sqrt(T) / sigma.
fn first_guess(part: &Part, epsilon: f64) -> f64 {
    let mu = epsilon / 4.0;
    let sigma = part.sampling_rate * (part.steps as f64).sqrt() / mu;
    sigma.clamp(0.4, MAX_NOISE_MULTIPLIER / 2.0)
}

/// The least noise, up to the slack, whose spending is at most `goal`; `None` where even the most
/// spends more. `spend` falls and is close to a power law, so the search runs on logarithms.
fn solve(
    mut spend: impl FnMut(f64) -> Result<f64, AccountingError>,
    goal: f64,
    guess: f64,
) -> Result<Option<f64>, AccountingError> {
    let (smallest, largest) = (MIN_NOISE_MULTIPLIER.ln(), MAX_NOISE_MULTIPLIER.ln());
    let mut height = |x: f64| Ok::<f64, AccountingError>((spend(x.exp())? / goal).max(1e-9).ln());
    // A bracket: spending above the goal at `low`, not above at `high`.
    let mut x = guess.ln().clamp(smallest, largest);
    let mut y = height(x)?;
    let rising = y > 0.0;
    let mut step = (y.abs() / 2.0).clamp(0.05, 1.0);
    let (mut low, mut high);
    loop {
        let next = (if rising { x + step } else { x - step }).clamp(smallest, largest);
        let value = height(next)?;
        if (value > 0.0) != rising {
            (low, high) = if rising {
                ((x, y), (next, value))
            } else {
                ((next, value), (x, y))
            };
            break;
        }
        if next == x {
            // At the end of the range: all of it spends more, or none does.
            return Ok((!rising).then(|| smallest.exp()));
        }
        (x, y) = (next, value);
        step *= 2.0;
    }
    for round in 0..60 {
        if high.1 >= -SLACK || high.0 - low.0 < 1e-7 {
            break;
        }
        // Aim a little inside the goal; every third round halves, for steep ends.
        let aim = -0.4 * SLACK;
        let line = low.0 + (high.0 - low.0) * (low.1 - aim) / (low.1 - high.1);
        let middle = if round % 3 == 2 {
            f64::midpoint(low.0, high.0)
        } else {
            line
        };
        let value = height(middle)?;
        if value > 0.0 {
            low = (middle, value);
        } else {
            high = (middle, value);
        }
    }
    Ok(Some(high.0.exp()))
}
