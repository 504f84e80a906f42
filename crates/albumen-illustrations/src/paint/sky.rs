//! Sky, sun, moon, stars, clouds, and what falls from them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::light::Light;
use crate::colour::Rgb;
use crate::scene::{Background, TimeOfDay, Weather};

/// Paints the sky down to a little below the horizon.
pub(super) fn sky(c: &mut Canvas, b: &Background, light: &Light, rng: &mut ChaCha8Rng) {
    c.gradient(0.0, 0.0, 1.0, b.horizon + 0.04, &light.sky);
    if light.night {
        stars(c, b.horizon, rng);
    }
    luminary(c, b, light, rng);
    clouds(c, b, light, rng);
}

/// `n` stars down to `bottom`.
pub(super) fn stars(c: &mut Canvas, bottom: f32, rng: &mut ChaCha8Rng) {
    for _ in 0..90 {
        let at = (rng.random_range(0.0..1.0), rng.random_range(0.0..bottom));
        let r = rng.random_range(0.0012..0.0036);
        c.circle(at, r, Rgb::new(1.0, 0.98, 0.9), rng.random_range(0.4..0.95));
    }
}

fn luminary(c: &mut Canvas, b: &Background, light: &Light, rng: &mut ChaCha8Rng) {
    let x = if rng.random_bool(0.5) {
        rng.random_range(0.1..0.34)
    } else {
        rng.random_range(0.66..0.9)
    };
    let hidden = matches!(b.weather, Weather::Rain | Weather::Snow | Weather::Fog);
    match b.time {
        TimeOfDay::Night => {
            let at = (x, rng.random_range(0.1..0.24));
            let moon = Rgb::new(0.98, 0.95, 0.84);
            c.glow(at, 0.3, 0.3, moon, 0.3);
            c.circle(at, 0.052, moon, 1.0);
            // A crescent on half of the nights: the sky's colour covers a part of the disc.
            if rng.random_bool(0.5) {
                c.circle((at.0 + 0.024, at.1 - 0.012), 0.047, light.sky[0], 1.0);
            } else {
                for (dx, dy, r) in [
                    (-0.016, -0.01, 0.011),
                    (0.014, 0.012, 0.014),
                    (0.006, -0.024, 0.007),
                ] {
                    c.circle((at.0 + dx, at.1 + dy), r, moon.scaled(0.88), 1.0);
                }
            }
        }
        TimeOfDay::Day if hidden || b.weather == Weather::Cloudy => {}
        TimeOfDay::Day => {
            let at = (x, rng.random_range(0.09..0.2));
            let sun = Rgb::new(1.0, 0.91, 0.5);
            c.glow(at, 0.34, 0.34, Rgb::new(1.0, 0.97, 0.82), 0.75);
            c.circle(at, 0.058, sun, 1.0);
        }
        TimeOfDay::Dawn | TimeOfDay::Dusk => {
            let at = (x, b.horizon - rng.random_range(0.02..0.12));
            let sun = Rgb::new(1.0, 0.86, 0.5);
            let strength = if hidden { 0.3 } else { 0.8 };
            c.glow(at, 0.6, 0.42, Rgb::new(1.0, 0.8, 0.5), strength);
            if !hidden {
                c.circle(at, 0.085, sun, 1.0);
            }
        }
    }
}

fn clouds(c: &mut Canvas, b: &Background, light: &Light, rng: &mut ChaCha8Rng) {
    let n = match b.weather {
        Weather::Clear => rng.random_range(1..4),
        Weather::Wind => 4,
        Weather::Cloudy => 7,
        Weather::Rain | Weather::Snow => 9,
        Weather::Fog => 2,
    };
    let heavy = matches!(b.weather, Weather::Rain | Weather::Snow);
    for _ in 0..n {
        let y = rng.random_range(0.05..(b.horizon * 0.62).max(0.12));
        let far = y / b.horizon.max(0.2);
        let size = rng.random_range(0.06..0.13) * (1.2 - 0.6 * far);
        let lit = match b.time {
            TimeOfDay::Night => light.sky[0].mix(Rgb::new(0.6, 0.66, 0.85), 0.3),
            TimeOfDay::Day => {
                Rgb::WHITE.mix(Rgb::new(0.62, 0.66, 0.72), if heavy { 0.55 } else { 0.0 })
            }
            TimeOfDay::Dawn | TimeOfDay::Dusk => light.sky[1].mix(Rgb::new(1.0, 0.9, 0.82), 0.55),
        };
        let shade = lit.mix(light.sky[0], 0.22);
        let stretch = if b.weather == Weather::Wind {
            1.9
        } else {
            1.25
        };
        cloud(
            c,
            (rng.random_range(-0.05..1.05), y),
            size,
            stretch,
            lit,
            shade,
            rng,
        );
    }
}

/// Puffs on a flat base: the shaded ones first, the lit ones a little above them.
fn cloud(
    c: &mut Canvas,
    at: (f32, f32),
    size: f32,
    stretch: f32,
    lit: Rgb,
    shade: Rgb,
    rng: &mut ChaCha8Rng,
) {
    let puffs: Vec<(f32, f32)> = (0..5)
        .map(|i| {
            let t = i as f32 / 2.0 - 1.0;
            (
                t * size * 1.1 * stretch,
                size * (0.62 - 0.26 * t.abs()) * rng.random_range(0.85..1.2),
            )
        })
        .collect();
    for (tone, lift, alpha) in [(shade, 0.0, 0.9), (lit, 0.14, 0.95)] {
        for &(dx, r) in &puffs {
            let spot = (at.0 + dx / c.aspect(), at.1 - r * 0.55 - lift * size);
            c.ellipse(spot, r * stretch * 0.92, r * 0.8, tone, alpha);
        }
    }
}

/// Rain or snow before everything, fog over everything.
pub(super) fn falling(c: &mut Canvas, b: &Background, light: &Light, rng: &mut ChaCha8Rng) {
    match b.weather {
        Weather::Rain => {
            let drop = Rgb::new(0.82, 0.9, 1.0);
            for _ in 0..110 {
                let (x, y) = (rng.random_range(-0.05..1.05), rng.random_range(-0.05..1.0));
                let length = rng.random_range(0.03..0.06);
                c.line(
                    &[(x, y), (x - length * 0.28, y + length)],
                    0.0035,
                    drop,
                    0.5,
                );
            }
        }
        Weather::Snow => {
            for _ in 0..120 {
                let at = (rng.random_range(0.0..1.0), rng.random_range(0.0..1.0));
                let r = rng.random_range(0.003..0.009);
                c.circle(at, r, Rgb::WHITE, rng.random_range(0.6..0.95));
            }
        }
        Weather::Fog => {
            for i in 0..3 {
                let y = b.horizon + 0.04 * (i as f32 - 1.0) + rng.random_range(-0.03..0.03);
                c.glow((rng.random_range(0.2..0.8), y), 0.9, 0.12, light.haze, 0.5);
            }
        }
        Weather::Clear | Weather::Cloudy | Weather::Wind => {}
    }
}
