//! Released statistics: on the albums of training, charged, and released once.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod support;

use std::fs;

use albumen_schema::NoisyCounts;
use support::{OWNERS, TINY, ledger_stages, say, succeed, tiny_workplace};

/// With so little noise that a count is off by more than [`OFF`] in one run of 10^7.
fn nearly_exact(config: &str) -> String {
    config
        .replace("epsilon = 12.0", "epsilon = 30.0")
        .replace("album_count_epsilon = 0.5", "album_count_epsilon = 5.0")
        .replace("album_sizes_epsilon = 0.5", "album_sizes_epsilon = 5.0")
}

const OFF: i64 = 6;

fn near(found: &[i64], expected: &[i64]) {
    let close = found
        .iter()
        .zip(expected)
        .all(|(f, e)| (f - e).abs() <= OFF);
    assert!(
        found.len() == expected.len() && close,
        "{found:?}, not {expected:?}"
    );
}

fn counts(run: &std::path::Path, stage: &str) -> NoisyCounts {
    let bytes = fs::read(run.join(format!("statistics/{stage}.json"))).unwrap();
    let counts: NoisyCounts = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(counts.to_bytes(), bytes, "the file is what the hash is of");
    counts
}

#[test]
fn statistics_are_of_the_bounded_albums() {
    let owners = OWNERS as i64;
    for (unit, albums, sizes) in [
        // The first two of three albums of each owner, as in training.
        ("owner", 2 * owners, [owners, owners, 0]),
        ("album", 3 * owners, [owners; 3]),
    ] {
        let unit = format!("unit = \"{unit}\"");
        let dir = tiny_workplace(&nearly_exact(TINY).replace("unit = \"owner\"", &unit));
        succeed(dir.path(), &["run", "tiny.toml", "--until", "statistics"]);
        let run = dir.path().join("runs/tiny");
        near(&counts(&run, "album-count").counts, &[albums]);
        let found = counts(&run, "album-sizes");
        near(&found.counts, &sizes);
        assert_eq!(
            found.categories,
            ["1 photo", "2 photos", "3 or more photos"]
        );
        assert_eq!(ledger_stages(&run), ["album-count", "album-sizes"]);
        assert!(!run.join("statistics/stage.json").exists());
    }
}

#[test]
fn statistics_are_planned_charged_and_never_released_twice() {
    let dir = tiny_workplace(TINY);
    let at = dir.path();
    let plan = support::albumen(at)
        .args(["plan", "tiny.toml", "--json"])
        .output()
        .unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["releases"][0]["stage"], "album-count");
    assert_eq!(plan["releases"][1]["stage"], "album-sizes");
    assert!(plan["epsilon"].as_f64().unwrap() <= 12.0);

    let again = ["run", "tiny.toml", "--until", "statistics"];
    let run = at.join("runs/tiny");
    succeed(at, &again);
    let released = counts(&run, "album-count");
    let said = succeed(at, &again);
    assert!(said.contains("statistics: finished before"), "{said}");

    // Neither before training nor after it, since the models are still to come or already paid.
    let forced = ["run", "tiny.toml", "--force", "statistics"];
    for _ in 0..2 {
        let (code, said) = say(at, &forced);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("paid for once and for all"), "{said}");
        assert_eq!(counts(&run, "album-count"), released);
        succeed(at, &["run", "tiny.toml", "--until", "train-caption"]);
    }
    assert_eq!(
        ledger_stages(&run),
        [
            "album-count",
            "album-sizes",
            "train-summary",
            "train-caption"
        ]
    );

    // The charge cannot be taken back, nor the statistics changed by other bins.
    for (from, to) in [
        ("album_count_epsilon = 0.5", "album_count_epsilon = 0.0"),
        ("album_size_bins = [1, 2, 3]", "album_size_bins = [1, 2]"),
    ] {
        fs::write(at.join("other.toml"), TINY.replace(from, to)).unwrap();
        let (code, said) = say(at, &["run", "other.toml"]);
        assert_eq!(code, 1);
        assert!(said.contains("[release] differs"), "{said}");
    }
}

