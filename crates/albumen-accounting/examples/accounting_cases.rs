//! Times the accountant on the reference cases; one JSON object a line, for bench/peers/accounting.py.
#![expect(clippy::print_stdout, reason = "an example's output")]

use std::error::Error;
use std::time::Instant;

use albumen_accounting::{Composition, Event};
use serde_json::{Value, json};

/// Runs of each case; the median is reported.
const REPEATS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let golden: Value = serde_json::from_str(include_str!("../tests/golden/dp_accounting.json"))?;
    let mut cases: Vec<(Vec<Event>, f64)> = Vec::new();
    for case in golden["cases"].as_array().ok_or("no cases")? {
        let mut events = Vec::new();
        for part in case["parts"].as_array().ok_or("no parts")? {
            let number = |key: &str| part[key].as_f64().ok_or("not a number");
            events.push(Event::poisson_gaussian(
                number("noise_multiplier")?,
                number("sampling_rate")?,
                part["steps"].as_u64().ok_or("not a count")?,
            ));
        }
        cases.push((events, case["delta"].as_f64().ok_or("no delta")?));
    }
    cases.push((vec![Event::poisson_gaussian(1.0, 0.01, 10_000)], 1e-5));
    for (events, delta) in cases {
        let mut times_ms = Vec::new();
        let mut bounds = Composition::new(&events)?.epsilon(delta)?;
        for _ in 0..REPEATS {
            let start = Instant::now();
            bounds = Composition::new(&events)?.epsilon(delta)?;
            times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times_ms.sort_by(f64::total_cmp);
        let parts: Vec<Value> = (events.iter())
            .map(|e| json!([e.noise_multiplier(), e.sampling_rate(), e.steps()]))
            .collect();
        println!(
            "{}",
            json!({
                "parts": parts,
                "delta": delta,
                "epsilon": bounds.upper,
                "epsilon_lower": bounds.lower,
                "median_ms": times_ms[REPEATS / 2],
            })
        );
    }
    Ok(())
}
