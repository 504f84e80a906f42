//! A renderer that cannot draw is refused before any private album is read.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::fs;
use std::path::Path;

use support::{TINY, say, tiny_workplace};
use walkdir::WalkDir;

mod support;

/// A copy of a tiny pipeline of the diffusion crate's.
fn checkpoint(at: &Path) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../albumen-diffusion/tests/golden")
        .join("sd15");
    for entry in WalkDir::new(&golden) {
        let entry = entry.unwrap();
        let target = at.join(entry.path().strip_prefix(&golden).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What a run says whose `[render]` has these lines, after `damage` to the checkpoint `sd`.
fn refused(render: &str, damage: impl Fn(&Path)) -> String {
    let dir = tiny_workplace(&format!("{TINY}\n[render]\n{render}\n"));
    checkpoint(&dir.path().join("sd"));
    damage(&dir.path().join("sd"));
    let (code, said) = say(dir.path(), &["run", "tiny.toml"]);
    assert!(code == 1 || code == 2, "{said}");
    assert!(said.contains("hint:"), "{said}");
    assert!(!dir.path().join("runs/tiny/private/ingest").exists());
    said
}

#[test]
fn a_renderer_that_cannot_draw_is_refused_before_data_is_read() {
    let sized = "model = \"path:sd\"\nwidth = 64\nheight = 48";
    let cut = |path: &Path| {
        let file = path.join("unet/diffusion_pytorch_model.safetensors");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    };
    let said = refused(sized, cut);
    assert!(said.contains("cannot draw with path:sd"), "{said}");
    assert!(said.contains("is cut short"), "{said}");

    let said = refused(sized, |path| fs::remove_dir_all(path.join("vae")).unwrap());
    assert!(said.contains("vae") && said.contains("missing"), "{said}");

    let other = |path: &Path| {
        let index = path.join("model_index.json");
        let text = fs::read_to_string(&index).unwrap();
        let text = text.replace("StableDiffusionPipeline", "KandinskyPipeline");
        fs::write(index, text).unwrap();
    };
    let said = refused(sized, other);
    assert!(said.contains("KandinskyPipeline"), "{said}");
    assert!(said.contains("StableDiffusionXLPipeline"), "{said}");

    let said = refused("model = \"path:model\"\nwidth = 64\nheight = 48", |_| ());
    assert!(said.contains("render.model"), "{said}");
    let said = refused("model = \"path:sd\"\nwidth = 60\nheight = 48", |_| ());
    assert!(
        said.contains("no multiple of 8") && said.contains("56 or 64"),
        "{said}"
    );
    let said = refused(&format!("{sized}\nscheduler = \"plms\""), |_| ());
    assert!(said.contains("`plms`") && said.contains("unipc"), "{said}");
}
