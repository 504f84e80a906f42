//! A server of the test's own: plays what it is told, and remembers what it was asked.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of these helpers, which fail by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What a server does with a request.
pub(crate) enum Play {
    /// Answers with this status, these further header lines and this body.
    Status(u16, &'static str, Vec<u8>),
    /// Says how long the body is, sends half of it and closes.
    HalfABody(Vec<u8>),
    /// Sends a line of nothing and closes.
    Garbage,
    /// Takes the request and says nothing for this long.
    Hang(Duration),
    /// Waits, then answers with status 200.
    Slow(Duration, Vec<u8>),
    /// Closes without a word.
    Close,
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

/// Stops when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    most_at_once: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Script = dyn Fn(usize, &Asked) -> Play + Send + Sync;

impl Server {
    /// Serves on 127.0.0.1; `script` gets each request's number, from 0, and the request.
    pub(crate) fn start(script: impl Fn(usize, &Asked) -> Play + Send + Sync + 'static) -> Self {
        Self::on(Ipv4Addr::LOCALHOST.into(), script)
    }

    pub(crate) fn on(
        address: IpAddr,
        script: impl Fn(usize, &Asked) -> Play + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let at_once = Arc::new(AtomicUsize::new(0));
        let most_at_once = Arc::new(AtomicUsize::new(0));
        let script: Arc<Script> = Arc::new(script);
        let (log, stopped, most) = (asked.clone(), stop.clone(), most_at_once.clone());
        let thread = std::thread::spawn(move || {
            let mut served = Vec::new();
            while !stopped.load(Ordering::SeqCst) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                let (log, script, stopped) = (log.clone(), script.clone(), stopped.clone());
                let (at_once, most) = (at_once.clone(), most.clone());
                served.push(std::thread::spawn(move || {
                    let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    // A client that goes away in the middle is part of some tests.
                    let _ = serve(stream, &log, &*script, &stopped, &at_once);
                }));
            }
            for thread in served {
                let _ = thread.join();
            }
        });
        Self {
            port,
            asked,
            most_at_once,
            stop,
            thread: Some(thread),
        }
    }

    /// The server's name, without `endpoint:`.
    pub(crate) fn name(&self) -> String {
        format!("http://127.0.0.1:{}/v1#test-model", self.port)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Most requests that it had at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    script: &Script,
    stop: &AtomicBool,
    at_once: &AtomicUsize,
) -> std::io::Result<()> {
    let asked = read(&mut stream)?;
    let number = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let play = script(number, &asked);
    let wait = |time: Duration| {
        let end = Instant::now() + time;
        while Instant::now() < end && !stop.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let whole = |status: u16, more: &str, body: &[u8]| {
        let length = body.len();
        let mut answer =
            format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{more}\r\n").into_bytes();
        answer.extend(body);
        answer
    };
    let mut answer = match play {
        Play::Status(status, more, body) => whole(status, more, &body),
        Play::HalfABody(body) => {
            let mut answer = whole(200, "", &body);
            answer.truncate(answer.len() - body.len() / 2);
            answer
        }
        Play::Garbage => b"220 mail.example.org ESMTP\r\n\r\n".to_vec(),
        Play::Hang(time) => {
            wait(time);
            Vec::new()
        }
        Play::Slow(time, body) => {
            wait(time);
            whole(200, "", &body)
        }
        Play::Close => Vec::new(),
    };
    // Before the client can have read the answer and asked again.
    at_once.fetch_sub(1, Ordering::SeqCst);
    stream.write_all(&std::mem::take(&mut answer))
}

fn read(stream: &mut TcpStream) -> std::io::Result<Asked> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            break;
        }
    }
    let field = |name: &str| {
        head.lines()
            .find_map(|line| {
                line.split_once(':')
                    .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            })
            .map(|(_, value)| value.trim().to_owned())
    };
    let length = field("content-length").and_then(|v| v.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Asked {
        path: head.split(' ').nth(1).unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        head,
        at: Instant::now(),
    })
}

/// An answer of `chat/completions`.
pub(crate) fn said(text: &str) -> Vec<u8> {
    let message = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    json!({"object": "chat.completion", "choices": [choice]})
        .to_string()
        .into_bytes()
}
