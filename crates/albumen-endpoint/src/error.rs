//! The one error type of this crate.

use std::fmt;

/// What can go wrong between a request and its answer.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The variable that should hold the API key does not.
    #[error(
        "`endpoint.api_key_env` names {variable}, which {problem}\n  hint: export {variable} with the \
         server's key, or leave `api_key_env` out"
    )]
    Key {
        /// Name of the environment variable.
        variable: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A photo has no JPEG form.
    #[error("a photo cannot be sent: {0}")]
    Photo(String),
    /// The server gave no usable answer.
    #[error("{server} ({interface}) {problem}{}\n  hint: {}", tried(*attempts), problem.hint())]
    Request {
        /// Host and port.
        server: String,
        /// The interface that was asked, such as `chat/completions`.
        interface: &'static str,
        /// What came instead of an answer.
        problem: Problem,
        /// How often it was tried.
        attempts: u32,
        /// The beginning of what the server said.
        words: ServerWords,
    },
}

impl EndpointError {
    /// Whether it may concern this one request, while the server answers others: it refused it, said
    /// nothing to it, or nothing that reads. Whether it answers at all, who may ask it, and how often, are
    /// no such matters.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Key { .. } => false,
            Self::Photo(_) => true,
            Self::Request { problem, .. } => problem.is_of_one(),
        }
    }

    /// The beginning of the server's own words, where it refused. It may quote the request, so it is
    /// as private as what was asked, and in no message.
    pub fn server_words(&self) -> Option<&[u8]> {
        match self {
            Self::Request { words, .. } if !words.0.is_empty() => Some(&words.0),
            _ => None,
        }
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, EndpointError>;

fn tried(attempts: u32) -> String {
    match attempts {
        1 => String::new(),
        n => format!(", {n} times"),
    }
}

/// Bytes that no message shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServerWords(pub(crate) Vec<u8>);

impl fmt::Debug for ServerWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

/// What came instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The host has no loopback address, and others are not allowed.
    #[error("is not on this machine")]
    NotLoopback,
    /// The host has no address.
    #[error("has no address")]
    Unresolved,
    /// No connection.
    #[error("could not be reached: {0}")]
    Unreachable(String),
    /// Encryption failed.
    #[error("could not be reached over TLS")]
    Tls,
    /// No answer, or no whole one, in time.
    #[error("did not answer within {0} s")]
    TimedOut(u64),
    /// The connection ended inside the answer.
    #[error("closed the connection before its answer was whole")]
    Cut,
    /// The answer is no HTTP.
    #[error("did not answer in HTTP")]
    Protocol,
    /// A status that says no.
    #[error("answered with status {0}")]
    Status(u16),
    /// A status that points elsewhere.
    #[error("answered with a redirect (status {0}), which is not followed")]
    Redirect(u16),
    /// More bytes than any answer has.
    #[error("sent an answer of more than {0} bytes")]
    TooLong(u64),
    /// The body is no JSON.
    #[error("sent an answer that is not JSON, or only a part of one")]
    NotJson,
    /// A field is not there, or holds something else.
    #[error("sent an answer without `{0}`")]
    Missing(&'static str),
    /// The tokens ran out before the answer began.
    #[error("used up its tokens before it said anything")]
    NothingSaid,
    /// There is no text in the answer, or a filter took it.
    #[error("withheld its answer")]
    Withheld,
    /// The picture's base64 is broken.
    #[error("sent a picture whose base64 is broken or cut short")]
    Base64,
    /// The picture does not decode.
    #[error("sent a picture that {0}")]
    Picture(&'static str),
}

/// Statuses below 500 that speak of who asks, for which model, or how often.
const OF_ALL: [u16; 8] = [401, 402, 403, 404, 405, 407, 408, 429];

impl Problem {
    /// Whether the same request may well be answered later.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Status(status) => *status == 429 || *status >= 500,
            Self::Unresolved
            | Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::Cut
            | Self::Protocol
            | Self::NotJson
            | Self::Missing(_)
            | Self::Base64
            | Self::Picture(_) => true,
            Self::NotLoopback
            | Self::Tls
            | Self::Redirect(_)
            | Self::TooLong(_)
            | Self::NothingSaid
            | Self::Withheld => false,
        }
    }

    /// Whether it may come of what this one request holds.
    fn is_of_one(&self) -> bool {
        match self {
            Self::Status(status) => (400..500).contains(status) && !OF_ALL.contains(status),
            Self::NotJson
            | Self::Missing(_)
            | Self::TooLong(_)
            | Self::NothingSaid
            | Self::Withheld => true,
            Self::NotLoopback
            | Self::Unresolved
            | Self::Unreachable(_)
            | Self::Tls
            | Self::TimedOut(_)
            | Self::Cut
            | Self::Protocol
            | Self::Redirect(_)
            | Self::Base64
            | Self::Picture(_) => false,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NotLoopback => {
                "`[endpoint] allow_remote = true` lets the photos or texts of this stage leave the \
                 machine, outside of the guarantee; or forward a port of this machine to the server"
            }
            Self::Unresolved | Self::Unreachable(_) => {
                "is the server running, and are host and port of the `endpoint:` name right?"
            }
            Self::Tls => {
                "the server's certificate must be signed by a public authority; on this machine use \
                 http://"
            }
            Self::TimedOut(_) => {
                "raise `endpoint.timeout_seconds`, or lower `endpoint.concurrency` where the server is \
                 overloaded; what was answered is kept, run the command again"
            }
            Self::Status(401 | 403) => {
                "the server wants a key: put it into an environment variable and name that in \
                 `endpoint.api_key_env`"
            }
            Self::Status(404 | 405) => {
                "check path and model of the `endpoint:` name: http://HOST:PORT/v1#MODEL; the server's \
                 /v1/models lists what it has"
            }
            Self::Status(413) => "lower `endpoint.photo_side`",
            Self::Status(429 | 500..=599) => {
                "see the server's log; lower `endpoint.concurrency` where it is overloaded; what was \
                 answered is kept, run the command again"
            }
            Self::Status(_) => {
                "see the server's log: it may have no such model, no chat template or too short a \
                 context, or not take pictures, sizes or seeds (`endpoint.send_seed = false`)"
            }
            Self::Redirect(_) => "name the address that the server really has",
            Self::NothingSaid => {
                "raise `max_tokens` of the stage, or start the server with its model's thinking off"
            }
            Self::Withheld => {
                "see the server's log: it may filter what is asked or answered, or its model may not take \
                 pictures"
            }
            Self::Missing("data[0].b64_json") => {
                "the renderer must return pictures as base64 (`response_format` `b64_json`), not as \
                 addresses"
            }
            _ => {
                "is this an OpenAI-compatible server (path /v1)? See its log; what was answered is kept, \
                 run the command again"
            }
        }
    }
}
