//! Rules between keys, and names of models; `ranges.rs` has the ranges of single keys.

use albumen_names::NameProblem;

use super::{Config, ModelTraining, ranges};
use crate::{ModelName, ModelSource};

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
        if self.summarize.model.endpoint().is_none() {
            language_model(&self.summarize.model, "summarize.model", true)?;
        }
        language_model(&self.train.model, "train.model", false)
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

/// Fails where a name means nothing, or nothing that fits its key. Not quoted whole: a password may
/// stand in it.
pub(super) fn names(
    name: &ModelName,
    key: &str,
    fits: impl Fn(&ModelSource) -> bool,
    wanted: &str,
    hint: &str,
) -> Result<(), Fault> {
    let other = || format!("is `{}`, which names no {wanted}", name.shown());
    match name.source() {
        Ok(source) => require(fits(source), key, other(), hint),
        Err(error) if error.problem == NameProblem::Form => require(false, key, other(), hint),
        Err(error) => require(false, key, error.problem.to_string(), error.hint()),
    }
}

/// Fails where a name means no language model. Where no server may be named, one that is named badly is
/// refused as a server, not mended first.
fn language_model(name: &ModelName, key: &str, served: bool) -> Result<(), Fault> {
    const HINT: &str = "use `asset:smollm2-135m-instruct`, `hub:OWNER/NAME@REVISION`, or `path:` and a GGUF file \
                        or a directory with config.json, safetensors and tokenizer.json";
    let shown = name.shown();
    require(
        served || !shown.starts_with("endpoint:"),
        key,
        format!("is `{shown}`, which names no model"),
        HINT,
    )?;
    let fits = |source: &ModelSource| match source {
        ModelSource::Asset(asset) => asset == "smollm2-135m-instruct",
        ModelSource::Path(_) | ModelSource::Hub(_) => true,
        ModelSource::Illustration | ModelSource::Endpoint(_) => false,
    };
    names(name, key, fits, "model", HINT)
}
