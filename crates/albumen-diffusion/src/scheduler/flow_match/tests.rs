//! Against diffusers: scripts/golden/diffusion_sd3.py, `trajectory`.

use candle_core::{Device, IndexOp, Tensor};

use super::*;

/// Seven steps of a made-up velocity, from the reference's noise.
#[test]
fn schedules_and_trajectories_are_the_references() {
    let dir = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/sd3/reference.safetensors"
    );
    let golden = candle_core::safetensors::load(dir, &Device::Cpu).unwrap();
    let configs = [
        ("static", r#"{"shift": 3.0}"#),
        ("dynamic", r#"{"use_dynamic_shifting": true}"#),
        (
            "linear",
            r#"{"use_dynamic_shifting": true, "time_shift_type": "linear"}"#,
        ),
        ("terminal", r#"{"shift": 2.0, "shift_terminal": 0.1}"#),
    ];
    for (name, config) in configs {
        let config = serde_json::from_str(config).unwrap();
        let mut solver = FlowMatch { config }.solver_shifted(Spacing::ToSmallest, 7, 0.83);
        let times = golden[&format!("times_{name}")].to_vec1::<f32>().unwrap();
        let states = &golden[&format!("states_{name}")];
        let mut sample = golden["noise"].i((0, 0)).unwrap();
        for (i, time) in times.into_iter().enumerate() {
            let ours = solver.timesteps()[i];
            assert!(
                (ours - f64::from(time)).abs() < 1e-3,
                "{name} {i}: {ours} {time}"
            );
            let velocity = velocity(&sample, ours).unwrap();
            let mut none = || unreachable!("no fresh noise is asked for");
            sample = solver.step(i, &velocity, &sample, &mut none).unwrap();
            let off = (&sample - states.i(i).unwrap()).unwrap();
            let off = off.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            let off = off.to_scalar::<f32>().unwrap();
            assert!(off < 2e-5, "{name} {i}: {off:e}");
        }
    }
}

fn velocity(sample: &Tensor, time: f64) -> candle_core::Result<Tensor> {
    (sample * 3.0)?.sin()? - (sample * (time / 1000.0))?
}

/// Flux's rule at its own two sizes: 256 tokens give `base_shift`, 4096 `max_shift`.
#[test]
fn the_shift_follows_the_tokens_of_the_image() {
    let scheduler = FlowMatch {
        config: Config::default(),
    };
    for (tokens, mu) in [(256, 0.5), (4096, 1.15), (1024, 0.63)] {
        assert!((scheduler.mu(tokens) - mu).abs() < 1e-9);
    }
}

#[test]
fn even_levels_end_a_step_above_zero() {
    let scheduler = FlowMatch {
        config: Config::default(),
    };
    let solver = scheduler.solver(Spacing::Even, 4, 256);
    assert_eq!(solver.timesteps(), [1000.0, 750.0, 500.0, 250.0]);
    assert_eq!(solver.sigmas, [1.0, 0.75, 0.5, 0.25, 0.0]);
    let one = scheduler.solver(Spacing::ToSmallest, 1, 256);
    assert_eq!(one.sigmas, [1.0, 0.0]);
}
