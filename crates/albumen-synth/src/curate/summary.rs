//! Curation in numbers: how many albums fell to what, and where the topics went.

use std::path::Path;

use albumen_schema::{Curated, Reason};
use serde::{Deserialize, Serialize};

use super::TopicTarget;
use crate::error::{Result, SynthError, io_error};

/// One filter of the funnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunnelStep {
    /// What the filter looks for.
    pub reason: Reason,
    /// The same in a few words.
    pub title: String,
    /// Albums that fell to it, the first filter that each failed.
    pub fell: usize,
    /// Albums that would have fallen to it alone: filters of the text look at every album.
    pub failed: usize,
    /// Albums left after it.
    pub left: usize,
}

/// A topic before and after curation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopicRow {
    /// The topic's name.
    pub name: String,
    /// Its share in the released histogram, where there is one.
    pub released: Option<f64>,
    /// Albums of it that passed every check of quality.
    pub passed: usize,
    /// Albums of it that were kept.
    pub kept: usize,
}

/// What curation did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurationSummary {
    /// Albums sampled.
    pub sampled: usize,
    /// Albums kept.
    pub kept: usize,
    /// The filters in the order in which they run.
    pub funnel: Vec<FunnelStep>,
    /// The public topics; empty where nothing asks for them.
    pub topics: Vec<TopicRow>,
    /// Jensen-Shannon divergence in bits of the topics that passed from the released ones: what
    /// steering found. Absent without a released histogram.
    pub divergence_passed: Option<f64>,
    /// The same of the kept albums' topics: what it left.
    pub divergence_kept: Option<f64>,
}

impl CurationSummary {
    /// Counts verdicts; `topics` are the names of the public topics, and `target` what was steered
    /// to.
    pub fn new(curated: &[Curated], topics: &[String], target: Option<&TopicTarget>) -> Self {
        let mut left = curated.len();
        let funnel = Reason::ALL[1..]
            .iter()
            .map(|&reason| {
                let first = |c: &&Curated| c.verdict.reason == reason;
                let also = |c: &&Curated| c.verdict.also.contains(&reason);
                let fell = curated.iter().filter(first).count();
                left -= fell;
                FunnelStep {
                    reason,
                    title: reason.title().to_owned(),
                    fell,
                    failed: fell + curated.iter().filter(also).count(),
                    left,
                }
            })
            .collect();
        // Those that only a choice among good albums dropped.
        let good = [Reason::Passed, Reason::TopicQuota, Reason::BeyondTarget];
        let count = |name: &String, kept: bool| {
            let of_topic = |c: &&Curated| c.verdict.scores.topic.as_ref() == Some(name);
            let stays = |c: &&Curated| {
                let reason = c.verdict.reason;
                reason == Reason::Passed || !kept && good.contains(&reason)
            };
            curated.iter().filter(of_topic).filter(stays).count()
        };
        let topics: Vec<TopicRow> = topics
            .iter()
            .enumerate()
            .map(|(i, name)| TopicRow {
                name: name.clone(),
                released: target.map(|t| t.shares()[i]),
                passed: count(name, false),
                kept: count(name, true),
            })
            .collect();
        let shares = target.map(TopicTarget::shares);
        let from = |counts: fn(&TopicRow) -> usize| {
            let counts: Vec<f64> = topics.iter().map(|t| counts(t) as f64).collect();
            shares.and_then(|shares| jensen_shannon(&counts, shares))
        };
        Self {
            sampled: curated.len(),
            kept: curated.iter().filter(|c| c.verdict.kept()).count(),
            funnel,
            divergence_passed: from(|t| t.passed),
            divergence_kept: from(|t| t.kept),
            topics,
        }
    }

    /// Reads `summary.json`, which the stage leaves beside its table.
    ///
    /// # Errors
    /// [`SynthError::Io`], and [`SynthError::Table`] for anything else than a summary.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(io_error("read", path))?;
        serde_json::from_slice(&bytes).map_err(|e| SynthError::Table {
            path: path.to_owned(),
            reason: e.to_string(),
        })
    }
}

