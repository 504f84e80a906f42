//! Pseudo albums: albums that the public model writes itself.

use std::path::Path;

use albumen_lm::{Device, Precision};
use albumen_names::ModelName;
use albumen_schema::config::GenerateConfig;
use albumen_schema::format;
use albumen_synth::generate::{AlbumModel, Writer, Writers, generate};
use albumen_train::Model;
use anyhow::{Context, ensure};
use serde_json::json;

use crate::failure::Outcome;
use crate::models::Models;
use crate::observer::{News, Progress, Shared};
use crate::stages::{ensure_apart, preamble};
use albumen_files::write_whole;

/// What is sampled, and from what.
pub struct Pseudo<'a> {
    /// The file of JSON lines to write.
    pub out: &'a Path,
    /// Albums to sample; those that break the format are left out.
    pub albums: u64,
    /// The examples: `builtin`, or `path:` and a file of albums that are public.
    pub preamble: &'a str,
    /// The private corpus of the run that it is for, which must not hold the preamble.
    pub corpus: Option<&'a Path>,
    /// The model's name.
    pub model: &'a ModelName,
    /// Seed of the sampling.
    pub seed: u64,
}

/// Samples albums from the public model after the preamble, and writes those that are whole and not
/// the preamble's own in the form of `train.public`'s.
///
/// # Errors
/// Where the examples are private or missing, the model cannot be loaded, or no album is whole.
pub fn pseudo(what: &Pseudo<'_>, observer: &Shared) -> Outcome {
    if let Some(path) = what.preamble.strip_prefix("path:") {
        if let Some(corpus) = what.corpus {
            ensure_apart("--preamble", Path::new(path), corpus)?;
        }
        observer.tell(News::Note(&format!(
            "pseudo: every album of {path} counts as published: its words may come back"
        )));
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
    let progress = Progress::start(observer, "pseudo");
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
    Ok(())
}

fn ensure_some(whole: usize) -> anyhow::Result<()> {
    ensure!(
        whole > 0,
        "no sampled album is of the format\n  hint: sample more, or show the model better examples"
    );
    Ok(())
}
