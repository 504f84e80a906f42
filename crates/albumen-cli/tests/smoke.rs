//! The whole job on real photos: `configs/smoke.toml`, killed and resumed, searched for secrets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails by panicking"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::{Duration, Instant};

use support::{albumen, ledger_stages};
use walkdir::WalkDir;

mod support;
mod unpack;

/// Words and numbers of a caption that must not appear anywhere outside `private/`.
const CANARY: &str = "quixotic zanzibar flugelhorn 4815162342 271828182845";
/// The canary's album and owner.
const CANARY_NAMES: [&str; 3] = ["album-of-qzx77", "owner-qzx77", "titleqzx77"];

/// What the killed runs said.
const LOG: &str = "killed.log";

/// Albums, and owners, of the smoke corpus with the canary.
const TRUE_COUNTS: [&str; 1] = ["61"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// A working folder with the smoke corpus and its configuration.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    albumen(dir.path())
        .args(["dataset", "quickstart", "--out", "datasets/smoke"])
        .args(["--albums", "60", "--owners", "60"])
        .assert()
        .success();
    fs::copy(
        root().join("configs/smoke.toml"),
        dir.path().join("smoke.toml"),
    )
    .unwrap();
    dir
}

/// One more album, with a caption and names that nothing else has.
fn plant_canary(corpus: &Path) {
    let donor = fs::read_dir(corpus.join("album-0001"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "webp"))
        .unwrap();
    let album = corpus.join(CANARY_NAMES[0]);
    fs::create_dir(&album).unwrap();
    fs::copy(&donor, album.join("01.webp")).unwrap();
    fs::copy(&donor, album.join("02.webp")).unwrap();
    fs::write(album.join("01.txt"), CANARY).unwrap();
    fs::write(album.join("02.txt"), CANARY).unwrap();
    let toml = format!(
        "owner = \"{}\"\ntitle = \"{}\"\n",
        CANARY_NAMES[1], CANARY_NAMES[2]
    );
    fs::write(album.join("album.toml"), toml).unwrap();
}

