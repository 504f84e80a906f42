//! `albumen sweep`: a run and a ledger for each epsilon, and nothing without privacy outside `private/`.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use albumen_accounting::{Event, History, account};
use serde_json::Value;
use support::{TINY, albumen, say, succeed, tiny_workplace};
use walkdir::WalkDir;

/// A word of the private captions that no model of the test writes.
const CANARY: &str = "kookaburra";

/// Filters that let the tiny model's noise through.
const KEEP_ALL: &str = r"
[curate]
min_words = 0
min_photos = 1
max_repetition = 1.0
near_duplicate = 1.0
min_coherence = -1.0

[evaluate]
samples = 100
resamples = 40
";

/// Searches what is neither private nor stamped for the canary.
fn nothing_private_lies_open(swept: &Path) {
    for entry in WalkDir::new(swept) {
        let path = entry.unwrap().into_path();
        let private = path.components().any(|c| c.as_os_str() == "private");
        let stamped = path.to_string_lossy().contains(".internal.");
        if path.is_file() && !private && !stamped {
            let text = fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(CANARY), "{} holds it", path.display());
        }
    }
}

/// The copies of private tables are as closed as the first ones.
fn private_tables_are_closed(swept: &Path) {
    for run in ["epsilon-2", "epsilon-4", "epsilon-9", "epsilon-inf"] {
        let private = swept.join(run).join("private");
        assert!(private.join("caption/captions.parquet").is_file(), "{run}");
        let mode = fs::metadata(&private).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{run}");
    }
}

#[test]
fn each_epsilon_has_its_own_ledger_and_the_one_without_privacy_has_none() {
    let config = TINY.replace("albums = 6", "albums = 30");
    let config = config.replace("tries = 2", "tries = 50") + KEEP_ALL;
    let work = tiny_workplace(&config);
    let dir = work.path();
    let corpus = fs::read_to_string(dir.join("albums.jsonl")).unwrap();
    fs::write(dir.join("albums.jsonl"), corpus.replace("dog", CANARY)).unwrap();
    let arguments = [
        "sweep",
        "tiny.toml",
        "--epsilon",
        "inf,4,9",
        "--out",
        "swept",
    ];
    let output = albumen(dir).args(arguments).arg("--json").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let swept = dir.join("swept");

    let mut events: Vec<Event> = Vec::new();
    for (name, most) in [("epsilon-4", 4.0), ("epsilon-9", 9.0)] {
        let history = History::read(&swept.join(name).join("ledger.jsonl")).unwrap();
        let spent = history.guarantee().unwrap().epsilon;
        assert!(spent <= most && spent > 0.9 * most, "{name} spent {spent}");
        events.extend(history.entries().iter().map(|e| e.event.clone()));
    }
    let without = swept.join("epsilon-inf");
    assert!(
        without
            .join("private/without-privacy/curated.parquet")
            .is_file()
    );
    for released in [
        "ledger.jsonl",
        "models/summary",
        "synthetic/generate",
        "release",
    ] {
        assert!(!without.join(released).exists(), "{released}");
    }

    // The price of a choice is that of all the private runs.
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let delta = printed["choice"]["delta"].as_f64().unwrap();
    let together = account(&events, delta).unwrap().epsilon;
    assert_eq!(printed["choice"]["epsilon"].as_f64(), Some(together));
    assert_eq!(printed["choice"]["runs"], 2);

    // Earlier levels of the same directory count, and no run of a sweep is released by its own ledger.
    let more = [
        "sweep",
        "tiny.toml",
        "--epsilon",
        "2",
        "--out",
        "swept",
        "--json",
    ];
    let output = albumen(dir).args(more).output().unwrap();
    let later: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(later["choice"]["runs"], 3);
    assert!(later["choice"]["epsilon"].as_f64() > Some(together));
    let run = [
        "run",
        "swept/epsilon-4/run.toml",
        "--out",
        "swept/epsilon-4",
    ];
    let (code, refused) = say(dir, &run);
    assert_eq!(code, 1, "{refused}");
    assert!(refused.contains("one of a sweep's runs"), "{refused}");
    assert!(!swept.join("epsilon-4/release").exists());
    succeed(dir, &arguments);

    private_tables_are_closed(&swept);

    // The numbers are in two files for the team, and nowhere else.
    let table = swept.join("sweep.internal.json");
    let page = swept.join("sweep.internal.html");
    for file in [&table, &page] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains("NOT DIFFERENTIALLY PRIVATE"));
        assert!(!text.contains(CANARY));
    }
    let record: Value = serde_json::from_slice(&fs::read(&table).unwrap()).unwrap();
    let rows = record["measures"].as_array().unwrap();
    for epsilon in [Value::from(4.0), Value::from(9.0), Value::Null] {
        for set in ["sampled", "held_out", "floor"] {
            let held = |r: &&Value| r["epsilon"] == epsilon && r["set"] == set;
            assert!(rows.iter().any(|r| held(&r)), "no {set} at {epsilon}");
        }
    }
    let mauve = rows.iter().filter(|r| r["measure"] == "mauve");
    for row in mauve {
        let value = format!("{:.4}", row["value"].as_f64().unwrap());
        assert!(!said.contains(&value), "said {value}: {said}");
    }
    nothing_private_lies_open(&swept);

    // Again, nothing is trained or spent again.
    let ledgers = || {
        ["epsilon-4", "epsilon-9"].map(|n| fs::read(swept.join(n).join("ledger.jsonl")).unwrap())
    };
    let before = ledgers();
    succeed(dir, &arguments);
    assert_eq!(before, ledgers());
}

#[test]
fn declared_tuning_runs_are_refused() {
    let declared = "[privacy]\ntuning_runs = { number = \"fixed\", count = 5 }";
    let work = tiny_workplace(&TINY.replacen("[privacy]", declared, 1));
    let (code, said) = say(work.path(), &["sweep", "tiny.toml", "--epsilon", "1,2"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("takes no `privacy.tuning_runs`"), "{said}");
}

#[test]
fn an_epsilon_that_is_none_is_refused() {
    let work = tiny_workplace(TINY);
    for list in ["0", "-1,2", "1,zero", "nan"] {
        let output = albumen(work.path())
            .args(["sweep", "tiny.toml", &format!("--epsilon={list}")])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{list}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("--epsilon"), "{said}");
        assert!(!work.path().join("runs").exists());
    }
}
