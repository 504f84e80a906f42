//! Servers.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An OpenAI-compatible server and the model to ask it for: what follows `endpoint:` in a model's
/// name, `http://127.0.0.1:8080/v1#model-name`.
///
/// Without a path, `/v1` is meant. Without `#model-name`, requests name no model, which suits servers
/// of one model. User names, passwords and queries are refused: names are written to `run.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointName {
    secure: bool,
    /// A name, an IPv4 address, or an IPv6 address in brackets; in lower case.
    host: String,
    port: Option<u16>,
    /// Starts with a slash and ends with none.
    path: String,
    model: Option<String>,
}

impl EndpointName {
    /// What a server's name looks like.
    pub const FORM: &str =
        "write `endpoint:http://HOST:PORT/v1#MODEL`, where MODEL is what the server calls it";

    /// The address of one of the server's interfaces, such as `chat/completions`.
    pub fn url(&self, interface: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}/{interface}", self.authority(), self.path)
    }

    /// Host and, where the name has one, port: `127.0.0.1:8080`.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// What the server calls the model.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The same for what is published. Some servers call a model by the path of its file: of that only the
    /// last part.
    pub fn public_model(&self) -> Option<&str> {
        let name = self.model()?.trim_end_matches(['/', '\\']);
        let local = name.starts_with(['/', '.', '~']) || name.contains('\\');
        let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
        Some(if local { last } else { name })
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.secure
    }

    /// Whether the name itself says that this machine is meant: `localhost` (RFC 6761, section 6.3)
    /// or a loopback address. What any other name resolves to is seen only when connecting.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => is_loopback(address),
            Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
        }
    }
}

/// Whether an address is this machine's own: 127.0.0.0/8 or ::1, mapped to IPv6 too.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

impl FromStr for EndpointName {
    /// What is wrong with it; nothing of it is repeated.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = Err;
        let (url, model) = match text.split_once('#') {
            Some((url, model)) => (url, Some(model)),
            None => (text, None),
        };
        let (secure, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return wrong("a server's name starts with `http://` or `https://`"),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return wrong(
                "a server's name must hold no user name or password; `[endpoint] api_key_env` names \
                 the variable that holds a key",
            );
        }
        let (host, port) = split_port(authority);
        let port = match port.map(u16::from_str) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return wrong("a port is a number from 1 to 65535"),
        };
        if !is_host(host) {
            return wrong("the host is neither a name nor an address (IPv6 stands in brackets)");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%:".contains(c);
        if !path.chars().all(plain) {
            return wrong("the path holds characters that an address cannot have, or a query");
        }
        if model.is_some_and(|m| m.trim().is_empty() || m.chars().any(char::is_control)) {
            return wrong("no model's name follows the `#`");
        }
        let path = match path.trim_end_matches('/') {
            "" => "/v1",
            path => path,
        };
        Ok(Self {
            secure,
            host: host.to_ascii_lowercase(),
            port,
            path: path.to_owned(),
            model: model.map(str::to_owned),
        })
    }
}

/// Host and port; the colons inside of brackets belong to the host.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after = authority.rfind(']').map_or(0, |end| end + 1);
    match authority[after..].rfind(':') {
        Some(colon) => (
            &authority[..after + colon],
            Some(&authority[after + colon + 1..]),
        ),
        None => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !host.is_empty() && host.chars().all(plain)
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)?;
        match &self.model {
            Some(model) => write!(f, "#{model}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EndpointName {
        text.parse().expect("a name")
    }

    #[test]
    fn names_are_taken_apart_and_put_together_again() {
        let full = name("http://127.0.0.1:8080/v1#org/model:7b");
        assert_eq!(
            full.url("chat/completions"),
            "http://127.0.0.1:8080/v1/chat/completions"
        );
        assert_eq!(full.model(), Some("org/model:7b"));
        assert_eq!(full.to_string(), "http://127.0.0.1:8080/v1#org/model:7b");
        let short = name("https://GPU.example.org/");
        assert_eq!(short.to_string(), "https://gpu.example.org/v1");
        assert_eq!((short.model(), short.is_encrypted()), (None, true));
        let six = name("http://[::1]:99/api/openai/");
        assert_eq!(six.authority(), "[::1]:99");
        assert_eq!(six.url("x"), "http://[::1]:99/api/openai/x");
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for (text, says) in [
            ("", "starts with"),
            ("ftp://host/v1", "starts with"),
            ("http://", "the host"),
            ("http:///v1", "the host"),
            ("http://a b/v1", "the host"),
            ("http://::1/v1", "the host"),
            ("http://[::1", "the host"),
            ("http://host:0/v1", "a port is"),
            ("http://host:65536/v1", "a port is"),
            ("http://user:secret@host/v1", "api_key_env"),
            ("http://host/v1?key=secret", "query"),
            ("http://host/v1#", "no model"),
            ("http://host/v1#a\nb", "no model"),
        ] {
            let error = text.parse::<EndpointName>().expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn published_names_hold_no_path_of_a_machine() {
        for (model, published) in [
            ("org/model:7b", "org/model:7b"),
            ("/srv/private/m.gguf", "m.gguf"),
            ("C:\\models\\m.gguf", "m.gguf"),
            ("~/models/m/", "m"),
        ] {
            let name = name(&format!("http://h/v1#{model}"));
            assert_eq!(name.public_model(), Some(published));
        }
        assert_eq!(name("http://h/v1").public_model(), None);
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, own) in [
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("models.localhost", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("0.0.0.0", false),
            ("[::]", false),
            ("10.0.0.1", false),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org", false),
        ] {
            assert_eq!(
                name(&format!("http://{host}/v1")).is_loopback(),
                own,
                "{host}"
            );
        }
    }
}
