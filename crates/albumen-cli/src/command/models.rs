//! `albumen models list|fetch|inspect`.

use std::path::Path;

use albumen_assets::{Check, Fetcher, Home, State, status};
use albumen_lm::weights::{Inspection, inspect};
use albumen_lm::{Device, Family, LoraConfig, LoraLayout, Precision, TrainingMemory};
use serde_json::{Value, json};

use crate::args::{ModelsAction, ModelsArgs, ModelsInspectArgs};
use crate::command::assets::describe;
use crate::failure::Outcome;
use crate::models::{Found, Models, language_models};
use crate::progress::{print_json, print_text, say};
use crate::stages::targets;

/// Runs `albumen models`.
pub(crate) fn models(args: &ModelsArgs) -> Outcome {
    match &args.action {
        ModelsAction::List { json } => list(*json),
        ModelsAction::Fetch { name } => fetch(name),
        ModelsAction::Inspect(args) => inspect_one(args),
    }
}

fn list(as_json: bool) -> Outcome {
    let home = Home::locate()?;
    let mut rows = Vec::new();
    for (pin, _) in language_models() {
        let state = status(&home, pin.asset, Check::Stamp)?.map(|s| s.state);
        let state = match state {
            Some(State::Present) => "present",
            Some(State::Corrupt { .. }) => "corrupt",
            _ => "missing",
        };
        rows.push((format!("asset:{}", pin.asset), state, pin));
    }
    let devices = [Device::Cpu, Device::Cuda(0), Device::Metal];
    let devices = devices.into_iter().filter(|d| d.is_compiled_in());
    let devices: Vec<String> = devices.map(|d| d.to_string()).collect();
    let architectures = Family::ALL.map(Family::architecture);
    if as_json {
        let models: Vec<Value> = rows
            .iter()
            .map(|(name, state, pin)| json!({"name": name, "state": state, "licence": pin.licence}))
            .collect();
        print_json(&json!({
            "models": models,
            "architectures": architectures,
            "hub": cfg!(feature = "hub"),
            "devices": devices,
        }));
        return Ok(());
    }
    for (name, state, pin) in &rows {
        print_text(&format!("{name:<36} {state:<10} {}", pin.licence));
    }
    print_text("path:FILE.gguf or path:DIRECTORY     a checkpoint of yours");
    if cfg!(feature = "hub") {
        print_text("hub:OWNER/NAME@REVISION              a checkpoint of the Hugging Face hub");
    }
    print_text(&format!("architectures: {}", architectures.join(", ")));
    print_text(&format!("devices of this build: {}", devices.join(", ")));
    Ok(())
}

fn fetch(name: &str) -> Outcome {
    if let Some(asset) = name.strip_prefix("asset:")
        && language_models().any(|(pin, _)| pin.asset == asset)
    {
        let home = Home::locate()?;
        Fetcher::new(&home).fetch(&[asset], &|progress| say(&describe(progress)))?;
    }
    let found = Models::new()?.find(name)?;
    say(&format!("{name} is in {}", found.path.display()));
    Ok(())
}

/// A name of the configuration's kind, or the path of a checkpoint.
fn find(text: &str) -> anyhow::Result<Found> {
    let schemes = ["asset:", "path:", "hub:"];
    if schemes.iter().any(|s| text.starts_with(s)) {
        return Models::new()?.find(text);
    }
    Models::new()?.find(&format!("path:{text}"))
}

fn inspect_one(args: &ModelsInspectArgs) -> Outcome {
    let found = find(&args.model)?;
    let inspection = inspect(&found.path)?;
    let config = LoraConfig {
        rank: args.rank,
        alpha: args.rank as f32,
        targets: targets(args.targets.into()),
        layers: args.layers,
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
        all["name"] = json!(found.name);
        all["licence"] = json!(found.licence);
        all["revision"] = json!(found.revision);
        all["family"] = json!(inspection.config.family);
        print_json(&all);
        return Ok(());
    }
    print_text(&facts(&found, &inspection));
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
    let unknown = || "unknown".to_owned();
    [
        ("model", found.name.clone()),
        ("licence", found.licence.clone().unwrap_or_else(unknown)),
        ("revision", found.revision.clone().unwrap_or_else(unknown)),
        ("path", Path::display(&found.path).to_string()),
        ("family", c.family.architecture().to_owned()),
        (
            "format",
            format!("{}, {} ({})", it.format, bytes(it.size_bytes), formats.join(", ")),
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
    ]
    .map(|(name, value)| format!("{name:<12} {value}"))
    .join("\n")
}

/// Bytes for people, in units of 1000.
fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n < 1e6 => format!("{:.1} kB", n / 1e3),
        n if n < 1e9 => format!("{:.1} MB", n / 1e6),
        n => format!("{:.2} GB", n / 1e9),
    }
}
