//! Every row of golden/published.json; each test names its source.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
use albumen_accounting::{
    Composition, Event, Part, TradeOff, account, calibrate, renyi_divergence, renyi_epsilon,
    renyi_epsilon_classic,
};
use serde_json::Value;

fn case(source: &str, key: &str) -> Value {
    let path = format!("{}/tests/golden/published.json", env!("CARGO_MANIFEST_DIR"));
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap().clone();
    cases
        .into_iter()
        .find(|c| c["source"].as_str().unwrap().contains(source) && c.get(key).is_some())
        .unwrap()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap()
}

fn event(value: &Value) -> Event {
    Event::poisson_gaussian(
        number(value, "noise_multiplier"),
        number(value, "sampling_rate"),
        value["steps"].as_u64().unwrap(),
    )
}

#[track_caller]
fn near(found: f64, expected: f64, relative: f64) {
    let difference = (found - expected).abs();
    assert!(
        difference <= relative * expected,
        "{found} is not {expected}"
    );
}

#[test]
fn tensorflow_privacy_readme_by_the_classic_renyi_conversion() {
    let case = case("TensorFlow Privacy README", "N");
    let q = number(&case, "batch") / number(&case, "N");
    for row in case["rows"].as_array().unwrap() {
        let steps = (number(row, "epochs") / q).round() as u64;
        let event = Event::poisson_gaussian(number(row, "noise_multiplier"), q, steps);
        // Published to two decimals, with coarser orders than ours.
        near(
            renyi_epsilon_classic(&[event], 1e-5),
            number(row, "epsilon"),
            0.01,
        );
    }
}

#[test]
fn tensorflow_privacy_tests() {
    for rate in ["0.01", "1.0"] {
        let path = format!("{}/tests/golden/published.json", env!("CARGO_MANIFEST_DIR"));
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let cases = golden["cases"].as_array().unwrap();
        let rate: f64 = rate.parse().unwrap();
        let case = cases
            .iter()
            .find(|c| {
                c["source"] == "TensorFlow Privacy tests"
                    && c["sampling_rate"].as_f64() == Some(rate)
            })
            .unwrap();
        let events = [event(case)];
        near(renyi_epsilon(&events, 1e-5), number(case, "rdp"), 1e-3);
        near(
            account(&events, 1e-5).unwrap().epsilon,
            number(case, "pld"),
            2e-3,
        );
    }
}

#[test]
fn opacus_tests() {
    let case_rows = case("Opacus", "rows");
    for row in case_rows["rows"].as_array().unwrap() {
        let steps = row["steps"].as_u64().unwrap();
        let events = [Event::poisson_gaussian(1.5, 0.04, steps)];
        let found = account(&events, 1e-5).unwrap();
        match row["kind"].as_str().unwrap() {
            "rdp" => near(found.epsilon_rdp, number(row, "epsilon"), 1e-3),
            // Opacus reports its estimate with an error of 0.01.
            _ => near(found.epsilon, number(row, "epsilon"), 3e-3),
        }
    }
    let case = case("Opacus", "target_epsilon");
    let part = Part {
        sampling_rate: 0.04,
        steps: 2000,
        share: 1.0,
    };
    let found = calibrate(&[part], &[], None, 8.0, 1e-5).unwrap();
    near(
        found.noise_multipliers[0],
        number(&case["noise_multiplier"], "prv"),
        2e-3,
    );
    // Opacus' Renyi answer spends 8 by our Renyi accountant.
    let renyi = [Event::poisson_gaussian(
        number(&case["noise_multiplier"], "rdp"),
        0.04,
        2000,
    )];
    near(renyi_epsilon(&renyi, 1e-5), 8.0, 2e-3);
}

#[test]
fn google_dp_accounting_tests() {
    let three = case("Google", "delta_pld");
    let bounds = Composition::new(&[event(&three)])
        .unwrap()
        .delta(1.0)
        .unwrap();
    near(bounds.upper, number(&three, "delta_pld"), 5e-3);
    assert!(bounds.lower <= number(&three, "delta_pld") + 5e-6);

    let one = case("Google", "noise_multiplier_pld");
    let part = Part {
        sampling_rate: 0.01,
        steps: 1,
        share: 1.0,
    };
    let found = calibrate(&[part], &[], None, 1.0, 1e-5).unwrap();
    near(
        found.noise_multipliers[0],
        number(&one, "noise_multiplier_pld"),
        1e-3,
    );

    let gdp = case("Google", "tpr_at_fpr_0.1");
    let composition = Composition::new(&[event(&gdp)]).unwrap();
    near(
        composition.delta(1.0).unwrap().upper,
        number(&gdp, "delta_pld"),
        1e-5,
    );
    let rate = TradeOff::new(&composition)
        .unwrap()
        .true_positive_rate(0.1)
        .unwrap();
    near(rate, number(&gdp, "tpr_at_fpr_0.1"), 2e-3);

    let renyi = case("Google", "rdp_at_alpha");
    for (alpha, expected) in renyi["rdp_at_alpha"].as_object().unwrap() {
        let found = renyi_divergence(&[event(&renyi)], alpha.parse().unwrap());
        near(found, expected.as_f64().unwrap(), 1e-5);
    }
}

#[test]
fn chua_et_al_2024_poisson_rows() {
    for row in case("Chua", "rows")["rows"].as_array().unwrap() {
        let found = account(&[event(row)], 1e-6).unwrap();
        near(found.epsilon, number(row, "epsilon"), 5e-3);
        assert!(found.epsilon_lower <= number(row, "epsilon") + 1e-3);
    }
}

#[test]
fn values_recomputed_with_dp_accounting() {
    let long = case("recomputed with dp-accounting", "pld");
    let found = account(&[event(&long)], 1e-5).unwrap();
    near(found.epsilon, number(&long, "pld"), 5e-3);
    near(found.epsilon_rdp, number(&long, "rdp"), 1e-3);
    assert!(found.epsilon_lower <= number(&long, "pld"));

    let two = case("two models", "pld_two");
    let model = event(&two);
    near(
        account(std::slice::from_ref(&model), 1e-6).unwrap().epsilon,
        number(&two, "pld_one"),
        3e-3,
    );
    near(
        account(&[model.clone(), model], 1e-6).unwrap().epsilon,
        number(&two, "pld_two"),
        3e-3,
    );
}

#[test]
fn no_row_is_without_its_test() {
    let golden: Value = serde_json::from_str(include_str!("golden/published.json")).unwrap();
    let sources = golden["cases"].as_array().unwrap().iter();
    let sources: Vec<&str> = sources.map(|c| c["source"].as_str().unwrap()).collect();
    let rows = |source: &str| sources.iter().filter(|s| s.starts_with(source)).count();
    for (source, count) in [
        ("TensorFlow Privacy README", 1),
        ("TensorFlow Privacy tests", 2),
        ("Opacus tests", 2),
        ("Google dp-accounting tests", 4),
        ("Chua et al. 2024", 1),
        ("recomputed with dp-accounting", 2),
        ("jax_privacy tests", 1),
    ] {
        assert_eq!(rows(source), count, "{source}");
    }
    assert_eq!(sources.len(), 13);
}

// The last row of the file, jax_privacy's one-run audit, is of auditing and not of accounting.
