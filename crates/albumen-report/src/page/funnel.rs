//! Curation in the report: which filter dropped how many albums, from what the stage wrote down.

use albumen_chart::{Colour, Part, ShareBar, number};
use albumen_schema::Reason;
use albumen_synth::curate::{CurationSummary, TopicRow};
use albumen_synth::export::words;
use serde::Serialize;

use super::charts::percent;

/// The section on curation.
#[derive(Debug, Serialize)]
pub(super) struct Funnel {
    /// From all sampled albums over the filters that dropped some to the kept ones.
    steps: Vec<Step>,
    /// Filters that no album fell to.
    idle: String,
    /// Every filter: title, what it drops, albums that fell to it, that fail it, that are left.
    filters: Vec<[String; 5]>,
    /// The public topics that curation chose by, if it did.
    topics: Option<Topics>,
}

/// A bar: the albums left, and behind them those that fell here.
#[derive(Debug, Serialize)]
struct Step {
    label: &'static str,
    value: String,
    /// The drawing; its length stands for all sampled albums.
    svg: String,
}

#[derive(Debug, Serialize)]
struct Topics {
    steered: bool,
    /// Name, released share, albums that passed, albums kept.
    rows: Vec<[String; 4]>,
    /// Divergence of the released topics from those that passed and those kept.
    divergence: Option<[String; 2]>,
}

pub(super) fn funnel(summary: &CurationSummary) -> Funnel {
    let count = |albums: usize| words::count(albums as u64);
    let share = |albums: usize| percent(albums as f64, summary.sampled as f64);
    let value = |albums: usize| format!("{} ({:.1}%)", count(albums), share(albums));
    let mut steps = vec![Step {
        label: "sampled",
        value: count(summary.sampled),
        svg: bar(share(summary.sampled), 0.0, Colour::OwnSoft),
    }];
    steps.extend(summary.funnel.iter().filter(|s| s.fell > 0).map(|s| Step {
        label: s.reason.title(),
        value: value(s.fell),
        svg: bar(share(s.left), share(s.fell), Colour::OwnSoft),
    }));
    steps.push(Step {
        label: Reason::Passed.title(),
        value: value(summary.kept),
        svg: bar(share(summary.kept), 0.0, Colour::Own),
    });
    let idle = summary.funnel.iter().filter(|s| s.fell == 0);
    Funnel {
        steps,
        idle: idle
            .map(|s| s.reason.title())
            .collect::<Vec<_>>()
            .join("; "),
        filters: summary
            .funnel
            .iter()
            .map(|s| {
                let (title, drops) = (s.reason.title().to_owned(), drops(s.reason).to_owned());
                [title, drops, count(s.fell), count(s.failed), count(s.left)]
            })
            .collect(),
        topics: (!summary.topics.is_empty()).then(|| topics(summary)),
    }
}

/// What is left, in its colour, and behind it what fell here.
fn bar(left: f64, fell: f64, colour: Colour) -> String {
    let part = |from, to, colour| Part { from, to, colour };
    let fallen = part(left, left + fell, Colour::Fell);
    let mut parts = vec![fallen, part(0.0, left, colour)];
    parts.retain(|part| part.from < part.to);
    let whisker = None;
    ShareBar { parts, whisker }.svg()
}

fn topics(summary: &CurationSummary) -> Topics {
    let released = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), number::percent);
    let row = |topic: &TopicRow| {
        let [passed, kept] = [topic.passed, topic.kept].map(|n| words::count(n as u64));
        [topic.name.clone(), released(topic.released), passed, kept]
    };
    let both = summary.divergence_passed.zip(summary.divergence_kept);
    Topics {
        steered: summary.topics.iter().any(|t| t.released.is_some()),
        rows: summary.topics.iter().map(row).collect(),
        divergence: both.map(|(a, b)| [a, b].map(|bits| format!("{bits:.3}"))),
    }
}

/// What a filter drops, for readers who do not know its name.
fn drops(reason: Reason) -> &'static str {
    match reason {
        Reason::Passed => "nothing",
        Reason::BrokenFormat => {
            "a summary without its number of photos, captions that are not as many, texts that ran on, markup"
        }
        Reason::Length => "texts of too few or too many words, albums of too few photos",
        Reason::Repetition => "a word three times in a row, a caption twice, phrases over and over",
        Reason::Language => "texts in a language or an alphabet that is not allowed",
        Reason::WordList => "words of a public list of offensive words, or of the publisher's own",
        Reason::PersonalData => {
            "e-mail and web addresses, telephone and other long numbers, street addresses, coordinates"
        }
        Reason::Incoherent => "captions whose sentence embeddings are far from the summary's",
        Reason::LowGrade => {
            "a low grade by the public language model, where the fit is doubtful too"
        }
        Reason::NearDuplicate => "albums that share most of their wording with one kept before",
        Reason::BetterCandidate => "all but the best of the albums sampled for one place",
        Reason::TopicQuota => "albums of a public topic of which enough were kept",
        Reason::BeyondTarget => "what comes after the number of albums that was asked for",
    }
}
