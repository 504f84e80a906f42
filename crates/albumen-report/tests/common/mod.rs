//! A ledger, albums with verdicts, and what a report needs besides.
#![allow(
    dead_code,
    reason = "each test file uses its own part of these helpers"
)]

use std::path::Path;

use albumen_accounting::ledger::Header;
use albumen_accounting::{Event, History, Ledger};
use albumen_report::ReportData;
use albumen_schema::{Curated, Reason, SyntheticAlbum, Unit, Verdict};
use albumen_synth::curate::CurationSummary;

pub(crate) const HOSTILE: &str =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> \u{2028}&amp;";

pub(crate) fn curated(index: u64, reason: Reason, summary: &str, captions: &[&str]) -> Curated {
    Curated {
        album: SyntheticAlbum {
            id: SyntheticAlbum::id_of(index),
            index,
            summary: summary.to_owned(),
            captions: captions.iter().map(|&c| c.to_owned()).collect(),
            raw_summary: String::new(),
            truncated: false,
        },
        verdict: Verdict::new(reason, "as the test wants it"),
    }
}

pub(crate) fn history(dir: &Path, insecure_seed: bool) -> History {
    let mut header = Header::new("test", Unit::Owner, 1234, 1e-5);
    header.insecure_seed = insecure_seed;
    let path = dir.join("ledger.jsonl");
    let mut ledger = Ledger::create(&path, header).unwrap();
    for (stage, noise_multiplier) in [("train/summary", 3.0), ("train/caption", 2.0)] {
        ledger
            .append(stage, Event::Gaussian { noise_multiplier }, &"0".repeat(64))
            .unwrap();
    }
    drop(ledger);
    History::read(&path).unwrap()
}

pub(crate) fn counted(curated: &[Curated]) -> CurationSummary {
    CurationSummary::new(curated, &[], None)
}

pub(crate) fn data<'a>(
    ledger: &'a History,
    curated: &'a [Curated],
    curation: &'a CurationSummary,
) -> ReportData<'a> {
    ReportData {
        title: "Test <albums> & more",
        source: HOSTILE,
        public_training: None,
        left_machine: &[],
        epsilon_allowed: 8.0,
        ledger,
        statistics: &[],
        curated,
        curation,
        images: None,
        metrics: None,
        topics: None,
        illustrations: true,
    }
}

/// What the page's script would parse.
pub(crate) fn embedded(html: &str) -> serde_json::Value {
    let (_, rest) = html
        .split_once("<script id=\"data\" type=\"application/json\">")
        .unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}
