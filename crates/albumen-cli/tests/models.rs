//! `albumen models`, and runs with models of every family named by `path:` and `hub:`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails by panicking"
)]

#[path = "../../albumen-models/tests/common/hub_server.rs"]
mod hub_server;
#[path = "../../albumen-models/tests/common/mod.rs"]
mod tiny;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use hub_server::{COMMIT, Server};
use serde_json::{Value, json};

const FAMILIES: [&str; 7] = [
    "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3",
];

/// Exit code, stdout and stderr of `albumen ARGS` in `dir`, with variables set.
fn albumen(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let output = Command::cargo_bin("albumen")
        .unwrap()
        .args(args)
        .current_dir(dir)
        .env("HF_HOME", dir.join("hf"))
        .env_remove("HF_TOKEN")
        .env_remove("HF_HUB_OFFLINE")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

fn read_json(dir: &Path, args: &[&str]) -> Value {
    let (code, stdout, stderr) = albumen(dir, args, &[]);
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// A tokenizer of single ASCII characters within any tiny model's vocabulary.
fn tokenizer() -> Value {
    let letter = |byte: u8| match byte {
        b' ' => "\u{120}".to_owned(),
        b'\n' => "\u{10a}".to_owned(),
        other => char::from(other).to_string(),
    };
    let mut vocabulary = serde_json::Map::new();
    for (id, special) in ["<unk>", "<s>", "<eos>"].iter().enumerate() {
        vocabulary.insert((*special).into(), json!(id));
    }
    for (i, byte) in (b' '..=b'~').chain([b'\n']).enumerate() {
        vocabulary.insert(letter(byte), json!(3 + i));
    }
    let bytes = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    });
    json!({
        "version": "1.0",
        "added_tokens": [{
            "id": 2, "content": "<eos>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "pre_tokenizer": bytes,
        "decoder": bytes,
        "model": {
            "type": "BPE", "fuse_unk": false, "byte_fallback": false,
            "vocab": vocabulary, "merges": [],
        },
    })
}

/// A tiny random checkpoint with room for whole albums; the files of a directory.
fn checkpoint(family: &str) -> Vec<(String, Vec<u8>)> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../albumen-lm/tests/golden")
        .join(family);
    let mut files = Vec::new();
    for entry in fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("model") && name != "model.gguf" {
            files.push((name, fs::read(&path).unwrap()));
        } else if name == "config.json" {
            let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            config["max_position_embeddings"] = json!(4096);
            files.push((name, config.to_string().into_bytes()));
        }
    }
    let card = "---\nlanguage: en\nlicense: cc0-1.0\n---\n# Tiny\n";
    files.push(("README.md".into(), card.into()));
    files.push(("tokenizer.json".into(), tokenizer().to_string().into()));
    let config = json!({"eos_token": "<eos>"}).to_string();
    files.push(("tokenizer_config.json".into(), config.into()));
    files
}

