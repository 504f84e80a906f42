//! One server, asked for one thing at a time by many threads.

use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use image::RgbImage;
use serde_json::Value;
use ureq::Agent;
use ureq::http::HeaderMap;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;

use albumen_schema::EndpointName;
use albumen_schema::config::EndpointConfig;

use crate::chat::{self, Turn};
use crate::error::{EndpointError, Problem, Result, ServerWords};
use crate::fence::{Fence, Refused};
use crate::flight::{Gate, ask_all};
use crate::picture::{self, PictureRequest};
use crate::retry::{Backoff, retry_after};

/// The interface that gives texts.
const CHAT: &str = "chat/completions";
/// Longest answer of `chat/completions`: far above any text that is asked for.
const MAX_TEXT_BYTES: u64 = 4 << 20;
/// Longest answer of `images/generations`.
const MAX_PICTURE_BYTES: u64 = 128 << 20;
/// How much of a refusal is kept.
const MAX_WORDS_BYTES: u64 = 4096;
/// Longest time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// A client of one server.
///
/// A request carries nothing of another: each has a connection of its own, without cookies.
pub struct Client {
    name: EndpointName,
    config: EndpointConfig,
    backoff: Backoff,
    key: Option<String>,
    gate: Gate,
}

/// Why one try failed.
struct Failure {
    problem: Problem,
    retry_after: Option<Duration>,
    words: Vec<u8>,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            retry_after: None,
            words: Vec::new(),
        }
    }
}

impl Client {
    /// A client for the server. The API key is read from its environment variable now.
    ///
    /// # Errors
    /// [`EndpointError::Key`] where that variable is not set.
    pub fn new(name: EndpointName, config: &EndpointConfig) -> Result<Self> {
        let key = match config.api_key_env.as_str() {
            "" => None,
            variable => Some(key(variable)?),
        };
        Ok(Self {
            name,
            gate: Gate::new(config.concurrency),
            config: config.clone(),
            backoff: Backoff::default(),
            key,
        })
    }

    /// The same client with other waiting times between tries.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The server that is asked.
    pub fn name(&self) -> &EndpointName {
        &self.name
    }

    /// Requests in flight at once, at most.
    pub fn concurrency(&self) -> usize {
        self.config.concurrency
    }

    /// Longest side, in pixels, at which photos are sent.
    pub fn photo_side(&self) -> u32 {
        self.config.photo_side
    }

    /// Whether the server is held to be on another machine: then what is asked leaves this one.
    pub fn is_remote(&self) -> bool {
        self.config.allow_remote && !self.name.is_loopback()
    }

    /// What the model says next in a conversation, in at most `max_tokens` tokens; empty where it has
    /// nothing to say.
    ///
    /// # Errors
    /// [`EndpointError::Request`].
    pub fn complete(&self, turns: &[Turn], max_tokens: usize) -> Result<String> {
        let seed = self.config.send_seed.then_some(0);
        let body = chat::body(self.name.model(), turns, max_tokens, seed);
        self.post(CHAT, &body, MAX_TEXT_BYTES, &chat::answer)
    }

    /// Asks something public, which must be answered: a model's name, a key, a server's limits are found
    /// wrong here, with nothing private sent.
    ///
    /// # Errors
    /// [`EndpointError::Request`], also where the answer is empty.
    pub fn rehearse(&self, turns: &[Turn], max_tokens: usize) -> Result<()> {
        if self.complete(turns, max_tokens)?.is_empty() {
            return Err(EndpointError::Request {
                server: self.name.authority(),
                interface: CHAT,
                problem: Problem::Withheld,
                attempts: 1,
                words: ServerWords::default(),
            });
        }
        Ok(())
    }

    /// A picture of the wanted size.
    ///
    /// # Errors
    /// [`EndpointError::Request`].
    pub fn draw(&self, request: &PictureRequest<'_>) -> Result<RgbImage> {
        let body = picture::body(self.name.model(), request, self.config.send_seed);
        self.post(
            "images/generations",
            &body,
            MAX_PICTURE_BYTES,
            &|bytes: &[u8]| picture::answer(bytes, request.size),
        )
    }

    /// Asks for each item, [`Self::concurrency`] at a time, and hands each answer with the item's index
    /// to `answered`, on this thread, as soon as it is there: not in the items' order.
    ///
    /// # Errors
    /// The first error of `ask` or `answered`. No item is begun after it, and answers that were under
    /// way are still handed over.
    pub fn ask_all<T: Sync, A: Send, E: Send>(
        &self,
        items: &[T],
        ask: impl Fn(&T) -> std::result::Result<A, E> + Sync,
        mut answered: impl FnMut(usize, A) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        ask_all(self.config.concurrency, items, &ask, &mut answered)
    }

