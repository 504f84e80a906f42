//! Fetching from the hub: a server on this machine speaks its protocol.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use albumen_models::{Hub, Kind};
use albumen_names::HubModel;

mod common;
#[path = "common/hub_server.rs"]
mod hub_server;

use common::Files;
use hub_server::{COMMIT, Server};

fn serving(files: Files) -> Server {
    Server {
        files,
        ..Server::default()
    }
}

fn hub(cache: &tempfile::TempDir, endpoint: &str) -> Hub {
    Hub {
        cache: cache.path().into(),
        endpoint: Some(endpoint.into()),
        token: None,
        offline: false,
        half: false,
    }
}

/// The files below a directory.
fn below(dir: &Path) -> BTreeSet<String> {
    walkdir::WalkDir::new(dir)
        .follow_links(true)
        .into_iter()
        .map(Result::unwrap)
        .filter(|e| e.file_type().is_file())
        .map(|e| e.path().strip_prefix(dir).unwrap().display().to_string())
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn a_sharded_model_is_fetched_once_and_found_offline() {
    let (server, address) = serving(common::language()).start();
    let cache = tempfile::tempdir().unwrap();
    let model: HubModel = "owner/tiny".parse().unwrap();
    let path = hub(&cache, &address).fetch(&model).unwrap();
    let names = [
        "README.md",
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    ];
    assert_eq!(below(&path), set(&names));
    for name in names {
        let fetched = std::fs::read(path.join(name)).unwrap();
        assert_eq!(fetched, common::language()[name], "{name}");
    }

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
    let found = hub(&cache, &address).find(&model).unwrap();
    assert_eq!(found.kind(), Some(Kind::Language));
    assert_eq!(
        found.describe(),
        format!("owner/tiny, revision {COMMIT} (mit)")
    );
    assert_eq!(found.fingerprint, COMMIT);
}

#[test]
fn a_captioner_comes_with_its_processor() {
    let (_, address) = serving(common::captioner()).start();
    let cache = tempfile::tempdir().unwrap();
    let model: HubModel = "owner/tiny".parse().unwrap();
    let found = hub(&cache, &address).find(&model).unwrap();
    assert_eq!(found.kind(), Some(Kind::Captioner));
    let names = [
        "README.md",
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer.json",
    ];
    assert_eq!(below(found.path().unwrap()), set(&names));

    let mut bare = common::captioner();
    bare.remove("preprocessor_config.json");
    bare.remove("processor_config.json");
    let (_, address) = serving(bare).start();
    let cache = tempfile::tempdir().unwrap();
    let error = hub(&cache, &address).fetch(&model).unwrap_err().to_string();
    assert!(
        error.contains("it has no preprocessor_config.json"),
        "{error}"
    );
}

const PIPELINE: [&str; 9] = [
    "README.md",
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "vae/config.json",
];

#[test]
fn of_a_pipeline_come_the_parts_that_a_picture_needs() {
    let (server, address) = serving(common::diffusion()).start();
    let cache = tempfile::tempdir().unwrap();
    let model: HubModel = "owner/tiny".parse().unwrap();
    let found = hub(&cache, &address).find(&model).unwrap();
    assert_eq!(found.kind(), Some(Kind::TextToImage));
    assert_eq!(found.licence.as_deref(), Some("sai-nc-community"));
    let weights = [
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json",
        "vae/diffusion_pytorch_model.safetensors",
    ];
    let path = found.path().unwrap();
    assert_eq!(below(path), set(&[&PIPELINE[..], &weights].concat()));
    let asked = server.asked.lock().unwrap().len();
    let offline = Hub {
        offline: true,
        ..hub(&cache, &address)
    };
    assert_eq!(offline.fetch(&model).unwrap(), path);
    assert_eq!(offline.cached(&model).as_deref(), Some(path));
    assert_eq!(server.asked.lock().unwrap().len(), asked);

    // The variant where it is, the whole weights where it is not.
    let cache = tempfile::tempdir().unwrap();
    let half = Hub {
        half: true,
        ..hub(&cache, &address)
    };
    let path = half.fetch(&model).unwrap();
    let weights = [
        "text_encoder/model.fp16.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ];
    assert_eq!(below(&path), set(&[&PIPELINE[..], &weights].concat()));
}

#[test]
fn nothing_large_is_fetched_of_what_cannot_be_loaded() {
    let mut other = common::language();
    let config = br#"{"architectures": ["FalconForCausalLM"]}"#;
    other.insert("config.json".into(), config.to_vec());
    let (server, address) = serving(other).start();
    let cache = tempfile::tempdir().unwrap();
    let error = hub(&cache, &address)
        .fetch(&"owner/tiny".parse().unwrap())
        .unwrap_err()
        .to_string();
    for word in ["owner/tiny", "FalconForCausalLM", "FluxPipeline", "Gemma3"] {
        assert!(error.contains(word), "{error}");
    }
    let asked = server.asked.lock().unwrap();
    assert!(
        asked
            .iter()
            .all(|a| a.contains("config.json") || a.contains("/api/")),
        "{asked:?}"
    );
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let mut files = common::captioner();
    let weights = common::safetensors(&[("w", "F32", &[100, 100])]);
    files.insert("model.safetensors".into(), weights.clone());
    let mut server = serving(files);
    server.breaks = Mutex::new(Some(("model.safetensors".into(), 20_000)));
    let (server, address) = server.start();
    let cache = tempfile::tempdir().unwrap();
    let path = hub(&cache, &address)
        .fetch(&"owner/tiny@main".parse().unwrap())
        .unwrap();
    assert_eq!(
        std::fs::read(path.join("model.safetensors")).unwrap(),
        weights
    );
    let asked = server.asked.lock().unwrap();
    assert!(
        asked
            .iter()
            .any(|a| a.ends_with("model.safetensors Some((20000, None))")),
        "{asked:?}"
    );
}

#[test]
fn a_gguf_file_is_fetched_alone_but_for_its_card() {
    let (server, address) = serving(common::language()).start();
    let cache = tempfile::tempdir().unwrap();
    let path = hub(&cache, &address)
        .fetch(&"owner/tiny/model.gguf".parse().unwrap())
        .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"GGUF");
    assert_eq!(albumen_models::licence(&path).as_deref(), Some("mit"));
    assert_eq!(
        below(path.parent().unwrap()),
        set(&["README.md", "model.gguf"])
    );
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
    let message = |files: Files, model: &str| {
        let (_, address) = serving(files).start();
        let cache = tempfile::tempdir().unwrap();
        hub(&cache, &address)
            .fetch(&model.parse().unwrap())
            .unwrap_err()
            .to_string()
    };
    let unknown = message(common::language(), "owner/other");
    assert!(
        unknown.contains("hub model owner/other") && unknown.contains("check the name"),
        "{unknown}"
    );
    let without = |name: &str| {
        let mut files = common::language();
        files.retain(|file, _| !file.starts_with(name));
        message(files, "owner/tiny")
    };
    let bare = without("tokenizer.json");
    assert!(
        bare.contains("it has no tokenizer.json at \"main\""),
        "{bare}"
    );
    let pickled = without("model-");
    assert!(pickled.contains("it has no model-00001"), "{pickled}");
    let pickled = without("model");
    assert!(
        pickled.contains("no safetensors") && pickled.contains("but pytorch_model.bin"),
        "{pickled}"
    );
    let unnamed = without("config.json");
    assert!(unnamed.contains("hub:owner/tiny/model.gguf"), "{unnamed}");
    let mut false_hash = serving(common::captioner());
    false_hash
        .claims
        .insert("model.safetensors".into(), "ab".repeat(32));
    let (_, address) = false_hash.start();
    let cache = tempfile::tempdir().unwrap();
    let model = "owner/tiny".parse().unwrap();
    let false_hash = hub(&cache, &address).fetch(&model).unwrap_err().to_string();
    assert!(
        false_hash.contains("model.safetensors arrived with SHA-256"),
        "{false_hash}"
    );
    assert_eq!(
        hub(&cache, &address).cached(&model),
        None,
        "what did not arrive whole is not found"
    );
}

#[test]
fn offline_only_the_cache_is_asked() {
    let (server, address) = serving(common::language()).start();
    let cache = tempfile::tempdir().unwrap();
    let model: HubModel = "owner/tiny".parse().unwrap();
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
