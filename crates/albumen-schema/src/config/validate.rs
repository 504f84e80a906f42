//! Rules between keys, and names of models; `ranges.rs` has the ranges of single keys.

use super::{Config, ModelTraining, ranges};
use crate::EndpointName;
use crate::endpoint::shown;

/// For a smaller epsilon the noise would be more than the accountant takes.
const LEAST_RELEASE_EPSILON: f64 = 1e-6;

/// A value out of range: the dotted key, what is wrong, and the mend.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) problem: String,
    pub(super) hint: String,
}

pub(super) fn require(
    holds: bool,
    key: &str,
    problem: impl Into<String>,
    hint: impl Into<String>,
) -> Result<(), Fault> {
    if holds {
        return Ok(());
    }
    Err(Fault {
        key: key.to_owned(),
        problem: problem.into(),
        hint: hint.into(),
    })
}

impl Config {
    pub(super) fn check(&self) -> Result<(), Fault> {
        ranges::check(self)?;
        self.check_inputs()?;
        self.check_privacy()?;
        self.check_release()?;
        self.check_training("train.summary", &self.train.summary)?;
        self.check_training("train.caption", &self.train.caption)?;
        if let Some(album) = &self.train.album {
            self.check_training("train.album", album)?;
        }
        self.render.check()?;
        self.check_curation()
    }

    fn check_inputs(&self) -> Result<(), Fault> {
        self.caption.check()?;
        if !is_endpoint(&self.summarize.model, "summarize.model")? {
            language_model(&self.summarize.model, "summarize.model")?;
        }
        language_model(&self.train.model, "train.model")
    }

    fn check_privacy(&self) -> Result<(), Fault> {
        let p = &self.privacy;
        require(
            p.delta < 1.0 / p.declared_units as f64,
            "privacy.delta",
            format!("is {}, which is not inside (0, 1/declared_units)", p.delta),
            format!(
                "use less than 1/{}: a larger delta would allow publishing a unit whole",
                p.declared_units
            ),
        )
    }

    fn check_release(&self) -> Result<(), Fault> {
        let r = &self.release;
        for (name, epsilon) in [
            ("album_count_epsilon", r.album_count_epsilon),
            ("album_sizes_epsilon", r.album_sizes_epsilon),
            ("topic_histogram_epsilon", r.topic_histogram_epsilon),
        ] {
            require(
                epsilon == 0.0 || epsilon >= LEAST_RELEASE_EPSILON,
                &format!("release.{name}"),
                format!("is {epsilon:e}"),
                format!("use 0 to publish nothing, or at least {LEAST_RELEASE_EPSILON:e}"),
            )?;
        }
        let bins = &r.album_size_bins;
        require(
            bins.is_sorted_by(|a, b| a < b),
            "release.album_size_bins",
            format!("is {bins:?}"),
            "give the fewest photos of each bin, ascending from 1 or more: [1, 2, 4, 7]",
        )
    }

    fn check_training(&self, table: &str, t: &ModelTraining) -> Result<(), Fault> {
        let declared = self.privacy.declared_units;
        require(
            t.expected_batch <= declared,
            &format!("{table}.expected_batch"),
            format!(
                "gives a sampling rate of {}",
                t.expected_batch as f64 / declared as f64
            ),
            format!("use at most declared_units = {declared}"),
        )?;
        require(
            t.weight_decay * t.learning_rate < 1.0,
            &format!("{table}.weight_decay"),
            format!("is {}", t.weight_decay),
            "use less than 1 / learning_rate",
        )
    }
}

/// Whether a server is named, and named well.
pub(super) fn is_endpoint(model: &str, key: &str) -> Result<bool, Fault> {
    let named = EndpointName::of_model(model);
    let wrong = named.as_ref().err().map(ToString::to_string);
    let wrong = wrong.unwrap_or_default();
    let (problem, hint) = wrong.split_once("\n  hint: ").unwrap_or_default();
    // Not quoted: a password may stand in it.
    require(
        named.is_ok(),
        key,
        format!("names no server: {problem}"),
        hint,
    )?;
    Ok(matches!(named, Ok(Some(_))))
}

fn language_model(name: &str, key: &str) -> Result<(), Fault> {
    let rest = |scheme| name.strip_prefix(scheme).filter(|r: &&str| !r.is_empty());
    require(
        name == "asset:smollm2-135m-instruct"
            || rest("path:").is_some()
            || rest("hub:").is_some_and(|r| r.contains('/')),
        key,
        format!("is `{}`, which names no model", shown(name)),
        "use `asset:smollm2-135m-instruct`, `hub:OWNER/NAME@REVISION`, or `path:` and a GGUF file \
         or a directory with config.json, safetensors and tokenizer.json",
    )
}
