//! Rooms and tables.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::light::{Light, wall_wash};
use crate::colour::Rgb;
use crate::scene::{Background, TimeOfDay};
use crate::tables::{Far, Ground, Palette, Place};

/// Lamplight.
const LAMP: Rgb = Rgb::new(1.0, 0.86, 0.55);

/// A wall's own colour, turned towards the caption's.
fn wall_colour(b: &Background, p: &Palette) -> Rgb {
    wall_wash(b).map_or(p.wall, |w| p.wall.mix(w, 0.26))
}

/// A room: wall, skirting, window, floor, rug.
pub(super) fn room(c: &mut Canvas, place: &Place, b: &Background, p: &Palette, light: &Light) {
    let wall = wall_colour(b, p);
    let h = b.horizon;
    c.gradient(
        0.0,
        0.0,
        1.0,
        h,
        &[light.near(wall.scaled(1.03)), light.near(wall.scaled(0.94))],
    );
    if place.far == Far::Columns {
        columns(c, b, p, light);
    } else {
        let stripe = light.near(wall.scaled(0.955));
        for i in 0..8 {
            c.rect(i as f32 / 8.0, 0.0, 0.0625, h, stripe, 0.7);
        }
        let x = if b.window_left() { 0.08 } else { 0.66 };
        window(c, (x, 0.1), 0.26, 0.34, b, p, light);
    }
    floor(c, place.ground, b, p, light);
    c.rect(
        0.0,
        h - 0.026,
        1.0,
        0.03,
        light.near(wall.mix(Rgb::WHITE, 0.6)),
        1.0,
    );
    let y = h + (1.0 - h) * 0.56;
    c.ellipse(
        (0.5, y),
        0.46,
        0.1,
        light.near(p.curtain.mix(p.wall, 0.25)),
        0.85,
    );
    c.ellipse(
        (0.5, y),
        0.41,
        0.082,
        light.near(p.accent[2].mix(p.wall, 0.45)),
        0.85,
    );
    if light.night {
        c.glow((0.5, 0.02), 0.8, 0.7, LAMP, 0.32);
    }
}

/// A window with the hour's sky behind it.
fn window(
    c: &mut Canvas,
    at: (f32, f32),
    w: f32,
    h: f32,
    b: &Background,
    p: &Palette,
    light: &Light,
) {
    let (x, y) = at;
    let frame = light.near(Rgb::new(0.98, 0.97, 0.94));
    c.rect(x - 0.016, y - 0.016, w + 0.032, h + 0.032, frame, 1.0);
    c.gradient(x, y, w, h, &light.sky);
    let hill = light.at(p.far[1], 0.8);
    c.polygon(
        &[
            (x, y + h),
            (x, y + h * 0.8),
            (x + w * 0.4, y + h * 0.68),
            (x + w, y + h * 0.84),
            (x + w, y + h),
        ],
        hill,
        1.0,
    );
    if b.time == TimeOfDay::Night {
        c.circle(
            (x + w * 0.72, y + h * 0.25),
            0.022,
            Rgb::new(0.98, 0.95, 0.84),
            1.0,
        );
    }
    c.rect(x + w / 2.0 - 0.005, y, 0.01, h, frame, 1.0);
    c.rect(x, y + h / 2.0 - 0.005, w, 0.01, frame, 1.0);
    c.rect(
        x - 0.03,
        y + h + 0.014,
        w + 0.06,
        0.018,
        frame.scaled(0.93),
        1.0,
    );
    let cloth = light.near(p.curtain);
    for (cx, dx) in [(x - 0.045, 0.06), (x + w + 0.045, -0.06)] {
        c.polygon(
            &[
                (cx, y - 0.03),
                (cx + dx, y - 0.03),
                (cx + dx * 0.55, y + h + 0.05),
                (cx, y + h + 0.05),
            ],
            cloth,
            0.95,
        );
    }
    c.rect(
        x - 0.065,
        y - 0.042,
        w + 0.13,
        0.014,
        cloth.scaled(0.7),
        1.0,
    );
}

fn columns(c: &mut Canvas, b: &Background, p: &Palette, light: &Light) {
    let stone = light.near(p.stone);
    for i in 0..4 {
        let x = 0.04 + i as f32 * 0.28;
        c.gradient(
            x,
            0.07,
            0.075,
            b.horizon - 0.07,
            &[stone.scaled(1.05), stone.scaled(0.92)],
        );
        for j in 1..4 {
            let fx = x + 0.075 * j as f32 / 4.0;
            c.rect(fx, 0.09, 0.005, b.horizon - 0.14, stone.scaled(0.82), 0.7);
        }
        c.rect(x - 0.016, 0.055, 0.107, 0.03, stone.scaled(0.9), 1.0);
        c.rect(
            x - 0.016,
            b.horizon - 0.05,
            0.107,
            0.05,
            stone.scaled(0.88),
            1.0,
        );
    }
    c.rect(0.0, 0.0, 1.0, 0.058, stone.scaled(0.84), 1.0);
}

fn floor(c: &mut Canvas, kind: Ground, b: &Background, p: &Palette, light: &Light) {
    let h = b.horizon;
    let room = 1.0 - h;
    let tone = if kind == Ground::Tiles {
        p.stone
    } else {
        p.floor
    };
    c.gradient(
        0.0,
        h,
        1.0,
        room,
        &[light.near(tone.scaled(0.92)), light.near(tone.scaled(1.06))],
    );
    let joint = light.near(tone.scaled(0.78));
    for i in -10..=10 {
        let x = i as f32 * 0.1;
        c.line(
            &[(0.5 + x * 0.75, h), (0.5 + x * 2.0, 1.0)],
            0.003,
            joint,
            0.55,
        );
    }
    if kind == Ground::Tiles {
        for i in 1..6 {
            let y = h + room * (i as f32 / 6.0).powf(1.6);
            c.line(&[(0.0, y), (1.0, y)], 0.003, joint, 0.55);
        }
    }
}

