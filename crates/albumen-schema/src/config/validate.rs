//! Ranges that the types alone do not hold.

use super::{Config, ModelTraining, PublicTraining, Sampling};
use crate::EndpointName;
use crate::endpoint::shown;

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
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        require(
            !self.name.is_empty() && !self.name.starts_with('.') && self.name.chars().all(plain),
            "name",
            format!("is `{}`, which is no directory name", self.name),
            "use letters, digits, `-`, `_` and `.`, and start with none of the dots",
        )?;
        self.check_inputs()?;
        self.check_privacy()?;
        self.check_release()?;
        self.check_training("train.summary", &self.train.summary)?;
        self.check_training("train.caption", &self.train.caption)?;
        if let Some(album) = &self.train.album {
            self.check_training("train.album", album)?;
        }
        require(
            ["none", "builtin"].contains(&self.train.preamble.as_str())
                || (self.train.preamble_file()).is_some_and(|p| !p.as_os_str().is_empty()),
            "train.preamble",
            format!("is `{}`, which names no preamble", self.train.preamble),
            "use `none`, `builtin`, or `path:` and a file of public albums",
        )?;
        self.train.public.as_ref().map_or(Ok(()), check_public)?;
        self.check_synthesis()?;
        self.check_evaluation()
    }

    fn check_inputs(&self) -> Result<(), Fault> {
        require(
            self.corpus.max_photos_per_album >= 1,
            "corpus.max_photos_per_album",
            "is 0",
            "an album has at least one photo",
        )?;
        self.caption.check()?;
        if !is_endpoint(&self.summarize.model, "summarize.model")? {
            language_model(&self.summarize.model, "summarize.model")?;
        }
        language_model(&self.train.model, "train.model")?;
        device(&self.compute.device)?;
        self.endpoint.check()?;
        let memory = self.compute.memory_gib;
        require(
            memory.is_none_or(|gib| gib > 0.0 && gib.is_finite()),
            "compute.memory_gib",
            format!("is {}", memory.unwrap_or_default()),
            "use the device's memory in GiB: 24, 80",
        )?;
        require(
            (1..=256).contains(&self.summarize.max_tokens),
            "summarize.max_tokens",
            format!("is {}", self.summarize.max_tokens),
            "use 1 to 256",
        )
    }

    fn check_privacy(&self) -> Result<(), Fault> {
        let p = &self.privacy;
        require(
            p.epsilon > 0.0 && p.epsilon.is_finite(),
            "privacy.epsilon",
            format!("is {}", p.epsilon),
            "epsilon is a finite number above 0; 1 to 10 is usual",
        )?;
        require(
            p.declared_units >= 1,
            "privacy.declared_units",
            "is 0",
            "declare a public number that stands for the number of units",
        )?;
        let bound = 1.0 / p.declared_units as f64;
        require(
            p.delta > 0.0 && p.delta < bound,
            "privacy.delta",
            format!("is {}, which is not inside (0, 1/declared_units)", p.delta),
            format!(
                "use less than 1/{} = {bound:.3e}: a larger delta would allow \
                 publishing a unit whole",
                p.declared_units
            ),
        )?;
        require(
            p.max_albums_per_owner >= 1,
            "privacy.max_albums_per_owner",
            "is 0",
            "an owner contributes at least one album",
        )?;
        require(
            p.summary_share > 0.0 && p.summary_share < 1.0,
            "privacy.summary_share",
            format!("is {}", p.summary_share),
            "the share of the summary model lies inside (0, 1); 0.5 splits evenly",
        )?;
        if let Some((name, value, allowed)) = p.tuning_runs.and_then(|t| t.out_of_range()) {
            require(
                false,
                &format!("privacy.tuning_runs.{name}"),
                format!("is {value}"),
                format!("allowed is {allowed}"),
            )?;
        }
        Ok(())
    }

    fn check_release(&self) -> Result<(), Fault> {
        let r = &self.release;
        for (name, epsilon) in [
            ("album_count_epsilon", r.album_count_epsilon),
            ("album_sizes_epsilon", r.album_sizes_epsilon),
            ("topic_histogram_epsilon", r.topic_histogram_epsilon),
        ] {
            require(
                epsilon == 0.0 || (1e-6..=50.0).contains(&epsilon),
                &format!("release.{name}"),
                format!("is {epsilon}"),
                "use 0 to publish nothing, or 1e-6 to 50; 0.1 is a usual share of a budget of 8",
            )?;
        }
        let bins = &r.album_size_bins;
        require(
            (1..=1000).contains(&bins.len())
                && bins[0] >= 1
                && bins.windows(2).all(|pair| pair[0] < pair[1]),
            "release.album_size_bins",
            format!("is {bins:?}"),
            "give the fewest photos of each bin, ascending from 1 or more: [1, 2, 4, 7]",
        )?;
        require(
            u32::try_from(self.privacy.max_albums_per_owner).is_ok(),
            "privacy.max_albums_per_owner",
            format!("is {}", self.privacy.max_albums_per_owner),
            "bound what an owner contributes; 1 to 10 is usual",
        )
    }

    fn check_training(&self, table: &str, t: &ModelTraining) -> Result<(), Fault> {
        let key = |name: &str| format!("{table}.{name}");
        let rate = t.expected_batch as f64 / self.privacy.declared_units as f64;
        require(
            rate > 0.0 && rate <= 1.0,
            &key("expected_batch"),
            format!("gives a sampling rate of {rate}"),
            format!(
                "use more than 0 and at most declared_units = {}",
                self.privacy.declared_units
            ),
        )?;
        require(t.steps >= 1, &key("steps"), "is 0", "use at least 1")?;
        require(
            t.learning_rate > 0.0 && t.learning_rate.is_finite(),
            &key("learning_rate"),
            format!("is {}", t.learning_rate),
            "use a finite number above 0",
        )?;
        require(
            t.clip_norm > 0.0 && t.clip_norm.is_finite(),
            &key("clip_norm"),
            format!("is {}", t.clip_norm),
            "the clipping norm C is a finite number above 0",
        )?;
        for (name, value) in [
            ("momentum", t.momentum),
            ("second_moment_decay", t.second_moment_decay),
            ("ema_decay", t.ema_decay.unwrap_or(0.0)),
        ] {
            require(
                (0.0..1.0).contains(&value),
                &key(name),
                format!("is {value}"),
                "use 0 or more, and less than 1",
            )?;
        }
        require(
            t.second_moment_floor > 0.0 && t.second_moment_floor.is_finite(),
            &key("second_moment_floor"),
            format!("is {}", t.second_moment_floor),
            "use a finite number above 0",
        )?;
        require(
            (0.0..1.0).contains(&(t.weight_decay * t.learning_rate)),
            &key("weight_decay"),
            format!("is {}", t.weight_decay),
            "use 0 or more, and less than 1 / learning_rate",
        )?;
        require(
            self.train.lora_rank >= 1,
            "train.lora_rank",
            "is 0",
            "use 1 or more; 8 is usual",
        )?;
        require(
            self.train.lora_layers >= 1,
            "train.lora_layers",
            "is 0",
            "use 1 or more of the last layers",
        )
    }

    fn check_synthesis(&self) -> Result<(), Fault> {
        require(
            self.generate.albums >= 1,
            "generate.albums",
            "is 0",
            "sample at least one album",
        )?;
        require(
            (1..=64).contains(&self.generate.candidates),
            "generate.candidates",
            format!("is {}", self.generate.candidates),
            "use 1 to 64; 1 keeps what is sampled first",
        )?;
        require(
            self.generate.batch >= 1,
            "generate.batch",
            "is 0",
            "decode at least one album at a time",
        )?;
        require(
            (1..=64).contains(&self.generate.tries),
            "generate.tries",
            format!("is {}", self.generate.tries),
            "use 1 to 64",
        )?;
        sampling("generate.summary", &self.generate.summary)?;
        sampling("generate.caption", &self.generate.caption)?;
        self.render.check()?;
        require(
            self.export.shard_bytes >= 1,
            "export.shard_bytes",
            "is 0",
            "use the size of a shard in bytes; 500_000_000 is usual",
        )?;
        self.check_curation()
    }
}