fn write_checkpoint(dir: &Path, family: &str) -> PathBuf {
    let folder = dir.join(family);
    fs::create_dir(&folder).unwrap();
    for (name, bytes) in checkpoint(family) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

/// A corpus of text, and a configuration of a run of two steps.
fn write_run(dir: &Path, model: &str) {
    let album = |i: usize| {
        let photos: Vec<_> = (0..2)
            .map(|p| json!({"id": format!("p{p}"), "caption": format!("A photo of {} things.", i + p)}))
            .collect();
        json!({"album_id": format!("a{i}"), "owner_id": format!("o{i}"), "photos": photos})
    };
    let lines: Vec<String> = (0..6).map(|i| album(i).to_string()).collect();
    fs::write(dir.join("albums.jsonl"), lines.join("\n")).unwrap();
    let step = "expected_batch = 20\nsteps = 2\nlearning_rate = 0.01\n";
    let config = format!(
        "name = \"tiny\"\n[corpus]\npath = \"albums.jsonl\"\nformat = \"jsonl\"\n\
         [summarize]\nmodel = \"{model}\"\nmax_tokens = 4\n\
         [privacy]\nunit = \"owner\"\nepsilon = 9.0\ndelta = 1e-3\ndeclared_units = 40\n\
         [compute]\nprecision = \"f32\"\n\
         [train]\nmodel = \"{model}\"\nlora_rank = 2\nlora_layers = 1\nlora_targets = \"all\"\n\
         [train.summary]\n{step}[train.caption]\n{step}\
         [generate]\nalbums = 2\ntries = 1\nmax_summary_tokens = 8\nmax_caption_tokens = 6\n\
         max_photos = 2\n"
    );
    fs::write(dir.join("c.toml"), config).unwrap();
}

#[test]
fn every_family_runs_through_the_command_line() {
    for family in FAMILIES {
        let dir = tempfile::tempdir().unwrap();
        write_checkpoint(dir.path(), family);
        write_run(dir.path(), &format!("path:{family}"));
        let run = ["run", "c.toml", "--until", "generate"];
        let (code, _, stderr) = albumen(dir.path(), &run, &[]);
        assert_eq!(code, 0, "{family}: {stderr}");
        let sampled = dir
            .path()
            .join("runs/tiny/synthetic/generate/sampled.parquet");
        assert!(sampled.is_file(), "{family}");
        let (code, _, stderr) = albumen(dir.path(), &run, &[]);
        assert_eq!(code, 0);
        assert!(
            stderr.contains("train-caption: finished before"),
            "{stderr}"
        );
    }
}

#[test]
fn inspect_says_what_a_checkpoint_is() {
    let dir = tempfile::tempdir().unwrap();
    write_checkpoint(dir.path(), "llama3");
    let args = ["models", "inspect", "llama3", "--json", "--rank", "4"];
    let found = read_json(dir.path(), &args);
    assert_eq!(found["family"], "llama");
    assert_eq!(found["format"], "safetensors");
    assert_eq!(found["licence"], "cc0-1.0");
    assert_eq!(found["trainable"], true);
    assert_eq!(found["tokenizer"]["eos_id"], 2);
    let config = &found["config"];
    let width = |key: &str| config[key].as_u64().unwrap();
    let (h, d, layers) = (width("hidden_size"), width("head_dim"), width("num_layers"));
    let (q, kv) = (d * width("num_heads"), d * width("num_kv_heads"));
    let lora = &found["lora"];
    assert_eq!(lora["parameters"], 4 * layers * (2 * h + q + kv));
    let parameters = found["parameter_count"].as_u64().unwrap();
    assert_eq!(lora["memory_f32"]["weights_bytes"], 4 * parameters);
    assert_eq!(lora["memory_bf16"]["weights_bytes"], 2 * parameters);

    // By name, for people, and what cannot be adapted as asked for.
    let (code, stdout, _) = albumen(dir.path(), &["models", "inspect", "path:llama3"], &[]);
    assert_eq!(code, 0);
    for fact in ["LlamaForCausalLM", "cc0-1.0", "trainable    yes", "BF16"] {
        assert!(stdout.contains(fact), "{fact}: {stdout}");
    }
    let args = ["models", "inspect", "llama3", "--json", "--rank", "9999"];
    let found = read_json(dir.path(), &args);
    assert_eq!(found["lora"]["parameters"], Value::Null);
    assert!(
        found["lora"]["error"]
            .as_str()
            .unwrap()
            .contains("rank 9999")
    );
}

#[test]
fn a_broken_checkpoint_is_described_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write_checkpoint(dir.path(), "qwen2");
    let inspect = || albumen(dir.path(), &["models", "inspect", "qwen2"], &[]);

    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    let (code, stdout, _) = inspect();
    assert_eq!(code, 0);
    assert!(stdout.contains("trainable    no: "), "{stdout}");
    assert!(stdout.contains("tokenizer.json"), "{stdout}");

    let config = fs::read_to_string(folder.join("config.json")).unwrap();
    let other = config.replace("Qwen2ForCausalLM", "FalconForCausalLM");
    fs::write(folder.join("config.json"), other).unwrap();
    let (code, _, stderr) = inspect();
    assert_eq!(code, 1);
    for word in [
        "FalconForCausalLM",
        "language model: LlamaForCausalLM",
        "Gemma3ForCausalLM",
    ] {
        assert!(stderr.contains(word), "{stderr}");
    }
    fs::write(folder.join("config.json"), config).unwrap();

    let weights = folder.join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() - 100]).unwrap();
    let (code, _, stderr) = inspect();
    assert_eq!(code, 1);
    assert!(stderr.contains("cut short"), "{stderr}");

    let (code, _, stderr) = albumen(dir.path(), &["models", "inspect", "nowhere"], &[]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("nowhere is not there") && stderr.contains("hint"),
        "{stderr}"
    );
}

