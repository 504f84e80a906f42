//! Grounds: what lies between the horizon and the camera.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::land::wave;
use super::light::{Light, green, ground_wash};
use crate::colour::Rgb;
use crate::scene::{Background, Season, TimeOfDay, Weather};
use crate::tables::{Ground, Palette};

/// Paints the ground of an outdoor scene.
pub(super) fn ground(
    c: &mut Canvas,
    kind: Ground,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
) {
    let snowy = b.season == Season::Winter || b.weather == Weather::Snow;
    match kind {
        Ground::Grass if snowy => snow(c, b, light, rng),
        Ground::Grass => grass(c, b, p, light, rng),
        Ground::Snow => snow(c, b, light, rng),
        Ground::Sand => grains(c, b, p.sand, light, rng),
        Ground::Earth => earth(c, b, p, light, rng),
        Ground::Paving => paving(c, b, p, light),
        Ground::Road => road(c, b, p, light, rng, snowy),
        Ground::Rails => rails(c, b, p, light, rng, snowy),
        Ground::Pitch => pitch(c, b, p, light),
        Ground::Water => water(c, b, p, light, rng),
        Ground::Boards | Ground::Tiles | Ground::Cloth | Ground::None => {}
    }
}

/// The ground's own upper edge, a little uneven, from far to near.
fn field(c: &mut Canvas, b: &Background, far: Rgb, near: Rgb, rng: &mut ChaCha8Rng) {
    let line = wave(rng, 0.012, 4.0);
    let y = b.horizon;
    c.below(&|x| y + line(x), 1.0, far, near);
}

fn grass(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    let tone = ground_wash(b).map_or(p.grass, |w| p.grass.mix(w, 0.16));
    let tone = green(tone, b.season);
    field(
        c,
        b,
        light.at(tone.scaled(1.06), 0.5),
        light.near(tone.scaled(0.9)),
        rng,
    );
    // Broad soft bands give the meadow depth.
    for i in 0..3 {
        let y = b.horizon + (1.0 - b.horizon) * (0.22 + 0.24 * i as f32);
        let line = wave(rng, 0.03, 3.0);
        let colour = light.near(tone.scaled(1.0 - 0.045 * (i + 1) as f32));
        c.below(&|x| y + line(x), 1.0, colour, light.near(tone.scaled(0.86)));
    }
    tufts(c, b, light.near(tone.scaled(0.78)), 34, rng);
    if matches!(b.season, Season::Spring | Season::Summer) {
        for _ in 0..26 {
            let (at, size) = scattered(b, rng);
            let petal = [p.accent[2], Rgb::WHITE, p.accent[0]][rng.random_range(0..3)];
            c.circle(at, 0.0055 * size, light.near(petal), 0.95);
        }
    }
    if b.season == Season::Autumn {
        for _ in 0..30 {
            let (at, size) = scattered(b, rng);
            let leaf = [p.accent[0], Rgb::new(0.87, 0.6, 0.2), p.earth][rng.random_range(0..3)];
            c.ellipse(at, 0.009 * size, 0.005 * size, light.near(leaf), 0.9);
        }
    }
}

/// A point on the ground, and how large a thing looks there.
fn scattered(b: &Background, rng: &mut ChaCha8Rng) -> ((f32, f32), f32) {
    let t: f32 = rng.random_range(0.08..1.0);
    (
        (
            rng.random_range(0.0..1.0),
            b.horizon + (1.0 - b.horizon) * t,
        ),
        0.4 + 0.8 * t,
    )
}

fn tufts(c: &mut Canvas, b: &Background, colour: Rgb, n: usize, rng: &mut ChaCha8Rng) {
    for _ in 0..n {
        let ((x, y), size) = scattered(b, rng);
        let tall = 0.022 * size;
        for lean in [-0.45, 0.0, 0.45] {
            let tip = (
                x + lean * tall / c.aspect(),
                y - tall * (1.0 - 0.3 * f32::abs(lean)),
            );
            c.line(&[(x, y), tip], 0.0036 * size, colour, 0.8);
        }
    }
}

fn snow(c: &mut Canvas, b: &Background, light: &Light, rng: &mut ChaCha8Rng) {
    let (white, blue) = (Rgb::new(0.97, 0.98, 1.0), Rgb::new(0.83, 0.89, 0.96));
    field(c, b, light.at(white, 0.3), light.near(blue), rng);
    for i in 0..3 {
        let y = b.horizon + (1.0 - b.horizon) * (0.2 + 0.27 * i as f32);
        let line = wave(rng, 0.035, 2.6);
        c.below(
            &|x| y + line(x),
            1.0,
            light.near(white),
            light.near(blue.scaled(0.98)),
        );
    }
}

