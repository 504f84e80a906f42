//! `albumen dataset pseudo`: albums that the public model writes itself.

use std::path::Path;

use albumen_lm::{Device, Precision};
use albumen_schema::config::GenerateConfig;
use albumen_schema::format;
use albumen_synth::generate::{AlbumModel, Writer, Writers, generate};
use albumen_train::Model;
use anyhow::{Context, ensure};
use serde_json::json;

use crate::command::read_config;
use crate::command::run::ensure_apart;
use crate::failure::Outcome;
use crate::models::Models;
use crate::progress::{Progress, say};
use crate::run_dir::write_whole;
use crate::stages::preamble;

/// What is sampled, and from what.
pub(crate) struct Pseudo<'a> {
    pub(crate) out: &'a Path,
    pub(crate) albums: u64,
    pub(crate) preamble: &'a str,
    /// The configuration of the run that it is for, whose corpus must not hold the preamble.
    pub(crate) config: Option<&'a Path>,
    pub(crate) model: &'a str,
    pub(crate) seed: u64,
}

/// Samples albums from the public model after the preamble, and writes those that are whole and not
/// the preamble's own in the form of `train.public`'s.
pub(crate) fn pseudo(what: &Pseudo<'_>) -> Outcome {
    if let Some(path) = what.preamble.strip_prefix("path:") {
        if let Some(config) = what.config {
            let corpus = read_config(config)?.corpus.path;
            ensure_apart("--preamble", Path::new(path), &corpus)?;
        }
        say(&format!(
            "pseudo: every album of {path} counts as published: its words may come back"
        ));
    }
    let mut models = Models::new()?;
    let language = models.language_model(what.model, Device::Cpu, Precision::Bf16)?;
    let before = |model| preamble::prefix(what.preamble, model, &language);
    let (summary, caption) = (before(Model::Summary)?, before(Model::Caption)?);
    let (Some(summary), Some(caption)) = (&summary, &caption) else {
        return Err(anyhow::anyhow!(
            "the public model needs examples\n  hint: use `--preamble builtin` or `path:FILE`"
        )
        .into());
    };
    let config: GenerateConfig =
        serde_json::from_value(json!({"albums": what.albums, "seed": what.seed}))
            .context("the defaults of sampling do not hold")?;
    let writer = |preamble| Writer {
        adapter: None,
        preamble: Some(preamble),
    };
    let model = AlbumModel {
        lm: &language.lm,
        tokenizer: &language.tokenizer,
        writers: Writers::Hierarchical {
            summary: writer(summary),
            caption: writer(caption),
        },
    };
    let progress = Progress::start("pseudo");
    let albums = generate(&model, &config, &mut |_| {})?;
    let given = preamble::albums(what.preamble)?;
    let known = |summary: &str| {
        given
            .iter()
            .any(|g| format::one_line(&g.summary) == summary)
    };
    let mut text = String::new();
    let mut whole = 0;
    for album in &albums {
        let blank = album.captions.iter().any(|c| c.trim().is_empty());
        if album.truncated || blank || album.captions.is_empty() || known(&album.summary) {
            continue;
        }
        let photos: Vec<_> = album
            .captions
            .iter()
            .map(|caption| json!({"caption": format::one_line(caption)}))
            .collect();
        let line = json!({"album_id": album.id, "summary": album.summary, "photos": photos});
        text.push_str(&line.to_string());
        text.push('\n');
        whole += 1;
    }
    ensure_some(whole)?;
    write_whole(what.out, text.as_bytes())
        .with_context(|| format!("cannot write {}", what.out.display()))?;
    progress.finish(&format!("{whole} of {} albums are whole", albums.len()));
    say(&format!("pseudo albums: {}", what.out.display()));
    Ok(())
}

fn ensure_some(whole: usize) -> anyhow::Result<()> {
    ensure!(
        whole > 0,
        "no sampled album is of the format\n  hint: sample more, or show the model better examples"
    );
    Ok(())
}
