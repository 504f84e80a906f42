//! `albumen account` over several ledgers: what the runs on the same albums spent together.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::path::Path;

use albumen_accounting::{Event, Header, Ledger, TuningRuns, account};
use albumen_schema::Unit;
use assert_cmd::Command;

fn write(path: &Path, unit: Unit, delta: f64, tuning_runs: Option<TuningRuns>, events: &[Event]) {
    let header = Header {
        tuning_runs,
        ..Header::new("t", unit, 600, delta)
    };
    let mut ledger = Ledger::create(path, header).unwrap();
    for event in events {
        ledger.append("s", event.clone(), "00").unwrap();
    }
}

/// Exit code, standard output, standard error.
fn accounted(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let done = Command::cargo_bin("albumen")
        .unwrap()
        .arg("account")
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    (
        done.status.code().unwrap(),
        String::from_utf8(done.stdout).unwrap(),
        String::from_utf8(done.stderr).unwrap(),
    )
}

#[test]
fn a_run_made_before_the_declaration_is_added_to_the_declared_ones() {
    let dir = tempfile::tempdir().unwrap();
    let event = |noise_multiplier| Event::Gaussian { noise_multiplier };
    let (last, earlier) = (event(3.0), event(1.5));
    let declared = Some(TuningRuns::Fixed { count: 2 });
    let ledger = |name: &str, tuning, event: &Event| {
        let events = std::slice::from_ref(event);
        write(&dir.path().join(name), Unit::Owner, 1e-5, tuning, events);
    };
    ledger("last.jsonl", declared, &last);
    ledger("earlier.jsonl", None, &earlier);
    let arguments = [
        "--ledger",
        "last.jsonl",
        "--ledger",
        "earlier.jsonl",
        "--json",
    ];
    let (code, stdout, stderr) = accounted(dir.path(), &arguments);
    assert_eq!(code, 0, "{stderr}");
    let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let total = account(&[last.clone(), last.clone(), earlier], 1e-5).unwrap();
    assert_eq!(found["epsilon"].as_f64(), Some(total.epsilon));
    // The declaration alone would have stated this.
    let stated = account(&[last.clone(), last], 1e-5).unwrap();
    assert!(total.epsilon > 1.5 * stated.epsilon);
}

#[test]
fn ledgers_that_do_not_compose_are_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let secret = Some(TuningRuns::SecretPoisson { mean: 3.0 });
    for (name, unit, delta, tuning, says) in [
        ("first", Unit::Owner, 1e-5, None, ""),
        (
            "unit",
            Unit::Album,
            1e-5,
            None,
            "different units do not compose",
        ),
        ("delta", Unit::Owner, 1e-6, None, "--delta"),
        ("secret", Unit::Owner, 1e-5, secret, "cannot be composed"),
    ] {
        write(&dir.path().join(name), unit, delta, tuning, &[]);
        if says.is_empty() {
            continue;
        }
        let (code, _, stderr) = accounted(dir.path(), &["--ledger", "first", "--ledger", name]);
        assert_eq!(code, 1, "{stderr}");
        assert!(
            stderr.contains(says) && stderr.contains("hint: "),
            "{stderr}"
        );
    }
}
