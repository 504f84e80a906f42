//! `albumen run --check`: everything that can be known before anything is fetched, loaded or read.

use albumen_lm::weights::{config_from_json, read_config};
use albumen_models::Name;
use albumen_schema::{Config, EndpointName};
use serde_json::{Value, json};

use crate::budget::Budget;
use crate::failure::{Failure, Outcome};
use crate::memory::{ensure_fits, needs, table};
use crate::models::{Look, Models, check_keys, check_lengths, device, named};
use crate::progress::{print_json, print_text, say};

/// Checks budget, models and memory, and prints what is found.
pub(super) fn check(config: &Config, as_json: bool) -> Outcome {
    let budget = Budget::solve(config)?;
    let models = Models::new()?;
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for (key, name, kinds) in named(config) {
        // What is no name is the configuration's fault.
        if EndpointName::of_model(name)
            .map_err(Failure::usage)?
            .is_none()
        {
            name.parse::<Name>().map_err(Failure::usage)?;
        }
        let look = models.look(name)?;
        look.require(kinds, key)?;
        if let Look::ToFetch { known, .. } = &look {
            let shape = match known {
                Some(_) => "",
                None => "; until then its size is not known",
            };
            notes.push(format!(
                "{key}: to be fetched, by the run or `albumen models fetch {name}`{shape}"
            ));
        }
        rows.push(row(key, &look));
    }
    models.check_assets(config)?;
    check_keys(config)?;
    lengths(config, &models)?;
    if let Err(error) = device(&config.compute)?.check() {
        notes.push(error.to_string());
    }
    let needs = needs(config, &models)?;
    if as_json {
        print_json(&json!({
            "epsilon": budget.total.epsilon,
            "delta": config.privacy.delta,
            "models": rows,
            "memory": needs,
            "notes": notes,
        }));
    } else {
        print_text(&table(&needs));
    }
    ensure_fits(config, &needs)?;
    for note in notes {
        say(&format!("note: {note}"));
    }
    say("configuration, budget and models are good");
    Ok(())
}

fn row(key: &str, look: &Look) -> Value {
    let (licence, revision) = match look {
        Look::There(found) => (found.licence.clone(), found.revision.clone()),
        Look::ToFetch { .. } => (None, None),
    };
    json!({
        "key": key,
        "name": look.name(),
        "kind": look.kind(),
        "there": matches!(look, Look::There(_)),
        "licence": licence,
        "revision": revision,
    })
}

/// The lengths of texts against what the model sees, as far as its shape is known.
fn lengths(config: &Config, models: &Models) -> anyhow::Result<()> {
    let shape = match models.look(&config.train.model)? {
        Look::There(found) => Some(read_config(found.path()?)?),
        Look::ToFetch { known, .. } => {
            let json = known.as_ref().and_then(|k| k.files.get("config.json"));
            json.map(|json| config_from_json(&json.to_string()))
                .transpose()?
        }
    };
    shape.map_or(Ok(()), |shape| check_lengths(config, &shape, None))
}
