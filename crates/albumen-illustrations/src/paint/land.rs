//! What stands at the horizon.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::light::{Light, green};
use crate::colour::Rgb;
use crate::scene::{Background, Season};
use crate::tables::{Far, Palette};

/// Paints the far part of an outdoor scene.
pub(super) fn far(
    c: &mut Canvas,
    kind: Far,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
) {
    match kind {
        Far::Hills => hills(c, b, p, light, rng, 1.0),
        Far::Dunes => dunes(c, b, p, light, rng),
        Far::Mountains => {
            mountains(c, b, p, light, rng);
            hills(c, b, p, light, rng, 0.35);
        }
        Far::Skyline => skyline(c, b, p, light, rng),
        Far::Houses => houses(c, b, p, light, rng),
        Far::Trees => {
            hills(c, b, p, light, rng, 0.8);
            trees(c, b, p, light, rng);
        }
        Far::Treeline => {
            hills(c, b, p, light, rng, 0.6);
            treeline(c, b, p, light, rng);
        }
        Far::Bridge => {
            hills(c, b, p, light, rng, 0.6);
            treeline(c, b, p, light, rng);
            bridge(c, b, p, light, rng);
        }
        Far::Sea => sea(c, b, p, light, rng),
        Far::Stands => stands(c, b, p, light, rng),
        Far::None | Far::Tiles | Far::Plain | Far::Planks | Far::Shelves | Far::Columns => {}
    }
}

/// A smooth random line: a few sines.
pub(super) fn wave(rng: &mut ChaCha8Rng, height: f32, bumps: f32) -> impl Fn(f32) -> f32 + use<> {
    let parts: Vec<(f32, f32, f32)> = (1..=3)
        .map(|i| {
            let k = i as f32;
            (
                height / k,
                bumps * k * rng.random_range(0.8..1.2),
                rng.random_range(0.0..6.3),
            )
        })
        .collect();
    move |x| {
        parts
            .iter()
            .map(|(a, f, phase)| a * (f * x + phase).sin())
            .sum::<f32>()
            * 0.5
    }
}

fn hills(
    c: &mut Canvas,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
    height: f32,
) {
    for (i, base) in p.far.iter().enumerate() {
        let near = i as f32 / 2.0;
        let rise = (0.15 - 0.055 * i as f32) * height;
        let line = wave(rng, 0.05 * height, 4.0 + 2.0 * near);
        let y = b.horizon;
        let colour = light.at(green(*base, b.season), 1.3 - 0.8 * near);
        c.below(
            &|x| y - rise + line(x),
            y + 0.03,
            colour,
            colour.mix(light.haze, 0.22),
        );
    }
}

fn dunes(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    for i in 0..3 {
        let near = i as f32 / 2.0;
        let line = wave(rng, 0.035, 3.0 + near);
        let (y, rise) = (b.horizon, 0.09 - 0.04 * i as f32);
        let colour = light.at(p.sand.mix(p.earth, 0.2 + 0.4 * near), 1.2 - 0.7 * near);
        c.below(
            &|x| y - rise + line(x),
            y + 0.03,
            colour.scaled(1.04),
            colour.scaled(0.94),
        );
    }
}

fn mountains(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    let rock = p.far[1].mix(Rgb::new(0.45, 0.5, 0.62), 0.45);
    let n = rng.random_range(4..6);
    for i in 0..n {
        let x = (i as f32 + rng.random_range(0.2..0.8)) / n as f32;
        let top = b.horizon - rng.random_range(0.18..0.36_f32).min(b.horizon * 0.75);
        let half = rng.random_range(0.2..0.32);
        let base = b.horizon + 0.03;
        let peak = (x, top);
        let lean = rng.random_range(-0.03..0.03);
        let colour = light.at(rock, 0.9);
        let dark = colour.scaled(0.84);
        c.polygon(&[(x - half, base), peak, (x + half, base)], colour, 1.0);
        c.polygon(
            &[peak, (x + half, base), (x + lean + 0.02, base)],
            dark,
            1.0,
        );
        // The cap follows both flanks for a fifth of the way, its lower edge in teeth.
        let snow = light.at(Rgb::new(0.97, 0.98, 1.0), 0.5);
        let t = if b.season == Season::Winter {
            0.42
        } else {
            0.26
        };
        let at = |s: f32, d: f32| (x + s * half * (t + d), top + (base - top) * (t + d));
        let mid = |f: f32, d: f32| (x + f * half * t, top + (base - top) * (t + d));
        let cap = [
            peak,
            at(1.0, 0.0),
            mid(0.55, -0.07),
            mid(0.25, 0.05),
            mid(-0.1, -0.06),
            mid(-0.5, 0.04),
            at(-1.0, 0.0),
        ];
        c.polygon(&cap, snow, 1.0);
        c.polygon(
            &[
                peak,
                at(1.0, 0.0),
                mid(0.55, -0.07),
                mid(0.25, 0.05),
                (x + lean * t + 0.004, top + (base - top) * t * 0.7),
            ],
            snow.scaled(0.9),
            1.0,
        );
    }
}

