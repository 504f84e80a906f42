use super::*;
use crate::rings::CRATES;

/// A crate's packages as `cargo tree` shows them: `depth|name`, a star for third parties.
fn graph(lines: &[&str]) -> Graph {
    let line = |line: &&str| match line.strip_prefix('*') {
        Some(line) => format!("{line} v1.0.0\n"),
        None => format!("{line} v0.1.0 (/w/crate)\n"),
    };
    Graph::parse(&lines.iter().map(line).collect::<String>()).unwrap()
}

fn verdicts(of: &str, lines: &[&str]) -> Vec<String> {
    let root = format!("0|{of}");
    let lines: Vec<&str> = [root.as_str()]
        .into_iter()
        .chain(lines.iter().copied())
        .collect();
    let row = CRATES.iter().find(|r| r.name == of).unwrap();
    broken(CRATES, row, &graph(&lines))
}

fn kept(of: &str, lines: &[&str]) {
    assert_eq!(verdicts(of, lines), Vec::<String>::new());
}

fn refused(of: &str, lines: &[&str], words: &str) {
    let found = verdicts(of, lines);
    assert!(
        found.iter().any(|f| f.contains(words)),
        "{words}: {found:?}"
    );
}

#[test]
fn the_core_reaches_the_core_alone() {
    kept(
        "albumen-dp",
        &["1|albumen-accounting", "*2|sha2", "*2|libm"],
    );
    refused(
        "albumen-dp",
        &["1|albumen-lm"],
        "albumen-dp (core) reaches albumen-lm (models)",
    );
    refused(
        "albumen-accounting",
        &["1|workspace-hack"],
        "reaches workspace-hack",
    );
    for (package, what) in [
        ("candle-core", "a tensor library"),
        ("gemm-f32", "a tensor library"),
        ("tokenizers", "a tensor library"),
        ("nalgebra", "a tensor library"),
        ("ureq", "an HTTP client"),
        ("hf-hub", "an HTTP client"),
        ("rustls-webpki", "an HTTP client"),
        ("image", "an image decoder"),
        ("kamadak-exif", "an image decoder"),
        ("resvg", "an image decoder"),
    ] {
        let way = format!("*2|{package}");
        refused(
            "albumen-schema",
            &["*1|helper", &way],
            &format!("reaches {package}, {what}"),
        );
    }
}

#[test]
fn a_way_around_is_found_and_shown() {
    refused(
        "albumen-synth",
        &["*1|serde", "1|helper", "*2|serde", "2|albumen-corpus"],
        "albumen-synth -> helper -> albumen-corpus",
    );
}

#[test]
fn a_core_crates_packages_are_counted() {
    let lines: Vec<String> = (0..MOST_PACKAGES).map(|i| format!("*1|p{i}")).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.push("1|albumen-schema");
    kept("albumen-accounting", &lines);
    lines.push("*2|one-more");
    refused("albumen-accounting", &lines, "61 third-party packages");
    // Only the core is counted.
    kept("albumen-synth", &lines);
}

#[test]
fn two_versions_are_two_packages() {
    let versions = (0..=MOST_PACKAGES).map(|i| format!("1|syn v{i}.0.0\n"));
    let text: String = ["0|albumen-schema v0.1.0 (/w)\n".to_owned()]
        .into_iter()
        .chain(versions)
        .collect();
    let row = CRATES.iter().find(|r| r.name == "albumen-schema").unwrap();
    assert_eq!(broken(CRATES, row, &Graph::parse(&text).unwrap()).len(), 1);
}

#[test]
fn public_crates_reach_nothing_private() {
    kept(
        "albumen-synth",
        &["1|albumen-accounting", "1|albumen-lm", "*2|candle-core"],
    );
    refused(
        "albumen-synth",
        &["1|albumen-dp"],
        "reaches albumen-dp (core)",
    );
    refused(
        "albumen-topics",
        &["1|albumen-train"],
        "reaches albumen-train (private)",
    );
    refused(
        "albumen-synth",
        &["1|albumen-cli"],
        "reaches albumen-cli (front)",
    );
    refused(
        "albumen-topics",
        &["1|albumen-schema"],
        "which its row forbids",
    );
}

#[test]
fn models_know_nothing_of_privacy() {
    kept(
        "albumen-endpoint",
        &["1|albumen-schema", "2|albumen-accounting", "*1|ureq"],
    );
    for other in [
        "albumen-dp",
        "albumen-accounting",
        "albumen-corpus",
        "albumen-synth",
    ] {
        refused(
            "albumen-vision",
            &[&format!("1|{other}")],
            &format!("reaches {other}"),
        );
        refused(
            "albumen-lm",
            &[&format!("1|{other}")],
            &format!("reaches {other}"),
        );
    }
    refused("albumen-lm", &["1|albumen-schema"], "which its row forbids");
    refused(
        "albumen-models",
        &["*1|candle-core"],
        "which its row forbids",
    );
}

#[test]
fn private_crates_reach_no_front() {
    kept(
        "albumen-corpus",
        &["1|albumen-dp", "1|albumen-lm", "*1|image"],
    );
    refused(
        "albumen-train",
        &["1|albumen-cli"],
        "reaches albumen-cli (front)",
    );
}

#[test]
fn the_trainer_opens_no_photo_and_no_connection() {
    kept(
        "albumen-train",
        &[
            "1|albumen-dp",
            "1|albumen-schema",
            "1|albumen-lm",
            "*2|tokenizers",
        ],
    );
    refused(
        "albumen-train",
        &["1|albumen-corpus"],
        "which its row forbids",
    );
    refused("albumen-train", &["*1|image"], "an image decoder");
    refused("albumen-train", &["*1|ureq"], "an HTTP client");
}

#[test]
fn the_front_reaches_everything() {
    kept(
        "albumen-cli",
        &["1|albumen-dp", "1|albumen-corpus", "*1|image", "*1|ureq"],
    );
}

#[test]
fn crates_and_rows_match() {
    let mut members: Vec<String> = CRATES.iter().map(|r| r.name.to_owned()).collect();
    assert!(unmatched(CRATES, &members).is_empty());
    members.push("albumen-new".to_owned());
    let gone = members.remove(0);
    let found = unmatched(CRATES, &members);
    assert_eq!(found.len(), 2);
    assert!(found[0].contains("albumen-new has no row"), "{found:?}");
    assert!(found[1].contains(&format!("a row for {gone}")), "{found:?}");
}

#[test]
fn a_crate_has_one_row() {
    for row in CRATES {
        assert_eq!(
            CRATES.iter().filter(|r| r.name == row.name).count(),
            1,
            "{}",
            row.name
        );
    }
}

#[test]
fn what_opendp_brings_is_not_counted_in_its_own_crate() {
    let (name, opendp) = AROUND_OPENDP;
    let opendp = format!("*1|{opendp}");
    let brought: Vec<String> = (0..=MOST_PACKAGES).map(|i| format!("*2|p{i}")).collect();
    let mut lines = vec![opendp.as_str(), "*2|nalgebra"];
    lines.extend(brought.iter().map(String::as_str));
    kept(name, &lines);
    refused("albumen-schema", &lines, "at most 60");
    refused("albumen-schema", &lines, "a tensor library");
    refused(name, &["*1|nalgebra"], "a tensor library");
}
