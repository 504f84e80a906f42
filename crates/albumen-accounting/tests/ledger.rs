//! The ledger against tampering, truncation, and a second writer.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
use std::path::PathBuf;

use albumen_accounting::{Event, Header, History, Ledger, LedgerError, TuningRuns, Unit, account};
use tempfile::TempDir;

fn header() -> Header {
    Header::new("test", Unit::Album, 100, 1e-5)
}

/// A ledger with three entries, its bytes and its head.
fn three() -> (TempDir, PathBuf, Vec<u8>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let mut ledger = Ledger::create(&path, header()).unwrap();
    for (i, stage) in ["count", "train_summary", "train_caption"]
        .iter()
        .enumerate()
    {
        let event = Event::poisson_gaussian(1.0 + i as f64 / 3.0, 0.1, 10);
        let entry = ledger.append(stage, event, &"ab".repeat(32)).unwrap();
        assert_eq!(entry.index, i as u64);
    }
    let head = ledger.head().to_owned();
    drop(ledger);
    let bytes = std::fs::read(&path).unwrap();
    (directory, path, bytes, head)
}

#[test]
fn what_was_appended_is_read_back() {
    let (_directory, path, _, head) = three();
    let history = History::read(&path).unwrap();
    assert_eq!(history.head(), head);
    assert_eq!(history.header(), &header());
    assert_eq!(
        history.events()[2],
        Event::poisson_gaussian(1.0 + 2.0 / 3.0, 0.1, 10)
    );
    assert!(history.contains("count", &"ab".repeat(32)));
    assert!(!history.contains("train_summary", &"cd".repeat(32)));
    // Paid for at one stage is not paid for at another.
    assert!(!history.contains("render", &"ab".repeat(32)));
    let mut ledger = Ledger::open(&path).unwrap();
    ledger
        .append("more", Event::Laplace { scale: 2.0 }, "00")
        .unwrap();
    assert_eq!(History::read(&path).unwrap().entries().len(), 4);
}

#[test]
fn flipping_any_byte_is_noticed() {
    let (_directory, _path, bytes, head) = three();
    for at in 0..bytes.len() {
        for mask in [1, 0x20, 0x80] {
            let mut altered = bytes.clone();
            altered[at] ^= mask;
            let noticed = match History::parse(&altered) {
                Err(_) => true,
                Ok((history, used)) => history.verify_head(&head).is_err() || used < altered.len(),
            };
            // Losing only the last newline changes no record, and `open` puts it back.
            assert!(noticed || at == bytes.len() - 1, "byte {at} ^ {mask}");
        }
    }
}

#[test]
fn every_truncation_leaves_a_valid_prefix() {
    let (_directory, path, bytes, _) = three();
    let first = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
    for end in 0..bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        if end < first {
            assert!(
                matches!(Ledger::open(&path), Err(LedgerError::NoHeader)),
                "{end}"
            );
            continue;
        }
        let lines = bytes[..end].split(|&b| b == b'\n').count() - 2;
        // A line that lacks only its newline counts.
        let whole = usize::from(bytes[end] == b'\n');
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.events().len(), lines + whole, "{end}");
        ledger
            .append("next", Event::PureDp { epsilon: 1.0 }, "00")
            .unwrap();
        drop(ledger);
        assert_eq!(
            History::read(&path).unwrap().entries().len(),
            lines + whole + 1
        );
    }
}

#[test]
fn removed_reordered_and_repeated_lines_are_named() {
    let (_directory, _path, bytes, _) = three();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').collect();
    let parse = |order: &[usize]| {
        History::parse(&order.iter().map(|&i| lines[i]).collect::<Vec<_>>().concat())
    };
    assert!(parse(&[0, 1, 2, 3]).is_ok());
    assert!(matches!(
        parse(&[0, 2, 3]),
        Err(LedgerError::WrongIndex { line: 2, .. })
    ));
    assert!(matches!(
        parse(&[0, 2, 1, 3]),
        Err(LedgerError::WrongIndex { .. })
    ));
    assert!(matches!(
        parse(&[0, 1, 1]),
        Err(LedgerError::WrongIndex { line: 3, .. })
    ));
    assert!(matches!(
        parse(&[1, 2]),
        Err(LedgerError::Malformed { line: 1, .. })
    ));
    // Cutting whole lines off the end is a valid prefix; only the recorded head tells.
    let (cut, _) = parse(&[0, 1]).unwrap();
    let full = parse(&[0, 1, 2, 3]).unwrap().0;
    assert!(matches!(
        cut.verify_head(full.head()),
        Err(LedgerError::WrongHead { .. })
    ));
}

