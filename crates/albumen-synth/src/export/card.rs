//! The data card: README.md with the Hugging Face hub's YAML front matter.

use albumen_schema::config::{ExportFormat, Layout, TrainConfig};
use albumen_schema::statistic::TOPIC_HISTOGRAM;
use albumen_schema::{Config, ModelStatement, ModelUse, PrivacyStatement, TOOL};
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, context};

use super::rows::Row;
use super::{Release, croissant, languages, served, words};
use crate::error::{Result, SynthError};
use crate::storage::count_by_reason;

/// Licences that the hub knows by name; others go in as `other` with their name.
const HUB_LICENSES: [&str; 12] = [
    "apache-2.0",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "mit",
    "odbl",
    "odc-by",
    "pddl",
    "unlicense",
];

pub(super) fn write(
    release: &Release<'_>,
    statement: &PrivacyStatement,
    rows: &[Row<'_>],
) -> Result<String> {
    let config = release.config;
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let license_name = license_name(config);
    let holds = |format| config.export.formats.contains(&format);
    let hub_name = license_name.to_lowercase();
    let known = HUB_LICENSES.contains(&hub_name.as_str());
    let funnel: Vec<_> = count_by_reason(release.curated)
        .into_iter()
        .filter(|(_, albums)| *albums > 0)
        .map(|(reason, albums)| context! { name => reason.title(), albums })
        .collect();
    let illustration = config.render.is_illustration();
    let mut text = environment.render_named_str(
        "README.md",
        include_str!("card.md.j2"),
        context! {
            title => title(config),
            license_id => if known { &hub_name } else { "other" },
            license_name,
            languages => languages::of(rows, &config.curate.languages),
            size_category => size_category(rows.len()),
            albums => words::count(rows.len() as u64),
            photos => words::count(rows.iter().map(|r| r.n_photos as u64).sum()),
            source => config.export.source.trim(),
            parquet => holds(ExportFormat::Parquet),
            webdataset => holds(ExportFormat::WebDataset),
            coco => holds(ExportFormat::Coco),
            croissant => holds(ExportFormat::Croissant),
            insecure_seed => statement.insecure_seed,
            epsilon => words::epsilon(statement.epsilon),
            epsilon_lower => words::epsilon_lower(statement.epsilon_lower),
            epsilon_rdp => words::epsilon(statement.epsilon_rdp),
            delta => format!("{:e}", statement.delta),
            unit => statement.unit.to_string(),
            declared_units => words::count(statement.declared_units),
            guarantee => words::guarantee(statement),
            not_covered => not_covered(statement, &config.compute.device),
            tuning => Value::from(Serde(words::tuning(statement))),
            events => Value::from(Serde(&statement.events)),
            statistics => Value::from(Serde(words::statistics(
                &statement.statistics,
                statement.unit,
            ))),
            captions_from => captions_from(release),
            summaries_from => summaries_from(release),
            public_training => statement.public_training.as_ref().map(|p| sentence(&p.source)),
            flat => config.train.layout == Layout::Flat,
            preamble => preamble(&config.train),
            base_model => name_of(release, ModelUse::LanguageModel, &config.train.model),
            models => models(release.models),
            sampled => words::count(release.curated.len() as u64),
            kept => words::count(rows.len() as u64),
            pictures_from => pictures_from(release),
            candidates => config.generate.candidates,
            steered => statement.statistics.iter().any(|s| s.stage == TOPIC_HISTOGRAM),
            graded => config.curate.grade,
            funnel,
            example => serde_json::to_string_pretty(&rows[0]).map_err(SynthError::Json)?,
            limits => limits(illustration),
            attribution => config.export.attribution.clone(),
            fluent => illustration,
            tool => TOOL,
        },
    )?;
    text.push('\n');
    Ok(text)
}

/// The bytes of `croissant.json`, given a statement that lists the other files.
pub(super) fn croissant(
    config: &Config,
    statement: &PrivacyStatement,
    rows: &[Row<'_>],
) -> Result<Vec<u8>> {
    let photos: u64 = rows.iter().map(|r| r.n_photos as u64).sum();
    let made = format!(
        "{}: {} synthetic photo albums with {} pictures, from models trained on private albums",
        title(config),
        words::count(rows.len() as u64),
        words::count(photos),
    );
    let description = if statement.insecure_seed {
        format!(
            "{made}. Its private randomness came from a fixed seed, so no privacy guarantee holds \
             for it: treat it like the private albums themselves."
        )
    } else {
        format!(
            "{made} with differential privacy: epsilon {} at delta {:e}, unit {}. The guarantee in \
             words, and its limits, are in README.md.",
            words::epsilon(statement.epsilon),
            statement.delta,
            statement.unit,
        )
    };
    let license = config.export.license.as_str();
    let spdx = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    let url = format!("https://spdx.org/licenses/{license}.html");
    let about = croissant::About {
        name: &config.name,
        description: &description,
        license: if !license.is_empty() && license.chars().all(spdx) {
            &url
        } else {
            license_name(config)
        },
    };
    croissant::document(&about, &statement.files)
}

pub(super) fn title(config: &Config) -> &str {
    match config.export.title.trim() {
        "" => &config.name,
        title => title,
    }
}

pub(super) fn license_name(config: &Config) -> &str {
    match config.export.license.as_str() {
        "" => "not stated; ask the publisher before you use it",
        name => name,
    }
}

fn size_category(rows: usize) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        _ => "n>1M",
    }
}

