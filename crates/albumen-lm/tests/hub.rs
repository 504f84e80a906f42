//! Fetching from the hub: a server on this machine speaks its protocol.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may")]

use std::sync::Mutex;

use albumen_lm::weights::{Hub, HubModel};
use albumen_lm::{Family, Weights};

mod common;
#[path = "common/hub_server.rs"]
mod hub_server;

use hub_server::{COMMIT, Server};

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
        offline: false,
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
            .unwrap_err()
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
        let error = text.parse::<HubModel>().unwrap_err().to_string();
        assert!(error.contains("write hub:OWNER/NAME"), "{error}");
    }
}

#[test]
fn offline_only_the_cache_is_asked() {
    let (server, address) = tiny("llama3").start();
    let cache = tempfile::tempdir().unwrap();
    let model: HubModel = "hub:owner/tiny".parse().unwrap();
    let offline = Hub {
        offline: true,
        ..hub(&cache, &address)
    };
    let error = offline.fetch(&model).unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE"), "{error}");
    let path = hub(&cache, &address).fetch(&model).unwrap();
    assert_eq!(Hub::commit(&path).as_deref(), Some(COMMIT));
    let before = server.asked.lock().unwrap().len();
    assert_eq!(offline.fetch(&model).unwrap(), path);
    assert_eq!(server.asked.lock().unwrap().len(), before);
}
