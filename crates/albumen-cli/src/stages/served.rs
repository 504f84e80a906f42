//! Stages whose model is behind a server.

use std::io::Write;
use std::path::Path;

use albumen_endpoint::{Client, EndpointName};
use albumen_schema::{Config, Sent};
use serde_json::{Value, json};

use super::Stage;
use crate::progress::say;

/// The model's name that the configuration gives a stage which a server may serve.
fn model(config: &Config, stage: Stage) -> Option<&str> {
    match stage {
        Stage::Caption => Some(&config.caption.model),
        Stage::Summarize => Some(&config.summarize.model),
        Stage::Render => Some(&config.render.model),
        _ => None,
    }
}

/// A client of the stage's server, if it has one.
pub(crate) fn client(config: &Config, stage: Stage) -> anyhow::Result<Option<Client>> {
    let Some(model) = model(config, stage) else {
        return Ok(None);
    };
    let name = EndpointName::of_model(model)?;
    Ok(name
        .map(|name| Client::new(name, &config.endpoint))
        .transpose()?)
}

/// What a stage's answers depend on in `[endpoint]`, and what leaves the machine for it; `Null` without
/// a server.
pub(crate) fn settings(config: &Config, stage: Stage) -> Value {
    let served = model(config, stage).is_some_and(|m| m.starts_with("endpoint:"));
    if !served {
        return Value::Null;
    }
    let mut sent = config.departures();
    sent.retain(|departure| departure.stage == stage.name());
    json!({
        "photo_side": config.endpoint.photo_side,
        "send_seed": config.endpoint.send_seed,
        "sent": sent,
    })
}

/// Says what leaves the machine.
pub(super) fn announce(config: &Config, stage: Stage, client: &Client) {
    if !client.is_remote() {
        return;
    }
    for departure in config.departures() {
        if departure.stage == stage.name() {
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
            say(&format!(
                "{}: {what} this machine for {}{open}",
                stage.name(),
                departure.host
            ));
        }
    }
}

/// Writes a file that nobody else may read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)?.write_all(bytes)
}