fn grains(c: &mut Canvas, b: &Background, tone: Rgb, light: &Light, rng: &mut ChaCha8Rng) {
    field(
        c,
        b,
        light.at(tone.scaled(1.04), 0.3),
        light.near(tone.scaled(0.93)),
        rng,
    );
    for i in 0..2 {
        let y = b.horizon + (1.0 - b.horizon) * (0.35 + 0.3 * i as f32);
        let line = wave(rng, 0.03, 3.0);
        let colour = light.near(tone.scaled(0.97 - 0.03 * i as f32));
        c.below(&|x| y + line(x), 1.0, colour, light.near(tone.scaled(0.9)));
    }
    for _ in 0..70 {
        let (at, size) = scattered(b, rng);
        c.circle(at, 0.0028 * size, light.near(tone.scaled(0.8)), 0.6);
    }
}

fn earth(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    grains(c, b, p.earth.mix(p.sand, 0.35), light, rng);
    tufts(
        c,
        b,
        light.near(p.grass.mix(p.earth, 0.35).scaled(0.85)),
        44,
        rng,
    );
}

fn paving(c: &mut Canvas, b: &Background, p: &Palette, light: &Light) {
    let far = light.at(p.stone.scaled(1.0), 0.3);
    c.gradient(
        0.0,
        b.horizon,
        1.0,
        1.0 - b.horizon,
        &[far, light.near(p.stone.scaled(0.86))],
    );
    let joint = light.near(p.stone.scaled(0.74));
    let room = 1.0 - b.horizon;
    for i in 1..9 {
        let t = (i as f32 / 9.0).powf(1.8);
        c.line(
            &[(0.0, b.horizon + room * t), (1.0, b.horizon + room * t)],
            0.003,
            joint,
            0.5,
        );
    }
    for i in -9..=9 {
        let x = i as f32 * 0.09;
        let (far, near) = ((0.5 + x * 0.55, b.horizon), (0.5 + x * 2.6, 1.0));
        c.line(&[far, near], 0.003, joint, 0.45);
    }
    c.rect(
        0.0,
        b.horizon - 0.004,
        1.0,
        0.018,
        light.at(p.stone.scaled(0.8), 0.3),
        1.0,
    );
}

/// The verge, of the season's colour.
fn verge(
    c: &mut Canvas,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
    snowy: bool,
) {
    if snowy {
        snow(c, b, light, rng);
    } else {
        grass(c, b, p, light, rng);
    }
}

fn road(
    c: &mut Canvas,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
    snowy: bool,
) {
    let town = b.place == "street";
    if town {
        c.rect(
            0.0,
            b.horizon,
            1.0,
            1.0 - b.horizon,
            light.near(p.stone),
            1.0,
        );
    } else {
        verge(c, b, p, light, rng, snowy);
    }
    let room = 1.0 - b.horizon;
    let (top, bottom) = (
        b.horizon + room * 0.3,
        1.0 - room * if town { 0.0 } else { 0.06 },
    );
    let asphalt = Rgb::new(0.44, 0.45, 0.49).mix(p.stone, 0.1);
    c.rect(
        0.0,
        top - 0.014,
        1.0,
        0.016,
        light.near(p.stone.scaled(0.92)),
        1.0,
    );
    c.gradient(
        0.0,
        top,
        1.0,
        bottom - top,
        &[
            light.near(asphalt.scaled(1.12)),
            light.near(asphalt.scaled(0.9)),
        ],
    );
    let mark = light.near(Rgb::new(0.95, 0.93, 0.84));
    let (y, shift) = (
        f32::midpoint(top, bottom) - 0.006,
        rng.random_range(0.0..0.2),
    );
    for i in -1..6 {
        c.rect(i as f32 * 0.2 + shift, y, 0.11, 0.013, mark, 0.9);
    }
    if !town {
        c.rect(0.0, bottom - 0.022, 1.0, 0.007, mark, 0.8);
    }
}

