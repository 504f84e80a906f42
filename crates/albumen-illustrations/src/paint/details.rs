//! Small things that make an outdoor scene a place: paths, fences, birds, blades of grass up close.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::light::{Light, green};
use crate::colour::Rgb;
use crate::scene::{Background, Season, Shot, TimeOfDay, Weather};
use crate::tables::{Ground, Palette, Place};

/// Paints what stands behind the items.
pub(super) fn behind(
    c: &mut Canvas,
    place: &Place,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
) {
    let calm = matches!(b.weather, Weather::Clear | Weather::Cloudy | Weather::Wind);
    if calm && b.time != TimeOfDay::Night && rng.random_bool(0.45) {
        birds(c, b, light, rng);
    }
    let snowy = b.season == Season::Winter || b.weather == Weather::Snow;
    let walked = matches!(
        b.place.as_str(),
        "park" | "forest" | "hills" | "meadow" | "garden"
    );
    if walked && !snowy && rng.random_bool(0.5) {
        path(c, b, p, light, rng);
    }
    if b.place == "farm" && rng.random_bool(0.65) {
        fence(c, b, p, light);
    }
    if place.ground == Ground::Water && b.bank && b.place != "sea" {
        reeds(c, light, p, b.season, rng);
    }
}

/// Paints what stands before the items, at the lower corners.
pub(super) fn before(
    c: &mut Canvas,
    place: &Place,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
) {
    let grassy = matches!(place.ground, Ground::Grass | Ground::Earth);
    if !grassy || b.season == Season::Winter || b.shot == Shot::Wide {
        return;
    }
    let tone = green(p.grass, b.season).scaled(0.62);
    for corner in [0.0, 1.0] {
        if rng.random_bool(0.6) {
            for _ in 0..7 {
                let x = corner + rng.random_range(-0.1..0.1);
                let tall = rng.random_range(0.08..0.2);
                let lean = rng.random_range(-0.05..0.05);
                blade(
                    c,
                    x,
                    tall,
                    lean,
                    light.near(tone.scaled(rng.random_range(0.85..1.15))),
                );
            }
        }
    }
}

fn birds(c: &mut Canvas, b: &Background, light: &Light, rng: &mut ChaCha8Rng) {
    let ink = light.near(Rgb::new(0.27, 0.3, 0.38));
    let (x0, y0) = (
        rng.random_range(0.15..0.75),
        rng.random_range(0.1..b.horizon * 0.5),
    );
    for _ in 0..rng.random_range(2..5) {
        let (x, y) = (
            x0 + rng.random_range(-0.12..0.12),
            y0 + rng.random_range(-0.05..0.05),
        );
        let s = rng.random_range(0.008..0.016);
        let wings = [
            (x - s, y - s * 0.5),
            (x - s * 0.4, y - s * 0.6),
            (x, y),
            (x + s * 0.4, y - s * 0.6),
            (x + s, y - s * 0.5),
        ];
        c.line(&wings, 0.0034, ink, 0.75);
    }
}

/// A path that winds from the camera to the horizon.
fn path(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    const STEPS: usize = 24;
    let room = 1.0 - b.horizon;
    let (from, to) = (rng.random_range(0.25..0.75), rng.random_range(0.3..0.7));
    let bend = rng.random_range(-0.22..0.22_f32);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for i in 0..=STEPS {
        let t = i as f32 / STEPS as f32;
        let x = from + (to - from) * t + bend * (t * std::f32::consts::PI * 1.4).sin();
        let half = 0.012 + 0.15 * (1.0 - t).powf(1.8);
        let y = 1.0 - room * (1.0 - (1.0 - t).powf(1.6)) * 0.985;
        left.push((x - half, y));
        right.push((x + half, y));
    }
    right.reverse();
    left.extend(right);
    c.polygon(&left, light.at(p.earth.mix(p.sand, 0.55), 0.25), 0.85);
}

fn fence(c: &mut Canvas, b: &Background, p: &Palette, light: &Light) {
    let y = b.horizon + (1.0 - b.horizon) * 0.12;
    let wood = light.at(p.wall.mix(Rgb::WHITE, 0.5), 0.3);
    for dy in [0.022, 0.046] {
        c.rect(0.0, y - dy - 0.006, 1.0, 0.008, wood.scaled(0.93), 1.0);
    }
    for i in 0..13 {
        let x = i as f32 / 12.0 - 0.005;
        c.rect(x, y - 0.066, 0.012, 0.076, wood, 1.0);
    }
}

fn reeds(c: &mut Canvas, light: &Light, p: &Palette, season: Season, rng: &mut ChaCha8Rng) {
    let stem = light.near(green(p.grass, season).scaled(0.66));
    let head = light.near(p.earth.scaled(0.55));
    let middle = if rng.random_bool(0.5) { 0.06 } else { 0.94 };
    for _ in 0..8 {
        let (x, y) = (
            middle + rng.random_range(-0.07..0.07),
            rng.random_range(0.86..0.93),
        );
        let tall = rng.random_range(0.09..0.19);
        let lean = rng.random_range(-0.015..0.015);
        c.line(&[(x, y), (x + lean, y - tall)], 0.005, stem, 1.0);
        c.ellipse((x + lean, y - tall), 0.007, 0.02, head, 1.0);
    }
}

/// A blade of grass from below the picture's edge.
fn blade(c: &mut Canvas, x: f32, tall: f32, lean: f32, colour: Rgb) {
    let half = 0.014;
    let tip = (x + lean, 1.0 - tall);
    let middle = (x + lean * 0.3, 1.0 - tall * 0.5);
    let points = [
        (x - half, 1.01),
        (middle.0 - half * 0.8, middle.1),
        tip,
        (middle.0 + half * 0.8, middle.1),
        (x + half, 1.01),
    ];
    c.polygon(&points, colour, 0.95);
}
