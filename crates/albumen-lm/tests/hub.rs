//! Fetching from the hub: a server on this machine speaks its protocol.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use albumen_lm::weights::{Hub, HubModel};
use albumen_lm::{Family, Weights};

mod common;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server has, and what it was asked for.
#[derive(Default)]
struct Server {
    files: BTreeMap<String, Vec<u8>>,
    /// File and number of bytes after which its first response breaks off.
    breaks: Mutex<Option<(String, usize)>>,
    /// SHA-256 that it claims for a file.
    claims: BTreeMap<String, String>,
    asked: Mutex<Vec<String>>,
}

impl Server {
    /// Serves until the process ends; the address.
    fn start(self) -> (Arc<Self>, String) {
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

/// A server with a golden checkpoint and a tokenizer that is not one.
fn tiny(family: &str) -> Server {
    let mut server = Server::default();
    for entry in std::fs::read_dir(common::golden(family)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("model") || name == "config.json" {
            server.files.insert(name, std::fs::read(path).unwrap());
        }
    }
    server.files.insert("tokenizer.json".into(), b"{}".to_vec());
    server
}

fn hub(cache: &tempfile::TempDir, endpoint: &str) -> Hub {
    Hub {
        cache: cache.path().into(),
        endpoint: Some(endpoint.into()),
        token: None,
    }
}

#[test]
fn a_sharded_model_is_fetched_once_and_loads_offline() {
    let (server, address) = tiny("llama3").start();
    let cache = tempfile::tempdir().unwrap();
    let model: HubModel = "hub:owner/tiny".parse().unwrap();
    let path = hub(&cache, &address).fetch(&model).unwrap();
    let (ours, theirs) = (
        Weights::load(&path).unwrap(),
        Weights::load(&common::golden("llama3")).unwrap(),
    );
    assert_eq!(ours.config, theirs.config);
    assert_eq!(ours.layers[1].down, theirs.layers[1].down);

    let before = server.asked.lock().unwrap().len();
    assert_eq!(hub(&cache, &address).fetch(&model).unwrap(), path);
    assert_eq!(
        server.asked.lock().unwrap().len(),
        before + 1,
        "only the commit is asked for again"
    );
    // Nothing listens on this port.
    assert_eq!(
        hub(&cache, "http://127.0.0.1:9").fetch(&model).unwrap(),
        path
    );
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let mut server = tiny("qwen3");
    server.breaks = Mutex::new(Some(("model.safetensors".into(), 20_000)));
    let (server, address) = server.start();
    let cache = tempfile::tempdir().unwrap();
    let path = hub(&cache, &address)
        .fetch(&"hub:owner/tiny@main".parse().unwrap())
        .unwrap();
    assert_eq!(Weights::load(&path).unwrap().config.family, Family::Qwen3);
    let asked = server.asked.lock().unwrap();
    assert!(
        asked
            .iter()
            .any(|a| a.ends_with("model.safetensors Some((20000, None))")),
        "{asked:?}"
    );
}

#[test]
fn a_gguf_file_is_fetched_alone() {
    let (server, address) = tiny("llama").start();
    let cache = tempfile::tempdir().unwrap();
    let path = hub(&cache, &address)
        .fetch(&"hub:owner/tiny/model.gguf".parse().unwrap())
        .unwrap();
    assert_eq!(Weights::load(&path).unwrap().config.family, Family::Llama);
    assert!(
        server
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|a| !a.contains("safetensors"))
    );
}

#[test]
fn refusals_name_model_and_mend() {
    let message = |server: Server, model: &str| {
        let (_, address) = server.start();
        let cache = tempfile::tempdir().unwrap();
        hub(&cache, &address)
            .fetch(&model.parse().unwrap())
            .err()
            .expect("refused")
            .to_string()
    };
    let unknown = message(tiny("qwen3"), "hub:owner/other");
    assert!(
        unknown.contains("hub model owner/other") && unknown.contains("check the name"),
        "{unknown}"
    );
    let mut bare = tiny("qwen3");
    bare.files.remove("tokenizer.json");
    let bare = message(bare, "hub:owner/tiny");
    assert!(
        bare.contains("it has no tokenizer.json at \"main\""),
        "{bare}"
    );
    let mut false_hash = tiny("qwen3");
    false_hash
        .claims
        .insert("model.safetensors".into(), "ab".repeat(32));
    let false_hash = message(false_hash, "hub:owner/tiny");
    assert!(
        false_hash.contains("model.safetensors arrived with SHA-256"),
        "{false_hash}"
    );
    for text in [
        "owner/tiny",
        "hub:tiny",
        "hub:../tiny",
        "hub:owner/tiny@",
        "hub:owner/tiny/notes.txt",
    ] {
        let error = text.parse::<HubModel>().err().expect("refused").to_string();
        assert!(error.contains("write hub:OWNER/NAME"), "{error}");
    }
}
