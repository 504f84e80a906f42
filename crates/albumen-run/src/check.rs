//! Everything that can be known of a configuration before anything is fetched, loaded or read.

use albumen_lm::weights::{config_from_json, read_config};
use albumen_schema::Config;
use serde_json::{Value, json};

use crate::budget::Budget;
use crate::failure::{Failure, Outcome};
use crate::memory::{Need, needs};
use crate::models::{Look, Models, check_keys, check_lengths, device, named};
use crate::stages::check_public;

/// What [`check`] found: all is well, but for the notes.
#[derive(Debug)]
pub struct Checked {
    /// The epsilon of the whole run.
    pub epsilon: f64,
    /// Each model that the configuration names, as a JSON object: key, name, kind, whether it is there,
    /// licence and revision.
    pub models: Vec<Value>,
    /// What each stage keeps in memory.
    pub memory: Vec<Need>,
    /// What a user should know, in words.
    pub notes: Vec<String>,
}

/// Checks budget, models, public albums and memory.
///
/// # Errors
/// As [`Runner::open`](crate::Runner::open), but for models that are only to be fetched yet. Memory is held
/// against `compute.memory_gib` by [`ensure_fits`](crate::memory::ensure_fits), which is left to the caller, so that it can show the
/// table first.
pub fn check(config: &Config) -> Outcome<Checked> {
    check_public(config)?;
    let budget = Budget::solve(config)?;
    let models = Models::new()?;
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for (key, name, kinds) in named(config) {
        // What is no name is the configuration's fault.
        name.source().map_err(|e| Failure::usage(e.clone()))?;
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
    Ok(Checked {
        epsilon: budget.total.epsilon,
        models: rows,
        memory: needs(config, &models)?,
        notes,
    })
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
