//! A server on this machine that speaks the hub's protocol.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server has, and what it was asked for.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// File and number of bytes after which its first response breaks off.
    pub(crate) breaks: Mutex<Option<(String, usize)>>,
    /// SHA-256 that it claims for a file.
    pub(crate) claims: BTreeMap<String, String>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Server {
    /// Serves until the process ends; the address.
    pub(crate) fn start(self) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(self);
        let shared = Arc::clone(&server);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up is part of the test.
                let _ = shared.answer(stream);
            }
        });
        (server, address)
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or(Ok(String::new()))?;
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut range = None;
        for line in lines {
            let line = line?.to_lowercase();
            if let Some(bytes) = line.strip_prefix("range: bytes=") {
                let (start, end) = bytes.split_once('-').unwrap();
                range = Some((start.parse::<usize>().unwrap(), end.parse::<usize>().ok()));
            }
            if line.is_empty() {
                break;
            }
        }
        self.asked.lock().unwrap().push(format!("{path} {range:?}"));
        let head = |status: &str, len: usize, more: &str| {
            format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len}\r\n{more}\r\n")
        };
        if path == "/api/models/owner/tiny/revision/main" {
            let siblings: Vec<_> = self
                .files
                .keys()
                .map(|f| serde_json::json!({"rfilename": f}))
                .collect();
            let body = serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string();
            return write!(stream, "{}{body}", head("200 OK", body.len(), ""));
        }
        let prefix = format!("/owner/tiny/resolve/{COMMIT}/");
        let name = path.strip_prefix(&prefix).unwrap_or_default();
        let Some(file) = self.files.get(name) else {
            return write!(stream, "{}", head("404 Not Found", 0, ""));
        };
        let (start, end) = range.unwrap_or((0, None));
        let body = &file[start..end.map_or(file.len(), |e| (e + 1).min(file.len()))];
        let etag = self
            .claims
            .get(name)
            .cloned()
            .unwrap_or_else(|| format!("etag-{name}"));
        let more = format!(
            "ETag: \"{etag}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Range: bytes {start}-{}/{}\r\n",
            start + body.len().saturating_sub(1),
            file.len()
        );
        stream.write_all(head("206 Partial Content", body.len(), &more).as_bytes())?;
        let mut breaks = self.breaks.lock().unwrap();
        let cut = breaks.take_if(|(file, at)| *file == name && body.len() > *at);
        stream.write_all(&body[..cut.map_or(body.len(), |(_, at)| at)])
    }
}
