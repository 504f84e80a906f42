//! Ranges of `[curate]` and `[topics]`.

use super::Config;
use super::validate::{Fault, require};

/// The languages that curation can tell apart (those of the crate whatlang), ISO 639-3.
pub const LANGUAGES: [&str; 70] = [
    "afr", "aka", "amh", "ara", "aze", "bel", "ben", "bul", "cat", "ces", "cmn", "cym", "dan",
    "deu", "ell", "eng", "epo", "est", "fin", "fra", "guj", "heb", "hin", "hrv", "hun", "hye",
    "ind", "ita", "jav", "jpn", "kan", "kat", "khm", "kor", "lat", "lav", "lit", "mal", "mar",
    "mkd", "mya", "nep", "nld", "nob", "ori", "pan", "pes", "pol", "por", "ron", "rus", "sin",
    "slk", "slv", "sna", "spa", "srp", "swe", "tam", "tel", "tgl", "tha", "tuk", "tur", "ukr",
    "urd", "uzb", "vie", "yid", "zul",
];

impl Config {
    pub(super) fn check_curation(&self) -> Result<(), Fault> {
        let c = &self.curate;
        for (name, value) in [
            ("near_duplicate", c.near_duplicate),
            ("max_topic_share", c.max_topic_share),
            ("topic_distance", c.topic_distance),
        ] {
            require(
                value > 0.0 && value <= 1.0,
                &format!("curate.{name}"),
                format!("is {value}"),
                "use a number in (0, 1]",
            )?;
        }
        for (name, value) in [
            ("min_coherence", c.min_coherence),
            ("doubtful_coherence", c.doubtful_coherence),
        ] {
            require(
                (-1.0..=1.0).contains(&value),
                &format!("curate.{name}"),
                format!("is {value}"),
                "a cosine similarity lies in [-1, 1]",
            )?;
        }
        require(
            c.min_grade <= 5,
            "curate.min_grade",
            format!("is {}", c.min_grade),
            "grades go from 0 to 5",
        )?;
        for code in &c.languages {
            require(
                LANGUAGES.contains(&code.as_str()),
                "curate.languages",
                format!("holds `{code}`, which is no language that can be told from others"),
                "use ISO 639-3 codes such as eng, deu, fra, spa, or [] for every language",
            )?;
        }
        let t = &self.topics;
        require(
            (2..=256).contains(&t.clusters),
            "topics.clusters",
            format!("is {}", t.clusters),
            "use 2 to 256; 16 is usual",
        )?;
        require(
            t.samples >= 5 * t.clusters,
            "topics.samples",
            format!("is {} for {} topics", t.samples, t.clusters),
            "use at least 5 for each topic; 50 or more are better",
        )?;
        require(
            t.temperature > 0.0 && t.temperature.is_finite(),
            "topics.temperature",
            format!("is {}", t.temperature),
            "use a finite number above 0: greedy sentences would all be alike",
        )?;
        require(
            (4..=256).contains(&t.max_tokens),
            "topics.max_tokens",
            format!("is {}", t.max_tokens),
            "use 4 to 256",
        )
    }
}
