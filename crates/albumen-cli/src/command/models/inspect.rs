//! `albumen models inspect`: what a model is, from the headers of its files.

use albumen_lm::weights::Inspection;
use albumen_lm::{LoraConfig, LoraLayout, Precision, TrainingMemory};
use albumen_models::inspect::Part;
use albumen_models::{Found, Kind, Place};
use albumen_run::bytes;
use serde_json::{Value, json};

use super::find;
use crate::args::ModelsInspectArgs;
use crate::failure::Outcome;
use crate::progress::{print_json, print_text};
use albumen_train::targets;

/// Describes a model of any kind.
pub(super) fn inspect(args: &ModelsInspectArgs) -> Outcome {
    let found = find(&args.model, args.half)?;
    match (&found.place, found.kind()) {
        (Place::Local(_), Some(Kind::Language)) => language(args, &found),
        (Place::Local(_), _) => other(args, &found),
        (Place::Endpoint, _) => Err(anyhow::anyhow!(
            "{} has no files here to inspect\n  hint: ask its server what it is",
            found.name
        )
        .into()),
    }
}

/// Kind, parts and memory of a model that is no language model.
fn other(args: &ModelsInspectArgs, found: &Found) -> Outcome {
    let parts = parts(found, args.half)?;
    let size_bytes: u64 = match &parts {
        Some(parts) => parts.iter().map(|p| p.bytes).sum(),
        None => std::fs::metadata(found.path()?)
            .map_err(anyhow::Error::from)?
            .len(),
    };
    let parameters = parts
        .as_ref()
        .map(|p| p.iter().map(|p| p.parameters).sum::<u64>());
    if args.json {
        let mut all = json!({
            "path": found.path()?,
            "size_bytes": size_bytes,
            "parameter_count": parameters,
            "f32_bytes": parameters.map(|n| 4 * n),
            "half_bytes": parameters.map(|n| 2 * n),
            "parts": parts,
        });
        merge(&mut all, super::facts(found));
        print_json(&all);
        return Ok(());
    }
    let mut lines = common(found);
    lines.push(row("size", &bytes(size_bytes)));
    if let Some(n) = parameters {
        lines.push(row("parameters", &n.to_string()));
        lines.push(row(
            "memory",
            &format!(
                "weights {} in f32, {} in 16 bits",
                bytes(4 * n),
                bytes(2 * n)
            ),
        ));
    }
    print_text(&lines.join("\n"));
    for part in parts.iter().flatten() {
        print_text(&of_part(part));
    }
    Ok(())
}

/// The parts of a directory; `None` for a lone file.
fn parts(found: &Found, half: bool) -> anyhow::Result<Option<Vec<Part>>> {
    let path = found.path()?;
    // An asset is named by its file of weights.
    let folder = match path.extension() {
        Some(e) if e == "safetensors" => path.parent().unwrap_or(path),
        _ => path,
    };
    if !folder.is_dir() {
        return Ok(None);
    }
    Ok(Some(albumen_models::inspect::parts(folder, half)?))
}

fn of_part(part: &Part) -> String {
    let formats: Vec<&str> = part.dtypes.keys().map(String::as_str).collect();
    let class = part
        .class
        .as_deref()
        .map_or(String::new(), |c| format!("  {c}"));
    format!(
        "  {:<26} {:>13} parameters, {:>9} in {}{class}",
        part.name,
        part.parameters,
        bytes(part.bytes),
        formats.join(" and "),
    )
}

fn row(name: &str, value: &str) -> String {
    format!("{name:<12} {value}")
}

/// What every model has, a line a fact.
fn common(found: &Found) -> Vec<String> {
    let known = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_owned());
    let mut lines = vec![
        row("model", &found.name),
        row("licence", &known(&found.licence)),
        row("revision", &known(&found.revision)),
    ];
    if let Ok(path) = found.path() {
        lines.push(row("path", &path.display().to_string()));
    }
    if let Some(architecture) = found.architecture {
        lines.push(row("kind", &architecture.kind.to_string()));
        lines.push(row("architecture", architecture.class));
    }
    lines
}

