//! Whole trajectories of each scheduler, over a fixed function instead of a network.

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::golden;
use crate::scheduler::{Scheduler, SchedulerKind};

#[derive(Deserialize)]
struct Golden {
    start: Vec<f32>,
    noise: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    class: String,
    steps: usize,
    config: Map<String, Value>,
    timesteps: Vec<f64>,
    initial_scale: f64,
    samples: Vec<Vec<f32>>,
}

/// A scheduler from a configuration as diffusers writes it.
pub(super) fn scheduler(class: &str, mut config: Map<String, Value>) -> Scheduler {
    let dir = tempfile::tempdir().unwrap();
    config.insert("_class_name".into(), class.into());
    let folder = dir.path().join("scheduler");
    std::fs::create_dir(&folder).unwrap();
    let text = serde_json::to_string(&config).unwrap();
    std::fs::write(folder.join("scheduler_config.json"), text).unwrap();
    std::fs::write(dir.path().join("model_index.json"), "{}").unwrap();
    let checkpoint = crate::Checkpoint::open(dir.path()).unwrap();
    Scheduler::load(checkpoint.scheduler().unwrap()).unwrap()
}

#[test]
fn every_scheduler_follows_diffusers_to_the_end() {
    let text = std::fs::read(golden("schedulers.json")).unwrap();
    let golden: Golden = serde_json::from_slice(&text).unwrap();
    let row = |numbers: &[f32]| Tensor::new(numbers, &Device::Cpu).unwrap();
    let mut worst: f64 = 0.0;
    for case in &golden.cases {
        let name = format!("{} {:?}", case.class, case.config);
        let scheduler = scheduler(&case.class, case.config.clone());
        let mut solver = scheduler.solver(None, case.steps).unwrap();
        assert_eq!(solver.timesteps().len(), case.timesteps.len(), "{name}");
        for (found, expected) in solver.timesteps().iter().zip(&case.timesteps) {
            assert!(
                (found - expected).abs() < 2e-3,
                "{name}: {found} {expected}"
            );
        }
        let scale = solver.initial_scale();
        assert!((scale / case.initial_scale - 1.0).abs() < 1e-4, "{name}");
        let mut sample = (row(&golden.start) * scale).unwrap();
        for (i, expected) in case.samples.iter().enumerate() {
            let t = solver.timesteps()[i];
            let input = (&sample * solver.input_scale(i)).unwrap();
            let output =
                (((input * 2.0).unwrap() + t / 300.0).unwrap().sin().unwrap() * 0.6).unwrap();
            let mut noise = || Ok(row(&golden.noise[i]));
            sample = solver.step(i, &output, &sample, &mut noise).unwrap();
            let d = super::difference(&sample, &row(expected));
            assert!(d < 1e-3, "{name}, step {i}: {d}");
            worst = worst.max(d);
        }
    }
    eprintln!("schedulers: largest difference {worst:.2e}");
    assert!(worst < TOLERANCE, "{worst}");
}

/// diffusers keeps noise levels in f32, which its steep first steps magnify.
const TOLERANCE: f64 = 1e-4;

#[test]
fn a_scheduler_is_chosen_by_name() {
    let kinds = SchedulerKind::ALL.map(|(kind, name, _)| (kind, name));
    for (kind, name) in kinds {
        assert_eq!(name.parse::<SchedulerKind>().unwrap(), kind);
        assert_eq!(kind.to_string(), name);
    }
    let error = "ddmp".parse::<SchedulerKind>().unwrap_err().to_string();
    assert!(
        error.contains("\"ddmp\"") && error.contains("euler-ancestral"),
        "{error}"
    );
}

#[test]
fn another_scheduler_keeps_the_noise_schedule_of_the_checkpoint() {
    let mut config = Map::new();
    config.insert("beta_schedule".into(), "scaled_linear".into());
    config.insert("steps_offset".into(), 1.into());
    config.insert("timestep_spacing".into(), "leading".into());
    let own = scheduler("EulerDiscreteScheduler", config.clone());
    let other = scheduler("PNDMScheduler", config);
    let scale = |s: &Scheduler| {
        let kind = Some(SchedulerKind::Euler);
        s.solver(kind, 10).unwrap().initial_scale()
    };
    assert_eq!(scale(&own), scale(&other));
}

#[test]
fn what_a_scheduler_lacks_is_named() {
    let with = |key: &str, value: Value| Map::from_iter([(key.to_owned(), value)]);
    let cases = [
        (
            "LMSDiscreteScheduler",
            Map::new(),
            "LMSDiscreteScheduler",
            "unipc",
        ),
        (
            "EulerDiscreteScheduler",
            with("use_beta_sigmas", true.into()),
            "use_beta_sigmas",
            "another by `scheduler`",
        ),
        (
            "DPMSolverMultistepScheduler",
            with("algorithm_type", "sde-dpmsolver++".into()),
            "sde-dpmsolver++",
            "supported are dpmsolver++",
        ),
        ("PNDMScheduler", Map::new(), "Runge-Kutta", "another"),
    ];
    for (class, config, found, hint) in cases {
        let error = scheduler(class, config).solver(None, 5).err().unwrap();
        let error = error.to_string();
        assert!(error.contains(found) && error.contains(hint), "{error}");
    }
    let steps = scheduler("DDIMScheduler", Map::new()).solver(None, 1001);
    let error = steps.err().unwrap().to_string();
    assert!(
        error.contains("1001 steps") && error.contains("1000"),
        "{error}"
    );
}

#[test]
fn bare_infinities_of_python_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("scheduler");
    std::fs::create_dir(&folder).unwrap();
    let text = r#"{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity}"#;
    std::fs::write(folder.join("scheduler_config.json"), text).unwrap();
    std::fs::write(dir.path().join("model_index.json"), "{}").unwrap();
    let checkpoint = crate::Checkpoint::open(dir.path()).unwrap();
    let scheduler = Scheduler::load(checkpoint.scheduler().unwrap()).unwrap();
    assert_eq!(scheduler.kind().unwrap(), SchedulerKind::DpmSolver);
}
