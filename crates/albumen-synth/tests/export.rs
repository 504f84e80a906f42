//! Export writes the release whole or not at all, and refuses a wrong guarantee.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use albumen_accounting::{Event, account};
use albumen_schema::{ModelStatement, ModelUse, PrivacyStatement, Reason, Unit};
use albumen_synth::SynthError;
use albumen_synth::export::{Release, export};
use albumen_verify::verify;
use common::{albums, config, draw, make_release, make_release_with_statistics, write_ledger};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn names(dir: &Path) -> BTreeSet<String> {
    walkdir::WalkDir::new(dir)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            entry
                .path()
                .strip_prefix(dir)
                .unwrap()
                .display()
                .to_string()
        })
        .collect()
}

#[test]
fn a_release_holds_what_it_should_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let pictures = [(0, 3), (2, 2), (3, 2)]
        .into_iter()
        .flat_map(|(a, n)| (1..=n).map(move |i| format!("images/album-00000{a}/{i:02}.jpg")));
    let rest = [
        "README.md",
        "metadata.jsonl",
        "albums.parquet",
        "parquet/albums-00000.parquet",
        "parquet/albums-00001.parquet",
        "webdataset/albums-000000.tar",
        "webdataset/albums-000001.tar",
        "coco/captions.json",
        "croissant.json",
        "ledger.jsonl",
        "privacy.json",
    ];
    let expected: BTreeSet<String> = pictures.chain(rest.map(str::to_owned)).collect();
    assert_eq!(names(&out), expected);
    assert!(!dir.path().join("release.part").exists());

    let rows: Vec<serde_json::Value> = text(&out.join("metadata.jsonl"))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1]["id"], "album-000002");
    assert_eq!(rows[1]["n_photos"], 2);
    assert_eq!(rows[1]["file_names"][1], "images/album-000002/02.jpg");
    assert_eq!(rows[1]["captions"][1], "A red mushroom.");

    let machine = dir.path().display().to_string();
    for name in &expected {
        let bytes = std::fs::read(out.join(name)).unwrap();
        for private in ["secret", machine.as_str()] {
            let found = bytes
                .windows(private.len())
                .any(|w| w == private.as_bytes());
            assert!(!found, "{name} holds a path of the machine");
        }
    }
}

#[test]
fn equal_inputs_give_equal_bytes_and_replace_the_old_release() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let other = tempfile::tempdir().unwrap();
    let again = make_release(other.path());
    for name in names(&out) {
        let bytes = |dir: &Path| std::fs::read(dir.join(&name)).unwrap();
        assert_eq!(bytes(&out), bytes(&again), "{name}");
    }
    std::fs::write(out.join("stale.txt"), "old").unwrap();
    std::fs::remove_file(dir.path().join("ledger.jsonl")).unwrap();
    make_release(dir.path());
    assert!(verify(&out).unwrap().intact());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn the_statement_is_what_the_ledger_gives() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release(dir.path());
    let statement: PrivacyStatement =
        serde_json::from_str(&text(&out.join("privacy.json"))).unwrap();
    let event = Event::Gaussian {
        noise_multiplier: 2.0,
    };
    let guarantee = account(&[event], 1e-5).unwrap();
    assert_eq!(statement.epsilon, guarantee.epsilon);
    assert_eq!(statement.epsilon_lower, guarantee.epsilon_lower);
    assert_eq!(
        (statement.unit, statement.declared_units),
        (Unit::Owner, 600)
    );
    let event = serde_json::to_value(&statement.events[0]).unwrap();
    for (field, value) in [
        ("mechanism", "gaussian".into()),
        ("noise_multiplier", serde_json::json!(2.0)),
        ("sampling_rate", serde_json::json!(1.0)),
        ("steps", serde_json::json!(1)),
        ("stage", "train/summary".into()),
    ] {
        assert_eq!(event[field], value, "{field}");
    }
}

#[test]
fn the_card_tells_the_guarantee_in_words_and_stays_honest() {
    let dir = tempfile::tempdir().unwrap();
    let card = text(&make_release(dir.path()).join("README.md"));
    for phrase in [
        "pretty_name: \"A \\\"tiny\\\" release: with a colon\"",
        "license: \"cc0-1.0\"",
        "one owner (with every album of theirs that was used)",
        "600 ",
        "What the guarantee does not cover",
        "train/summary | gaussian | 2.0 | 1.0 | 1 |",
        "image tagger that knows 1,000 kinds of things",
        "They are not photographs",
        "Copyright (c) Microsoft Corporation",
        "Photos by nobody.",
        "model-dir",
        "load_dataset(\"imagefolder\"",
        "too short or too long | 1 |",
    ] {
        assert!(card.contains(phrase), "the card lacks `{phrase}`:\n{card}");
    }
    assert!(!card.contains("does not hold for this release"));
    insta::assert_snapshot!(card);
}

