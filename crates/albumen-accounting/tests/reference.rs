//! The accountant against reference and published values.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
use std::time::Instant;

use albumen_accounting::{Event, account};
use serde_json::Value;

fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap()
}

fn close(found: f64, expected: f64, relative: f64, absolute: f64) -> bool {
    (found - expected).abs() <= (relative * expected).max(absolute)
}

#[test]
fn bounds_enclose_dp_accounting() {
    let golden = golden("dp_accounting.json");
    println!("sigma, q, steps, ... | reference upper lower renyi ms");
    let mut failures = Vec::new();
    for case in golden["cases"].as_array().unwrap() {
        let events: Vec<Event> = (case["parts"].as_array().unwrap().iter())
            .map(|p| {
                let steps = p["steps"].as_u64().unwrap();
                Event::poisson_gaussian(
                    number(p, "noise_multiplier"),
                    number(p, "sampling_rate"),
                    steps,
                )
            })
            .collect();
        let start = Instant::now();
        let found = account(&events, number(case, "delta")).unwrap();
        let ms = start.elapsed().as_secs_f64() * 1e3;
        let reference = number(case, "eps_pld");
        let name: Vec<_> = events
            .iter()
            .map(|e| (e.noise_multiplier(), e.sampling_rate(), e.steps()))
            .collect();
        println!(
            "{name:?} {:e} | {reference:.5} {:.5} {:.5} {:.5} {ms:.2}",
            found.delta, found.epsilon, found.epsilon_lower, found.epsilon_rdp
        );
        if !(close(found.epsilon, reference, 5e-3, 2e-3)
            && found.epsilon_lower <= reference
            && found.epsilon - found.epsilon_lower <= (1e-2 * found.epsilon).max(2e-3)
            // Ours tries more orders, so it may be a little tighter.
            && found.epsilon_rdp <= number(case, "eps_rdp") + 1e-6
            && close(found.epsilon_rdp, number(case, "eps_rdp"), 1e-2, 1e-4)
            && found.epsilon_rdp >= found.epsilon_lower)
        {
            failures.push((name, found, reference));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn calibration_meets_the_budget_and_the_split() {
    use albumen_accounting::{Part, calibrate};
    let start = Instant::now();
    let one = Part {
        sampling_rate: 0.01,
        steps: 1,
        share: 1.0,
    };
    let found = calibrate(&[one], &[], None, 1.0, 1e-5).unwrap();
    // Google dp-accounting tests.
    assert!(
        close(found.noise_multipliers[0], 0.673_792_946_82, 2e-3, 0.0),
        "{found:?}"
    );
    let parts = [
        Part {
            sampling_rate: 0.02,
            steps: 400,
            share: 1.0,
        },
        Part {
            sampling_rate: 0.05,
            steps: 300,
            share: 3.0,
        },
    ];
    let fixed = [Event::PureDp { epsilon: 0.1 }];
    let found = calibrate(&parts, &fixed, None, 8.0, 1e-6).unwrap();
    assert!(
        found.guarantee.epsilon <= 8.0 && found.guarantee.epsilon > 7.98,
        "{found:?}"
    );
    assert!(
        close(found.alone[1] / found.alone[0], 3.0, 1e-2, 0.0),
        "{found:?}"
    );
    println!("{found:?} {:?}", start.elapsed());
    assert!(calibrate(&parts, &[Event::PureDp { epsilon: 9.0 }], None, 8.0, 1e-6).is_err());
}
