//! What a model is, by its own files, and what is said where it cannot be used.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may")]

use std::fs;
use std::path::Path;

use albumen_models::layout::{components, headers, weight_files};
use albumen_models::{
    Error, Found, Header, Kind, Place, detect, find_path, fingerprint, inspect, licence,
};

mod common;

fn folder(files: &common::Files) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    common::write(dir.path(), files);
    dir
}

#[test]
fn every_kind_is_known_by_its_configuration() {
    for (files, kind, class) in [
        (common::language(), Kind::Language, "LlamaForCausalLM"),
        (
            common::captioner(),
            Kind::Captioner,
            "BlipForConditionalGeneration",
        ),
        (
            common::diffusion(),
            Kind::TextToImage,
            "StableDiffusionXLPipeline",
        ),
    ] {
        let dir = folder(&files);
        let found = detect(dir.path()).unwrap();
        assert_eq!((found.kind, found.class), (kind, class));
    }
    // Without a class, by its type.
    let dir = folder(&common::language());
    let config = dir.path().join("config.json");
    fs::write(&config, r#"{"model_type": "qwen3_vl"}"#).unwrap();
    assert_eq!(detect(dir.path()).unwrap().kind, Kind::Captioner);
}

#[test]
fn what_cannot_be_loaded_is_refused_with_what_can() {
    let dir = folder(&common::language());
    let says = |config: &str| {
        fs::write(dir.path().join("config.json"), config).unwrap();
        detect(dir.path()).unwrap_err().to_string()
    };
    let falcon = says(r#"{"architectures": ["FalconForCausalLM"]}"#);
    for word in [
        "the architecture is FalconForCausalLM",
        "language model: LlamaForCausalLM",
        "captioner: BlipForConditionalGeneration",
        "text-to-image: StableDiffusionPipeline",
    ] {
        assert!(falcon.contains(word), "{falcon}");
    }
    let part = says(r#"{"_class_name": "UNet2DConditionModel"}"#);
    assert!(part.contains("one part of a diffusers directory"), "{part}");
    let none = says("{}");
    assert!(none.contains("the architecture is none named"), "{none}");
    let damaged = says("{\"architectures\"");
    assert!(damaged.contains("it is not JSON"), "{damaged}");

    fs::remove_file(dir.path().join("config.json")).unwrap();
    let error = |path: &Path| detect(path).unwrap_err().to_string();
    let gguf = error(dir.path());
    assert!(gguf.contains("model.gguf: name that file"), "{gguf}");
    fs::remove_file(dir.path().join("model.gguf")).unwrap();
    let pickle = error(dir.path());
    assert!(
        pickle.contains("pytorch_model.bin is in a format"),
        "{pickle}"
    );
    let lone = dir.path().join("model-00001-of-00002.safetensors");
    let lone = error(&lone);
    assert!(lone.contains("a lone file of weights"), "{lone}");
    let text = error(&dir.path().join("README.md"));
    assert!(text.contains("give a .gguf file"), "{text}");
    let nowhere = find_path(Path::new("nowhere")).unwrap_err().to_string();
    assert!(
        nowhere.contains("path:nowhere is not there") && nowhere.contains("hint"),
        "{nowhere}"
    );
}

#[test]
fn a_model_in_the_wrong_place_is_sent_to_its_own() {
    let dir = folder(&common::captioner());
    let found = find_path(dir.path()).unwrap();
    let key = "train.model";
    let error = found.require(&[Kind::Language], key).unwrap_err();
    let error = error.to_string();
    for word in [
        "`train.model` needs a language model",
        "is a captioner (BlipForConditionalGeneration)",
        "did you mean `caption.model`?",
        "supported are LlamaForCausalLM",
    ] {
        assert!(error.contains(word), "{error}");
    }
    let captioners = [Kind::Captioner, Kind::Tagger];
    found.require(&captioners, "caption.model").unwrap();

    let dir = folder(&common::diffusion());
    let found = find_path(dir.path()).unwrap();
    let error = found.require(&captioners, "caption.model").unwrap_err();
    assert!(error.to_string().contains("did you mean `render.model`?"));
    // An endpoint does not say what it is.
    let endpoint = Found {
        place: Place::Endpoint,
        architecture: None,
        ..found
    };
    endpoint.require(&[Kind::Language], key).unwrap();
    assert!(matches!(endpoint.path(), Err(Error::NoFiles { .. })));
}

#[test]
fn names_for_the_card_hold_what_is_known_and_no_path() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("my-model");
    fs::create_dir(&folder).unwrap();
    let mut files = common::language();
    files.remove("README.md");
    common::write(&folder, &files);
    let mut found = find_path(&folder).unwrap();
    assert_eq!(found.describe(), "my-model");
    fs::write(folder.join("README.md"), "---\nlicense: mit\n---\n").unwrap();
    assert_eq!(find_path(&folder).unwrap().describe(), "my-model (mit)");
    found.revision = Some("0123".into());
    assert_eq!(found.describe(), "my-model, revision 0123");
    let dotted = find_path(&folder.join(".")).unwrap();
    assert_eq!(dotted.name, "my-model");
}

#[test]
fn only_the_front_matter_of_a_card_counts() {
    let folder = tempfile::tempdir().unwrap();
    let says = |card: &str| {
        fs::write(folder.path().join("README.md"), card).unwrap();
        licence(folder.path())
    };
    assert_eq!(
        says("---\nlanguage: en\nlicense: apache-2.0\n---\n# A\n").as_deref(),
        Some("apache-2.0")
    );
    assert_eq!(says("---\nlicense: \"mit\"\n---\n").as_deref(), Some("mit"));
    let named = "---\nlicense: other\nlicense_name: flux-1-dev\n---\n";
    assert_eq!(says(named).as_deref(), Some("flux-1-dev"));
    assert_eq!(says("---\nlicense: other\n---\n").as_deref(), Some("other"));
    assert_eq!(says("---\nlicense:\n---\n"), None);
    assert_eq!(says("---\nlanguage: en\n---\nlicense: mit\n"), None);
    assert_eq!(says("license: mit\n"), None);
    fs::remove_file(folder.path().join("README.md")).unwrap();
    assert_eq!(licence(folder.path()), None);
}

#[test]
fn a_fingerprint_moves_with_the_files() {
    let dir = folder(&common::language());
    let before = fingerprint(dir.path()).unwrap();
    assert_eq!(fingerprint(dir.path()).unwrap(), before);
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    assert_ne!(fingerprint(dir.path()).unwrap(), before);
}

#[test]
fn parts_and_weights_of_a_pipeline_are_found() {
    let dir = folder(&common::diffusion());
    let index: serde_json::Value =
        serde_json::from_slice(&common::diffusion()["model_index.json"]).unwrap();
    let parts = components(&index);
    let names: Vec<_> = parts.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        names,
        ["scheduler", "text_encoder", "tokenizer", "unet", "vae"]
    );
    assert_eq!(parts[3].class, "UNet2DConditionModel");
    let heavy: Vec<_> = parts
        .iter()
        .map(albumen_models::layout::Component::has_weights)
        .collect();
    assert_eq!(heavy, [false, true, false, true, true]);

    let files = |part: &str, half| {
        let files = weight_files(&dir.path().join(part), half).unwrap();
        let names = files.iter().map(|f| f.file_name().unwrap());
        names
            .map(|n| n.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(files("unet", false).len(), 2);
    assert_eq!(
        files("unet", true),
        ["diffusion_pytorch_model.fp16.safetensors"]
    );
    assert_eq!(files("vae", true), ["diffusion_pytorch_model.safetensors"]);
    let unet = headers(&dir.path().join("unet"), false).unwrap();
    let numbers = unet.iter().flat_map(|(_, h)| h.tensors.values());
    assert_eq!(
        numbers
            .map(albumen_models::safetensors::Tensor::numbers)
            .sum::<u64>(),
        12
    );

    // A part may not lead out of its directory.
    let index = serde_json::json!({"_class_name": "X", "../vae": ["diffusers", "AutoencoderKL"]});
    assert_eq!(components(&index), []);
}

#[test]
fn missing_and_broken_weights_are_named() {
    let dir = folder(&common::language());
    let shard = dir.path().join("model-00002-of-00002.safetensors");
    let whole = fs::read(&shard).unwrap();
    for length in (0..whole.len()).step_by(7) {
        fs::write(&shard, &whole[..length]).unwrap();
        let error = headers(dir.path(), false).unwrap_err();
        let named = match &error {
            Error::Truncated { path, .. } | Error::Malformed { path, .. } => path == &shard,
            _ => false,
        };
        assert!(named, "{length}: {error}");
        assert!(error.to_string().contains("cut short"), "{error}");
    }
    fs::write(&shard, [&whole[..], b"more"].concat()).unwrap();
    let error = Header::read(&shard).unwrap_err().to_string();
    assert!(error.contains("where its header says"), "{error}");
    fs::remove_file(&shard).unwrap();
    let error = headers(dir.path(), false).unwrap_err().to_string();
    assert!(error.contains("has no model-00002-of-00002"), "{error}");

    let index = dir.path().join("model.safetensors.index.json");
    fs::write(&index, common::index(&["../outside.safetensors"])).unwrap();
    let error = headers(dir.path(), false).unwrap_err().to_string();
    assert!(error.contains("outside its directory"), "{error}");
    fs::remove_file(&index).unwrap();
    let error = headers(dir.path(), false).unwrap_err().to_string();
    assert!(
        error.contains("has no model.safetensors or") && error.contains("pytorch_model.bin"),
        "{error}"
    );
}

#[test]
fn parts_are_counted_from_headers() {
    let dir = folder(&common::diffusion());
    let parts = inspect::parts(dir.path(), false).unwrap();
    let counted: Vec<_> = (parts.iter())
        .map(|p| (p.name.as_str(), p.parameters, p.bytes))
        .collect();
    assert_eq!(
        counted,
        [("text_encoder", 6, 24), ("unet", 12, 48), ("vae", 6, 24)]
    );
    assert_eq!(parts[1].class.as_deref(), Some("UNet2DConditionModel"));
    let half = inspect::parts(dir.path(), true).unwrap();
    assert_eq!((half[1].bytes, half[1].dtypes["F16"]), (12, 6));

    let dir = folder(&common::language());
    let parts = inspect::parts(dir.path(), false).unwrap();
    let counted: Vec<_> = (parts.iter())
        .map(|p| (p.name.as_str(), p.parameters, p.bytes))
        .collect();
    assert_eq!(
        counted,
        [
            ("embed_tokens", 32, 128),
            ("layers", 16, 32),
            ("lm_head", 32, 64)
        ]
    );
}