#[test]
fn statistics_are_in_file_statement_and_card_with_their_noise() {
    let dir = tempfile::tempdir().unwrap();
    let out = make_release_with_statistics(dir.path());
    assert_eq!(verify(&out).unwrap().differences, Vec::<String>::new());
    let statement: PrivacyStatement =
        serde_json::from_str(&text(&out.join("privacy.json"))).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&text(&out.join("statistics.json"))).unwrap();
    assert_eq!(
        json["statistics"],
        serde_json::to_value(&statement.statistics).unwrap()
    );
    assert_eq!(json["unit"], "owner");
    assert_eq!(statement.statistics[1].counts, [0, 812, 371]);
    assert_eq!(statement.statistics[1].released.counts, [-7, 812, 371]);
    // All of it is charged: one Gaussian and three pure mechanisms.
    let events = [
        Event::Gaussian {
            noise_multiplier: 2.0,
        },
        Event::PureDp { epsilon: 0.1 },
        Event::PureDp { epsilon: 0.2 },
        Event::PureDp { epsilon: 0.1 },
    ];
    assert_eq!(statement.epsilon, account(&events, 1e-5).unwrap().epsilon);

    let card = text(&out.join("README.md"));
    let (_, section) = card
        .split_once("### Numbers about the private albums")
        .unwrap();
    insta::assert_snapshot!(section.split("### ").next().unwrap());
    assert!(card.contains("their topics follow the numbers"));
    let without = tempfile::tempdir().unwrap();
    let card = text(&make_release(without.path()).join("README.md"));
    assert!(!card.contains("statistics.json") && !card.contains("their topics"));
}

#[test]
fn a_statistic_that_was_not_paid_for_is_not_exported() {
    let dir = tempfile::tempdir().unwrap();
    make_release_with_statistics(dir.path());
    std::fs::remove_dir_all(dir.path().join("release")).unwrap();
    let file = dir.path().join("statistics/album-count.json");
    std::fs::write(&file, text(&file).replace("1204", "1205")).unwrap();
    let curated = albums();
    let config = config();
    let release = Release {
        config: &config,
        curated: &curated,
        images: &dir.path().join("images"),
        models: &[],
        public_training: None,
        statistics: &dir.path().join("statistics"),
        ledger: &dir.path().join("ledger.jsonl"),
        departed: &[],
    };
    let message = export(&release, &dir.path().join("release"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("album-count.json is not what the ledger paid for"),
        "{message}"
    );
    assert!(!dir.path().join("release").exists());
}

/// Exports with a ledger of this noise; `change` edits the configuration.
fn try_export(
    noise_multiplier: f64,
    change: impl FnOnce(&mut albumen_schema::Config),
) -> (tempfile::TempDir, Result<PrivacyStatement, SynthError>) {
    let dir = tempfile::tempdir().unwrap();
    let (images, ledger) = (dir.path().join("images"), dir.path().join("ledger.jsonl"));
    write_ledger(&ledger, noise_multiplier, false);
    let curated = albums();
    draw(&curated, &images, 7).unwrap();
    let mut config = config();
    change(&mut config);
    let release = Release {
        config: &config,
        curated: &curated,
        images: &images,
        models: &[],
        public_training: None,
        statistics: dir.path(),
        ledger: &ledger,
        departed: &[],
    };
    let result = export(&release, &dir.path().join("release"));
    (dir, result)
}

/// Edits a configuration.
type Change = fn(&mut albumen_schema::Config);

#[test]
fn a_wrong_guarantee_is_not_exported() {
    let spent = account(
        &[Event::Gaussian {
            noise_multiplier: 2.0,
        }],
        1e-5,
    )
    .unwrap()
    .epsilon;
    let refusals: [(&str, f64, Change); 5] = [
        ("spends epsilon", 0.3, |_| ()),
        ("spends epsilon", 2.0, |c| c.privacy.epsilon = 1.0),
        ("unit = owner", 2.0, |c| c.privacy.unit = Unit::Album),
        ("declared_units = 600", 2.0, |c| {
            c.privacy.declared_units = 601;
        }),
        ("delta = 0.00001", 2.0, |c| c.privacy.delta = 2e-5),
    ];
    for (phrase, noise, change) in refusals {
        let (dir, result) = try_export(noise, change);
        let message = result.unwrap_err().to_string();
        assert!(message.contains(phrase), "{message}");
        assert!(message.contains("nothing was exported"), "{message}");
        assert!(!dir.path().join("release").exists());
    }
    // Exactly what was spent is allowed.
    assert!(try_export(2.0, |c| c.privacy.epsilon = spent).1.is_ok());
    let just_below = spent * (1.0 - 1e-9);
    assert!(
        try_export(2.0, |c| c.privacy.epsilon = just_below)
            .1
            .is_err()
    );
}

#[test]
fn an_incomplete_run_is_not_exported() {
    let dir = tempfile::tempdir().unwrap();
    let (images, ledger) = (dir.path().join("images"), dir.path().join("ledger.jsonl"));
    let mut curated = albums();
    draw(&curated, &images, 7).unwrap();
    let config = config();
    let attempt = |curated: &[albumen_schema::Curated]| {
        let release = Release {
            config: &config,
            curated,
            images: &images,
            models: &[],
            public_training: None,
            statistics: dir.path(),
            ledger: &ledger,
            departed: &[],
        };
        let message = export(&release, &dir.path().join("release"))
            .unwrap_err()
            .to_string();
        assert!(!dir.path().join("release").exists());
        message
    };
    assert!(attempt(&curated).contains("ledger.jsonl"));
    let header = albumen_accounting::Header::new("tiny", Unit::Owner, 600, 1e-5);
    drop(albumen_accounting::Ledger::create(&ledger, header).unwrap());
    assert!(attempt(&curated).contains("no event"));
    std::fs::remove_file(&ledger).unwrap();
    write_ledger(&ledger, 2.0, false);
    std::fs::remove_file(images.join("album-000002/02.jpg")).unwrap();
    let message = attempt(&curated);
    assert!(
        message.contains("02.jpg") && message.contains("albumen render"),
        "{message}"
    );
    std::fs::write(images.join("album-000002/02.jpg"), "no picture").unwrap();
    let message = attempt(&curated);
    assert!(
        message.contains("02.jpg is no picture") && message.contains("--force"),
        "{message}"
    );
    for album in &mut curated {
        album.verdict.reason = Reason::Incoherent;
    }
    assert!(attempt(&curated).contains("none of 4 albums"));
}

#[test]
fn a_seeded_run_is_marked_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (images, ledger) = (dir.path().join("images"), dir.path().join("ledger.jsonl"));
    write_ledger(&ledger, 2.0, true);
    let curated = albums();
    draw(&curated, &images, 7).unwrap();
    let config = config();
    let release = Release {
        config: &config,
        curated: &curated,
        images: &images,
        models: &[],
        public_training: None,
        statistics: dir.path(),
        ledger: &ledger,
        departed: &[],
    };
    let out = dir.path().join("release");
    assert!(export(&release, &out).unwrap().insecure_seed);
    assert!(text(&out.join("README.md")).contains("does not hold for this release"));
    let report = verify(&out).unwrap();
    assert!(report.differences.iter().any(|d| d.contains("fixed seed")));
}

