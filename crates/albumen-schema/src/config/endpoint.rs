//! How servers are asked that run models for a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{Fault, require};

/// `[endpoint]`: how servers named `endpoint:` are asked. docs/endpoints.md has the whole story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointConfig {
    /// Let servers on other machines be asked. Captioning then sends private photos there, and
    /// summarising their captions, outside of the guarantee; the data card says so. While this is
    /// `false`, connections go to loopback addresses only.
    pub allow_remote: bool,
    /// Requests in flight at once. 1 keeps a server from batching one photo with another.
    pub concurrency: usize,
    /// Longest time for one request and its answer, in seconds.
    pub timeout_seconds: u64,
    /// How often a request is tried again after a connection error, a timeout, status 429 or 5xx, or
    /// an answer that does not read.
    pub retries: u32,
    /// Name of the environment variable that holds the server's API key; none where empty. The key
    /// itself is written nowhere.
    pub api_key_env: String,
    /// Longest side, in pixels, at which photos are sent: as JPEG, with no metadata.
    pub photo_side: u32,
    /// Send a `seed` with each request. Some servers refuse requests with one.
    pub send_seed: bool,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            allow_remote: false,
            concurrency: 4,
            timeout_seconds: 300,
            retries: 5,
            api_key_env: String::new(),
            photo_side: 768,
            send_seed: true,
        }
    }
}

impl EndpointConfig {
    pub(super) fn check(&self) -> Result<(), Fault> {
        let variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        for (name, holds, value, hint) in [
            (
                "concurrency",
                (1..=1024).contains(&self.concurrency),
                self.concurrency.to_string(),
                "use 1 to 1024 requests at once",
            ),
            (
                "timeout_seconds",
                (1..=86_400).contains(&self.timeout_seconds),
                self.timeout_seconds.to_string(),
                "use 1 to 86400 seconds",
            ),
            (
                "retries",
                self.retries <= 20,
                self.retries.to_string(),
                "use 0 to 20",
            ),
            (
                "api_key_env",
                self.api_key_env.chars().all(variable),
                // Not repeated: what stands there may be the key itself.
                "no name of an environment variable (capitals, digits, `_`)".to_owned(),
                "put the key into an environment variable, and that variable's name here",
            ),
            (
                "photo_side",
                (64..=4096).contains(&self.photo_side),
                self.photo_side.to_string(),
                "use 64 to 4096 pixels",
            ),
        ] {
            require(
                holds,
                &format!("endpoint.{name}"),
                format!("is {value}"),
                hint,
            )?;
        }
        Ok(())
    }
}