/// Kills a run as soon as `seen` holds, or lets it finish.
fn run_until(dir: &Path, seen: impl Fn() -> bool) -> bool {
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join(LOG))
        .unwrap();
    let mut child = Process::new(env!("CARGO_BIN_EXE_albumen"))
        .args(["run", "smoke.toml"])
        .current_dir(dir)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(10);
    let mut killed = false;
    while child.try_wait().unwrap().is_none() {
        killed = seen() || Instant::now() > deadline;
        if killed {
            child.kill().unwrap();
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait().unwrap();
    assert!(Instant::now() < deadline, "the run hangs");
    killed
}

#[test]
fn the_whole_job_survives_kills_and_keeps_its_secrets() {
    let dir = workplace();
    let at = dir.path();
    plant_canary(&at.join("datasets/smoke"));
    let run = at.join("runs/smoke");

    // Killed after captions, right after the first event, and while pictures are drawn.
    assert!(run_until(at, || run
        .join("private/caption/stage.json")
        .exists()));
    // Nothing of the private albums has been released yet: not a word of them may be found.
    holds_nothing_private(&run);
    let event =
        || fs::read_to_string(run.join("ledger.jsonl")).is_ok_and(|t| t.lines().count() > 1);
    assert!(run_until(at, event));
    let picture = || {
        WalkDir::new(run.join("synthetic/render.part"))
            .into_iter()
            .filter_map(Result::ok)
            .any(|e| e.path().extension().is_some_and(|x| x == "jpg"))
    };
    run_until(at, picture);
    let captions = run.join("private/caption/captions.parquet");
    let before = fs::metadata(&captions).unwrap().modified().unwrap();

    let output = albumen(at)
        .args(["run", "smoke.toml", "--json"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(result["epsilon"].as_f64().unwrap() <= 25.0);

    // No finished stage ran again, and each release was counted exactly once.
    assert_eq!(before, fs::metadata(&captions).unwrap().modified().unwrap());
    assert_eq!(
        ledger_stages(&run),
        [
            "album-count",
            "album-sizes",
            "train-summary",
            "train-caption"
        ]
    );
    let escrow = fs::read_dir(run.join("private/escrow")).unwrap().count();
    assert_eq!(escrow, 0, "the escrow is emptied");

    verified(at, true);
    let said = said + &fs::read_to_string(at.join(LOG)).unwrap();
    says_nothing_private(&said);
    holds_nothing_private(&run);
    is_private(&run.join("private"));
    drawn_by_a_model(at);
    holds_nothing_private(&run);
    refuses_to_overspend(at);
    tampering_is_seen(at, &run.join("release"));
}

fn verified(at: &Path, intact: bool) {
    let output = albumen(at)
        .args(["verify", "runs/smoke/release", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!intact)));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let differences = report["differences"].as_array().unwrap();
    assert_eq!(differences.is_empty(), intact, "{report}");
}

/// The pictures drawn again, by a tiny text-to-image model: only public stages run, and the release
/// is whole and names the model.
fn drawn_by_a_model(at: &Path) {
    let golden = root().join("crates/albumen-diffusion/tests/golden/sd15");
    for entry in WalkDir::new(&golden) {
        let entry = entry.unwrap();
        let target = at
            .join("tiny-sd")
            .join(entry.path().strip_prefix(&golden).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
    let card = "---\nlicense: cc0-1.0\n---\n# Tiny\n";
    fs::write(at.join("tiny-sd/README.md"), card).unwrap();
    let plain = fs::read_to_string(at.join("smoke.toml")).unwrap();
    let (before, _) = plain.split_once("[render]").unwrap();
    let run = |settings: &str| {
        let render = "[render]\nmodel = \"path:tiny-sd\"\nwidth = 64\nheight = 48\nsteps = 2\n";
        fs::write(at.join("smoke.toml"), format!("{before}{render}{settings}")).unwrap();
        let output = albumen(at).args(["run", "smoke.toml"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        verified(at, true);
        said
    };
    let pictures = || {
        let mut all = Vec::new();
        for entry in WalkDir::new(at.join("runs/smoke/release/images")).sort_by_file_name() {
            let path = entry.unwrap().into_path();
            if path.extension().is_some_and(|e| e == "jpg") {
                all.push(fs::read(path).unwrap());
            }
        }
        all
    };

    let said = run("");
    assert!(said.contains("train-caption: finished before"), "{said}");
    assert!(said.contains("curate: finished before"), "{said}");
    assert!(!said.contains("render: finished before"), "{said}");
    let first = pictures();
    // The size that a JPEG states: precision, height, width after its frame marker.
    let frame = first[0].windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    assert_eq!(first[0][frame + 5..frame + 9], [0, 48, 0, 64]);
    let card = fs::read_to_string(at.join("runs/smoke/release/README.md")).unwrap();
    assert!(
        card.contains("a public text-to-image model, tiny-sd (cc0-1.0), in 2 steps"),
        "{card}"
    );
    assert!(
        card.contains("| pictures | tiny-sd | not stated | cc0-1.0 |"),
        "{card}"
    );
    assert!(!card.contains("Fluent Emoji"), "{card}");

    // Settings of memory draw nothing again, those of the pictures do, and so do other weights.
    let said = run("batch = 1\nattention_slice = 1\n");
    assert!(said.contains("render: finished before"), "{said}");
    run("album_noise = 0.9\n");
    let other = pictures();
    assert_ne!(other, first);
    fs::write(at.join("tiny-sd/unet/note.txt"), "another version").unwrap();
    let said = run("album_noise = 0.9\n");
    assert!(!said.contains("render: finished before"), "{said}");
    assert_eq!(pictures(), other, "drawn again from the same, to the bit");
}

fn secrets() -> Vec<&'static str> {
    CANARY.split(' ').chain(CANARY_NAMES).collect()
}

/// The output holds none of the canary's words, numbers and names, no true count, and nothing of
/// training but its steps.
fn says_nothing_private(said: &str) {
    for secret in secrets() {
        assert!(!said.contains(secret), "output holds {secret}");
    }
    for word in ["loss", "gradient", "batch", "clipped", "PRIVATE"] {
        assert!(!said.contains(word), "output speaks of `{word}`: {said}");
    }
    let private_stage = |l: &&str| {
        ["ingest", "caption", "summarize", "statistics", "train"]
            .iter()
            .any(|s| l.starts_with(s))
    };
    for line in said.lines().filter(private_stage) {
        let counts = line
            .split([' ', ',', ':'])
            .any(|word| TRUE_COUNTS.contains(&word));
        assert!(!counts, "a true count: {line}");
    }
}

/// No file outside `private/` holds the canary's words, numbers or names, as bytes or packed.
fn holds_nothing_private(run: &Path) {
    for entry in WalkDir::new(run) {
        let path = entry.unwrap().into_path();
        if !path.is_file() || path.starts_with(run.join("private")) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let unpacked = unpack::unpacked(&path, &bytes);
        for text in [bytes, unpacked] {
            let text = text.to_ascii_lowercase();
            for secret in secrets() {
                assert!(
                    !unpack::holds(&text, secret),
                    "{} holds {secret}",
                    path.display()
                );
            }
        }
    }
}

/// The search must find what is there, in every kind of file.
#[test]
fn the_search_finds_secrets_in_packed_files() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in unpack::samples("zanzibar 4815162342") {
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        assert!(!unpack::holds(&bytes, "zanzibar"), "{name} packs nothing");
        let unpacked = unpack::unpacked(&path, &bytes);
        for secret in ["zanzibar", "4815162342"] {
            assert!(unpack::holds(&unpacked, secret), "{name}");
        }
    }
}

#[cfg(unix)]
fn is_private(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[cfg(not(unix))]
fn is_private(_dir: &Path) {}

/// Training a paid-for model again, or changing what it was trained on, is refused.
fn refuses_to_overspend(at: &Path) {
    let forced = albumen(at)
        .args(["run", "smoke.toml", "--force", "train-summary"])
        .output()
        .unwrap();
    let said = String::from_utf8(forced.stderr).unwrap();
    assert_eq!(forced.status.code(), Some(1));
    assert!(said.contains("paid for once and for all"), "{said}");

    let config = fs::read_to_string(at.join("smoke.toml")).unwrap();
    fs::write(
        at.join("other.toml"),
        config.replace("epsilon = 25.0", "epsilon = 20.0"),
    )
    .unwrap();
    let other = albumen(at).args(["run", "other.toml"]).output().unwrap();
    let said = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(said.contains("[privacy] differs"), "{said}");
    verified(at, true);
}

/// Every file of the release, one byte of each turned.
fn tampering_is_seen(at: &Path, release: &Path) {
    for entry in WalkDir::new(release) {
        let path = entry.unwrap().into_path();
        if path.is_file() {
            let whole = fs::read(&path).unwrap();
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, &bytes).unwrap();
            verified(at, false);
            fs::write(&path, &whole).unwrap();
        }
    }
    fs::write(release.join("extra.txt"), "x").unwrap();
    verified(at, false);
    fs::remove_file(release.join("extra.txt")).unwrap();
    verified(at, true);
}