#[test]
fn a_second_writer_and_a_second_beginning_are_refused() {
    let (_directory, path, _, _) = three();
    let held = Ledger::open(&path).unwrap();
    assert!(matches!(
        Ledger::open(&path),
        Err(LedgerError::Locked { .. })
    ));
    assert!(matches!(
        Ledger::create(&path, header()),
        Err(LedgerError::Locked { .. })
    ));
    assert!(History::read(&path).is_ok(), "reading needs no lock");
    drop(held);
    assert!(matches!(
        Ledger::create(&path, header()),
        Err(LedgerError::Exists { .. })
    ));
    assert!(matches!(
        Ledger::open(&path.with_extension("no")),
        Err(LedgerError::Io { .. })
    ));
}

#[test]
fn a_beginning_that_was_killed_can_be_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    std::fs::write(&path, br#"{"version":1,"run":"te"#).unwrap();
    assert!(Ledger::create(&path, header()).is_ok());
    assert_eq!(History::read(&path).unwrap().header(), &header());
}

#[test]
fn newer_versions_and_bad_numbers_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let bad = Header {
        delta: 0.0,
        ..header()
    };
    assert!(matches!(
        Ledger::create(&path, bad),
        Err(LedgerError::Invalid { .. })
    ));
    let mut ledger = Ledger::create(&path, header()).unwrap();
    let event = Event::Gaussian {
        noise_multiplier: f64::NAN,
    };
    assert!(matches!(
        ledger.append("x", event, "00"),
        Err(LedgerError::Invalid { .. })
    ));
    drop(ledger);
    let text = std::fs::read_to_string(&path).unwrap();
    let newer = text.replace("\"version\":2", "\"version\":3");
    assert!(matches!(
        History::parse(newer.as_bytes()),
        Err(LedgerError::NewerVersion {
            found: 3,
            newest: 2
        })
    ));
    // The format of version 1 stays readable.
    let first = r#"{"version":1,"run":"r","unit":"owner","adjacency":"add_remove","declared_units":5,"delta":0.00001,"tool":"albumen 0.1.0","insecure_seed":false}
{"index":0,"stage":"count","event":{"mechanism":"pure_dp","epsilon":0.5},"artefact_sha256":"00","prev":"PREV"}
"#;
    let prev = albumen_files::sha256_hex(first.lines().next().unwrap().as_bytes());
    let (history, _) = History::parse(first.replace("PREV", &prev).as_bytes()).unwrap();
    assert_eq!(history.header().unit, Unit::Owner);
    assert_eq!(history.header().tuning_runs, None);
    // What version 1 did not know is no part of it.
    let odd = first.replace(
        r#""insecure_seed":false"#,
        r#""insecure_seed":false,"tuning_runs":{"number":"fixed","count":2}"#,
    );
    assert!(matches!(
        History::parse(odd.as_bytes()),
        Err(LedgerError::Malformed { line: 1, .. })
    ));
}

#[test]
fn the_header_fixes_how_many_runs_the_release_is_chosen_from() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let declared = Header {
        tuning_runs: Some(TuningRuns::SecretPoisson { mean: 10.0 }),
        ..header()
    };
    let event = Event::poisson_gaussian(2.0, 0.02, 500);
    let mut ledger = Ledger::create(&path, declared.clone()).unwrap();
    ledger
        .append("train_summary", event.clone(), &"ab".repeat(32))
        .unwrap();
    drop(ledger);
    let history = History::read(&path).unwrap();
    assert_eq!(history.header(), &declared);
    let one = account(&[event], 1e-5).unwrap().epsilon;
    assert!(history.guarantee().unwrap().epsilon > 1.2 * one);
    // Taking the declaration out breaks the chain.
    let text = std::fs::read_to_string(&path).unwrap();
    let part = r#","tuning_runs":{"number":"secret_poisson","mean":10.0}"#;
    assert!(text.contains(part), "{text}");
    assert!(matches!(
        History::parse(text.replace(part, "").as_bytes()),
        Err(LedgerError::BrokenChain { line: 2, .. })
    ));
    let bad = Header {
        tuning_runs: Some(TuningRuns::Fixed { count: 0 }),
        ..header()
    };
    let other = directory.path().join("other.jsonl");
    assert!(matches!(
        Ledger::create(&other, bad),
        Err(LedgerError::Invalid { line: 1, .. })
    ));
}
