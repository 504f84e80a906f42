//! The stage, under water, and space.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::land::wave;
use super::light::wall_wash;
use super::sky::stars;
use crate::colour::Rgb;
use crate::scene::{Background, TimeOfDay};
use crate::tables::Palette;

/// A stage: dark backcloth, curtains, boards, spotlights.
pub(super) fn stage(c: &mut Canvas, b: &Background, p: &Palette, rng: &mut ChaCha8Rng) {
    let h = b.horizon;
    let back = p.night[1].mix(wall_wash(b).unwrap_or(p.curtain), 0.24);
    c.gradient(0.0, 0.0, 1.0, h, &[p.night[0].mix(back, 0.3), back]);
    let gel = p.accent[rng.random_range(0..3)];
    let beam = Rgb::new(1.0, 0.94, 0.76).mix(gel, rng.random_range(0.0..0.45));
    for (from, to) in [(0.24, 0.42), (0.76, 0.58), (0.5, 0.5)] {
        let to = to + rng.random_range(-0.06..0.06);
        c.polygon(
            &[
                (from - 0.012, -0.02),
                (from + 0.012, -0.02),
                (to + 0.2, h + 0.12),
                (to - 0.2, h + 0.12),
            ],
            beam,
            0.1,
        );
    }
    let wood = p.floor.scaled(0.86);
    c.gradient(0.0, h, 1.0, 1.0 - h, &[wood.scaled(0.72), wood.scaled(1.0)]);
    for i in -9..=9 {
        let x = i as f32 * 0.11;
        c.line(
            &[(0.5 + x * 0.8, h), (0.5 + x * 1.9, 1.0)],
            0.0035,
            wood.scaled(0.62),
            0.7,
        );
    }
    c.glow((0.5, h + (1.0 - h) * 0.5), 0.56, 0.17, beam, 0.55);
    c.glow((0.5, h * 0.62), 0.5, 0.42, beam, 0.22);
    for i in 0..5 {
        let (w, x) = (0.034, i as f32 * 0.034);
        let tone = p.curtain.scaled(if i % 2 == 0 { 0.92 } else { 0.74 });
        c.gradient(x, 0.0, w, h + 0.04, &[tone.scaled(0.85), tone]);
        c.gradient(1.0 - x - w, 0.0, w, h + 0.04, &[tone.scaled(0.85), tone]);
    }
    for i in 0..9 {
        let x = (i as f32 + 0.5) / 9.0;
        let tone = p.curtain.scaled(if i % 2 == 0 { 0.86 } else { 0.7 });
        c.ellipse((x, 0.0), c.aspect() / 16.0, 0.11, tone, 1.0);
    }
    c.rect(0.0, 0.0, 1.0, 0.034, p.curtain.scaled(0.6), 1.0);
    c.rect(0.0, 0.034, 1.0, 0.007, p.accent[2], 0.9);
}

/// Blue water, rays, bubbles, a bed of sand with weeds.
pub(super) fn underwater(c: &mut Canvas, b: &Background, p: &Palette, rng: &mut ChaCha8Rng) {
    let tone = p.water.mix(Rgb::new(0.1, 0.5, 0.75), 0.4);
    let tone = wall_wash(b).map_or(tone, |w| tone.mix(w, 0.12));
    let dim = if b.time == TimeOfDay::Night { 0.5 } else { 1.0 };
    let top = tone.mix(Rgb::new(0.75, 0.95, 1.0), 0.55).scaled(dim);
    c.gradient(
        0.0,
        0.0,
        1.0,
        1.0,
        &[top, tone.scaled(dim), tone.scaled(0.56 * dim)],
    );
    for _ in 0..5 {
        let (x, w) = (rng.random_range(0.0..1.0), rng.random_range(0.03..0.09));
        c.polygon(
            &[
                (x, -0.02),
                (x + w, -0.02),
                (x + w * 2.4 - 0.16, 0.9),
                (x - 0.2, 0.9),
            ],
            Rgb::WHITE,
            0.07,
        );
    }
    let line = wave(rng, 0.03, 4.0);
    let bed = p.sand.mix(tone, 0.35).scaled(dim);
    let h = b.horizon;
    c.below(
        &|x| h - 0.05 + line(x + 0.7),
        1.0,
        bed.mix(tone, 0.5),
        bed.mix(tone, 0.3),
    );
    for _ in 0..7 {
        let x = rng.random_range(0.0..1.0);
        let (base, tall) = (h + rng.random_range(0.01..0.08), rng.random_range(0.1..0.3));
        let green = p.far[2].mix(Rgb::new(0.08, 0.5, 0.36), 0.6).scaled(dim);
        let points: Vec<(f32, f32)> = (0..=10)
            .map(|i| i as f32 / 10.0)
            .map(|t| (x + 0.014 * (t * 9.0 + x * 20.0).sin(), base - tall * t))
            .collect();
        c.line(
            &points,
            0.013,
            green.scaled(rng.random_range(0.8..1.15)),
            0.9,
        );
    }
    c.below(&|x| h + line(x), 1.0, bed, bed.scaled(0.86));
    for _ in 0..26 {
        let at = (rng.random_range(0.0..1.0), rng.random_range(0.05..0.85));
        let r = rng.random_range(0.004..0.014);
        c.circle(at, r, Rgb::WHITE, 0.26);
        c.circle((at.0 - r * 0.3, at.1 - r * 0.3), r * 0.35, Rgb::WHITE, 0.6);
    }
}

/// Stars and nebulae.
pub(super) fn space(c: &mut Canvas, p: &Palette, rng: &mut ChaCha8Rng) {
    c.gradient(
        0.0,
        0.0,
        1.0,
        1.0,
        &[p.night[0].scaled(0.6), p.night[0], p.night[1].scaled(0.7)],
    );
    for _ in 0..4 {
        let tone = [p.accent[0], p.water, p.curtain][rng.random_range(0..3)];
        c.glow(
            (rng.random_range(0.0..1.0), rng.random_range(0.0..1.0)),
            0.5,
            0.35,
            tone,
            0.22,
        );
    }
    stars(c, 1.0, rng);
    stars(c, 1.0, rng);
}