/// Puts the entries of one JSON object into another.
fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// What only a language model has: whether adapters can be trained on it, and what that takes.
fn language(args: &ModelsInspectArgs, found: &Found) -> Outcome {
    let inspection = albumen_lm::weights::inspect(found.path()?)?;
    let config = LoraConfig {
        rank: args.rank,
        alpha: args.rank as f32,
        targets: targets(args.targets.into()),
        layers: args.layers,
        frozen_a: None,
    };
    let layout = LoraLayout::new(&inspection.config, &config);
    let memory = |precision| {
        let layout = layout.as_ref().ok()?;
        Some(TrainingMemory::new(&inspection.config, layout, precision))
    };
    let (f32, bf16) = (memory(Precision::F32), memory(Precision::Bf16));
    if args.json {
        let lora = json!({
            "rank": args.rank,
            "targets": config.targets,
            "layers": args.layers.unwrap_or(inspection.config.num_layers),
            "parameters": layout.as_ref().ok().map(LoraLayout::len),
            "error": layout.as_ref().err().map(ToString::to_string),
            "memory_f32": f32,
            "memory_bf16": bf16,
        });
        let mut all = serde_json::to_value(&inspection)?;
        all["lora"] = lora;
        all["family"] = json!(inspection.config.family);
        all["parts"] = json!(parts(found, args.half)?);
        merge(&mut all, super::facts(found));
        print_json(&all);
        return Ok(());
    }
    print_text(&facts(found, &inspection));
    match &layout {
        Ok(layout) => print_text(&format!(
            "adapters     {} parameters at rank {} on {} of {} layers",
            layout.len(),
            args.rank,
            args.layers.unwrap_or(inspection.config.num_layers),
            inspection.config.num_layers,
        )),
        Err(error) => print_text(&format!("adapters     none as asked for: {error}")),
    }
    if let (Some(f32), Some(bf16)) = (f32, bf16) {
        print_text(&format!(
            "memory       weights {} in f32, {} in bf16; adapter {}; {} a unit and {} a token in work",
            bytes(f32.weights_bytes),
            bytes(bf16.weights_bytes),
            bytes(f32.adapter_bytes),
            bytes(f32.unit_gradient_bytes),
            bytes(f32.token_bytes),
        ));
    }
    if inspection.trainable {
        print_text("trainable    yes");
    } else {
        let why = inspection.obstacles.join("\n             ");
        print_text(&format!("trainable    no: {why}"));
    }
    Ok(())
}

/// What the checkpoint is, a line a fact.
fn facts(found: &Found, it: &Inspection) -> String {
    let c = &it.config;
    let formats: Vec<String> = it.dtypes.iter().map(|(d, n)| format!("{d} x{n}")).collect();
    let tokenizer = it.tokenizer.as_ref().map_or_else(
        || "none that can be read".to_owned(),
        |t| {
            let chat = if t.chat_format { ", chat format" } else { "" };
            format!(
                "{} tokens, ends texts with {}{chat}",
                t.vocab_size, t.eos_id
            )
        },
    );
    let head = if c.tie_word_embeddings {
        "the embedding"
    } else {
        "its own"
    };
    let own = [
        (
            "format",
            format!(
                "{}, {} ({})",
                it.format,
                bytes(it.size_bytes),
                formats.join(", ")
            ),
        ),
        ("parameters", it.parameter_count.to_string()),
        (
            "shape",
            format!(
                "{} layers, width {}, {}/{} heads of {}, feed-forward {}, vocabulary {}, up to {} tokens",
                c.num_layers,
                c.hidden_size,
                c.num_heads,
                c.num_kv_heads,
                c.head_dim,
                c.intermediate_size,
                c.vocab_size,
                c.max_position
            ),
        ),
        ("head", head.to_owned()),
        ("tokenizer", tokenizer),
    ];
    let mut lines = common(found);
    lines.extend(own.map(|(name, value)| row(name, &value)));
    lines.join("\n")
}
