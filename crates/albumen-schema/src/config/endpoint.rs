//! How servers are asked that run models for a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[endpoint]`: how servers named `endpoint:` are asked. docs/endpoints.md has the whole story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointConfig {
    /// Let servers on other machines be asked. Captioning then sends private photos there, and
    /// summarising their captions, outside of the guarantee; the data card says so. While this is
    /// `false`, connections go to loopback addresses only.
    pub allow_remote: bool,
    /// Requests in flight at once. 1 keeps a server from batching one photo with another.
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: usize,
    /// Longest time for one request and its answer, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_seconds: u64,
    /// How often a request is tried again after a connection error, a timeout, status 429 or 5xx, or
    /// an answer that does not read.
    #[schemars(range(min = 0, max = 20))]
    pub retries: u32,
    /// Name of the environment variable that holds the server's API key; none where empty. The key
    /// itself is written nowhere.
    #[schemars(
        regex(pattern = r"^[A-Z0-9_]*$"),
        extend(
            "x-form" = "the name of an environment variable that holds the key: capitals, digits, `_`",
            "x-secret" = true
        )
    )]
    pub api_key_env: String,
    /// Longest side, in pixels, at which photos are sent: as JPEG, with no metadata.
    #[schemars(range(min = 64, max = 4096))]
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