#[test]
fn the_card_says_which_model_was_adapted_and_on_what() {
    let dir = tempfile::tempdir().unwrap();
    let (images, ledger) = (dir.path().join("images"), dir.path().join("ledger.jsonl"));
    write_ledger(&ledger, 2.0, false);
    let curated = albums();
    draw(&curated, &images, 7).unwrap();
    let mut config = config();
    config.compute.device = "cuda".to_owned();
    let release = Release {
        config: &config,
        curated: &curated,
        images: &images,
        models: &[
            ModelStatement {
                used_for: ModelUse::LanguageModel,
                name: "owner/tiny".into(),
                revision: Some("0123abc".into()),
                licence: Some("cc0-1.0".into()),
            },
            ModelStatement {
                used_for: ModelUse::Captions,
                name: "my|tagger".into(),
                revision: None,
                licence: None,
            },
        ],
        public_training: None,
        statistics: dir.path(),
        ledger: &ledger,
        departed: &[],
    };
    let out = dir.path().join("release");
    export(&release, &out).unwrap();
    let card = text(&out.join("README.md"));
    assert!(card.contains("(owner/tiny (cc0-1.0) with LoRA adapters)"));
    for row in [
        "| the two language models, before their training | owner/tiny | 0123abc | cc0-1.0 |",
        "| captions of the private photos | my\\|tagger | not stated | not stated |",
    ] {
        assert!(card.contains(row), "{card}");
    }
    let statement: serde_json::Value =
        serde_json::from_str(&text(&out.join("privacy.json"))).unwrap();
    let listed = &statement["models"];
    assert_eq!(listed[0]["used_for"], "language_model");
    assert_eq!(listed[0]["revision"], "0123abc");
    assert_eq!(listed[1]["revision"], serde_json::Value::Null);
    assert_eq!(verify(&out).unwrap().differences, Vec::<String>::new());
    assert!(card.contains("Rounding on the graphics device"));
}