/// A table or a worktop before a wall.
pub(super) fn table(
    c: &mut Canvas,
    place: &Place,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
) {
    wall(c, place.far, b, p, light, rng);
    worktop(c, place.ground, b, p, light);
    if light.night {
        c.glow((0.5, 0.1), 0.9, 0.8, LAMP, 0.3);
    }
}

/// The wall behind a table.
fn wall(
    c: &mut Canvas,
    kind: Far,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
) {
    let wall = wall_colour(b, p);
    let h = b.horizon;
    c.gradient(
        0.0,
        0.0,
        1.0,
        h,
        &[light.near(wall.scaled(0.96)), light.near(wall.scaled(1.03))],
    );
    match kind {
        Far::Tiles => {
            let joint = light.near(Rgb::WHITE.mix(wall, 0.3));
            for i in 0..=10 {
                c.rect(i as f32 / 10.0, 0.0, 0.005, h, joint, 0.8);
                c.rect(0.0, h - 0.1 * i as f32, 1.0, 0.006, joint, 0.8);
            }
            for _ in 0..7 {
                let (i, j) = (rng.random_range(0..10), rng.random_range(1..6));
                let tile = light.near(p.accent[rng.random_range(0..3)]);
                c.rect(
                    i as f32 / 10.0 + 0.005,
                    h - 0.1 * j as f32 + 0.006,
                    0.095,
                    0.094,
                    tile,
                    0.28,
                );
            }
        }
        Far::Planks => {
            for i in 0..7 {
                let shade = wall
                    .mix(p.floor, 0.55)
                    .scaled(if i % 2 == 0 { 0.88 } else { 0.93 });
                c.rect(i as f32 / 7.0, 0.0, 1.0 / 7.0, h, light.near(shade), 1.0);
                c.rect(
                    i as f32 / 7.0,
                    0.0,
                    0.005,
                    h,
                    light.near(shade.scaled(0.8)),
                    1.0,
                );
            }
        }
        Far::Shelves => shelves(c, b, p, light, rng),
        _ if rng.random_bool(0.4) => {
            let x = if b.window_left() { 0.1 } else { 0.6 };
            window(c, (x, 0.06), 0.3, h - 0.2, b, p, light);
        }
        _ => lights(c, b, p, light, rng),
    }
}

/// The table itself: a checked cloth or boards.
fn worktop(c: &mut Canvas, kind: Ground, b: &Background, p: &Palette, light: &Light) {
    let h = b.horizon;
    let top = if kind == Ground::Cloth {
        p.cloth
    } else {
        p.floor
    };
    let top = wall_wash(b).map_or(top, |w| top.mix(w, 0.15));
    c.gradient(
        0.0,
        h,
        1.0,
        1.0 - h,
        &[light.near(top.scaled(0.92)), light.near(top.scaled(1.04))],
    );
    c.rect(
        0.0,
        h - 0.004,
        1.0,
        0.012,
        light.near(top.scaled(1.12)),
        1.0,
    );
    if kind == Ground::Cloth {
        let check = light.near(p.accent[0].mix(top, 0.55));
        for i in -8..=8 {
            let x = i as f32 * 0.13;
            let strip = [
                (0.5 + x * 0.8, h + 0.008),
                (0.53 + x * 0.8, h + 0.008),
                (0.555 + x * 1.7, 1.0),
                (0.5 + x * 1.7, 1.0),
            ];
            c.polygon(&strip, check, 0.3);
        }
        for i in 0..4 {
            let t = (0.12 + i as f32 * 0.27_f32).powf(1.25);
            c.rect(0.0, h + (1.0 - h) * t, 1.0, 0.018 + 0.022 * t, check, 0.3);
        }
    } else {
        for i in 1..6 {
            let y = h + (1.0 - h) * (i as f32 / 6.0).powf(1.3);
            c.line(
                &[(0.0, y), (1.0, y)],
                0.0035,
                light.near(top.scaled(0.84)),
                0.6,
            );
        }
    }
}

/// Soft lights out of focus.
fn lights(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    for _ in 0..11 {
        let at = (
            rng.random_range(0.0..1.0),
            rng.random_range(0.02..b.horizon - 0.06),
        );
        let tone = [p.accent[0], p.accent[2], p.far[0], Rgb::WHITE][rng.random_range(0..4)];
        let r = rng.random_range(0.03..0.085);
        c.circle(at, r, light.near(tone), rng.random_range(0.12..0.26));
    }
}

fn shelves(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    let wood = light.near(p.floor.scaled(0.86));
    for i in 0..3 {
        let y = b.horizon - 0.04 - 0.19 * i as f32;
        let mut x = 0.02;
        while x < 0.97 {
            let (w, tall) = (rng.random_range(0.03..0.07), rng.random_range(0.06..0.13));
            let tones = [p.accent[0], p.accent[1], p.accent[2], p.far[1], p.stone];
            let tone = light.near(tones[rng.random_range(0..5)].mix(p.wall, 0.4));
            c.rect(x, y - tall, w, tall, tone, 0.85);
            x += w + rng.random_range(0.008..0.03);
        }
        c.rect(0.0, y, 1.0, 0.02, wood, 1.0);
        c.rect(0.0, y + 0.02, 1.0, 0.008, wood.scaled(0.75), 0.7);
    }
}