fn skyline(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    for layer in 0..2 {
        let mut x = -0.04;
        let tone = p.far[layer].mix(Rgb::new(0.5, 0.54, 0.66), 0.4);
        while x < 1.02 {
            let w = rng.random_range(0.07..0.14);
            let tall = rng.random_range(0.12..0.34) - 0.07 * layer as f32;
            let top = b.horizon - tall;
            let colour = light.at(
                tone.scaled(rng.random_range(0.9..1.08)),
                1.1 - 0.5 * layer as f32,
            );
            c.rect(x, top, w, tall + 0.03, colour, 1.0);
            if rng.random_bool(0.3) {
                c.rect(x + w * 0.35, top - 0.03, w * 0.3, 0.032, colour, 1.0);
            }
            if layer == 1 {
                windows(c, (x, top), w, tall, light, rng);
            }
            x += w * rng.random_range(0.86..1.1);
        }
    }
}

fn windows(c: &mut Canvas, at: (f32, f32), w: f32, h: f32, light: &Light, rng: &mut ChaCha8Rng) {
    let (columns, rows) = ((w / 0.026) as usize, (h / 0.036) as usize);
    for i in 0..columns {
        for j in 0..rows {
            let lit = light.night && rng.random_bool(0.55);
            let colour = if lit {
                Rgb::new(1.0, 0.87, 0.55)
            } else {
                light.near(Rgb::new(0.8, 0.88, 0.96))
            };
            let step = w / (columns as f32 + 0.5);
            let (x, y) = (
                at.0 + step * (i as f32 + 0.45),
                at.1 + 0.014 + j as f32 * 0.036,
            );
            c.rect(
                x,
                y,
                step * 0.5,
                0.018,
                colour,
                if lit { 0.95 } else { 0.55 },
            );
        }
    }
}

fn houses(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    hills(c, b, p, light, rng, 0.9);
    let mut x = -0.05;
    while x < 1.0 {
        let w = rng.random_range(0.12..0.2);
        let tall = rng.random_range(0.12..0.22);
        let (top, base) = (b.horizon - tall, b.horizon + 0.03);
        let walls = [p.wall, p.stone, p.cloth, p.sand];
        let wall = walls.choose(rng).copied().unwrap_or(p.wall);
        let roof = p
            .accent
            .choose(rng)
            .copied()
            .unwrap_or(p.curtain)
            .mix(p.earth, 0.45);
        let (wall, roof) = (light.at(wall.scaled(0.96), 0.7), light.at(roof, 0.75));
        c.rect(x, top, w, base - top, wall, 1.0);
        if rng.random_bool(0.6) {
            let peak = top - rng.random_range(0.05..0.09);
            c.polygon(
                &[(x - 0.012, top), (x + w / 2.0, peak), (x + w + 0.012, top)],
                roof,
                1.0,
            );
        } else {
            c.rect(x - 0.006, top - 0.018, w + 0.012, 0.022, roof, 1.0);
        }
        let n = if w > 0.16 { 3 } else { 2 };
        for i in 0..n {
            for j in 0..((tall / 0.085) as usize) {
                let (wx, wy) = (
                    x + w * (i as f32 + 0.28) / n as f32,
                    top + 0.024 + j as f32 * 0.08,
                );
                let lit = light.night && rng.random_bool(0.6);
                let pane = if lit {
                    Rgb::new(1.0, 0.85, 0.5)
                } else {
                    light.near(Rgb::new(0.45, 0.56, 0.68))
                };
                c.rect(wx, wy, w * 0.44 / n as f32, 0.042, pane, 0.9);
            }
        }
        x += w * rng.random_range(0.98..1.12);
    }
}

fn trees(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    for layer in 0..3 {
        let near = layer as f32 / 2.0;
        let tone = green(p.far[2].mix(p.grass, 0.2), b.season).scaled(0.98 - 0.2 * near);
        let colour = light.at(tone, 1.0 - 0.6 * near);
        let base = b.horizon + 0.02 + 0.015 * near;
        let n = 15 - 3 * layer;
        for i in 0..n {
            let x = (i as f32 + rng.random_range(0.0..1.0)) / n as f32;
            let tall = rng.random_range(0.16..0.27) * (0.75 + 0.4 * near);
            let colour = colour.scaled(rng.random_range(0.93..1.05));
            if b.place == "jungle" || rng.random_bool(0.3) {
                c.rect(
                    x - 0.005,
                    base - tall * 0.5,
                    0.01,
                    tall * 0.5,
                    light.at(p.earth.scaled(0.6), 0.6),
                    1.0,
                );
                c.ellipse(
                    (x, base - tall * 0.68),
                    tall * 0.3,
                    tall * 0.34,
                    colour,
                    1.0,
                );
            } else {
                fir(c, (x, base), tall, colour);
            }
        }
    }
}