/// Jensen-Shannon divergence in bits, 0 to 1, of two histograms, which need not be normalised
/// (Lin 1991). `None` where one is empty.
pub fn jensen_shannon(a: &[f64], b: &[f64]) -> Option<f64> {
    let (sum_a, sum_b) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    if sum_a <= 0.0 || sum_b <= 0.0 {
        return None;
    }
    let term = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
    let pairs = a.iter().zip(b).map(|(a, b)| (a / sum_a, b / sum_b));
    let terms = pairs.map(|(p, q)| {
        let m = f64::midpoint(p, q);
        term(p, m) + term(q, m)
    });
    Some((terms.sum::<f64>() / 2.0).max(0.0))
}

#[cfg(test)]
mod tests {
    use albumen_schema::{SyntheticAlbum, Verdict};

    use super::*;

    fn curated(reason: Reason, also: &[Reason], topic: Option<&str>) -> Curated {
        let mut verdict = Verdict::new(reason, "seen");
        verdict.also = also.to_vec();
        verdict.scores.topic = topic.map(str::to_owned);
        Curated {
            album: SyntheticAlbum {
                id: String::new(),
                index: 0,
                summary: String::new(),
                captions: Vec::new(),
                raw_summary: String::new(),
                truncated: false,
            },
            verdict,
        }
    }

    #[test]
    fn every_album_is_in_the_funnel_once() {
        let all = [
            curated(Reason::Passed, &[], Some("dogs")),
            curated(Reason::Length, &[Reason::PersonalData], None),
            curated(Reason::PersonalData, &[], None),
            curated(Reason::TopicQuota, &[], Some("dogs")),
            curated(Reason::Passed, &[], Some("cats")),
        ];
        let names = ["dogs", "cats"].map(str::to_owned);
        let summary = CurationSummary::new(&all, &names, None);
        assert_eq!((summary.sampled, summary.kept), (5, 2));
        let step = |reason| summary.funnel.iter().find(|s| s.reason == reason).unwrap();
        let personal = step(Reason::PersonalData);
        assert_eq!((personal.fell, personal.failed, personal.left), (1, 2, 3));
        assert_eq!(summary.funnel.last().unwrap().left, summary.kept);
        assert_eq!(summary.funnel.len(), Reason::ALL.len() - 1);
        let rows: Vec<_> = summary.topics.iter().map(|t| (t.passed, t.kept)).collect();
        assert_eq!(rows, [(2, 1), (1, 1)]);
        assert_eq!(summary.divergence_kept, None);
    }

    #[test]
    fn summaries_are_read_back_and_what_is_none_is_named_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("summary.json");
        let missing = CurationSummary::read(&path).unwrap_err().to_string();
        assert!(missing.contains("summary.json"), "{missing}");
        let all = [curated(Reason::Length, &[Reason::WordList], None)];
        let summary = CurationSummary::new(&all, &[], None);
        std::fs::write(&path, serde_json::to_vec_pretty(&summary).unwrap()).unwrap();
        assert_eq!(CurationSummary::read(&path).unwrap(), summary);
        std::fs::write(&path, "{\"sampled\": 1}").unwrap();
        let cut = CurationSummary::read(&path).unwrap_err().to_string();
        assert!(
            cut.contains("summary.json") && cut.contains("--force"),
            "{cut}"
        );
    }

    #[test]
    fn divergences_are_those_of_the_definition() {
        assert_eq!(jensen_shannon(&[2.0, 2.0], &[0.5, 0.5]), Some(0.0));
        assert_eq!(jensen_shannon(&[1.0, 0.0], &[0.0, 3.0]), Some(1.0));
        assert_eq!(jensen_shannon(&[0.0], &[1.0]), None);
        // By hand: M = (5/8, 3/8).
        let found = jensen_shannon(&[3.0, 1.0], &[1.0, 1.0]).unwrap();
        let (log, half) = (f64::log2, 0.5);
        let first = 0.75 * log(0.75 / 0.625) + 0.25 * log(0.25 / 0.375);
        let second = half * log(half / 0.625) + half * log(half / 0.375);
        assert!((found - f64::midpoint(first, second)).abs() < 1e-12);
    }
}
