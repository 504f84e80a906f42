//! Stages whose model is behind a server.

use albumen_endpoint::{Client, EndpointName};
use albumen_models::{Found, Place};
use albumen_schema::{Config, Departure, Sent};
use serde_json::{Value, json};

use super::Stage;

use crate::departures;
use crate::runner::Runner;

/// The server of a stage, where the configuration gives it one.
fn server(config: &Config, stage: Stage) -> Option<&EndpointName> {
    let model = match stage {
        Stage::Caption => &config.caption.model,
        Stage::Summarize => &config.summarize.model,
        Stage::Render => &config.render.model,
        _ => return None,
    };
    model.endpoint()
}

/// A client of the stage's server, if it has one.
pub(crate) fn client(config: &Config, stage: Stage) -> anyhow::Result<Option<Client>> {
    let server = server(config, stage).cloned();
    Ok(server
        .map(|server| Client::new(server, &config.endpoint))
        .transpose()?)
}

/// The model behind a server. Nothing is asked of it, and its address is not in the public name.
pub(crate) fn found(server: &EndpointName) -> Found {
    let model = server.public_model().unwrap_or("the model");
    Found {
        name: format!("{model} of an endpoint"),
        licence: None,
        revision: None,
        architecture: None,
        fingerprint: albumen_files::sha256_hex(server.to_string()),
        place: Place::Endpoint,
    }
}

/// What leaves the machine for a stage.
fn departures(config: &Config, stage: Stage) -> Vec<Departure> {
    let mut sent = config.departures();
    sent.retain(|departure| departure.stage == stage.name());
    sent
}

/// What a stage's answers depend on in `[endpoint]`, and what leaves the machine for it; `Null` without
/// a server.
pub(crate) fn settings(config: &Config, stage: Stage) -> Value {
    if server(config, stage).is_none() {
        return Value::Null;
    }
    let mut sent = departures(config, stage);
    for departure in &mut sent {
        // It is a setting of the stage itself.
        departure.model = None;
    }
    json!({
        "photo_side": config.endpoint.photo_side,
        "send_seed": config.endpoint.send_seed,
        "sent": sent,
    })
}

impl Runner {
    /// Writes down what a stage is about to send to another machine, and says it.
    pub(super) fn depart(&self, stage: Stage) -> anyhow::Result<()> {
        let leaving = departures(&self.config, stage);
        if leaving.is_empty() {
            return Ok(());
        }
        departures::record(&self.dir.departures(), &leaving)?;
        for departure in &leaving {
            self.note(&announcement(departure));
        }
        Ok(())
    }

    /// What has left the machine in this run, under whatever configuration.
    pub(crate) fn departed(&self) -> anyhow::Result<Vec<Departure>> {
        departures::read(&self.dir.departures())
    }
}

fn announcement(departure: &Departure) -> String {
    let what = match departure.sent {
        Sent::Photos => "private photos leave",
        Sent::Captions => "captions of private photos leave",
        Sent::SyntheticCaptions => "synthetic captions leave",
    };
    let open = if departure.encrypted {
        ""
    } else {
        ", not encrypted"
    };
    format!(
        "{}: {what} this machine for {}{open}",
        departure.stage, departure.host
    )
}