    /// Sends the body until an answer comes that `read` can read, or trying again is of no use.
    fn post<A>(
        &self,
        interface: &'static str,
        body: &Value,
        limit_bytes: u64,
        read: &dyn Fn(&[u8]) -> std::result::Result<A, Problem>,
    ) -> Result<A> {
        let _place = self.gate.enter();
        let body = body.to_string();
        let mut attempts = 1;
        loop {
            let failure = match self.send(interface, &body, limit_bytes) {
                Ok(bytes) => match read(&bytes) {
                    Ok(answer) => return Ok(answer),
                    Err(problem) => problem.into(),
                },
                Err(failure) => failure,
            };
            if attempts > self.config.retries || !failure.problem.passes() {
                return Err(EndpointError::Request {
                    server: self.name.authority(),
                    interface,
                    problem: failure.problem,
                    attempts,
                    words: ServerWords(failure.words),
                });
            }
            let jitter = rand::random::<f64>();
            std::thread::sleep(self.backoff.delay(attempts, failure.retry_after, jitter));
            attempts += 1;
        }
    }

    /// Sends the body once.
    fn send(
        &self,
        interface: &str,
        body: &str,
        limit_bytes: u64,
    ) -> std::result::Result<Vec<u8>, Failure> {
        let timeout = Duration::from_secs(self.config.timeout_seconds);
        let agent = Agent::with_parts(
            ureq::config::Config::builder()
                .timeout_global(Some(timeout))
                .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                // Not even one that the environment names: it would be on another machine.
                .proxy(None)
                .user_agent(albumen_schema::TOOL)
                .accept("application/json")
                .build(),
            DefaultConnector::default(),
            Fence {
                // A name that says "this machine" is held to it in any case.
                open: self.is_remote(),
                resolver: DefaultResolver::default(),
            },
        );
        let mut request = agent
            .post(self.name.url(interface))
            .header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let problem = |e: ureq::Error| self.problem(&e);
        let mut response = request.send(body).map_err(problem)?;
        let status = response.status();
        let asked_for = after(response.headers());
        if status.is_success() {
            let body = response.body_mut().with_config().limit(limit_bytes);
            return Ok(body.read_to_vec().map_err(problem)?);
        }
        // What cannot be read of a refusal is no loss.
        let mut words = Vec::new();
        let mut body = response.body_mut().as_reader().take(MAX_WORDS_BYTES);
        let _ = body.read_to_end(&mut words);
        let problem = match status.as_u16() {
            code @ 300..400 => Problem::Redirect(code),
            code => Problem::Status(code),
        };
        Err(Failure {
            problem,
            retry_after: asked_for,
            words,
        })
    }

    fn problem(&self, error: &ureq::Error) -> Problem {
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect) => {
                Problem::Unreachable("no connection in time".to_owned())
            }
            ureq::Error::Timeout(_) => Problem::TimedOut(self.config.timeout_seconds),
            ureq::Error::HostNotFound => Problem::Unresolved,
            ureq::Error::ConnectionFailed => Problem::Unreachable("no connection".to_owned()),
            ureq::Error::BodyExceedsLimit(limit) => Problem::TooLong(*limit),
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired => Problem::Tls,
            ureq::Error::Other(inner) if inner.is::<Refused>() => Problem::NotLoopback,
            ureq::Error::Io(inner) => match inner.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Problem::Cut,
                io::ErrorKind::InvalidData => Problem::Tls,
                // The system's name for it, and nothing that came over the wire.
                kind => Problem::Unreachable(kind.to_string()),
            },
            _ => Problem::Protocol,
        }
    }
}

fn after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("Retry-After")?.to_str().ok()?;
    retry_after(value, SystemTime::now())
}

fn key(variable: &str) -> Result<String> {
    let wrong = |problem| EndpointError::Key {
        variable: variable.to_owned(),
        problem,
    };
    let key = std::env::var(variable).map_err(|e| match e {
        std::env::VarError::NotPresent => wrong("is not set"),
        std::env::VarError::NotUnicode(_) => wrong("holds no text"),
    })?;
    let key = key.trim();
    if key.is_empty() {
        return Err(wrong("is empty"));
    }
    if !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(wrong("holds characters that no key has"));
    }
    Ok(key.to_owned())
}
