//! `albumen plan` and `albumen account`: what they print, and that it is true.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails by panicking"
)]

use std::fs;
use std::path::Path;

use albumen_accounting::{Event, TuningRuns, account, account_tuned};
use assert_cmd::Command;
use insta::assert_snapshot;
use serde_json::Value;

const CONFIG: &str = r#"name = "test"

[corpus]
path = "albums"

[privacy]
unit = "owner"
epsilon = 8.0
delta = 1e-5
declared_units = 600

[train.summary]
expected_batch = 300
steps = 12
learning_rate = 0.02

[train.caption]
expected_batch = 100
steps = 10
learning_rate = 0.02

[generate]
albums = 10
"#;

const POISSON: &str = r#"tuning_runs = { number = "secret_poisson", mean = 10.0 }"#;

fn albumen(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("albumen")
        .unwrap()
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

/// Runs `albumen plan` on the sample with lines added to `[privacy]`, in a folder of its own.
fn plan_in(dir: &Path, privacy: &str, args: &[&str]) -> (i32, String, String) {
    let text = CONFIG.replace("[train.summary]", &format!("{privacy}\n\n[train.summary]"));
    fs::write(dir.join("c.toml"), text).unwrap();
    albumen(dir, &[&["plan", "c.toml"], args].concat())
}

fn plan(privacy: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = plan_in(dir.path(), privacy, &["--json"]);
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

fn events(plan: &Value) -> Vec<Event> {
    let of = |name: &str| {
        let m = &plan["models"][name];
        let steps = m["steps"].as_u64().unwrap();
        let (sigma, q) = (number(&m["noise_multiplier"]), number(&m["sampling_rate"]));
        Event::poisson_gaussian(sigma, q, steps)
    };
    vec![of("summary"), of("caption")]
}

#[test]
fn the_plan_reads_well() {
    let dir = tempfile::tempdir().unwrap();
    let (code, stdout, _) = plan_in(dir.path(), "", &[]);
    assert_eq!(code, 0);
    assert_snapshot!("plan", stdout);
    let (code, stdout, _) = plan_in(dir.path(), POISSON, &[]);
    assert_eq!(code, 0);
    assert_snapshot!("plan_with_tuning", stdout);
}

#[test]
fn the_json_plan_is_complete_and_its_total_can_be_recomputed() {
    let plan = plan("");
    let found = account(&events(&plan), 1e-5).unwrap();
    assert!(
        (number(&plan["epsilon"]) - found.epsilon).abs() < 1e-9,
        "{plan}"
    );
    assert!(number(&plan["epsilon"]) <= 8.0 && number(&plan["epsilon"]) > 7.98);
    assert_eq!(plan["tuning"], Value::Null);
    assert_eq!(plan["releases"], Value::Array(Vec::new()));
    // Signal and noise: batch over sigma and the root of the size.
    let parameters = number(&plan["adapter_parameters"]);
    // SmolLM2: rank 8 on queries (576 to 576) and values (576 to 192) of 8 layers.
    assert_eq!(parameters, 8.0 * 8.0 * (576.0 + 576.0 + 576.0 + 192.0));
    let caption = &plan["models"]["caption"];
    let aligned = 100.0 / number(&caption["noise_multiplier"]) / parameters.sqrt();
    let shown = &caption["signal_to_noise"];
    assert!((number(&shown["aligned"]) / aligned - 1.0).abs() < 1e-12);
    assert!((number(&shown["unrelated"]) / aligned - 0.1).abs() < 1e-12);
}

#[test]
fn the_sweeps_hold_what_the_accountant_says() {
    let plan = plan("");
    let base = events(&plan);
    let moved = |noise: f64, rate: f64, steps: f64| {
        let of = |e: &Event| {
            let (sigma, q) = (e.noise_multiplier() * noise, e.sampling_rate() * rate);
            Event::poisson_gaussian(sigma, q, (e.steps() as f64 * steps).round() as u64)
        };
        let events: Vec<Event> = base.iter().map(of).collect();
        account(&events, 1e-5).unwrap().epsilon
    };
    let at = |name: &str, factor: f64| {
        let sweep = plan["sensitivity"][name].as_array().unwrap().clone();
        let near = |p: &&Value| (number(&p["factor"]) / factor - 1.0).abs() < 1e-9;
        number(&sweep.iter().find(near).unwrap()["epsilon"])
    };
    for (name, factor, expected) in [
        ("noise_multiplier", 2.0, moved(2.0, 1.0, 1.0)),
        ("noise_multiplier", 0.5, moved(0.5, 1.0, 1.0)),
        ("sampling_rate", 0.5, moved(1.0, 0.5, 1.0)),
        ("steps", 4.0, moved(1.0, 1.0, 4.0)),
        // More declared units at the same batch are a lower rate.
        ("declared_units", 4.0, moved(1.0, 0.25, 1.0)),
        ("declared_units", 1.0, moved(1.0, 1.0, 1.0)),
    ] {
        let found = at(name, factor);
        assert!(
            (found / expected - 1.0).abs() < 1e-9,
            "{name} {factor} {found} {expected}"
        );
    }
    // A rate above 1 is no plan: at twice the rate the summary model has all units in every batch.
    let rates = plan["sensitivity"]["sampling_rate"].as_array().unwrap();
    assert!(rates.iter().all(|p| number(&p["summary"]) <= 1.0 + 1e-12));
    let units = plan["sensitivity"]["declared_units"].as_array().unwrap();
    assert!(number(&units[0]["summary"]) >= 300.0 - 1e-9);
}

#[test]
fn tuning_runs_are_charged_within_epsilon() {
    let plain = plan("");
    for (line, runs) in [
        (POISSON, TuningRuns::SecretPoisson { mean: 10.0 }),
        (
            r#"tuning_runs = { number = "fixed", count = 3 }"#,
            TuningRuns::Fixed { count: 3 },
        ),
        (
            r#"tuning_runs = { number = "secret_negative_binomial", eta = 1.0, gamma = 0.1 }"#,
            TuningRuns::SecretNegativeBinomial {
                eta: 1.0,
                gamma: 0.1,
            },
        ),
    ] {
        let tuned = plan(line);
        let total = account_tuned(&events(&tuned), 1e-5, Some(&runs)).unwrap();
        assert!(
            (number(&tuned["epsilon"]) - total.epsilon).abs() < 1e-6,
            "{tuned}"
        );
        assert!(
            number(&tuned["epsilon"]) <= 8.0,
            "the total with the charge meets the budget"
        );
        let one = account(&events(&tuned), 1e-5).unwrap().epsilon;
        assert!((number(&tuned["tuning"]["epsilon_one_run"]) - one).abs() < 1e-9);
        assert!(one < 6.5, "{line} {one}");
        assert!((number(&tuned["tuning"]["expected_runs"]) - runs.mean()).abs() < 1e-12);
        for model in ["summary", "caption"] {
            let sigma = |p: &Value| number(&p["models"][model]["noise_multiplier"]);
            assert!(sigma(&tuned) > 1.1 * sigma(&plain), "{line}");
        }
    }
}

#[test]
fn one_fixed_run_is_the_plain_plan() {
    let one = plan(r#"tuning_runs = { number = "fixed", count = 1 }"#);
    assert_eq!(one["models"], plan("")["models"]);
}

#[test]
fn bad_tuning_runs_are_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |line: &str| {
        let (code, stdout, stderr) = plan_in(dir.path(), line, &[]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        stderr
    };
    assert_snapshot!(refused(r#"tuning_runs = { number = "fixed", count = 0 }"#), @"
    error: c.toml:12:43: `privacy.tuning_runs.count` is 0
      hint: use 1 to 1000
    ");
    assert_snapshot!(refused(r#"tuning_runs = { number = "secret_poisson", mean = -1.0 }"#), @"
    error: c.toml:12:51: `privacy.tuning_runs.mean` is -1
      hint: use 0.1 to 10,000
    ");
    assert_snapshot!(refused(r#"tuning_runs = { number = "poisson", mean = 10.0 }"#), @"
    error: c.toml:12:26: unknown variant `poisson`, expected one of `fixed`, `secret_poisson`, `secret_negative_binomial`
      hint: did you mean `secret_poisson`?
    ");
    assert_snapshot!(refused(r#"tuning_runs = { number = "fixed", mean = 10.0 }"#), @"
    error: c.toml:12:15: unknown field `mean`, expected `count`
      hint: did you mean `count`?
    ");
    assert_snapshot!(refused("tuning_runs = 5"), @r#"
    error: c.toml:12:15: invalid type: integer `5`, expected internally tagged enum TuningRuns
      hint: write `{ number = "fixed", count = 5 }` for five runs, each charged in full
    "#);
    // The label's own cost, log(mean) / (order - 1) and more, can exceed a small epsilon.
    let text = CONFIG.replace("epsilon = 8.0", &format!("epsilon = 0.01\n{POISSON}"));
    fs::write(dir.path().join("c.toml"), text).unwrap();
    let (code, _, stderr) = albumen(dir.path(), &["plan", "c.toml"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("cannot be met"), "{stderr}");
}

#[test]
fn the_plot_is_a_picture_of_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, stderr) = plan_in(dir.path(), POISSON, &["--plot", "plan.svg"]);
    assert_eq!(code, 0, "{stderr}");
    let svg = fs::read_to_string(dir.path().join("plan.svg")).unwrap();
    for phrase in [
        "Noise multiplier",
        "Sampling rate",
        "Steps",
        "Declared units",
        "What an attacker can do",
        "one run, all together",
        "prefers-color-scheme: dark",
        "test: epsilon 7.9",
    ] {
        assert!(svg.contains(phrase), "{phrase}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let (code, _, stderr) = plan_in(dir.path(), "", &["--plot", "no/such/folder/plan.svg"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("no/such/folder"), "{stderr}");
}

#[test]
fn without_the_model_the_plan_stands_and_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let text = CONFIG.replace(
        "[train.summary]",
        "[train]\nmodel = \"path:nowhere\"\n\n[train.summary]",
    );
    fs::write(dir.path().join("c.toml"), text).unwrap();
    let (code, stdout, stderr) = albumen(dir.path(), &["plan", "c.toml", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let plan: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(plan["adapter_parameters"], Value::Null);
    assert_eq!(plan["models"]["summary"]["signal_to_noise"], Value::Null);
    assert!(
        stderr.contains("the model path:nowhere is not there"),
        "{stderr}"
    );
}

fn accounted(args: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = albumen(dir.path(), &[&["account", "--json"], args].concat());
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn account_takes_every_mechanism() {
    let args = [
        "--event",
        "1.5,0.01,1000",
        "--event",
        "gaussian:4",
        "--event",
        "laplace:10",
        "--event",
        "discrete_gaussian:5,2",
        "--event",
        "pure_dp:0.1",
        "--delta",
        "1e-6",
    ];
    let found = accounted(&args);
    let events = [
        Event::poisson_gaussian(1.5, 0.01, 1000),
        Event::Gaussian {
            noise_multiplier: 4.0,
        },
        Event::Laplace { scale: 10.0 },
        Event::DiscreteGaussian {
            noise_multiplier: 5.0,
            sensitivity: 2,
        },
        Event::PureDp { epsilon: 0.1 },
    ];
    assert_eq!(found["events"], serde_json::to_value(&events).unwrap());
    let expected = account(&events, 1e-6).unwrap().epsilon;
    assert!((number(&found["epsilon"]) - expected).abs() < 1e-9);

    let tuned = accounted(&[&args[..], &["--tuning-runs", "secret_poisson:10"]].concat());
    assert!((number(&tuned["tuning"]["epsilon_one_run"]) - expected).abs() < 1e-9);
    assert!(number(&tuned["epsilon"]) > 1.2 * expected);
}

#[test]
fn account_reads_ledgers_and_statements() {
    use albumen_accounting::{Header, Ledger};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.jsonl");
    let header = Header {
        tuning_runs: Some(TuningRuns::Fixed { count: 2 }),
        ..Header::new("r", albumen_schema::Unit::Owner, 600, 1e-5)
    };
    let events = [
        Event::poisson_gaussian(2.0, 0.02, 500),
        Event::PureDp { epsilon: 0.1 },
        Event::Laplace { scale: 20.0 },
    ];
    let mut ledger = Ledger::create(&path, header).unwrap();
    for event in &events {
        ledger.append("s", event.clone(), "00").unwrap();
    }
    drop(ledger);
    let path = path.to_str().unwrap();
    let found = accounted(&["--ledger", path]);
    let total = account_tuned(&events, 1e-5, Some(&TuningRuns::Fixed { count: 2 })).unwrap();
    assert_eq!(number(&found["epsilon"]), total.epsilon);
    assert_eq!(found["unit"], "owner");
    // At another delta, and with one more event.
    let more = accounted(&[
        "--ledger",
        path,
        "--delta",
        "1e-4",
        "--event",
        "gaussian:50",
    ]);
    assert_eq!(number(&more["delta"]), 1e-4);
    assert_eq!(more["events"].as_array().unwrap().len(), 4);

    let history = albumen_accounting::History::read(Path::new(path)).unwrap();
    let statement = albumen_verify::statement::of_ledger(&history).unwrap();
    let json = dir.path().join("privacy.json");
    fs::write(&json, serde_json::to_vec(&statement).unwrap()).unwrap();
    assert_eq!(accounted(&["--ledger", json.to_str().unwrap()]), found);

    let odd = dir.path().join("odd.txt");
    fs::write(&odd, "no ledger").unwrap();
    let (code, _, stderr) = albumen(dir.path(), &["account", "--ledger", "odd.txt"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("neither a ledger nor a privacy.json"),
        "{stderr}"
    );
}

#[test]
fn bad_accounts_are_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    for (args, says) in [
        (
            &["--event", "normal:1", "--delta", "1e-5"][..],
            "no mechanism is called `normal`",
        ),
        (&["--event", "laplace:0", "--delta", "1e-5"], "scale"),
        (
            &["--event", "gaussian:1,2", "--delta", "1e-5"],
            "one value is needed, gaussian:SIGMA",
        ),
        (
            &["--event", "discrete_gaussian:1", "--delta", "1e-5"],
            "two values are needed",
        ),
        (
            &["--event", "discrete_gaussian:1,1.5", "--delta", "1e-5"],
            "no whole number",
        ),
        (
            &["--event", "pure_dp:x", "--delta", "1e-5"],
            "EPSILON `x` is no number",
        ),
        (
            &["--event", "gaussian:1", "--delta", "2"],
            "delta = 2 is out of range",
        ),
        (&["--event", "gaussian:1"], "--delta"),
        (
            &[
                "--event",
                "gaussian:1",
                "--delta",
                "1e-5",
                "--tuning-runs",
                "10",
            ],
            "fixed:COUNT",
        ),
        (
            &[
                "--event",
                "gaussian:1",
                "--delta",
                "1e-5",
                "--tuning-runs",
                "secret_poisson:0",
            ],
            "use an expected number of runs",
        ),
    ] {
        let (code, stdout, stderr) = albumen(dir.path(), &[&["account"], args].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
    }
}