impl Config {
    fn check_evaluation(&self) -> Result<(), Fault> {
        let e = &self.evaluate;
        require(
            e.samples >= 20,
            "evaluate.samples",
            format!("is {}", e.samples),
            "use 20 or more; the measures want thousands",
        )?;
        require(
            (40..=100_000).contains(&e.resamples),
            "evaluate.resamples",
            format!("is {}", e.resamples),
            "use 40 to 100000; 200 is enough for two digits",
        )?;
        require(
            (2..=1000).contains(&e.topics),
            "evaluate.topics",
            format!("is {}", e.topics),
            "use 2 to 1000",
        )?;
        require(
            e.embedder == "asset:all-minilm-l6-v2"
                || e.embedder
                    .strip_prefix("path:")
                    .is_some_and(|p| !p.is_empty()),
            "evaluate.embedder",
            format!("is `{}`, which names no embedder", e.embedder),
            "use `asset:all-minilm-l6-v2`, or `path:` and a directory with config.json, \
             model.safetensors and tokenizer.json",
        )
    }
}

fn check_public(public: &PublicTraining) -> Result<(), Fault> {
    require(
        !public.source.trim().is_empty(),
        "train.public.source",
        "is empty",
        "say what the albums are and why they are public; the data card quotes it",
    )?;
    require(
        public.batch >= 1 && public.steps >= 1,
        if public.batch == 0 {
            "train.public.batch"
        } else {
            "train.public.steps"
        },
        "is 0",
        "use at least 1",
    )?;
    require(
        public.learning_rate > 0.0 && public.learning_rate.is_finite(),
        "train.public.learning_rate",
        format!("is {}", public.learning_rate),
        "use a finite number above 0",
    )
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

fn device(name: &str) -> Result<(), Fault> {
    let number = |n: &str| !n.is_empty() && n.len() < 4 && n.bytes().all(|b| b.is_ascii_digit());
    let numbered = name.strip_prefix("cuda:").is_some_and(number);
    require(
        numbered || ["cpu", "cuda", "metal"].contains(&name),
        "compute.device",
        format!("is `{name}`, which is no device"),
        "use `cpu`, `cuda`, `cuda:1` (the second GPU) or `metal`",
    )
}

pub(super) fn sampling(table: &str, s: &Sampling) -> Result<(), Fault> {
    require(
        s.temperature >= 0.0 && s.temperature.is_finite(),
        &format!("{table}.temperature"),
        format!("is {}", s.temperature),
        "use 0 (greedy) or more",
    )?;
    require(
        s.top_p > 0.0 && s.top_p <= 1.0,
        &format!("{table}.top_p"),
        format!("is {}", s.top_p),
        "use a share in (0, 1]",
    )?;
    require(
        s.repetition_penalty >= 1.0 && s.repetition_penalty.is_finite(),
        &format!("{table}.repetition_penalty"),
        format!("is {}", s.repetition_penalty),
        "use 1 (none) or more",
    )
}
