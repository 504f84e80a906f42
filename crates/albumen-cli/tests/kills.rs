//! Runs killed by SIGKILL at random moments: nothing is released free, twice, or with old noise.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a helper of tests fails by panicking, and prints its list"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use albumen_accounting::History;
use albumen_dp::encode_f32;
use albumen_files::sha256_hex;
use albumen_lm::{LoraConfig, LoraLayout, Target, Weights};
use serde_json::Value;
use support::{TINY, succeed, tiny_workplace};

const KILLS: usize = 20;

/// What is killed: a configuration in a working folder.
struct Job<'a> {
    at: &'a Path,
    config: &'a str,
    /// A run directory whose private stages are finished, to start every run from: nothing is
    /// released before them, and kills are for what comes after.
    prepared: PathBuf,
    /// The stage to run to.
    until: &'a str,
    /// The stages of a finished run's ledger.
    stages: &'a [&'a str],
}

/// xorshift64 (Marsaglia 2003): good enough to pick moments.
struct Random(u64);

impl Random {
    fn from_clock() -> Self {
        Self(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1)
    }

    fn below(&mut self, end: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        end.mul_f64((self.0 >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

impl Job<'_> {
    fn args<'b>(&'b self, out: &'b str) -> Vec<&'b str> {
        let metrics = "--show-private-metrics";
        let (config, until) = (self.config, self.until);
        vec!["run", config, "--out", out, "--until", until, metrics]
    }

    /// A run directory to start from.
    fn begin(&self, out: &str) -> PathBuf {
        let run = self.at.join(out);
        let copied = Process::new("cp")
            .arg("-r")
            .args([&self.prepared, &run])
            .status()
            .unwrap();
        assert!(copied.success());
        run
    }

    /// Runs for `moment`, then kills; gives the last stage that it spoke of, none where it had ended.
    fn kill_after(&self, out: &str, moment: Duration) -> Option<String> {
        let log = self.at.join(format!("{out}.log"));
        let started = Instant::now();
        let mut child = Process::new(env!("CARGO_BIN_EXE_albumen"))
            .args(self.args(out))
            .current_dir(self.at)
            .stderr(File::create(&log).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(moment.saturating_sub(started.elapsed()));
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        let said = fs::read_to_string(log).unwrap();
        let stage = |line: &str| line.split(": ").next().unwrap_or_default().to_owned();
        let mut stages = said
            .lines()
            .filter(|l| l.contains(": started") || l.contains(": done"));
        (!ended).then(|| stages.next_back().map_or_else(|| "start".to_owned(), stage))
    }
}

/// Every release that lies in a run directory outside `private/`, finished or half-written, must be
/// in a valid ledger. Gives the numbers of ledger entries and of adapters.
fn check(run: &Path, layout: &LoraLayout) -> (usize, usize) {
    let ledger = fs::read(run.join("ledger.jsonl")).unwrap_or_default();
    let history = if ledger.contains(&b'\n') {
        Some(History::parse(&ledger).unwrap().0)
    } else {
        None
    };
    let paid = |stage: &str, hash: &str| {
        let history = history.as_ref().expect("a release without a ledger");
        assert!(history.contains(stage, hash), "{stage} is not paid for");
    };
    let mut adapters = 0;
    for (name, stage) in [("summary", "train-summary"), ("caption", "train-caption")] {
        for suffix in ["", ".part"] {
            let dir = run.join("models").join(format!("{name}{suffix}"));
            let Ok(bytes) = fs::read(dir.join("adapter.safetensors")) else {
                continue;
            };
            let params = layout.from_safetensors(&bytes).unwrap();
            paid(stage, &sha256_hex(encode_f32(&params)));
            adapters += 1;
            if let Ok(text) = fs::read_to_string(dir.join("adapter.json")) {
                let says: Value = serde_json::from_str(&text).unwrap();
                let entries = history.as_ref().unwrap().entries();
                let entry = entries.iter().find(|e| e.stage == stage).unwrap();
                assert!(says["event"]["steps"].as_u64().unwrap() <= entry.event.steps());
            }
        }
    }
    for stage in ["album-count", "album-sizes"] {
        for dir in ["statistics", "statistics.part"] {
            if let Ok(bytes) = fs::read(run.join(dir).join(format!("{stage}.json"))) {
                paid(stage, &sha256_hex(&bytes));
            }
        }
    }
    (history.map_or(0, |h| h.entries().len()), adapters)
}

/// What private metrics saw of one try of a training: step, loss, and mean norm of the gradients.
/// The loss is a sum of few digits, so two may agree by chance; no two agree in both.
type Try = Vec<(u64, f64, f64)>;

/// The tries of a training in one run, from the file that every one of them adds to.
fn tries(run: &Path, stage: &str) -> Vec<Try> {
    let path = run.join(format!("private/metrics/{stage}.jsonl"));
    let mut tries: Vec<Try> = Vec::new();
    for line in fs::read_to_string(path).unwrap_or_default().lines() {
        // A kill may cut the last line of a try, to which the next one's first is added.
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            tries.push(Try::new());
            continue;
        };
        match (record["step"].as_u64(), tries.last_mut()) {
            (Some(step), Some(last)) => {
                let number = |key: &str| record[key].as_f64().unwrap();
                last.push((step, number("loss"), number("gradient_norm")));
            }
            _ => tries.push(Try::new()),
        }
    }
    tries
}

/// No two tries drew the same sample or the same noise.
///
/// Loss and gradients depend on the parameters before their step and on the batch. Before step 1 the parameters
/// are the public initial ones, so equal numbers there would mean equal samples; where every unit is
/// in every batch, the numbers of step 1 are equal and later ones differ by the noise alone. A try
/// that goes on from a checkpoint sees the parameters of that step a second time, and so, with
/// every unit in the batch, its first numbers; whatever it computes from there must be new.
fn nothing_is_reused(tries: &[Try], whole_batches: bool) {
    let mut seen: BTreeMap<u64, BTreeSet<[u64; 2]>> = BTreeMap::new();
    for one in tries {
        for (i, &(step, loss, norm)) in one.iter().enumerate() {
            if whole_batches && step == 1 {
                let first = |t: &Try| t.first().filter(|(step, _, _)| *step == 1).copied();
                let reference = tries.iter().find_map(first).unwrap().1;
                assert!((loss / reference - 1.0).abs() < 1e-4, "{loss} {reference}");
            } else if !(whole_batches && i == 0) {
                let seen = seen.entry(step).or_default();
                let fresh = seen.insert([loss.to_bits(), norm.to_bits()]);
                assert!(fresh, "step {step} saw loss {loss} and norm {norm} twice");
            }
        }
    }
}

/// Kills and resumes runs of the job, and prints what each kill found.
fn kill_and_resume(job: &Job<'_>, layout: &LoraLayout, whole_batches: [bool; 2]) {
    let mut random = Random::from_clock();
    println!("seed {}", random.0);
    job.begin("whole");
    let started = Instant::now();
    succeed(job.at, &job.args("whole"));
    let mut length = started.elapsed();
    println!("a whole run takes {length:.1?}\n");
    println!("| kill | at | stage reached | ledger entries | adapters | after the resume |");
    println!("|---|---|---|---|---|---|");
    let mut seen: [Vec<Try>; 2] = [Vec::new(), Vec::new()];
    let mut adapters = BTreeSet::new();
    for kill in 1..=KILLS {
        let out = format!("killed-{kill}");
        let (run, moment, stage) = loop {
            let run = job.begin(&out);
            let moment = random.below(length);
            if let Some(stage) = job.kill_after(&out, moment) {
                break (run, moment, stage);
            }
            // The run had ended: the machine is faster now than it was.
            fs::remove_dir_all(&run).unwrap();
            length = length.mul_f64(0.9);
        };
        let (entries, found) = check(&run, layout);
        let started = Instant::now();
        succeed(job.at, &job.args(&out));
        // Both parts together are about a whole run, at the machine's present speed.
        length = moment + started.elapsed();

        check(&run, layout);
        assert_eq!(support::ledger_stages(&run), job.stages);
        assert_eq!(fs::read_dir(run.join("private/escrow")).unwrap().count(), 0);
        let mut trained = 0;
        let stages = ["train-summary", "train-caption"];
        for (seen, stage) in seen.iter_mut().zip(stages) {
            let tries = tries(&run, stage);
            trained += tries.len();
            seen.extend(tries);
        }
        for name in ["summary", "caption"] {
            let adapter = run.join("models").join(name).join("adapter.safetensors");
            let fresh = adapters.insert(sha256_hex(fs::read(adapter).unwrap()));
            assert!(fresh, "two runs released the same {name} adapter");
        }
        println!(
            "| {kill} | {} ms | {} | {entries} | {found} | each release once, {trained} tries of training |",
            moment.as_millis(),
            stage,
        );
        fs::remove_dir_all(&run).unwrap();
    }
    for (tries, whole) in seen.iter().zip(whole_batches) {
        assert!(tries.len() >= KILLS, "each run trained under observation");
        nothing_is_reused(tries, whole);
    }
    let observed: usize = seen.iter().flatten().map(Vec::len).sum();
    println!("\n{observed} steps observed, no sample and no noise twice");
}

#[test]
fn a_run_killed_at_any_moment_pays_for_each_release_once() {
    let dir = tiny_workplace(TINY);
    let at = dir.path();
    let prepare = ["run", "tiny.toml", "--out", "prepared"];
    succeed(at, &[&prepare[..], &["--until", "summarize"]].concat());
    let weights = Weights::load(&at.join("model")).unwrap();
    let lora = LoraConfig {
        rank: 2,
        alpha: 16.0,
        layers: Some(1),
        targets: vec![Target::Q, Target::V],
        frozen_a: None,
    };
    let layout = LoraLayout::new(&weights.config, &lora).unwrap();
    let job = Job {
        at,
        config: "tiny.toml",
        prepared: at.join("prepared"),
        until: "generate",
        stages: &[
            "album-count",
            "album-sizes",
            "train-summary",
            "train-caption",
        ],
    };
    kill_and_resume(&job, &layout, [true, false]);
}

/// The same on real photos with SmolLM2; kept out of the suite for its length.
#[test]
#[ignore = "takes some minutes; see docs/privacy-checks.md"]
fn a_real_run_killed_at_any_moment_pays_for_each_release_once() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let count = ["--albums", "60", "--owners", "60"];
    let corpus = ["dataset", "quickstart", "--out", "datasets/smoke"];
    succeed(at, &[&corpus[..], &count].concat());
    fs::copy(root.join("configs/smoke.toml"), at.join("smoke.toml")).unwrap();
    let prepare = ["run", "smoke.toml", "--out", "prepared"];
    succeed(at, &[&prepare[..], &["--until", "summarize"]].concat());
    let model = albumen_assets::Home::locate()
        .unwrap()
        .require("smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1.gguf")
        .unwrap();
    let weights = Weights::load(&model).unwrap();
    let lora = LoraConfig {
        rank: 4,
        alpha: 16.0,
        layers: Some(2),
        targets: vec![Target::Q, Target::V],
        frozen_a: None,
    };
    let layout = LoraLayout::new(&weights.config, &lora).unwrap();
    let job = Job {
        at,
        config: "smoke.toml",
        prepared: at.join("prepared"),
        until: "train-caption",
        stages: &[
            "album-count",
            "album-sizes",
            "train-summary",
            "train-caption",
        ],
    };
    kill_and_resume(&job, &layout, [false, false]);
}
