//! Rules of `[curate]` and `[topics]`.

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
        let t = &self.topics;
        require(
            t.samples >= 5 * t.clusters,
            "topics.samples",
            format!("is {} for {} topics", t.samples, t.clusters),
            "use at least 5 for each topic; 50 or more are better",
        )
    }
}