#[test]
fn models_of_other_kinds_are_described_and_sent_to_their_stage() {
    let dir = tempfile::tempdir().unwrap();
    let tensor = |part: &str| tiny::safetensors(&[(part, "F16", &[4, 5])]);
    let mut files = tiny::Files::new();
    let index = json!({
        "_class_name": "FluxPipeline", "scheduler": ["diffusers", "FlowMatchEuler"],
        "transformer": ["diffusers", "FluxTransformer2DModel"], "vae": ["diffusers", "AutoencoderKL"],
    });
    files.insert("model_index.json".into(), index.to_string().into());
    files.insert(
        "transformer/diffusion_pytorch_model.safetensors".into(),
        tensor("t"),
    );
    files.insert(
        "vae/diffusion_pytorch_model.safetensors".into(),
        tensor("v"),
    );
    tiny::write(&dir.path().join("flux"), &files);
    let found = read_json(dir.path(), &["models", "inspect", "path:flux", "--json"]);
    assert_eq!(found["kind"], "text_to_image");
    assert_eq!(found["architecture"], "FluxPipeline");
    assert_eq!(found["parameter_count"], 40);
    assert_eq!(found["parts"][0]["class"], "FluxTransformer2DModel");
    assert_eq!(found["half_bytes"], 80);
    let (code, stdout, _) = albumen(dir.path(), &["models", "inspect", "flux"], &[]);
    assert_eq!(code, 0);
    for word in [
        "text-to-image",
        "FluxPipeline",
        "20 parameters",
        "F16",
        "AutoencoderKL",
    ] {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }

    write_run(dir.path(), "path:flux");
    let (code, _, stderr) = albumen(dir.path(), &["run", "c.toml"], &[]);
    assert_eq!(code, 1);
    for word in [
        "needs a language model",
        "is a text-to-image model (FluxPipeline)",
        "did you mean",
    ] {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }

    let vae = dir
        .path()
        .join("flux/vae/diffusion_pytorch_model.safetensors");
    let bytes = fs::read(&vae).unwrap();
    fs::write(&vae, &bytes[..bytes.len() - 1]).unwrap();
    let (code, _, stderr) = albumen(dir.path(), &["models", "inspect", "flux"], &[]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("vae") && stderr.contains("cut short"),
        "{stderr}"
    );
}

#[test]
fn list_names_models_families_and_devices() {
    let dir = tempfile::tempdir().unwrap();
    let found = read_json(dir.path(), &["models", "list", "--json"]);
    assert_eq!(found["models"][0]["name"], "asset:smollm2-135m-instruct");
    assert_eq!(found["models"][0]["licence"], "Apache-2.0");
    assert_eq!(found["models"][0]["kind"], "language");
    assert_eq!(found["models"][1]["kind"], "tagger");
    let language = found["architectures"]["language"].as_array().unwrap();
    assert_eq!(language[0]["class"], "LlamaForCausalLM");
    let pictures = found["architectures"]["text_to_image"].to_string();
    assert!(pictures.contains("FluxPipeline"), "{pictures}");
    assert_eq!(found["devices"][0], "cpu");
    let (code, stdout, _) = albumen(dir.path(), &["models", "list"], &[]);
    assert_eq!(code, 0);
    for word in [
        "Qwen3ForCausalLM",
        "captioner",
        "StableDiffusionXLPipeline",
        "nanodet",
    ] {
        assert!(stdout.contains(word), "{stdout}");
    }
}

#[test]
fn an_asset_that_is_not_the_pinned_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let folder = home.join("assets/smollm2-135m-instruct");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("SmolLM2-135M-Instruct.Q4_1.gguf"),
        "GGUF, cut short",
    )
    .unwrap();
    let home = home.to_str().unwrap();
    let args = ["models", "inspect", "asset:smollm2-135m-instruct"];
    let (code, _, stderr) = albumen(dir.path(), &args, &[("ALBUMEN_HOME", home)]);
    assert_eq!(code, 1);
    for word in ["15 bytes", "SHA-256", "b179c9523d0e", "models fetch"] {
        assert!(stderr.contains(word), "{stderr}");
    }
    let args = ["models", "inspect", "asset:naughty-words"];
    let (code, _, stderr) = albumen(dir.path(), &args, &[]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("there are: smollm2-135m-instruct"),
        "{stderr}"
    );
}

/// A server that has a tiny checkpoint as owner/tiny.
fn serve() -> (std::sync::Arc<Server>, String) {
    let files = checkpoint("llama3").into_iter().collect();
    Server {
        files,
        ..Server::default()
    }
    .start()
}