/// A fir of three tiers.
fn fir(c: &mut Canvas, foot: (f32, f32), tall: f32, colour: Rgb) {
    let (x, y) = foot;
    for (low, high, half) in [(0.08, 0.55, 0.2), (0.33, 0.78, 0.16), (0.58, 1.0, 0.115)] {
        let half = half * tall / c.aspect();
        let points = [
            (x - half, y - tall * low),
            (x, y - tall * high),
            (x + half, y - tall * low),
        ];
        c.polygon(&points, colour.scaled(0.92 + 0.08 * high), 1.0);
    }
}

fn treeline(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    for layer in 0..2 {
        let tone = green(p.far[2].mix(p.grass, 0.3), b.season).scaled(1.0 - 0.14 * layer as f32);
        let colour = light.at(tone, 0.8 - 0.4 * layer as f32);
        let mut x = -0.05;
        while x < 1.05 {
            let r = rng.random_range(0.035..0.075) * (1.0 - 0.25 * layer as f32);
            let shade = colour.scaled(rng.random_range(0.95..1.05));
            c.ellipse((x, b.horizon + 0.005), r * 1.15, r, shade, 1.0);
            x += r * 1.1 / c.aspect();
        }
    }
}

/// A bridge of arches from bank to bank.
fn bridge(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    let stone = light.at(p.stone.mix(p.earth, 0.2), 0.4);
    let (deck, foot) = (b.horizon - 0.16, b.horizon + 0.05);
    c.rect(0.0, deck, 1.0, foot - deck, stone, 1.0);
    c.rect(0.0, deck - 0.02, 1.0, 0.026, stone.scaled(0.84), 1.0);
    let n = rng.random_range(3..6);
    let span = 1.0 / n as f32;
    let (air, shade) = (light.at(p.water, 0.9), stone.scaled(0.72));
    for i in 0..n {
        let x = span * (i as f32 + 0.5);
        let (half, spring) = (span * 0.36, deck + 0.1);
        for (grow, tone) in [(1.0, shade), (0.88, air)] {
            let rx = half * grow * c.aspect();
            c.ellipse((x, spring), rx, 0.06 * grow, tone, 1.0);
            c.rect(
                x - half * grow,
                spring,
                half * grow * 2.0,
                foot - spring + 0.004,
                tone,
                1.0,
            );
        }
    }
}

fn sea(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    let depth = 0.13;
    let top = light.at(p.water, 0.8);
    c.gradient(
        0.0,
        b.horizon - depth,
        1.0,
        depth + 0.06,
        &[top, light.near(p.water.scaled(1.08))],
    );
    let crest = light.near(Rgb::new(0.93, 0.98, 1.0));
    for _ in 0..16 {
        let t: f32 = rng.random_range(0.05..1.0);
        let (x, y) = (rng.random_range(0.0..1.0), b.horizon - depth + depth * t);
        c.line(&[(x, y), (x + 0.03 + 0.05 * t, y)], 0.003, crest, 0.45);
    }
    // Where the waves run out.
    let line = wave(rng, 0.01, 9.0);
    let y = b.horizon;
    c.below(&|x| y + 0.004 + line(x), y + 0.05, crest, crest);
}

fn stands(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    let top = b.horizon - 0.2;
    c.rect(
        0.0,
        top,
        1.0,
        0.24,
        light.at(p.stone.scaled(0.86), 0.6),
        1.0,
    );
    c.rect(0.0, top - 0.035, 1.0, 0.045, light.at(p.curtain, 0.4), 1.0);
    for row in 0..6 {
        let y = top + 0.035 + 0.028 * row as f32;
        c.rect(
            0.0,
            y + 0.012,
            1.0,
            0.004,
            light.at(p.stone.scaled(0.7), 0.4),
            0.8,
        );
        for i in 0..46 {
            if rng.random_bool(0.82) {
                let colours = [p.accent[0], p.accent[1], p.accent[2], p.water, p.wall];
                let tone = colours.choose(rng).copied().unwrap_or(p.wall);
                let x = (i as f32 + rng.random_range(0.2..0.8)) / 46.0;
                c.circle((x, y), 0.0085, light.at(tone, 0.4), 1.0);
            }
        }
    }
    c.rect(0.0, b.horizon - 0.012, 1.0, 0.03, light.near(p.wall), 1.0);
}