/// A model's public name; of a local path only the last part, which names no machine.
fn model_name(model: &str) -> String {
    match model {
        "asset:smollm2-135m-instruct" => "SmolLM2-135M-Instruct (Apache-2.0)".to_owned(),
        "asset:efficientnet-lite0" => "EfficientNet-Lite0 (Apache-2.0)".to_owned(),
        other => other
            .trim_end_matches('/')
            .rsplit(['/', '\\', ':'])
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

/// The public name of the model of this use, with its licence.
fn name_of(release: &Release<'_>, used_for: ModelUse, configured: &str) -> String {
    let found = release.models.iter().find(|m| m.used_for == used_for);
    match found {
        Some(model) => match &model.licence {
            Some(licence) => format!("{} ({licence})", model.name),
            None => model.name.clone(),
        },
        None => model_name(configured),
    }
}

/// The table's rows; a model's own words are kept from breaking it.
fn models(models: &[ModelStatement]) -> Vec<[String; 4]> {
    let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let known = |text: &Option<String>| text.as_deref().map_or("not stated".into(), cell);
    let row = |m: &ModelStatement| {
        [
            m.used_for.title().to_owned(),
            cell(&m.name),
            known(&m.revision),
            known(&m.licence),
        ]
    };
    models.iter().map(row).collect()
}

fn captions_from(release: &Release<'_>) -> String {
    let config = release.config;
    let tagger = match config.caption.model.endpoint() {
        Some(server) => format!(
            "{}, each in a request of its own, without its metadata. What the model sees wrongly carries \
             over",
            served::described(config, "caption", server)
        ),
        None => format!(
            "{}, an image tagger that knows 1,000 kinds of things: its tags and simple facts of the \
             image (brightness, main colours, orientation) were put into a sentence. It does not \
             understand scenes, and its mistakes carry over",
            name_of(release, ModelUse::Captions, &config.caption.model)
        ),
    };
    if config.caption.use_given {
        format!(
            "Captions that came with the photos were used. Photos without one went to {tagger}."
        )
    } else {
        format!("Every photo went to {tagger}.")
    }
}

fn summaries_from(release: &Release<'_>) -> String {
    let config = release.config;
    let model = match config.summarize.model.endpoint() {
        Some(server) => format!("{},", served::described(config, "summarize", server)),
        None => name_of(release, ModelUse::Summaries, &config.summarize.model),
    };
    format!(
        "{model} wrote one sentence for each album from its captions alone; where its answer broke the \
         format, the sentence was put together from the captions."
    )
}

/// What stood before every text, if anything did.
fn preamble(train: &TrainConfig) -> Option<String> {
    let from = match train.preamble_file() {
        Some(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("albums that the publisher declares public (`{name}`)")
        }
        None if train.preamble == "builtin" => {
            "albums made up for Albumen, the same in every release".to_owned()
        }
        None => return None,
    };
    Some(format!(
        "In training and in sampling every text stood after a fixed preamble of {from}; their words may \
         return here."
    ))
}

fn pictures_from(release: &Release<'_>) -> String {
    let render = &release.config.render;
    if render.is_illustration() {
        return "Each caption was turned into an **illustration**: emoji of the Fluent Emoji set \
                before a painted background that follows the place, weather and time of day in the \
                text. They are not photographs, and no image model was used."
            .to_owned();
    }
    let style = if render.album_style {
        " Before each caption stood a photographic style, and looks of what recurs in the album, drawn \
         from public tables and the synthetic text."
    } else {
        ""
    };
    match render.model.endpoint() {
        Some(server) => format!(
            "Each caption was turned into a picture by {}. Only synthetic captions were sent there.{style}",
            served::described(release.config, "render", server)
        ),
        None => format!(
            "Each caption was turned into a picture by a public text-to-image model, {}, in {} steps at \
             guidance {}.{style}",
            name_of(release, ModelUse::Pictures, &render.model),
            render.steps,
            render.guidance
        ),
    }
}

fn limits(illustration: bool) -> Vec<&'static str> {
    if illustration {
        vec![
            "The pictures are emoji illustrations. They show what a caption names, roughly, and \
             are of no use for training or testing models of real photographs.",
        ]
    } else {
        vec![
            "The pictures are a text-to-image model's: what the captions leave open is that model's \
             habit and bias, and no person or place in them is real.",
        ]
    }
}

/// Ends with one full stop.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim().trim_end_matches('.'))
}

fn not_covered(statement: &PrivacyStatement, device: &str) -> Vec<String> {
    let mut points = words::not_covered(statement);
    if device != "cpu" {
        points.push(
            "Rounding on the graphics device that the models were trained on: one owner's or album's \
             presence may move another's share of a step by about a millionth."
                .to_owned(),
        );
    }
    points
}