#[test]
fn a_model_of_the_hub_is_fetched_once_and_trained_offline() {
    let (server, address) = serve();
    let dir = tempfile::tempdir().unwrap();
    let online = [("HF_ENDPOINT", address.as_str())];
    let offline = [("HF_ENDPOINT", address.as_str()), ("HF_HUB_OFFLINE", "1")];
    let fetch = ["models", "fetch", "hub:owner/tiny"];

    let (code, _, stderr) = albumen(dir.path(), &fetch, &offline);
    assert_eq!(code, 1);
    assert!(stderr.contains("HF_HUB_OFFLINE"), "{stderr}");
    let (code, _, stderr) = albumen(dir.path(), &fetch, &online);
    assert_eq!(code, 0, "{stderr}");
    let asked = server.asked.lock().unwrap().len();

    let inspect = ["models", "inspect", "hub:owner/tiny", "--json"];
    let (code, stdout, stderr) = albumen(dir.path(), &inspect, &offline);
    assert_eq!(code, 0, "{stderr}");
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(found["revision"], COMMIT);
    assert_eq!(found["licence"], "cc0-1.0");

    write_run(dir.path(), "hub:owner/tiny");
    let run = ["run", "c.toml", "--until", "train-summary"];
    let (code, _, stderr) = albumen(dir.path(), &run, &offline);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        server.asked.lock().unwrap().len(),
        asked,
        "nothing was asked"
    );
}

#[test]
fn what_the_hub_does_not_give_is_said() {
    let (_, address) = serve();
    let dir = tempfile::tempdir().unwrap();
    let online = [("HF_ENDPOINT", address.as_str())];
    let nobody = [("HF_ENDPOINT", "http://127.0.0.1:9")];
    for (name, variables, words) in [
        ("hub:owner/other", &online, "check the name"),
        ("hub:owner/tiny@v9", &online, "the revision \"v9\""),
        ("hub:owner/tiny", &nobody, "and the network"),
        ("hub:tiny", &online, "write hub:OWNER/NAME"),
        ("endpoint:http://h/v1", &online, "has no files here"),
        ("endpoint:h/v1", &online, "starts with `http://`"),
        ("endpoint:http://u:s3cret@h/v1", &online, "no user name"),
        ("hub:owner/tiny/some.gguf", &online, "it has no some.gguf"),
        ("mistral", &online, "names no model"),
        ("zip:mistral", &online, "names no model"),
    ] {
        let (code, _, stderr) = albumen(dir.path(), &["models", "fetch", name], variables);
        assert_eq!(code, 1, "{name}");
        assert!(stderr.contains(words), "{name}: {stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
}

#[test]
fn a_damaged_download_is_refused() {
    let mut claims = std::collections::BTreeMap::new();
    let (shard, _) = checkpoint("llama3")
        .into_iter()
        .find(|(name, _)| name.ends_with(".safetensors"))
        .unwrap();
    claims.insert(shard, "ab".repeat(32));
    let (_, address) = Server {
        files: checkpoint("llama3").into_iter().collect(),
        claims,
        ..Server::default()
    }
    .start();
    let dir = tempfile::tempdir().unwrap();
    let fetch = ["models", "fetch", "hub:owner/tiny"];
    let (code, _, stderr) = albumen(dir.path(), &fetch, &[("HF_ENDPOINT", &address)]);
    assert_eq!(code, 1);
    assert!(stderr.contains("arrived with SHA-256"), "{stderr}");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_of_another_build_is_refused_before_any_data_is_read() {
    let dir = tempfile::tempdir().unwrap();
    write_checkpoint(dir.path(), "llama");
    write_run(dir.path(), "path:llama");
    fs::remove_file(dir.path().join("albums.jsonl")).unwrap();
    let config = fs::read_to_string(dir.path().join("c.toml")).unwrap();
    let with = |device: &str| {
        let line = format!("[compute]\ndevice = \"{device}\"\n");
        fs::write(
            dir.path().join("c.toml"),
            config.replace("[compute]\n", &line),
        )
        .unwrap();
        albumen(dir.path(), &["run", "c.toml"], &[])
    };
    let (code, _, stderr) = with("cuda:1");
    assert_eq!(code, 1);
    assert!(
        stderr.contains("device cuda:1: this build is without it"),
        "{stderr}"
    );
    assert!(stderr.contains("--features cuda"), "{stderr}");
    let (code, _, stderr) = with("gpu");
    assert_eq!(code, 2);
    assert!(stderr.contains("`compute.device` is `gpu`"), "{stderr}");
    assert!(stderr.contains("use `cpu`, `cuda`"), "{stderr}");
}
