//! The light of a scene: what it does to the colours of near and far things.

use crate::colour::Rgb;
use crate::scene::{Background, Season, TimeOfDay, Weather};
use crate::tables::{Kind, Palette};

/// The light of one picture.
pub(super) struct Light {
    /// Colour of the sky, top to horizon.
    pub(super) sky: Vec<Rgb>,
    /// Multiplies every colour that is not a lamp.
    pub(super) ambient: Rgb,
    /// What the far fades into.
    pub(super) haze: Rgb,
    /// How much of it.
    pub(super) haze_amount: f32,
    pub(super) night: bool,
}

impl Light {
    pub(super) fn new(b: &Background, p: &Palette, kind: Kind) -> Self {
        let mut sky: Vec<Rgb> = match b.time {
            TimeOfDay::Day => p.sky.to_vec(),
            TimeOfDay::Dawn => {
                vec![
                    p.sky[0].mix(p.dusk[0], 0.25),
                    p.sky[1].mix(p.dusk[2], 0.5),
                    p.dusk[2],
                ]
            }
            TimeOfDay::Dusk => p.dusk.to_vec(),
            TimeOfDay::Night => p.night.to_vec(),
        };
        let grey = Rgb::new(0.72, 0.75, 0.79);
        let dull = match b.weather {
            Weather::Clear | Weather::Wind => 0.0,
            Weather::Cloudy => 0.45,
            Weather::Snow => 0.6,
            Weather::Rain => 0.68,
            Weather::Fog => 0.75,
        };
        let dim = match b.time {
            TimeOfDay::Night => 0.3,
            TimeOfDay::Dusk => 0.8,
            _ => 1.0,
        };
        let dull = if b.time == TimeOfDay::Day {
            dull
        } else {
            dull * 0.6
        };
        for c in &mut sky {
            *c = c.mix(grey.scaled(dim), dull);
            if let Some(wash) = sky_wash(b) {
                *c = c.mix(wash.scaled(dim), 0.14);
            }
        }
        let indoors = matches!(kind, Kind::Room | Kind::Table);
        let ambient = match (b.time, indoors) {
            (TimeOfDay::Day, _) => Rgb::WHITE,
            (TimeOfDay::Dawn, _) => Rgb::new(1.0, 0.95, 0.91),
            (TimeOfDay::Dusk, false) => Rgb::new(0.98, 0.85, 0.79),
            (TimeOfDay::Dusk, true) => Rgb::new(1.0, 0.92, 0.82),
            (TimeOfDay::Night, false) => Rgb::new(0.5, 0.56, 0.8),
            (TimeOfDay::Night, true) => Rgb::new(0.88, 0.78, 0.68),
        };
        let ambient = match b.weather {
            Weather::Rain if !indoors => ambient.times(Rgb::new(0.84, 0.87, 0.92)),
            Weather::Cloudy if !indoors => ambient.times(Rgb::new(0.94, 0.95, 0.97)),
            _ => ambient,
        };
        let haze = sky.last().copied().unwrap_or(Rgb::WHITE);
        let haze_amount = if b.weather == Weather::Fog {
            0.62
        } else {
            0.28
        };
        Self {
            sky,
            ambient,
            haze,
            haze_amount,
            night: b.time == TimeOfDay::Night,
        }
    }

    /// A near thing's colour.
    pub(super) fn near(&self, c: Rgb) -> Rgb {
        c.times(self.ambient)
    }

    /// The colour of a thing at a distance: 0 is here, 1 the horizon.
    pub(super) fn at(&self, c: Rgb, distance: f32) -> Rgb {
        self.near(c)
            .mix(self.haze, (self.haze_amount * distance).min(0.9))
    }
}

/// The mean of some colours.
fn mean(colours: impl Iterator<Item = Rgb>) -> Option<Rgb> {
    let (sum, n) = colours.fold((Rgb::BLACK, 0.0), |(s, n), c| {
        (Rgb::new(s.r + c.r, s.g + c.g, s.b + c.b), n + 1.0)
    });
    (n > 0.0).then(|| sum.scaled(1.0 / n))
}

/// Grass, earth and leaves have these hues, skies have not.
fn earthy(c: Rgb) -> bool {
    let (h, s, l) = c.hsl();
    s > 0.15 && ((65.0..170.0).contains(&h) || l < 0.45 && h < 50.0)
}

/// What the caption's colours say of the sky.
fn sky_wash(b: &Background) -> Option<Rgb> {
    let low_sun = matches!(b.time, TimeOfDay::Dusk | TimeOfDay::Dawn);
    mean(b.colours.iter().copied().filter(|c| {
        let (h, s, l) = c.hsl();
        l > 0.3 && (s < 0.15 || (170.0..345.0).contains(&h) || low_sun && !earthy(*c))
    }))
}

/// What they say of the ground.
pub(super) fn ground_wash(b: &Background) -> Option<Rgb> {
    mean(b.colours.iter().copied().filter(|c| earthy(*c)))
}

/// What they say of a wall.
pub(super) fn wall_wash(b: &Background) -> Option<Rgb> {
    mean(b.colours.iter().copied())
}

/// What the season does to plants.
pub(super) fn green(c: Rgb, season: Season) -> Rgb {
    match season {
        Season::Spring => c.mix(Rgb::new(0.62, 0.84, 0.42), 0.18),
        Season::Summer => c,
        Season::Autumn => c.mix(Rgb::new(0.84, 0.6, 0.25), 0.42),
        Season::Winter => c.mix(Rgb::new(0.95, 0.97, 1.0), 0.72),
    }
}
