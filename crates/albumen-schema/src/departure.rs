//! What of a run leaves the machine for servers.

use serde::{Deserialize, Serialize};

use crate::Config;

/// What goes to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// Private photos, without their metadata.
    Photos,
    /// Captions of private photos.
    Captions,
    /// Synthetic captions: covered by the guarantee.
    SyntheticCaptions,
}

/// Something of a run that leaves the machine for a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Departure {
    /// The stage that sends it.
    pub stage: String,
    /// What is sent.
    pub sent: Sent,
    /// The server's host and port.
    pub host: String,
    /// Whether it is encrypted on the way.
    pub encrypted: bool,
    /// What the server calls the model, where it was asked for one; of a path the last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl Config {
    /// What leaves the machine under this configuration, in the order of the stages.
    ///
    /// A server counts as remote where the configuration allows remote ones and its name does not say
    /// that this machine is meant; connections to all others are held to loopback addresses.
    pub fn departures(&self) -> Vec<Departure> {
        [
            ("caption", &self.caption.model, Sent::Photos),
            ("summarize", &self.summarize.model, Sent::Captions),
            ("render", &self.render.model, Sent::SyntheticCaptions),
        ]
        .into_iter()
        .filter_map(|(stage, model, sent)| {
            let name = model.endpoint()?;
            (self.endpoint.allow_remote && !name.is_loopback()).then(|| Departure {
                stage: stage.to_owned(),
                sent,
                host: name.authority(),
                encrypted: name.is_encrypted(),
                model: name.public_model().map(str::to_owned),
            })
        })
        .collect()
    }

    /// Everything that has left the machine: what a run has recorded, whatever its configuration was then,
    /// and what this configuration sends.
    pub fn departures_beside(&self, recorded: &[Departure]) -> Vec<Departure> {
        let mut all = recorded.to_vec();
        let configured = self.departures();
        all.extend(configured.into_iter().filter(|d| !recorded.contains(d)));
        all
    }
}