fn rails(
    c: &mut Canvas,
    b: &Background,
    p: &Palette,
    light: &Light,
    rng: &mut ChaCha8Rng,
    snowy: bool,
) {
    verge(c, b, p, light, rng, snowy);
    let room = 1.0 - b.horizon;
    let (top, bottom) = (b.horizon + room * 0.5, b.horizon + room * 0.94);
    let ballast = light.near(p.stone.scaled(0.72));
    c.polygon(
        &[(0.0, top), (1.0, top), (1.0, bottom), (0.0, bottom)],
        ballast,
        1.0,
    );
    let wood = light.near(p.floor.scaled(0.62));
    for i in 0..16 {
        c.rect(
            i as f32 / 15.5,
            top + 0.02,
            0.022,
            bottom - top - 0.04,
            wood,
            1.0,
        );
    }
    let steel = light.near(Rgb::new(0.62, 0.65, 0.7));
    for y in [top + 0.035, bottom - 0.05] {
        c.rect(0.0, y, 1.0, 0.012, steel, 1.0);
        c.rect(0.0, y + 0.012, 1.0, 0.006, steel.scaled(0.6), 1.0);
    }
}

fn pitch(c: &mut Canvas, b: &Background, p: &Palette, light: &Light) {
    let tone = p.grass.mix(Rgb::new(0.3, 0.68, 0.32), 0.5);
    let room = 1.0 - b.horizon;
    let mut y = b.horizon;
    for i in 0..6 {
        let h = room * (0.08 + 0.035 * i as f32);
        let colour = tone.scaled(if i % 2 == 0 { 1.0 } else { 0.9 });
        c.rect(0.0, y, 1.0, h + 0.004, light.near(colour), 1.0);
        y += h;
    }
    let chalk = light.near(Rgb::new(0.96, 0.98, 0.94));
    c.rect(0.0, b.horizon + room * 0.1, 1.0, 0.007, chalk, 0.9);
    c.line(
        &[(0.16, b.horizon + room * 0.1), (-0.08, 1.0)],
        0.011,
        chalk,
        0.9,
    );
    c.line(
        &[(0.84, b.horizon + room * 0.1), (1.08, 1.0)],
        0.011,
        chalk,
        0.9,
    );
}

fn water(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    let frozen = b.season == Season::Winter && b.place != "sea";
    let ice = if frozen { 0.62 } else { 0.0 };
    let tone = p
        .water
        .mix(light.sky[light.sky.len() - 1], 0.22)
        .mix(Rgb::WHITE, ice);
    let deep = light.near(p.water.scaled(0.84).mix(Rgb::WHITE, ice));
    c.gradient(
        0.0,
        b.horizon,
        1.0,
        1.0 - b.horizon,
        &[light.at(tone, 0.6), light.near(tone), deep],
    );
    let room = 1.0 - b.horizon;
    if matches!(b.time, TimeOfDay::Dusk | TimeOfDay::Dawn | TimeOfDay::Night) {
        let glint = if light.night {
            Rgb::new(0.9, 0.92, 1.0)
        } else {
            Rgb::new(1.0, 0.85, 0.6)
        };
        c.glow((0.5, b.horizon + room * 0.1), 0.6, room * 0.5, glint, 0.3);
    }
    let crest = light.near(Rgb::new(0.9, 0.97, 1.0));
    let n = match b.place.as_str() {
        "sea" => 46,
        _ if frozen => 8,
        _ => 30,
    };
    for _ in 0..n {
        let t = rng.random_range(0.03_f32..1.0).powf(1.3);
        let (x, y) = (rng.random_range(-0.1..1.0), b.horizon + room * t);
        let length = 0.03 + 0.09 * t;
        let dip = 0.004 + 0.006 * t;
        let middle = (x + length / 2.0, y - dip);
        c.line(
            &[(x, y), middle, (x + length, y)],
            0.002 + 0.003 * t,
            crest,
            0.34,
        );
    }
    if b.bank {
        bank(c, b, p, light, rng);
    }
}

/// Land at the camera's feet, for those who cannot swim.
fn bank(c: &mut Canvas, b: &Background, p: &Palette, light: &Light, rng: &mut ChaCha8Rng) {
    let sandy = b.place == "sea";
    let tone = if sandy {
        p.sand
    } else {
        green(p.grass, b.season)
    };
    let line = wave(rng, 0.03, 3.2);
    let y = 0.84;
    let foam = light.near(Rgb::new(0.92, 0.97, 0.98));
    c.below(&|x| y - 0.008 + line(x), 1.0, foam, foam);
    c.below(
        &|x| y + line(x),
        1.0,
        light.near(tone),
        light.near(tone.scaled(0.86)),
    );
    if !sandy {
        let near = Background {
            horizon: 0.86,
            ..b.clone()
        };
        tufts(c, &near, light.near(tone.scaled(0.78)), 16, rng);
    }
}
