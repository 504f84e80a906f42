//! `albumen models list|fetch|inspect`.

mod inspect;

use albumen_assets::{Check, Fetcher, Home, State, status};
use albumen_lm::Device;
use albumen_models::kind::SUPPORTED;
use albumen_models::{Found, Kind};
use albumen_run::models::{Models, assets};
use albumen_schema::ModelName;
use serde_json::{Map, Value, json};

use crate::args::{ModelsAction, ModelsArgs};
use crate::command::assets::describe;
use crate::failure::Outcome;
use crate::progress::{print_json, print_text, say};

/// Runs `albumen models`.
pub(crate) fn models(args: &ModelsArgs) -> Outcome {
    match &args.action {
        ModelsAction::List { json } => list(*json),
        ModelsAction::Fetch { name, half, json } => fetch(&name.as_str().into(), *half, *json),
        ModelsAction::Inspect(args) => inspect::inspect(args),
    }
}

fn list(as_json: bool) -> Outcome {
    let home = Home::locate()?;
    let mut rows = Vec::new();
    for model in assets::models() {
        let state = status(&home, model.pin.asset, Check::Stamp)?.map(|s| s.state);
        let state = match state {
            Some(State::Present) => "present",
            Some(State::Corrupt { .. }) => "corrupt",
            _ => "missing",
        };
        rows.push((format!("asset:{}", model.pin.asset), state, model));
    }
    let devices = [Device::Cpu, Device::Cuda(0), Device::Metal];
    let devices = devices.into_iter().filter(|d| d.is_compiled_in());
    let devices: Vec<String> = devices.map(|d| d.to_string()).collect();
    if as_json {
        let models = rows.iter().map(|(name, state, model)| {
            json!({
                "name": name,
                "kind": model.architecture.kind,
                "architecture": model.architecture.class,
                "state": state,
                "licence": model.pin.licence,
            })
        });
        let mut architectures = Map::new();
        for kind in Kind::ALL {
            let key = serde_json::to_value(kind)?;
            let of_kind: Vec<_> = SUPPORTED.iter().filter(|a| a.kind == kind).collect();
            architectures.insert(key.as_str().unwrap_or_default().into(), json!(of_kind));
        }
        print_json(&json!({
            "models": models.collect::<Vec<Value>>(),
            "architectures": architectures,
            "hub": cfg!(feature = "hub"),
            "devices": devices,
        }));
        return Ok(());
    }
    for (name, state, model) in &rows {
        let kind = model.architecture.kind.to_string();
        print_text(&format!(
            "{name:<36} {kind:<15} {state:<8} {}",
            model.pin.licence
        ));
    }
    let row = |name: &str, what: &str| print_text(&format!("{name:<36} {what}"));
    row("path:FILE.gguf or path:DIRECTORY", "a model of yours");
    if cfg!(feature = "hub") {
        row("hub:OWNER/NAME@REVISION", "a model of the Hugging Face hub");
    }
    row(
        "endpoint:http://HOST:PORT/v1#MODEL",
        "a model behind a server",
    );
    for kind in Kind::ALL {
        print_text(&format!("\n{kind}"));
        for architecture in kind.supported() {
            row(&format!("  {}", architecture.class), architecture.models);
        }
    }
    print_text(&format!("\ndevices of this build: {}", devices.join(", ")));
    Ok(())
}

fn fetch(name: &ModelName, half: bool, as_json: bool) -> Outcome {
    if let Some(asset) = name.asset()
        && assets::model(asset).is_some()
    {
        let home = Home::locate()?;
        Fetcher::new(&home).fetch(&[asset], &|progress| say(&describe(progress)))?;
    }
    let found = Models::new()?.find_as(name, half)?;
    let path = found.path()?;
    if as_json {
        let mut all = facts(&found);
        all["path"] = json!(path);
        print_json(&all);
    } else {
        say(&format!("{name} is in {}", path.display()));
    }
    Ok(())
}

/// What is known of a model besides its weights.
fn facts(found: &Found) -> Value {
    json!({
        "name": found.name,
        "kind": found.kind(),
        "architecture": found.architecture.map(|a| a.class),
        "licence": found.licence,
        "revision": found.revision,
    })
}

/// A name of the configuration's kind, or the path of a checkpoint.
fn find(text: &str, half: bool) -> anyhow::Result<Found> {
    let models = Models::new()?;
    let schemes = ["asset:", "path:", "hub:", "endpoint:"];
    if schemes.iter().any(|s| text.starts_with(s)) {
        return models.find_as(&text.into(), half);
    }
    models.find(&format!("path:{text}").into())
}