#[test]
fn no_statistic_is_released_where_none_is_asked_for() {
    let config = TINY
        .replace("album_count_epsilon = 0.5", "")
        .replace("album_sizes_epsilon = 0.5", "");
    let dir = tiny_workplace(&config);
    succeed(dir.path(), &["run", "tiny.toml", "--until", "statistics"]);
    assert!(!dir.path().join("runs/tiny/ledger.jsonl").exists());
    assert!(!dir.path().join("runs/tiny/statistics").exists());
}

#[test]
fn a_statistic_that_overspends_is_refused_before_data_is_read() {
    let config = TINY.replace("album_count_epsilon = 0.5", "album_count_epsilon = 13.0");
    let dir = tiny_workplace(&config);
    let (code, said) = say(dir.path(), &["run", "tiny.toml"]);
    assert_eq!(code, 2, "{said}");
    assert!(!dir.path().join("runs").exists());
}

/// `generate` reads only what the ledger paid for, even where every manifest was mended to fit.
#[test]
fn an_adapter_that_the_ledger_did_not_pay_for_is_refused() {
    let dir = tiny_workplace(TINY);
    let at = dir.path();
    succeed(at, &["train", "tiny.toml"]);
    let run = at.join("runs/tiny");
    let adapter = run.join("models/caption/adapter.safetensors");
    let before = fs::read(&adapter).unwrap();
    let mut bytes = before.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&adapter, &bytes).unwrap();

    // Seen as an unfinished stage, which would have to be trained and paid for again.
    let (code, said) = say(at, &["generate", "tiny.toml"]);
    assert_eq!(code, 1);
    assert!(said.contains("paid for once and for all"), "{said}");

    let hash = albumen_files::sha256_hex;
    let manifest = run.join("private/train-caption.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace(&hash(&before), &hash(&bytes))).unwrap();
    let (code, said) = say(at, &["generate", "tiny.toml"]);
    assert_eq!(code, 1);
    assert!(said.contains("is not in this run's ledger"), "{said}");
    assert!(!run.join("synthetic/generate").exists());

    fs::write(&adapter, &before).unwrap();
    fs::write(&manifest, text).unwrap();
    succeed(at, &["generate", "tiny.toml"]);
}

#[test]
fn what_was_released_needs_its_ledger_and_configuration() {
    let dir = tiny_workplace(TINY);
    let at = dir.path();
    let until = ["run", "tiny.toml", "--until", "statistics"];
    succeed(at, &until);
    let run = at.join("runs/tiny");
    let path = run.join("ledger.jsonl");
    let ledger = fs::read_to_string(&path).unwrap();

    fs::remove_file(&path).unwrap();
    let forced = [&until[..], &["--force", "statistics"]].concat();
    for args in [&until[..], &["train", "tiny.toml"], &forced[..]] {
        let (code, said) = say(at, args);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("ledger"), "{said}");
        assert!(!path.exists(), "a new ledger was begun: {said}");
    }
    let header = ledger.split_inclusive('\n').next().unwrap();
    fs::write(&path, header).unwrap();
    let (code, said) = say(at, &["train", "tiny.toml"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is not in this run's ledger"), "{said}");

    fs::write(&path, &ledger).unwrap();
    let settings = run.join("run.toml");
    let text = fs::read(&settings).unwrap();
    fs::remove_file(&settings).unwrap();
    let (code, said) = say(at, &until);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("no run.toml"), "{said}");
    fs::write(&settings, text).unwrap();
    succeed(at, &until);
}

#[test]
fn texts_that_cannot_fit_are_refused_before_data_is_read() {
    let config = TINY.replace("max_caption_tokens = 24", "max_caption_tokens = 9000");
    let dir = tiny_workplace(&config);
    let (code, said) = say(dir.path(), &["run", "tiny.toml"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("generate.max_caption_tokens"), "{said}");
    assert!(!dir.path().join("runs").exists());
}
