//! How the card speaks of models behind servers.

use albumen_schema::{Config, EndpointName};

/// The model's public name, as its server has it.
pub(super) fn model(name: &EndpointName) -> &str {
    name.public_model().unwrap_or("the model of a server")
}

/// The model of a stage in a few words, with where it ran.
pub(super) fn described(config: &Config, stage: &str, name: &EndpointName) -> String {
    let sent = config.departures();
    let place = match sent.iter().find(|d| d.stage == stage) {
        Some(departure) => format!("on another machine, {}", departure.host),
        None => "on the same machine".to_owned(),
    };
    format!("{}, behind a server {place}", model(name))
}
