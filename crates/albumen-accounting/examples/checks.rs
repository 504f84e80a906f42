//! Writes docs/accounting-checks.md: the accountant on every reference case, with the worst differences.
//!
//! `cargo run --release -p albumen-accounting --example checks -- "MACHINE, DATE" >
//! docs/accounting-checks.md`
#![expect(clippy::print_stdout, reason = "an example's output")]

use std::error::Error;
use std::time::Instant;

use albumen_accounting::{Event, Guarantee, account};
use serde_json::Value;

/// Runs of each case; the median time is shown.
const REPEATS: usize = 5;

/// The worst of one quantity, and the case that has it.
#[derive(Default)]
struct Worst {
    value: f64,
    case: String,
}

impl Worst {
    fn see(&mut self, value: f64, case: &str) {
        if self.case.is_empty() || value > self.value {
            *self = Self {
                value,
                case: case.to_owned(),
            };
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let place = std::env::args().nth(1).unwrap_or_default();
    println!(
        "<!-- Written by `cargo run --release -p albumen-accounting --example checks`: do not edit. -->"
    );
    println!("# The accountant against its references\n");
    println!(
        "`cargo run --release -p albumen-accounting --example checks`, {place}. Reference: Google's \
         dp-accounting 0.6.0, a connect-the-dots privacy loss distribution at a grid of 1e-4, itself a \
         valid upper bound. Upper and lower are Albumen's certified bounds; the reference may lie above \
         the upper one by its own grid. The tests hold upper within 0.5% (or 0.002) of the reference, \
         lower at most the reference, and upper less lower at most 1% (or 0.002). Published values, \
         each with its source, are in `crates/albumen-accounting/tests/published.rs`; the peers' times \
         are in bench/peers/accounting.md.\n"
    );
    println!("| sigma, q, steps | delta | reference | upper | lower | Renyi | ms |");
    println!("|---|---|---|---|---|---|---|");
    let golden: Value = serde_json::from_str(include_str!("../tests/golden/dp_accounting.json"))?;
    let mut worst: [Worst; 4] = Default::default();
    let mut under = Worst::default();
    let mut times = Vec::new();
    for case in golden["cases"].as_array().ok_or("no cases")? {
        let (events, name) = events(case)?;
        let delta = case["delta"].as_f64().ok_or("no delta")?;
        let reference = case["eps_pld"].as_f64().ok_or("no reference")?;
        let (found, ms) = timed(&events, delta)?;
        println!(
            "| {name} | {delta:e} | {reference:.5} | {:.5} | {:.5} | {:.5} | {ms:.2} |",
            found.epsilon, found.epsilon_lower, found.epsilon_rdp
        );
        let above = found.epsilon - reference;
        worst[0].see(100.0 * above / reference, &name);
        worst[1].see(above, &name);
        let width = found.epsilon - found.epsilon_lower;
        worst[2].see(100.0 * width / found.epsilon, &name);
        worst[3].see(ms, &name);
        under.see(found.epsilon_lower - reference, &name);
        times.push(ms);
    }
    times.sort_by(f64::total_cmp);
    println!("\n| worst | | case |\n|---|---|---|");
    for (what, unit, worst) in [
        ("upper above the reference, relatively", "%", &worst[0]),
        ("upper above the reference", "", &worst[1]),
        ("upper less lower, of upper", "%", &worst[2]),
        ("lower above the reference (below 0: never)", "", &under),
        ("time", " ms", &worst[3]),
    ] {
        println!("| {what} | {:.4}{unit} | {} |", worst.value, worst.case);
    }
    println!("\nMedian time {:.2} ms.", times[times.len() / 2]);
    Ok(())
}

fn events(case: &Value) -> Result<(Vec<Event>, String), Box<dyn Error>> {
    let mut events = Vec::new();
    let mut names = Vec::new();
    for part in case["parts"].as_array().ok_or("no parts")? {
        let number = |key: &str| part[key].as_f64().ok_or("not a number");
        let (sigma, q) = (number("noise_multiplier")?, number("sampling_rate")?);
        let steps = part["steps"].as_u64().ok_or("not a count")?;
        events.push(Event::poisson_gaussian(sigma, q, steps));
        names.push(format!("{sigma}, {q}, {steps}"));
    }
    Ok((events, names.join("; ")))
}

/// The answer and its median time, the Renyi cross-check included.
fn timed(events: &[Event], delta: f64) -> Result<(Guarantee, f64), Box<dyn Error>> {
    let mut times_ms = Vec::new();
    let mut found = account(events, delta)?;
    for _ in 0..REPEATS {
        let start = Instant::now();
        found = account(events, delta)?;
        times_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times_ms.sort_by(f64::total_cmp);
    Ok((found, times_ms[REPEATS / 2]))
}
