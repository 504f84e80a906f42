//! Events and tuning runs as they are written on the command line.

use albumen_accounting::{Event, TuningRuns};
use anyhow::{Context, anyhow, bail, ensure};

/// `SIGMA,Q,STEPS`, or `MECHANISM:NUMBERS`.
pub(super) fn event(text: &str) -> anyhow::Result<Event> {
    let (mechanism, rest) = text.split_once(':').unwrap_or(("poisson_gaussian", text));
    let numbers: Vec<&str> = rest.split(',').map(str::trim).collect();
    let event = match mechanism.trim() {
        "poisson_gaussian" => {
            let [sigma, rate, steps] = exactly(text, &numbers, "SIGMA,Q,STEPS")?;
            let sigma = number(text, "SIGMA", sigma)?;
            Event::poisson_gaussian(
                sigma,
                number(text, "Q", rate)?,
                whole(text, "STEPS", steps)?,
            )
        }
        "gaussian" => {
            let [sigma] = exactly(text, &numbers, "gaussian:SIGMA")?;
            Event::Gaussian {
                noise_multiplier: number(text, "SIGMA", sigma)?,
            }
        }
        "laplace" => {
            let [scale] = exactly(text, &numbers, "laplace:SCALE")?;
            Event::Laplace {
                scale: number(text, "SCALE", scale)?,
            }
        }
        "discrete_gaussian" => {
            let [sigma, by] = exactly(text, &numbers, "discrete_gaussian:SIGMA,SENSITIVITY")?;
            let by = whole(text, "SENSITIVITY", by)?;
            Event::DiscreteGaussian {
                noise_multiplier: number(text, "SIGMA", sigma)?,
                sensitivity: u32::try_from(by)
                    .with_context(|| format!("--event {text}: SENSITIVITY {by} is too large"))?,
            }
        }
        "pure_dp" => {
            let [epsilon] = exactly(text, &numbers, "pure_dp:EPSILON")?;
            Event::PureDp {
                epsilon: number(text, "EPSILON", epsilon)?,
            }
        }
        other => bail!(
            "--event {text}: no mechanism is called `{other}`\n  hint: write SIGMA,Q,STEPS, or one of \
             gaussian:SIGMA, laplace:SCALE, discrete_gaussian:SIGMA,SENSITIVITY, pure_dp:EPSILON"
        ),
    };
    event
        .validate()
        .with_context(|| format!("--event {text}"))?;
    Ok(event)
}

/// `fixed:COUNT`, `secret_poisson:MEAN` or `secret_negative_binomial:ETA,GAMMA`.
pub(super) fn tuning_runs(text: &str) -> anyhow::Result<TuningRuns> {
    let flag = "--tuning-runs";
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let numbers: Vec<&str> = rest.split(',').map(str::trim).collect();
    let number = |name: &str, value: &str| {
        value
            .parse::<f64>()
            .with_context(|| format!("{flag} {text}: {name} `{value}` is no number"))
    };
    let runs = match (kind, numbers.as_slice()) {
        ("fixed", [count]) => TuningRuns::Fixed {
            count: count
                .parse()
                .with_context(|| format!("{flag} {text}: COUNT `{count}` is no whole number"))?,
        },
        ("secret_poisson", [mean]) => TuningRuns::SecretPoisson {
            mean: number("MEAN", mean)?,
        },
        ("secret_negative_binomial", [eta, gamma]) => TuningRuns::SecretNegativeBinomial {
            eta: number("ETA", eta)?,
            gamma: number("GAMMA", gamma)?,
        },
        _ => bail!(
            "{flag} {text}: not understood\n  hint: write fixed:COUNT, secret_poisson:MEAN or \
             secret_negative_binomial:ETA,GAMMA"
        ),
    };
    if let Some((name, value, allowed)) = runs.out_of_range() {
        bail!("{flag} {text}: {name} = {value}\n  hint: use {allowed}");
    }
    Ok(runs)
}

fn exactly<'a, const N: usize>(
    text: &str,
    numbers: &[&'a str],
    form: &str,
) -> anyhow::Result<[&'a str; N]> {
    ensure!(
        numbers.len() == N,
        "--event {text}: {} needed, {form}",
        if N == 1 {
            "one value is".to_owned()
        } else {
            format!("{} values are", ["", "", "two", "three"][N])
        }
    );
    numbers
        .try_into()
        .map_err(|_| anyhow!("--event {text}: {form}"))
}

fn number(text: &str, name: &str, value: &str) -> anyhow::Result<f64> {
    value
        .parse()
        .with_context(|| format!("--event {text}: {name} `{value}` is no number"))
}

fn whole(text: &str, name: &str, value: &str) -> anyhow::Result<u64> {
    value
        .parse()
        .with_context(|| format!("--event {text}: {name} `{value}` is no whole number"))
}
